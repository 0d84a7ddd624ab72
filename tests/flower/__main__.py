"""Run the quickstart as a FedBlocks job on a network of real processes, and say what came of it.

``python -m tests.flower --nodes 8 --rounds 5``: a chain with a job of its own, a SuperLink, a SuperNode for each
client, and the app of examples/flower-quickstart/after. In the end every epoch is worked out again from the published
data.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import torch

from fedblocks.rollup.blobs import BlobStore
from fedblocks.rollup.replay import Replay
from fedblocks.rollup.sequencer import instance_key
from fedblocks.rollup.store import RollupStore
from fedblocks.training.datasets import load_dataset
from fedblocks.training.quantise import model_to_vector
from tests.flower.network import ROOT, flower_network, flower_simulation
from tests.flower.scene import Scene, open_scene

APP = ROOT / "examples" / "flower-quickstart" / "after"
SEED = 1


def genesis_model():
    """The app's own model, drawn from the seed that its configuration names."""
    sys.path.insert(0, str(APP))
    from pytorchexample.task import Net

    torch.manual_seed(SEED)
    return model_to_vector(Net())


def replayed(scene: Scene) -> list[bytes]:
    """The headers that follow from what the aggregator has published, worked out again."""
    home = scene.aggregator_settings.parent
    with RollupStore(f"sqlite:///{home / 'rollup.sqlite'}", read_only=True) as store:
        replay = Replay(store, BlobStore(f"file://{home / 'blobs'}"), instance_key(scene.job.context))
        return [epoch.header.hash() for epoch in replay.epochs()]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.flower", description=__doc__)
    parser.add_argument("--nodes", type=int, default=8, help="how many SuperNodes, 4 to 64")
    parser.add_argument("--rounds", type=int, default=5, help="how many epochs at most")
    parser.add_argument("--target", type=float, default=0.95, help="the accuracy at which training stops")
    parser.add_argument("--simulate", action="store_true", help="with Flower's simulation engine")
    parser.add_argument("--timeout", type=float, default=550, help="seconds for the whole run")
    options = parser.parse_args()
    data = load_dataset("digits")
    with tempfile.TemporaryDirectory(prefix="fedblocks-flower-") as folder:
        home = Path(folder)
        with open_scene(
            home / "scene",
            clients=options.nodes,
            genesis=genesis_model(),
            labels=[data.train_y[number :: options.nodes] for number in range(options.nodes)],
            input_shape=data.input_shape,
            classes=data.classes,
            epochs=options.rounds,
            target_ppm=int(options.target * 1_000_000),
        ) as scene:
            settings = {number: scene.client_settings(number) for number in range(options.nodes)}
            opened = (
                flower_simulation(home / "network", scene.clients_folder)
                if options.simulate
                else flower_network(home / "network", settings)
            )
            with opened as network:
                network.run(
                    APP,
                    timeout=options.timeout,
                    simulate=options.nodes if options.simulate else 0,
                    aggregator=str(scene.aggregator_settings),
                    num_server_rounds=options.rounds,
                )
            posted, again = scene.headers(), replayed(scene)
            for header in scene.stored_headers():
                absent = len(scene.clients) - header.participants.bit_count()
                print(
                    f"epoch {header.epoch}: {header.metric / 10_000:.2f} %, 0x{header.hash().hex()}, "
                    f"{absent} absent, {header.excluded.bit_count()} excluded"
                )
            same = posted == again and len(posted) > 0
            print("every header follows from the published data" if same else "the published data give other headers")
            return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
