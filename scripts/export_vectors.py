"""Write the protocol's test vectors, or check that what is there is what the code computes.

    python scripts/export_vectors.py            writes docs/vectors/<name>.json
    python scripts/export_vectors.py --check    exits 1 and names every file that has drifted

Whoever writes a second watcher can hold it against these files without this code; docs/vectors/README.md says what is
in them. Nothing in them depends on a clock, a machine or a random generator that may change.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass, fields, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from eth_abi.abi import encode as abi_encode
from eth_account import Account
from eth_utils.address import to_checksum_address

from fedblocks.aggregation.counters import Counters
from fedblocks.aggregation.fixed_point import Int16Array, Int32Array, Int64Array
from fedblocks.aggregation.gram import Gram, gram
from fedblocks.aggregation.mean import apply_delta, weighted_delta
from fedblocks.aggregation.rules import Rules
from fedblocks.aggregation.stats import ClientStats, CohortStats
from fedblocks.aggregation.verdicts import CLIP_SCALE, Carried, Judgement, judge
from fedblocks.chain.signers import LocalSigner
from fedblocks.rollup.actions import (
    Acknowledgement,
    CommitUpdate,
    DataProfile,
    Reveal,
    action_hash,
    sign_action,
    typed_data,
)
from fedblocks.rollup.admission import admit_reveal
from fedblocks.rollup.entries import SubmissionEntry, commit_entry
from fedblocks.rollup.epoch_data import EpochData
from fedblocks.rollup.fraud import challenges
from fedblocks.rollup.fraud.answers import answer_for
from fedblocks.rollup.fraud.cases import Answer, Challenge, Demand, FraudCase
from fedblocks.rollup.fraud.prover import PreviousEpoch, find_fault
from fedblocks.rollup.fraud.published import Published
from fedblocks.rollup.gram_tree import GramTrace
from fedblocks.rollup.gram_tree import zero_subtree as zero_gram_subtree
from fedblocks.rollup.header import GENESIS_DOMAIN, HEADER_DOMAIN, RULES_DOMAIN, Header, cohort_hash
from fedblocks.rollup.keccak import keccak256
from fedblocks.rollup.lists import SeatList, entry_hash
from fedblocks.rollup.state import InstanceContext, RollupState
from fedblocks.rollup.stf import Commit, Transition, execute
from fedblocks.rollup.vectors import (
    Values,
    VectorKind,
    chunk_at,
    chunk_proof,
    encode_vector,
    subtree_roots,
    tree_depth,
    vector_root,
    zero_subtree,
)
from fedblocks.seats import SlashReason, bitmap_of, pack_reasons, seats_of
from fedblocks.types import EpochNumber, InstanceId, Seat

ROOT = Path(__file__).resolve().parent.parent
VECTORS = ROOT / "docs" / "vectors"

LINE = 120
REVEALED_TAG = 0x12
SETTLEMENT = to_checksum_address("0x00000000000000000000000000000000000000C1")
CHAIN_ID = 31337

MODEL_START, MODEL_STEP = (1 << 32) - 1, (1 << 31) + 12345
"""A model with values at both ends of int32, where the step saturates, and products beyond 64 bits."""


# How it is written


def plain(value: Any) -> Any:
    """A value as JSON has it: integers as decimal strings, which no reader rounds, and bytes in hexadecimal."""
    if isinstance(value, bytes):
        return "0x" + value.hex()
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int | np.integer):
        return str(int(value))
    if isinstance(value, Mapping):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    return value


def render(value: Any, indent: int = 0) -> str:
    """Plain JSON in which what fits a line is on one."""
    flat = json.dumps(value, separators=(",", ":"))
    if len(flat) + indent <= LINE or not isinstance(value, dict | list) or not value:
        return flat
    inner = " " * (indent + 1)
    if isinstance(value, dict):
        parts = [f"{inner}{json.dumps(key)}:{render(each, indent + 1)}" for key, each in value.items()]
        return "{\n" + ",\n".join(parts) + "\n" + " " * indent + "}"
    if all(isinstance(each, str) and len(each) < LINE // 2 for each in value):
        return "[\n" + ",\n".join(inner + line for line in _filled(value)) + "\n" + " " * indent + "]"
    return "[\n" + ",\n".join(inner + render(each, indent + 1) for each in value) + "\n" + " " * indent + "]"


def _filled(words: Sequence[str]) -> Iterator[str]:
    """Short strings, as many as fit a line."""
    line = ""
    for word in map(json.dumps, words):
        if line and len(line) + len(word) + 1 > LINE:
            yield line
            line = word
        else:
            line = f"{line},{word}" if line else word
    yield line


# What is drawn


def draw(name: str, d: int, size: int) -> Int64Array:
    """d integers from -size to size that follow from a name: SHAKE-128, which is the same everywhere."""
    words = np.frombuffer(hashlib.shake_128(name.encode()).digest(4 * d), dtype=">u4").astype(np.int64)
    drawn: Int64Array = words % (2 * size + 1) - size
    return drawn


def counted(kind: VectorKind, d: int, start: int, step: int) -> Values:
    """Value k is ``(start + k step) mod 2^b - 2^(b-1)``, b being the bits of a value."""
    bits = 8 * kind.value_bytes
    numbers = (start + step * np.arange(d, dtype=np.uint64)) % (1 << bits)
    values: Values = (numbers.astype(np.int64) - (1 << (bits - 1))).astype(kind.dtype)
    return values


def signer(name: str) -> LocalSigner:
    return LocalSigner(Account.from_key(key(name)))


def key(name: str) -> bytes:
    """The private key of somebody who exists in tests alone."""
    return keccak256(b"fedblocks test vector key " + name.encode())


# Trees of vectors


def trees() -> dict[str, Any]:
    return {
        "zeroSubtrees": {kind.value: [zero_subtree(height, kind) for height in range(23)] for kind in VectorKind},
        "zeroGramSubtrees": [zero_gram_subtree(height) for height in range(19)],
        "vectors": [_tree(kind, d) for kind in VectorKind for d in (1, 255, 4096, 4097)],
    }


def _tree(kind: VectorKind, d: int) -> dict[str, Any]:
    start, step = 12345, 40503 if kind is VectorKind.UPDATE else 2654435761
    values = counted(kind, d, start, step)
    chunks = -(-d // 256)
    return {
        "kind": kind.value,
        "d": d,
        "start": start,
        "step": step,
        "wireHash": keccak256(encode_vector(values)),
        "chunkHashes": [keccak256(bytes([kind.tags.leaf]) + chunk_at(values, index)) for index in range(chunks)],
        "subtreeRoots": [root.tobytes() for root in subtree_roots(values[np.newaxis])[0]],
        "depth": tree_depth(d),
        "root": vector_root(values),
        "proofOfLastChunk": chunk_proof(values, chunks - 1),
    }


# Signed actions


def signatures() -> dict[str, Any]:
    client, sequencer = signer("client"), signer("sequencer")
    cohort = Cohort(n=4, d=1, name="signatures")
    domain = cohort.context.domain
    reveal = Reveal(Seat(0), np.array([-1], dtype=np.int16), samples=77, salt=keccak256(b"salt"))
    commit = CommitUpdate(
        InstanceId(3), EpochNumber(2), 1, cohort.context.genesis_root, reveal.commitment(client.address)
    )
    signed = action_hash(commit, domain)
    revealed = keccak256(bytes([REVEALED_TAG]) + signed)
    profile = DataProfile(client.address, "digits", "image", "1,8,8", "0-9", 1797, 1_700_000_000)
    return {
        "domain": {
            "name": "FedBlocks",
            "version": "2",
            "chainId": domain.chain_id,
            "verifyingContract": domain.verifying_contract,
            "separator": _separator(),
        },
        "commitment": {
            "updateRoot": reveal.update_root,
            "samples": reveal.samples,
            "salt": reveal.salt,
            "client": client.address,
            "hash": commit.commitment,
        },
        "actions": [
            _action("client", commit, client),
            _action("sequencer", Acknowledgement(signed), sequencer) | {"of": "the commitment"},
            _action("sequencer", Acknowledgement(revealed), sequencer) | {"of": "the reveal, keccak(12 ‖ commitment)"},
            _action("client", profile, client),
        ],
    }


def _separator() -> bytes:
    domain = b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
    return keccak256(
        abi_encode(
            ["bytes32", "bytes32", "bytes32", "uint256", "address"],
            [keccak256(domain), keccak256(b"FedBlocks"), keccak256(b"2"), CHAIN_ID, SETTLEMENT],
        )
    )


def _action(whose: str, action: Any, by: LocalSigner) -> dict[str, Any]:
    domain = Cohort(n=4, d=1, name="signatures").context.domain
    message = typed_data(action, domain)
    name = message["primaryType"]
    members = ",".join(f"{each['type']} {each['name']}" for each in message["types"][name])
    return {
        "type": f"{name}({members})",
        "typeHash": keccak256(f"{name}({members})".encode()),
        "message": message["message"],
        "hash": action_hash(action, domain),
        "privateKey": key(whose),
        "signer": by.address,
        "signature": sign_action(action, domain, by),
    }


# A small instance, and two honest epochs of it


class Cohort:
    """Clients that train nothing and send what their names give."""

    def __init__(self, n: int, d: int, name: str) -> None:
        self.n, self.d, self.name = n, d, name
        self.signers = [signer(f"seat {seat}") for seat in range(n)]
        self.aggregator = signer("aggregator")
        self.model: Int32Array = counted(VectorKind.MODEL, d, MODEL_START, MODEL_STEP).astype(np.int32)
        self.context = InstanceContext(
            chain_id=CHAIN_ID,
            settlement=SETTLEMENT,
            instance_id=InstanceId(7),
            cohort=tuple(each.address for each in self.signers),
            d=d,
            genesis_root=vector_root(self.model),
            rules=Rules(sample_cap=4),
        )
        self.genesis = RollupState.genesis(self.context, self.model)

    def update(self, epoch: int, seat: int) -> Int16Array:
        common = draw(f"{self.name} common", self.d, 300)
        own = draw(f"{self.name} seat {seat}", self.d, 300) + draw(f"{self.name} {epoch} {seat}", self.d, 100)
        update = common + own
        update[:6] = [30000, -1, -30000, -1 - (seat == 0), -32768 if seat == 1 else -3, 32767 if seat == 1 else 5]
        return update.astype(np.int16)

    def commit(self, state: RollupState, seat: int, update: Int16Array) -> tuple[CommitUpdate, bytes, Reveal]:
        epoch = state.epoch + 1
        salt = keccak256(f"{self.name} salt {epoch} {seat}".encode())
        reveal = Reveal(Seat(seat), update, samples=1 + seat, salt=salt)
        action = CommitUpdate(
            self.context.instance_id,
            EpochNumber(epoch),
            0,
            state.model_root,
            reveal.commitment(self.context.cohort[seat]),
        )
        return action, sign_action(action, self.context.domain, self.signers[seat]), reveal


def _committing(header: Header, data: EpochData) -> Header:
    """The header that commits to other data."""
    roots: dict[str, Any] = dict(data.roots())
    return replace(header, **roots)


@dataclass(frozen=True, eq=False)
class Epoch:
    """An honest epoch with all that a watcher knows when it looks at it."""

    cohort: Cohort
    before: RollupState
    previous: PreviousEpoch | None
    reveals: Mapping[Seat, Reveal]
    transition: Transition
    header: Header

    @property
    def data(self) -> EpochData:
        return self.transition.data

    def look(self, header: Header, data: EpochData, answered: EpochData | None = None) -> Challenge | Demand:
        """What a watcher finds; where `answered` is given, every demand is answered from it."""
        published = Published.of(self.cohort.context, header, data)
        while True:
            found = find_fault(self.before, self.previous, header, published)
            assert found is not None, "a forged epoch is wrong somewhere"
            if answered is None or isinstance(found, Challenge):
                return found
            published.learn(found.position, answer_for(found, answered))

    def forged(self, **changes: Any) -> Challenge:
        """The challenge of an epoch with other data and a header that commits to them."""
        data = replace(self.data, **changes)
        found = self.look(_committing(self.header, data), data)
        assert isinstance(found, Challenge)
        return found


@cache
def two_epochs() -> tuple[Epoch, Epoch]:
    """Five seats; in the second epoch, seat 3 has committed and is absent."""
    cohort = Cohort(n=5, d=4500, name="epoch")
    state, previous = cohort.genesis, None
    epochs = []
    for number in (1, 2):
        commits, reveals = {}, {}
        for seat in range(cohort.n):
            action, signature, reveal = cohort.commit(state, seat, cohort.update(number, seat))
            commits[Seat(seat)] = Commit(action.commitment, signature)
            reveals[Seat(seat)] = reveal
        if number == 2:
            del reveals[Seat(3)]
        submissions = {seat: admit_reveal(cohort.context, commits, reveal) for seat, reveal in reveals.items()}
        transition = execute(cohort.context, state, 0, commits, submissions)
        header = transition.seal(cohort.context, state, 500_000 + number, keccak256(b"manifest %d" % number))
        epochs.append(Epoch(cohort, state, previous, reveals, transition, header))
        state, previous = transition.after(header), PreviousEpoch.of(header, transition.data)
    return epochs[0], epochs[1]


def epoch() -> dict[str, Any]:
    epochs = two_epochs()
    cohort = epochs[0].cohort
    context = cohort.context
    return {
        "domains": {"header": HEADER_DOMAIN, "genesis": GENESIS_DOMAIN, "rules": RULES_DOMAIN},
        "instance": {
            "chainId": context.chain_id,
            "settlement": context.settlement,
            "instanceId": context.instance_id,
            "cohort": context.cohort,
            "privateKeys": [key(f"seat {seat}") for seat in range(cohort.n)],
            "d": context.d,
            "rules": context.rules.words(),
            "modelStart": MODEL_START,
            "modelStep": MODEL_STEP,
            "modelRoot": context.genesis_root,
            "cohortHash": cohort_hash(context.cohort),
            "rulesHash": context.rules_hash,
            "genesisHash": context.genesis_hash,
        },
        "names": {
            "clientFigures": [_camel(field.name) for field in fields(ClientStats)],
            "cohortFigures": [_camel(field.name) for field in fields(CohortStats)],
            "header": [_camel(field.name) for field in fields(Header)],
        },
        "epochs": [_epoch(each) for each in epochs],
    }


def _epoch(each: Epoch) -> dict[str, Any]:
    context, data, judgement = each.cohort.context, each.data, each.transition.judgement
    trace, n = data.gram, each.cohort.n
    tree = trace.tree()
    return {
        "attempt": each.header.attempt,
        "metric": each.header.metric,
        "dataLocator": each.header.data_locator,
        "reveals": {
            seat: {"update": encode_vector(own.update), "samples": own.samples, "salt": own.salt}
            for seat, own in each.reveals.items()
        },
        "commits": [
            {
                "seat": seat,
                "client": context.cohort[seat],
                "commitment": content[64:96],
                "signature": content[96:],
                "entry": entry_hash(content, SeatList.COMMITS),
            }
            for seat, content in enumerate(data.commits)
            if content is not None
        ],
        "submissions": [
            {_camel(name): value for name, value in vars(SubmissionEntry.decode(content)).items()}
            | {"content": content, "entry": entry_hash(content, SeatList.SUBMISSIONS)}
            for content in data.submissions
        ],
        "gram": {
            "rows": [_row(trace, len(trace.leaves) - 1, row) for row in range(n + 1)],
            "leaves": [
                {
                    "column": [trace.column(leaf)[32 * seat :][:32] for seat in range(n)],
                    "columnRoot": tree.columns[leaf].tobytes(),
                    "rows": [trace.row(leaf, row) for row in range(n + 1)],
                    "rowsRoot": tree.lists[leaf].tobytes(),
                    "leaf": tree.leaves[leaf].tobytes(),
                }
                for leaf in range(len(trace.leaves))
            ],
        },
        "stats": {
            seat: {
                "figures": judgement.stats[seat].words(),
                "evidence": int(judgement.verdicts[seat].evidence),
                "badness": judgement.verdicts[seat].own_badness,
                "content": data.stats[seat],
                "entry": entry_hash(data.stats[seat], SeatList.STATS),
            }
            for seat in judgement.stats
        },
        "cohort": {
            "figures": astuple(judgement.cohort),
            "content": data.cohort,
            "entry": entry_hash(data.cohort, SeatList.STATS),
        },
        "carried": {
            "seats": [
                {"counters": astuple(counters), "packedCounters": counters.pack(), "weight": weight, "M": product}
                for counters, weight, product in zip(
                    judgement.carried.counters, judgement.carried.weights, judgement.carried.products, strict=True
                )
            ],
            "content": data.carried,
        },
        "firstDelta": data.delta[:8].tolist(),
        "firstNextModel": data.next_model[:8].tolist(),
        "header": {_camel(name): value for name, value in vars(each.header).items()},
        "headerHash": each.header.hash(),
    }


def _row(trace: GramTrace, leaf: int, row: int) -> list[int]:
    """A row's entries, read from its bytes."""
    content, values = trace.row(leaf, row), []
    for entry in range((3 if row == trace.n else 2) * trace.n + 2):
        part = content[trace.layout.entry(row, entry)]
        values.append(int.from_bytes(part, "big") - (1 << (8 * len(part) - 1)))
    return values


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


# Verdicts

SEATS, D = 7, 4096
NOTHING = np.zeros(D, dtype=np.int64)


@dataclass
class Scene:
    """What an epoch is judged by; honest unless somebody changes it.

    Attributes:
        updates, last, model: u, p and w; int64, within the range of what they stand for.
        counters, weights, samples: by seat; whoever is not in `samples` is absent.
    """

    updates: Int64Array
    last: Int64Array
    model: Int64Array
    counters: list[Counters]
    weights: list[int]
    samples: dict[int, int]
    rules: Rules
    slashed: dict[int, SlashReason]
    first: bool = False

    @classmethod
    def honest(cls) -> Scene:
        common = draw("common", D, 60)
        target = np.stack([common + draw(f"own {seat}", D, 60) for seat in range(SEATS)])
        last = target + np.stack([draw(f"last {seat}", D, 20) for seat in range(SEATS)])
        scene = cls(
            updates=last,
            last=last,
            model=draw("model", D, 2000),
            counters=[Counters()] * SEATS,
            weights=[CLIP_SCALE] * SEATS,
            samples=dict.fromkeys(range(SEATS), 10),
            rules=Rules(),
            slashed={},
        )
        scene.updates = target - 3 * scene.delta // 10 + np.stack([draw(f"now {k}", D, 20) for k in range(SEATS)])
        return scene

    @property
    def delta(self) -> Int64Array:
        """The last global delta."""
        return weighted_delta(self.last.astype(np.int16), self.weights).astype(np.int64)

    def send(self, seat: int, update: Int64Array) -> None:
        self.updates = self.updates.copy()
        self.updates[seat] = update

    def sent_before(self, seat: int, update: Int64Array) -> None:
        self.last = self.last.copy()
        self.last[seat] = update

    def judged(self) -> tuple[Gram, Carried, Judgement]:
        absent = [seat for seat in range(SEATS) if seat not in self.samples]
        updates, last = self.updates.astype(np.int16), self.last.astype(np.int16)
        updates[absent] = 0
        if self.first:
            last = np.zeros_like(last)
            carried, delta = Carried.genesis(SEATS), last[0]
        else:
            weighted = np.array(self.weights, dtype=np.int64) @ self.last
            carried = Carried(
                participants=bitmap_of(range(SEATS)),
                weights=tuple(self.weights),
                products=tuple(int(own @ weighted) for own in self.last),
                counters=tuple(self.counters),
                slash_reasons=pack_reasons(self.slashed),
            )
            delta = self.delta.astype(np.int16)
        products = gram(updates, last, delta, self.model.astype(np.int32), absent)
        return products, carried, judge(products, self.samples, carried, self.rules)


Change = Callable[[Scene], None]


def _first_epoch(scene: Scene) -> None:
    """One update from two clients: in the first epoch it proves nothing yet."""
    scene.first = True
    scene.send(6, scene.updates[5])


def _nothing_and_replay(scene: Scene) -> None:
    scene.send(6, NOTHING)
    scene.sent_before(6, NOTHING)
    scene.send(5, scene.last[2])


def _duplicate(scene: Scene) -> None:
    scene.send(6, scene.updates[5])


def _global_and_noise(scene: Scene) -> None:
    scene.sent_before(5, draw("noise before", D, 80))
    scene.send(5, draw("noise now", D, 80))
    scene.counters[5] = Counters(noise=2)
    scene.send(6, scene.delta)


def _against(scene: Scene) -> None:
    """The opposite of an honest update, in this epoch and the one before, where it was left out."""
    for seat in (5, 6):
        scene.send(seat, -scene.updates[seat])
        scene.sent_before(seat, -scene.last[seat])
        scene.weights[seat] = 0
    scene.counters[5] = Counters(outlying=6)
    scene.counters[6] = Counters(response=2, outlying=3, growing=1)


def _more_grow_than_can_be_malicious(scene: Scene) -> None:
    for seat in (4, 5, 6):
        scene.send(seat, scene.last[seat] + scene.delta)
        scene.counters[seat] = Counters(response=2, growing=2)


def _evidence_against_too_many(scene: Scene) -> None:
    for seat in (4, 5, 6):
        scene.send(seat, NOTHING)
        scene.sent_before(seat, NOTHING)


def _outlying_and_nearly_replay(scene: Scene) -> None:
    scene.send(6, -scene.updates[6] - scene.model // 20)
    scene.counters[6] = Counters(outlying=2)
    scene.send(5, scene.last[2] + draw("jitter", D, 2))


def _central_and_little(scene: Scene) -> None:
    scene.send(6, scene.updates[:5].sum(axis=0) // 5)
    scene.counters[6] = Counters(central=1)
    scene.send(5, scene.updates[5] // 20)


def _like_global(scene: Scene) -> None:
    delta = scene.delta
    scene.send(6, delta + draw("disguise", D, 15))
    scene.send(5, delta + draw("more disguise", D, 33))
    scene.counters[5] = Counters(similar=2)


def _against_global(scene: Scene) -> None:
    scene.send(6, draw("undoing", D, 30) - scene.delta)


def _nearly_duplicate(scene: Scene) -> None:
    scene.send(6, scene.updates[5] + draw("jitter", D, 2))


def _absent_and_slashed(scene: Scene) -> None:
    scene.slashed = {1: SlashReason.NOISE}
    scene.weights[1] = 0
    del scene.samples[1], scene.samples[4]
    scene.counters[4] = Counters(response=1, noise=2)


def _three_participants(scene: Scene) -> None:
    scene.samples = {0: 1, 2: 1, 5: 1}


def _weights(scene: Scene) -> None:
    scene.rules = Rules(sample_cap=3)
    scene.samples = {0: 1, 1: 2, 2: 3, 3: 4, 4: (1 << 256) - 1, 5: 5, 6: 1}
    scene.send(3, 3 * scene.updates[3] // 2)


def _no_step(scene: Scene) -> None:
    """Whose weight was all there was had sent nothing."""
    scene.weights = [0] * (SEATS - 1) + [1]
    scene.sent_before(6, NOTHING)


SCENES: dict[str, Change] = {
    "honest": lambda scene: None,
    "the first epoch, with one update from two clients": _first_epoch,
    "one sends nothing, another somebody's last update": _nothing_and_replay,
    "two clients with one update": _duplicate,
    "one sends the last global delta, another noise for the third time": _global_and_noise,
    "two send the opposite of honest updates, one for the third time": _against,
    "more grow along the step than can be malicious": _more_grow_than_can_be_malicious,
    "evidence against more than a third": _evidence_against_too_many,
    "one is far out and away from the model, another sends nearly somebody's last update": _outlying_and_nearly_replay,
    "one is in the middle of the others, another sends hardly anything": _central_and_little,
    "two disguise the last global delta, one with much noise for the third time": _like_global,
    "an update that undoes the last step": _against_global,
    "nearly another's update": _nearly_duplicate,
    "an absent client and a slashed one": _absent_and_slashed,
    "three participants": _three_participants,
    "samples and lengths that differ": _weights,
    "a last step of zero": _no_step,
}


def verdicts() -> dict[str, Any]:
    return {
        "names": {
            "clientFigures": [_camel(field.name) for field in fields(ClientStats)],
            "cohortFigures": [_camel(field.name) for field in fields(CohortStats)],
            "counters": [field.name for field in fields(Counters)],
            "rules": [_camel(field.name) for field in fields(Rules)],
            "evidence": [reason.name for reason in SlashReason],
        },
        "epochs": [_judged(name, change) for name, change in SCENES.items()],
    }


def _judged(name: str, change: Change) -> dict[str, Any]:
    scene = Scene.honest()
    change(scene)
    products, before, judgement = scene.judged()
    return {
        "name": name,
        "rules": scene.rules.words(),
        "samples": scene.samples,
        "before": _carried(before),
        "rows": [products.row(seat) for seat in range(SEATS)],
        "commonRow": products.common_row(),
        "figures": {seat: own.words() for seat, own in judgement.stats.items()},
        "cohort": astuple(judgement.cohort),
        "judgements": {
            seat: {
                "evidence": own.evidence.name,
                "slashed": own.slashed.name,
                "suspicions": [each.name for each in own.suspicions],
                "ownBadness": own.own_badness,
                "badness": own.badness,
                "excluded": own.excluded,
            }
            for seat, own in judgement.verdicts.items()
        },
        "excluded": seats_of(judgement.excluded),
        "after": _carried(judgement.carried),
    }


def _carried(carried: Carried) -> dict[str, Any]:
    return {
        "participants": seats_of(carried.participants),
        "weights": carried.weights,
        "M": carried.products,
        "counters": [astuple(each) for each in carried.counters],
        "slashReasons": carried.slash_reasons,
    }


# The step

LOWEST, HIGHEST = -(1 << 15), (1 << 15) - 1
LOWEST_MODEL, HIGHEST_MODEL = -(1 << 31), (1 << 31) - 1


def aggregation() -> dict[str, Any]:
    means = [
        ("means are floored, not cut off", [[1, -1, 3, -3, 0, -1], [2, -2, 4, -4, 0, 0]], [1, 1]),
        ("a weight of zero leaves out", [[7, -7], [100, -100], [8, -8]], [3, 0, 4]),
        ("the ends of int16 at the largest weights", [[LOWEST, HIGHEST]] * 3, [(1 << 40) - 1] * 3),
        ("one against many", [[HIGHEST, LOWEST], [LOWEST, HIGHEST]], [1, (1 << 40) - 1]),
        ("a mean just below zero", [[-1, 0, 0], [0, 0, 0]], [1, (1 << 40) - 1]),
    ]
    bases = [0, 5, HIGHEST_MODEL, HIGHEST_MODEL - 1, LOWEST_MODEL, LOWEST_MODEL + 1, HIGHEST_MODEL, LOWEST_MODEL]
    steps = [-1, -6, 1, 1, -1, -2, HIGHEST, LOWEST]
    base, delta = np.array(bases, dtype=np.int32), np.array(steps, dtype=np.int16)
    return {
        "means": [
            {
                "name": name,
                "updates": updates,
                "weights": weights,
                "delta": weighted_delta(np.array(updates, dtype=np.int16), weights).tolist(),
            }
            for name, updates, weights in means
        ],
        "steps": {"base": bases, "delta": steps, "next": apply_delta(base, delta).tolist()},
    }


# Fraud

HEADER = f"({','.join(['uint256'] * 3 + ['bytes32'] * 8 + ['uint256'] * 3 + ['bytes32', 'uint256', 'bytes32'])})"
OPENING = "(uint256,bytes32,bytes32,bytes32[])"
OPERAND = "(bytes,bytes,bytes32[])"

TYPES: dict[str, list[str]] = {
    "challengeSubmission": [HEADER, "uint256", "bytes", "bytes", "bytes"],
    "challengeLastUpdate": [HEADER, HEADER, "uint256", "bytes", "bytes", "bytes", "bytes"],
    "challengeCensorship": [HEADER, "uint256", "bytes32", "uint256", "bytes32", "bytes"],
    "challengeProduct": [
        *[HEADER, HEADER, "uint256", "uint256", OPENING, "bytes", "bytes", OPENING, "bytes", "bytes", "bytes"],
        *[OPERAND, OPERAND],
    ],
    "challengeColumn": [HEADER, OPENING, "bytes", "uint256", "bytes", "bytes", "bytes32", "bytes32[]"],
    "challengeDelta": [HEADER, OPENING, "bytes", "bytes", "uint256", "bytes", "bytes", "bytes32[]"],
    "challengeNextModel": [HEADER, "uint256", *["bytes", "bytes32[]"] * 3],
    "challengePadding": [
        *[HEADER, "uint256", "bytes", "bytes", "uint256", "uint256", "uint256", "bytes32", "bytes", "bytes32[]"]
    ],
    "challengeFigures": [
        *[HEADER, HEADER, "uint256", OPENING, *["bytes"] * 7, "uint256[27]", "int256", "int256"],
    ],
    "challengeVerdict": [HEADER, HEADER, "uint256", *["bytes"] * 6, "uint256[27]", "bytes", "bytes"],
    "challengeCohort": [HEADER, HEADER, *["bytes"] * 3, OPENING, *["bytes"] * 3, "uint256[27]"],
    "demand": [HEADER, "uint256", "uint256", "uint256"],
    "answer": ["uint256", HEADER, "bytes", "bytes", OPENING, "bytes", "bytes32[]"],
    "failDemand": ["uint256"],
}
"""The functions that are called, with the ABI types of their arguments."""


def faults() -> dict[str, Any]:
    first, second = two_epochs()
    data, layout = second.data, second.data.gram.layout
    proven = [
        second.forged(submissions=_with(data.submissions, 2, _flipped(data.submissions[2], 256))),
        second.forged(gram=_garbled(data.gram, 1, layout.row(1).start + 7)),
        first.forged(gram=_garbled(first.data.gram, 0, 32 * 2 + 5)),
        second.forged(stats=_with(data.stats, 2, _flipped(data.stats[2] or b"", 50))),
        second.forged(stats=_with(data.stats, 2, _flipped(data.stats[2] or b"", 142))),
        second.forged(cohort=_flipped(data.cohort, 113)),
        second.forged(delta=_raised(data.delta, 4400)),
        second.forged(next_model=_raised(data.next_model, 300)),
        second.forged(submissions=_with(data.submissions, 3, _flipped(data.submissions[3], 200))),
        _censored(second),
        _padded(second),
    ]
    listed = [_fault(challenge) for challenge in proven] + [_withheld(second)]
    return {
        "epoch": "the epochs of epoch.json, with one lie each; the aggregator's private key is below",
        "aggregatorPrivateKey": key("aggregator"),
        "cases": {case.name: int(case) for case in FraudCase},
        "faults": sorted(listed, key=lambda fault: int(fault["case"])),
    }


def _flipped(content: bytes, at: int) -> bytes:
    return content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]


def _with(contents: tuple[Any, ...], seat: int, content: bytes) -> tuple[Any, ...]:
    return (*contents[:seat], content, *contents[seat + 1 :])


def _garbled(trace: GramTrace, leaf: int, at: int) -> GramTrace:
    leaves = trace.leaves.copy()
    leaves[leaf, at] ^= 1
    return GramTrace(trace.n, leaves)


def _raised(values: Values, index: int) -> Values:
    other = values.copy()
    other[index] += 1
    return other


def _censored(second: Epoch) -> Challenge:
    """Seat 3 has committed and revealed, and holds the aggregator's word for it; the header leaves it out."""
    cohort = second.cohort
    action, _, reveal = cohort.commit(second.before, 3, cohort.update(2, 3))
    revealed = keccak256(bytes([REVEALED_TAG]) + action_hash(action, cohort.context.domain))
    acknowledged = sign_action(Acknowledgement(revealed), cohort.context.domain, cohort.aggregator)
    return challenges.censorship(second.header, 3, reveal.update_root, reveal.samples, reveal.salt, acknowledged)


def _padded(second: Epoch) -> Challenge:
    """Seat 2 has committed to an update with a value past the last one, and the aggregator has let it pass."""
    cohort, data = second.cohort, second.data
    longer = np.zeros(8192, dtype=np.int16)
    longer[: cohort.d] = data.updates[2]
    longer[cohort.d] = 1
    action, signature, reveal = cohort.commit(second.before, 2, longer)
    client = cohort.context.cohort[2]
    honest = SubmissionEntry.decode(data.submissions[2])
    entry = replace(honest, commitment=action.commitment, signature=signature, update_root=reveal.update_root).encode()
    forged = replace(
        data,
        commits=_with(data.commits, 2, commit_entry(2, client, action.commitment, signature)),
        submissions=_with(data.submissions, 2, entry),
    )
    header = _committing(second.header, forged)
    found = second.look(header, forged, answered=replace(forged, updates={**data.updates, 2: longer}))
    assert isinstance(found, Challenge)
    return found


def _withheld(second: Epoch) -> dict[str, Any]:
    """Nobody can see the commitments: they are demanded; either they are opened, or the epoch falls."""
    found = second.look(second.header, replace(second.data, commits=(b"",) * second.cohort.n))
    assert isinstance(found, Demand)
    position = (int(found.kind), found.seat, found.index)
    named = abi_encode(["bytes32", "uint256", "uint256", "uint256"], [second.header.hash(), *position])
    demand_id = int.from_bytes(keccak256(named), "big")
    opened: Answer = answer_for(found, second.data)
    opening = (found.index, opened.column_root, opened.rows_root, list(opened.leaf_proof))
    asked = (second.header.as_tuple(), *position)
    answered = (
        demand_id,
        second.header.as_tuple(),
        opened.entries,
        opened.submission,
        opening,
        opened.content,
        list(opened.proof),
    )
    call = _call(FraudCase.WITHHELD, "DataDemands", "failDemand", (demand_id,), f"not to be had: {found.missing}")
    return call | {
        "demand": _transaction("demand", asked),
        "answer": _transaction("answer", answered),
    }


def _fault(challenge: Challenge) -> dict[str, Any]:
    return _call(challenge.case, challenge.contract, challenge.function, challenge.arguments, challenge.found)


def _call(case: FraudCase, contract: str, function: str, arguments: Sequence[Any], found: str) -> dict[str, Any]:
    return {"case": int(case), "name": case.name, "found": found, "contract": contract} | _transaction(
        function, arguments
    )


def _transaction(function: str, arguments: Sequence[Any]) -> dict[str, Any]:
    signature = f"{function}({','.join(TYPES[function])})"
    calldata = keccak256(signature.encode())[:4] + abi_encode(TYPES[function], list(arguments))
    return {
        "function": signature,
        "arguments": arguments,
        "calldataSize": len(calldata),
        "calldataHash": keccak256(calldata),
    }


# The files

FILES: dict[str, Callable[[], dict[str, Any]]] = {
    "trees": trees,
    "signatures": signatures,
    "epoch": epoch,
    "verdicts": verdicts,
    "aggregation": aggregation,
    "faults": faults,
}


def export() -> dict[str, str]:
    """The text of every file, by its name."""
    return {name: render(plain(build())) + "\n" for name, build in FILES.items()}


def drift(expected: Mapping[str, str], folder: Path) -> list[str]:
    """What differs between the vectors as computed and the files in a folder, one line for each file."""
    lines = []
    for name, text in expected.items():
        path = folder / f"{name}.json"
        if not path.exists():
            lines.append(f"{path.name}: missing")
        elif path.read_text(encoding="utf-8") != text:
            lines.append(f"{path.name}: changed")
    return lines + [f"{path.name}: left over" for path in sorted(folder.glob("*.json")) if path.stem not in expected]


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Export the protocol's test vectors.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when a file has drifted")
    parser.add_argument("--out", type=Path, default=VECTORS, help="the folder of the files")
    options = parser.parse_args(arguments)

    expected = export()
    if options.check:
        lines = drift(expected, options.out)
        for line in lines:
            print(f"drifted: {line}", file=sys.stderr)
        if lines:
            print("`make vectors` brings them up to date", file=sys.stderr)
        return 1 if lines else 0

    options.out.mkdir(parents=True, exist_ok=True)
    for stale in options.out.glob("*.json"):
        if stale.stem not in expected:
            stale.unlink()
    for name, text in expected.items():
        path = options.out / f"{name}.json"
        path.write_text(text, encoding="utf-8")
        print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
