"""The manifest of an epoch: what was published, and where each piece lies.

A header commits to an epoch in a few hashes; the manifest is what those hashes are of, or says where to find it. Its
own content address is the header's data locator, so that whoever holds a header can ask any store of blobs for the
manifest, and then for the rest.

It is canonical JSON: sorted keys, no spaces, integers beyond 53 bits as decimal strings, bytes in hexadecimal. One
epoch has one manifest, to the byte.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from fedblocks.rollup.state import InstanceContext
from fedblocks.rollup.stf import Commit, Submission, Transition
from fedblocks.types import Hash32, Seat

FORMAT = "fedblocks-epoch/1"


@dataclass(frozen=True)
class BlobAddresses:
    """Where the vectors of an epoch lie.

    Attributes:
        updates: by seat, the update as it goes over the wire.
        delta: the global step.
        next_model: the model after the epoch.
    """

    updates: Mapping[Seat, Hash32]
    delta: Hash32
    next_model: Hash32


def write_manifest(
    context: InstanceContext,
    transition: Transition,
    commits: Mapping[Seat, Commit],
    submissions: Mapping[Seat, Submission],
    blobs: BlobAddresses,
) -> bytes:
    """The manifest of an executed epoch."""
    carried = transition.judgement.carried
    document = {
        "format": FORMAT,
        "chainId": context.chain_id,
        "settlement": context.settlement,
        "instanceId": context.instance_id,
        "epoch": transition.epoch,
        "attempt": transition.attempt,
        "rules": list(context.rules.words()),
        "delta": blobs.delta.hex(),
        "nextModel": blobs.next_model.hex(),
        "commits": {
            str(seat): {"commitment": commit.commitment.hex(), "signature": commit.signature.hex()}
            for seat, commit in commits.items()
        },
        "submissions": {
            str(seat): {
                "update": blobs.updates[seat].hex(),
                "updateRoot": own.update_root.hex(),
                "samples": own.samples,
                "salt": own.salt.hex(),
            }
            for seat, own in submissions.items()
        },
        "gram": [list(map(str, transition.gram.row(seat))) for seat in range(transition.gram.seats)],
        "norms": list(map(str, transition.gram.norms_row())),
        "stats": {str(seat): list(map(str, own.words())) for seat, own in transition.judgement.stats.items()},
        "weights": list(map(str, carried.weights)),
        "products": list(map(str, carried.products)),
        "counters": [each.pack() for each in carried.counters],
    }
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()
