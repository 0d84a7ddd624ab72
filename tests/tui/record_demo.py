"""Record a run of `fedblocks demo --hold` for `fedblocks tui --demo`.

    fedblocks demo --data digits --model logistic --epochs 10 --target 0.97 --dishonest-aggregator frame \\
        --output DIRECTORY --port PORT --hold &
    python -m tests.tui.record_demo DIRECTORY http://127.0.0.1:PORT

Of the published data only the epochs' manifests are kept: they hold every figure that is shown.
"""

from __future__ import annotations

import sys
from pathlib import Path

import fedblocks_tui
from fedblocks.client import FedBlocks
from fedblocks.contracts.model_parameter_chain import EpochSubmitted
from fedblocks.monitor.recording import record
from fedblocks.monitor.sources import NodeSource
from fedblocks.monitor.subject import Subject
from fedblocks.rollup.blobs import BlobMissing, BlobStore


def main(folder: Path, url: str) -> None:
    """Write the recording that is shipped."""
    fedblocks = FedBlocks.connect(url, folder / "deployment.json")
    subject = Subject.of(fedblocks.deployment)
    blobs = BlobStore(f"file://{folder.resolve()}/blobs")
    manifests = {}
    for event in fedblocks.events():
        if isinstance(event, EpochSubmitted):
            try:
                manifests[event.header.data_locator] = blobs.get(event.header.data_locator)
            except BlobMissing:
                print(f"epoch {event.epoch} was not published")
    path = Path(fedblocks_tui.__file__).with_name("recording.jsonl.gz")
    recording = record(NodeSource(fedblocks.connection, subject.addresses.values()), subject, path, blobs=manifests)
    print(f"{path}: {path.stat().st_size:,} bytes, {len(recording.logs):,} logs, {len(manifests)} manifests")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
