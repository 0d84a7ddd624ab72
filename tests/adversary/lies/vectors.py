"""Lies in the vectors: the step, the next model, and values past the last one."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import Literal

import numpy as np

from fedblocks.aggregation.mean import apply_delta
from fedblocks.rollup.actions import update_commitment
from fedblocks.rollup.entries import SubmissionEntry, commit_entry
from fedblocks.rollup.fraud.cases import FraudCase
from fedblocks.rollup.vectors import CHUNK_VALUES, LEAF_HEIGHT, Values, kind_of
from tests.adversary.committed import Vector
from tests.adversary.lies import Told, lie, overwritten, put, tell
from tests.adversary.truth import Truth

Name = Literal["delta", "next_model"]
CASES: dict[Name, FraudCase] = {"delta": FraudCase.DELTA, "next_model": FraudCase.NEXT_MODEL}


def _with(truth: Truth, name: Name, values: Values) -> Told | None:
    own = getattr(truth.data, name)
    if np.array_equal(values, own):
        return None
    return tell(truth, replace(truth.committed, **{name: Vector(values.astype(own.dtype))}))


def _one_value(name: Name) -> None:
    @lie(f"a false value of {name}", CASES[name])
    def told(truth: Truth, rng: Random) -> Told | None:
        values = getattr(truth.data, name).copy()
        info, at = np.iinfo(values.dtype), rng.choice([0, truth.d - 1, rng.randrange(truth.d)])
        near = [value for value in (int(values[at]) - 1, int(values[at]) + 1) if info.min <= value <= info.max]
        values[at] = rng.choice([*near, info.min, info.max, 0])
        return _with(truth, name, values)


def _all_values(name: Name) -> None:
    @lie(f"a {name} that is shifted, turned round or zero", CASES[name])
    def told(truth: Truth, rng: Random) -> Told | None:
        own = getattr(truth.data, name)
        return _with(truth, name, rng.choice([np.roll(own, 1), own[::-1].copy(), np.zeros_like(own), ~own]))


def _past_the_end(name: Name) -> None:
    @lie(f"values of {name} past the last one", CASES[name], FraudCase.PADDING)
    def told(truth: Truth, rng: Random) -> Told | None:
        padded = _padded(getattr(truth.data, name), rng)
        return padded and tell(truth, replace(truth.committed, **{name: padded}))


def _unopened(name: Name) -> None:
    @lie(f"a {name} that opens nowhere", FraudCase.WITHHELD)
    def told(truth: Truth, rng: Random) -> Told:
        own = getattr(truth.committed, name)
        height = rng.randrange(LEAF_HEIGHT, len(own.levels))
        nodes = {(height, index): rng.randbytes(32) for index in range(len(own.levels[height]))}
        return tell(truth, replace(truth.committed, **{name: replace(own, nodes=nodes)}))


for _name in CASES:
    _one_value(_name)
    _all_values(_name)
    _past_the_end(_name)
    _unopened(_name)


def _padded(values: Values, rng: Random) -> Vector | None:
    """A vector with something past its last value: in its last chunk, in a later chunk, or in a whole subtree."""
    plain, kind, d = Vector(values), kind_of(values), len(values)
    used = -(-d // CHUNK_VALUES)
    choices: list[Vector] = []
    if d % CHUNK_VALUES:
        at = rng.randrange(d % CHUNK_VALUES, CHUNK_VALUES) * kind.value_bytes
        chunk = overwritten(plain.chunk(used - 1), at, rng.randbytes(kind.value_bytes))
        choices.append(replace(plain, chunks={used - 1: chunk}))
    if used < len(plain.levels[0]):
        choices.append(
            replace(plain, chunks={rng.randrange(used, len(plain.levels[0])): rng.randbytes(kind.chunk_bytes)})
        )
    unused = [
        (height, index)
        for height in range(LEAF_HEIGHT, len(plain.levels) - 1)
        for index in range(len(plain.levels[height]))
        if index << height >= used
    ]
    if unused:
        choices.append(replace(plain, nodes={rng.choice(unused): rng.randbytes(32)}))
    choices = [choice for choice in choices if choice.root != plain.root]
    return rng.choice(choices) if choices else None


@lie("an accomplice's update with values past the last one", FraudCase.PADDING)
def padded_update(truth: Truth, rng: Random) -> Told | None:
    seat = rng.choice(truth.present)
    padded = _padded(truth.data.updates[seat], rng)
    if padded is None:
        return None
    client = truth.context.cohort[seat]
    own = SubmissionEntry.decode(truth.data.submissions[seat])
    commitment = update_commitment(padded.root, own.samples, own.salt, client)
    own = replace(own, update_root=padded.root, commitment=commitment, signature=truth.signed(seat, commitment))
    leaves = truth.committed.products.leaves
    for leaf, (column, rows) in enumerate(leaves):
        subtree = padded.levels[LEAF_HEIGHT][leaf]
        leaves = put(leaves, leaf, (overwritten(column, 32 * seat, subtree), rows))
    committed = replace(
        truth.committed,
        submissions=put(truth.data.submissions, seat, own.encode()),
        commits=put(truth.data.commits, seat, commit_entry(seat, client, commitment, own.signature)),
        updates={**truth.committed.updates, seat: padded},
        products=replace(truth.committed.products, leaves=leaves),
    )
    return tell(truth, committed)


def _stepped(truth: Truth, delta: Values) -> Told | None:
    """A false step and the model that follows from it."""
    if np.array_equal(delta, truth.data.delta):
        return None
    delta = delta.astype(np.int16)
    model = Vector(apply_delta(truth.before.model, delta))
    return tell(truth, replace(truth.committed, delta=Vector(delta), next_model=model))


@lie("a false step that the model follows", FraudCase.DELTA)
def false_step(truth: Truth, rng: Random) -> Told | None:
    own = truth.data.delta
    largest = np.full_like(own, rng.choice([-(2**15), 2**15 - 1]))
    doubled = np.clip(own.astype(np.int32) * 2, -(2**15), 2**15 - 1)
    return _stepped(truth, rng.choice([largest, doubled, truth.before.last_delta, np.zeros_like(own)]))


@lie("a step that is one client's update", FraudCase.DELTA)
def one_update(truth: Truth, rng: Random) -> Told | None:
    return _stepped(truth, truth.data.updates[rng.choice(truth.present)])


def _means(truth: Truth) -> tuple[list[int], list[int], int]:
    """By value, the weighted sum and its floored mean, and the sum of weights."""
    weights = truth.transition.judgement.carried.weights
    total = sum(weights)
    sums = sum(int(weights[seat]) * update.astype(object) for seat, update in truth.data.updates.items())
    return sums.tolist(), (sums // total).tolist(), total


@lie("a mean that is rounded the other way", FraudCase.DELTA)
def rounded_up(truth: Truth, rng: Random) -> Told | None:
    sums, _, total = _means(truth)
    toward_zero = rng.random() < 0.5
    means = [-(-value // total) if not toward_zero or value < 0 else value // total for value in sums]
    return _stepped(truth, np.array(means, dtype=np.int16))


@lie("a model that wraps round where it should saturate", FraudCase.NEXT_MODEL)
def wrapped(truth: Truth, rng: Random) -> Told | None:
    with np.errstate(over="ignore"):
        model = truth.before.model + truth.data.delta.astype(np.int32)
    return _with(truth, "next_model", model)


@lie("a model that is the base model still", FraudCase.NEXT_MODEL)
def unmoved(truth: Truth, rng: Random) -> Told | None:
    return _with(truth, "next_model", truth.before.model)


@lie("a model worked out from an old one", FraudCase.NEXT_MODEL)
def from_old(truth: Truth, rng: Random) -> Told | None:
    if not truth.past:
        return None
    return _with(truth, "next_model", apply_delta(rng.choice(truth.past).before.model, truth.data.delta))
