"""VectorVerifier against a reference: whatever an aggregator commits to gets a verdict, and what is right stands."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from random import Random
from typing import Any

import boa
import numpy as np
import pytest
from eth_utils import keccak

from fedblocks.rollup.vectors import chunk_proof, vector_root
from tests.contracts import world
from tests.contracts.proofs.deep import deep_epoch
from tests.contracts.proofs.reference import LEAF, NO_OPENING, NO_OPERAND, NOTHING, Epoch, Vector, parts

PRODUCT, COLUMN, DELTA, NEXT_MODEL, PADDING = 2, 3, 7, 8, 12
UPDATE_TREE, DELTA_TREE, MODEL_TREE, GRAM_TREE = range(4)
ABSENT = 2
WRONG = keccak(text="something else")

Arguments = dict[str, Any]
Judge = Callable[[Epoch, str, Arguments], int]
MALFORMED: list[Callable[[bytes], bytes]] = [lambda right: right[:-1], lambda right: right + b"\0", lambda right: b""]
LENGTHS = pytest.mark.parametrize("malformed", MALFORMED, ids=["short", "long", "empty"])


@pytest.fixture(scope="module")
def judge() -> Iterator[Judge]:
    """What a call comes to: the case that was overturned."""
    with boa.swap_env(boa.Env()):
        chain = world.mock("DisputedChain")
        verifier = world.deployer_of("VectorVerifier").deploy(chain.address)

        def call(epoch: Epoch, function: str, arguments: Arguments) -> int:
            chain.hold(epoch.dispute, [])
            getattr(verifier, function)(*arguments.values())
            return int(chain.overturned())

        yield call


def no_fault() -> Any:
    return boa.reverts("VectorVerifier: no fault")


def opens_not(what: str) -> Any:
    return boa.reverts(f"VectorVerifier: {what} does not open")


def epoch_of(n: int, d: int, seed: int, absent: tuple[int, ...] = (ABSENT,), number: int = 2) -> Epoch:
    """Random values; seat 1 has no last update and seat 3 no weight."""
    random = Random(seed)

    def vector(width: int) -> Vector:
        bound = 1 << (8 * width - 1)
        return Vector.of([random.randrange(-bound, bound) for _ in range(d)], width)

    updates = [None if seat in absent else vector(2) for seat in range(n)]
    last = [Vector(d, 2) if seat == 1 else vector(2) for seat in range(n)]
    weights = [0 if seat in (*absent, 3) else random.randrange(1, 1 << 40) for seat in range(n)]
    return Epoch(d, updates, last, Vector(d, 2) if number == 1 else vector(2), vector(4), weights, number)


@cache
def two_leaves() -> Epoch:
    return epoch_of(4, 5_000, seed=1)


@cache
def three_leaves() -> Epoch:
    return epoch_of(10, 9_000, seed=2)


@cache
def one_leaf() -> Epoch:
    """The first epoch of a small model: the Gram tree has no levels, and there is no last delta."""
    return epoch_of(4, 300, seed=3, number=1)


@cache
def deep(n: int) -> Epoch:
    return deep_epoch(n)


DEEP_LEAF = 123_457


@cache
def extreme(update: int, model: int) -> Epoch:
    """All values the same, as large as they can be."""
    d = 2 * LEAF
    updates: list[Vector | None] = [Vector.of([update] * d, 2) for _ in range(4)]
    last = [Vector.of([update] * d, 2) for _ in range(4)]
    weights = [2**40 - 1] * 4
    return Epoch(d, updates, last, Vector.of([update] * d, 2), Vector.of([model] * d, 4), weights)


def entries_of(epoch: Epoch, row: int) -> range:
    return range(len(epoch.factors(row)))


def shifted(content: bytes, entry: int, by: int) -> bytes:
    """A row with one entry moved."""
    start, size = 8 * entry, 12 if 8 * entry + 12 == len(content) else 8
    moved = int.from_bytes(content[start : start + size], "big") + by
    return content[:start] + moved.to_bytes(size, "big") + content[start + size :]


def with_entry(epoch: Epoch, leaf: int, row: int, entry: int, by: int) -> Epoch:
    return epoch.forge({("row", leaf, row): shifted(epoch.row(leaf, row), entry, by)})


def with_value(vector: Vector, position: int, by: int = 1) -> Vector:
    """A vector with one value moved."""
    values = list(vector.values(position // LEAF))
    values[position % LEAF] += by
    return Vector(vector.d, vector.width, {**vector.leaves, position // LEAF: values})


# The reference itself.


@pytest.mark.parametrize(("d", "width"), [(1, 2), (4_096, 4), (5_000, 2), (9_000, 4)])
def test_the_reference_has_the_same_trees_as_the_sdk(d: int, width: int) -> None:
    random = Random(d)
    values = [random.randrange(-(2**15), 2**15) for _ in range(d)]
    ours, theirs = Vector.of(values, width), np.array(values, dtype=np.int16 if width == 2 else np.int32)
    assert ours.tree.root == vector_root(theirs)
    last = (d - 1) // 256
    assert ours.tree.proof(0, last) == list(chunk_proof(theirs, last))


# What all cases have in common.


def test_a_verifier_serves_one_chain() -> None:
    chain = world.mock("DisputedChain")
    assert world.deployer_of("VectorVerifier").deploy(chain.address).MODEL_PARAMETER_CHAIN() == chain.address
    with boa.reverts("VectorVerifier: model parameter chain is not a contract"):
        world.deployer_of("VectorVerifier").deploy(world.account("stranger"))


def test_the_contract_fits_on_a_chain() -> None:
    chain = world.mock("DisputedChain")
    assert len(boa.env.get_code(world.deployer_of("VectorVerifier").deploy(chain.address).address)) < 24_576


def test_whoever_proves_a_fault_is_named_the_challenger() -> None:
    chain = world.mock("DisputedChain")
    verifier = world.deployer_of("VectorVerifier").deploy(chain.address)
    epoch = one_leaf().forge({("carried",): b""})
    chain.hold(epoch.dispute, [])
    challenger = world.account("challenger")
    verifier.challengeDelta(*epoch.delta_arguments(0, 0).values(), sender=challenger)
    assert (chain.challenger(), chain.overturned()) == (challenger, DELTA)


@pytest.mark.parametrize(
    ("function", "arguments"),
    [
        ("challengeProduct", lambda epoch: epoch.product_arguments(0, 0, 0)),
        ("challengeColumn", lambda epoch: epoch.column_arguments(0, 0)),
        ("challengeDelta", lambda epoch: epoch.delta_arguments(0, 0)),
        ("challengeNextModel", lambda epoch: epoch.next_model_arguments(0)),
        ("challengePadding", lambda epoch: epoch.padding_arguments(DELTA_TREE, 19)),
    ],
)
def test_only_the_header_that_is_pending_can_be_challenged(
    judge: Judge, function: str, arguments: Callable[[Epoch], Arguments]
) -> None:
    other = two_leaves().forge({("carried",): b""})
    with boa.reverts("VectorVerifier: header is not a pending epoch's"):
        judge(other, function, arguments(two_leaves()))


# Products.


@pytest.mark.parametrize(
    ("build", "leaf", "rows"),
    [(two_leaves, 1, (ABSENT, 4)), (two_leaves, 0, (0,)), (one_leaf, 0, (4,))],
    ids=["second leaf", "first leaf", "first epoch"],
)
def test_no_entry_of_an_honest_row_is_a_fault(
    judge: Judge, build: Callable[[], Epoch], leaf: int, rows: tuple[int, ...]
) -> None:
    epoch = build()
    for row in rows:
        for entry in entries_of(epoch, row):
            with no_fault():
                judge(epoch, "challengeProduct", epoch.product_arguments(row, entry, leaf))


@pytest.mark.parametrize("seed", range(4))
def test_entries_of_larger_cohorts_are_no_faults(judge: Judge, seed: int) -> None:
    random = Random(seed)
    for epoch, leaf in ((three_leaves(), random.randrange(3)), (deep(10), DEEP_LEAF - random.randrange(2))):
        row = random.randrange(epoch.n + 1)
        entry = random.choice(entries_of(epoch, row))
        with no_fault():
            judge(epoch, "challengeProduct", epoch.product_arguments(row, entry, leaf))


@pytest.mark.parametrize("entry", [63, 128, 129])
def test_an_entry_of_a_full_cohort_is_no_fault_but_one_off_is(judge: Judge, entry: int) -> None:
    epoch, row = deep(64), entry // 2
    with no_fault():
        judge(epoch, "challengeProduct", epoch.product_arguments(row, entry, DEEP_LEAF))
    forged = with_entry(epoch, DEEP_LEAF, row, entry, 1)
    assert judge(forged, "challengeProduct", forged.product_arguments(row, entry, DEEP_LEAF)) == PRODUCT


@pytest.mark.parametrize(("leaf", "by"), [(0, 1), (1, -1)])
@pytest.mark.parametrize("row", [0, ABSENT, 4])
def test_every_entry_that_is_one_off_is_a_fault(judge: Judge, row: int, by: int, leaf: int) -> None:
    epoch = two_leaves()
    for entry in list(entries_of(epoch, row))[leaf::2]:
        forged = with_entry(epoch, leaf, row, entry, by)
        assert judge(forged, "challengeProduct", forged.product_arguments(row, entry, leaf)) == PRODUCT


def test_an_entry_that_goes_on_from_a_wrong_one_is_a_fault(judge: Judge) -> None:
    forged = with_entry(two_leaves(), 0, 1, 3, 5)
    assert judge(forged, "challengeProduct", forged.product_arguments(1, 3, 1)) == PRODUCT


@pytest.mark.parametrize("row", [1, 4])
def test_in_the_first_epoch_the_last_delta_is_zero(judge: Judge, row: int) -> None:
    epoch = one_leaf()
    entry = len(entries_of(epoch, row)) - 2
    with no_fault():
        judge(epoch, "challengeProduct", epoch.product_arguments(row, entry, 0))
    forged = with_entry(epoch, 0, row, entry, 1)
    assert judge(forged, "challengeProduct", forged.product_arguments(row, entry, 0)) == PRODUCT


@pytest.mark.parametrize(("update", "model"), [(-(2**15), -(2**31)), (-(2**15), 2**31 - 1), (2**15 - 1, -(2**31))])
def test_products_of_the_largest_values_are_exact(judge: Judge, update: int, model: int) -> None:
    epoch = extreme(update, model)
    for row, entry in ((0, 0), (0, 1), (2, 9), (4, 13)):
        with no_fault():
            judge(epoch, "challengeProduct", epoch.product_arguments(row, entry, 1))
        forged = with_entry(epoch, 1, row, entry, -1)
        assert judge(forged, "challengeProduct", forged.product_arguments(row, entry, 1)) == PRODUCT


@pytest.mark.parametrize("stored", [b"\0", b"\xff"])
def test_an_entry_may_hold_any_bytes(judge: Judge, stored: bytes) -> None:
    epoch = two_leaves()
    filled = {("row", leaf, row): stored * len(epoch.row(leaf, row)) for leaf in (0, 1) for row in (0, 4)}
    forged = epoch.forge(filled)
    for row in (0, 4):
        last = entries_of(epoch, row)[-1]
        for entry in (0, last):
            assert judge(forged, "challengeProduct", forged.product_arguments(row, entry, 1)) == PRODUCT


@LENGTHS
@pytest.mark.parametrize("leaf", [0, 1])
@pytest.mark.parametrize("row", [0, 4])
def test_a_row_of_another_length_is_a_fault(
    judge: Judge, malformed: Callable[[bytes], bytes], row: int, leaf: int
) -> None:
    forged = two_leaves().forge({("row", leaf, row): malformed(two_leaves().row(leaf, row))})
    # At leaf 1 it is also the leaf before that may be malformed.
    for at in range(leaf, 2):
        arguments = forged.product_arguments(row, 0, at)
        arguments |= {"left": NO_OPERAND, "right": NO_OPERAND, "submissions": b""}
        assert judge(forged, "challengeProduct", arguments) == PRODUCT


@LENGTHS
@pytest.mark.parametrize("leaf", [0, 1])
def test_a_list_of_rows_of_another_length_is_a_fault(
    judge: Judge, malformed: Callable[[bytes], bytes], leaf: int
) -> None:
    forged = two_leaves().forge({("rows", leaf): malformed(two_leaves().rows(leaf))})
    for at in range(leaf, 2):
        arguments = forged.product_arguments(0, 0, at)
        arguments |= {"left": NO_OPERAND, "right": NO_OPERAND, "submissions": b""}
        assert judge(forged, "challengeProduct", arguments) == PRODUCT


@LENGTHS
@pytest.mark.parametrize(("what", "entry"), [(("submissions",), 1), (("submission", 0), 1), (("submission", 3), 3)])
def test_submissions_of_another_length_are_a_fault(
    judge: Judge, malformed: Callable[[bytes], bytes], what: tuple[Any, ...], entry: int
) -> None:
    epoch = two_leaves()
    right = epoch.submissions if what == ("submissions",) else epoch.submission(what[1])
    forged = epoch.forge({what: malformed(right)})
    arguments = forged.product_arguments(0, entry, 0)
    if what != ("submission", 3):
        arguments["left"] = (forged.submission(0), b"", [])
    arguments["right"] = (forged.submission(entry), b"", [])
    assert judge(forged, "challengeProduct", arguments) == PRODUCT
    column = forged.column_arguments(what[1] if len(what) > 1 else 0, 0) | {"proof": []}
    assert judge(forged, "challengeColumn", column) == COLUMN
    padding = forged.padding_arguments(UPDATE_TREE, 19, seat=what[1] if len(what) > 1 else 0) | {"proof": []}
    assert judge(forged, "challengePadding", padding) == PADDING


def test_operands_are_not_looked_at_where_they_say_nothing(judge: Judge) -> None:
    epoch = two_leaves()
    junk = (b"junk", b"more", [WRONG])
    same = epoch.product_arguments(0, 0, 0) | {"right": junk, "before": (9, WRONG, WRONG, [WRONG])}
    same |= {"rowsBefore": b"junk", "contentBefore": b"junk"}
    zero = epoch.product_arguments(0, ABSENT, 0) | {"left": junk, "right": junk, "submissions": b""}
    for arguments in (same, zero):
        with no_fault():
            judge(epoch, "challengeProduct", arguments)
    first = one_leaf().product_arguments(0, 0, 0) | {"previous": two_leaves().header}
    with no_fault():
        judge(one_leaf(), "challengeProduct", first)


def _product_openings() -> list[tuple[str, Arguments, str]]:
    epoch = two_leaves()
    right = epoch.product_arguments(0, 1, 1)
    index, column, rows, proof = right["at"]
    content, values, siblings = right["left"]
    one_less = (index, column, rows, [])
    return [
        ("a row past the common one", {"row": 5}, "entry does not open"),
        ("an entry past the last", {"entry": 10}, "entry does not open"),
        ("an entry past the common row's", {"row": 4, "entry": 14}, "entry does not open"),
        ("a leaf past the last", {"at": (2, column, rows, proof)}, "leaf does not open"),
        ("a leaf at another's place", {"at": (0, column, rows, proof)}, "node does not open"),
        ("a leaf far away", {"at": (2**256 - 1, column, rows, proof)}, "leaf does not open"),
        ("another column", {"at": (index, WRONG, rows, proof)}, "node does not open"),
        ("a proof that is too short", {"at": one_less}, "node does not open"),
        ("a proof that is too long", {"at": (index, column, rows, [*proof, WRONG])}, "node does not open"),
        ("other rows", {"rows": bytes(160)}, "node does not open"),
        ("another row", {"content": epoch.row(1, 1)}, "row does not open"),
        ("the same leaf before", {"before": right["at"]}, "leaf before is not the one before"),
        ("another leaf before", {"before": (0, WRONG, rows, proof)}, "node does not open"),
        ("other rows before", {"rowsBefore": bytes(160)}, "node does not open"),
        ("another row before", {"contentBefore": b""}, "row does not open"),
        ("other submissions", {"submissions": bytes(128)}, "submissions do not open"),
        ("another submission", {"left": (epoch.submission(1), values, siblings)}, "submission does not open"),
        ("other values", {"left": (content, bytes(8192), siblings)}, "node does not open"),
        ("too few values", {"left": (content, values[:-1], siblings)}, "values do not open"),
        ("too many values", {"left": (content, values * 2, siblings)}, "values do not open"),
        ("values without a proof", {"left": (content, values, [])}, "node does not open"),
        ("values with another's proof", {"right": (*right["right"][:2], siblings)}, "node does not open"),
    ]


@pytest.mark.parametrize(("change", "message"), [each[1:] for each in _product_openings()], ids=lambda each: "")
def test_what_nobody_committed_to_shows_no_wrong_product(judge: Judge, change: Arguments, message: str) -> None:
    with boa.reverts(f"VectorVerifier: {message}"):
        judge(two_leaves(), "challengeProduct", two_leaves().product_arguments(0, 1, 1) | change)


def test_the_header_before_must_be_the_one_before(judge: Judge) -> None:
    epoch = two_leaves()
    with boa.reverts("VectorVerifier: previous header is not the one before"):
        judge(epoch, "challengeProduct", epoch.product_arguments(0, 0, 0) | {"previous": epoch.header})


# Columns.


@pytest.mark.parametrize(
    ("build", "leaf"), [(two_leaves, 0), (two_leaves, 1), (one_leaf, 0), (lambda: deep(10), DEEP_LEAF)]
)
def test_no_entry_of_an_honest_column_is_a_fault_but_any_other_is(
    judge: Judge, build: Callable[[], Epoch], leaf: int
) -> None:
    epoch = build()
    for seat in range(4):
        with no_fault():
            judge(epoch, "challengeColumn", epoch.column_arguments(seat, leaf))
        column = parts(epoch.column(leaf), 32)
        forged = epoch.forge({("column", leaf): b"".join([*column[:seat], WRONG, *column[seat + 1 :]])})
        assert judge(forged, "challengeColumn", forged.column_arguments(seat, leaf)) == COLUMN


@LENGTHS
def test_a_column_of_another_length_is_a_fault(judge: Judge, malformed: Callable[[bytes], bytes]) -> None:
    forged = two_leaves().forge({("column", 1): malformed(two_leaves().column(1))})
    junk = {"submissions": b"", "content": b"", "node": NOTHING, "proof": []}
    assert judge(forged, "challengeColumn", forged.column_arguments(0, 1) | junk) == COLUMN
    assert judge(forged, "challengeDelta", forged.delta_arguments(1, 0) | {"parts": b"", "delta": b""}) == DELTA


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seat": 4}, "seat does not open"),
        ({"column": bytes(128)}, "node does not open"),
        ({"node": WRONG}, "node does not open"),
        ({"proof": []}, "node does not open"),
        ({"submissions": bytes(128)}, "submissions do not open"),
        ({"content": bytes(289)}, "submission does not open"),
        ({"at": NO_OPENING}, "node does not open"),
        ({"at": (2, NOTHING, NOTHING, [])}, "leaf does not open"),
    ],
)
def test_what_nobody_committed_to_shows_no_wrong_column(judge: Judge, change: Arguments, message: str) -> None:
    with boa.reverts(f"VectorVerifier: {message}"):
        judge(two_leaves(), "challengeColumn", two_leaves().column_arguments(0, 1) | change)


@pytest.mark.parametrize(("height", "leaf"), [(5, 0), (0, 0)])
def test_a_node_at_another_height_is_not_the_subtree_of_a_leaf(judge: Judge, height: int, leaf: int) -> None:
    """The root itself, and the first chunk: both lie above or below the first leaf, on the way to the root."""
    epoch = two_leaves()
    update = epoch.updates[0]
    assert update is not None
    node = {"node": update.tree.node(height, leaf), "proof": update.tree.proof(height, leaf)}
    with opens_not("node"):
        judge(epoch, "challengeColumn", epoch.column_arguments(0, leaf) | node)


# Delta.


@pytest.mark.parametrize(
    ("build", "leaf"),
    [
        (two_leaves, 0),
        (two_leaves, 1),
        (one_leaf, 0),
        (three_leaves, 2),
        (lambda: deep(64), DEEP_LEAF),
        (lambda: extreme(-(2**15), 0), 1),
        (lambda: extreme(2**15 - 1, 0), 1),
    ],
)
def test_no_chunk_of_an_honest_delta_is_a_fault_but_one_that_is_one_off_is(
    judge: Judge, build: Callable[[], Epoch], leaf: int
) -> None:
    epoch, random = build(), Random(leaf)
    for chunk in (random.randrange(15), 15):
        with no_fault():
            judge(epoch, "challengeDelta", epoch.delta_arguments(leaf, chunk))
        position = LEAF * leaf + 256 * chunk + random.randrange(256)
        right = epoch.delta.values(leaf)[position % LEAF]
        for by in (1, -1):
            if -(2**15) <= right + by < 2**15:
                forged = epoch.forge({("delta",): with_value(epoch.delta, position, by)})
                assert judge(forged, "challengeDelta", forged.delta_arguments(leaf, chunk)) == DELTA


@pytest.mark.parametrize("wrong", [-(2**15), 2**15 - 1])
def test_a_delta_that_is_far_off_in_every_value_is_a_fault(judge: Judge, wrong: int) -> None:
    epoch = extreme(-1 - wrong, 0)
    forged = epoch.forge({("delta",): Vector.of([wrong] * epoch.d, 2)})
    assert judge(forged, "challengeDelta", forged.delta_arguments(0, 3)) == DELTA


@pytest.mark.parametrize("position", [0, 1, 2, 3, 4, 5, 15, 16, 17, 63, 64, 127, 128, 191, 192, 254, 255])
def test_a_wrong_value_is_found_wherever_it_is(judge: Judge, position: int) -> None:
    epoch = one_leaf()
    delta = epoch.forge({("delta",): with_value(epoch.delta, position, 1 if position % 2 else -1)})
    assert judge(delta, "challengeDelta", delta.delta_arguments(0, 0)) == DELTA
    moved = epoch.forge({("next",): with_value(epoch.next_model, position, 1 if position % 2 else -1)})
    assert judge(moved, "challengeNextModel", moved.next_model_arguments(0)) == NEXT_MODEL


def test_the_mean_is_floored_and_not_rounded(judge: Judge) -> None:
    d = 256
    updates: list[Vector | None] = [Vector.of([value] * d, 2) for value in (-1, 0, 1, 1)]
    for weights, mean in (([1, 2, 0, 0], -1), ([0, 1, 1, 1], 0), ([3, 0, 3, 0], 0), ([2, 0, 1, 0], -1)):
        zero = [Vector(d, 2)] * 4
        epoch = Epoch(d, updates, zero, Vector(d, 2), Vector(d, 4), weights)
        assert set(epoch.delta.values(0)[:d]) == {mean}
        with no_fault():
            judge(epoch, "challengeDelta", epoch.delta_arguments(0, 0))


def test_weights_that_are_all_zero_are_a_fault(judge: Judge) -> None:
    epoch = two_leaves()
    none = b"".join(content[:4] + bytes(5) + content[9:] for content in parts(epoch.carried, 23))
    forged = epoch.forge({("carried",): none})
    assert judge(forged, "challengeDelta", forged.delta_arguments(0, 0) | {"parts": b"", "delta": b""}) == DELTA


@LENGTHS
def test_what_is_carried_of_another_length_is_a_fault(judge: Judge, malformed: Callable[[bytes], bytes]) -> None:
    forged = two_leaves().forge({("carried",): malformed(two_leaves().carried)})
    assert judge(forged, "challengeDelta", forged.delta_arguments(0, 0) | {"parts": b"", "delta": b""}) == DELTA


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"chunk": 16}, "chunk does not open"),
        ({"column": bytes(128)}, "node does not open"),
        ({"carried": bytes(92)}, "carried does not open"),
        ({"parts": bytes(640)}, "parts do not open"),
        ({"parts": bytes(1280)}, "part does not open"),
        ({"parts": bytes(1920)}, "parts do not open"),
        ({"delta": bytes(512)}, "node does not open"),
        ({"delta": bytes(511)}, "chunk does not open"),
        ({"proof": []}, "node does not open"),
        ({"at": (2, NOTHING, NOTHING, [])}, "leaf does not open"),
    ],
)
def test_what_nobody_committed_to_shows_no_wrong_delta(judge: Judge, change: Arguments, message: str) -> None:
    with boa.reverts(f"VectorVerifier: {message}"):
        judge(two_leaves(), "challengeDelta", two_leaves().delta_arguments(1, 1) | change)


# Next model.


@pytest.mark.parametrize(
    "build",
    [
        two_leaves,
        one_leaf,
        *(lambda u=u, w=w: extreme(u, w) for u in (-(2**15), 2**15 - 1) for w in (-(2**31), 2**31 - 1)),
    ],
)
def test_no_chunk_of_an_honest_model_is_a_fault_but_one_that_is_one_off_is(
    judge: Judge, build: Callable[[], Epoch]
) -> None:
    epoch = build()
    for index in (0, (epoch.d - 1) // 256):
        with no_fault():
            judge(epoch, "challengeNextModel", epoch.next_model_arguments(index))
        right = epoch.next_model.values(index // 16)[256 * index % LEAF]
        for by in (1, -1):
            if -(2**31) <= right + by < 2**31:
                forged = epoch.forge({("next",): with_value(epoch.next_model, 256 * index, by)})
                assert judge(forged, "challengeNextModel", forged.next_model_arguments(index)) == NEXT_MODEL


def test_a_model_that_wraps_around_is_a_fault(judge: Judge) -> None:
    epoch = extreme(-(2**15), -(2**31))
    assert set(epoch.next_model.values(0)) == {-(2**31)}
    forged = epoch.forge({("next",): Vector.of([2**31 - 2**15] * epoch.d, 4)})
    assert judge(forged, "challengeNextModel", forged.next_model_arguments(0)) == NEXT_MODEL


@pytest.mark.parametrize("what", ["base", "delta", "next"])
def test_what_nobody_committed_to_shows_no_wrong_model(judge: Judge, what: str) -> None:
    epoch = two_leaves()
    right = epoch.next_model_arguments(19)
    proof = right[f"{what}Proof"]
    for change, message in (
        ({what: bytes(len(right[what]))}, "node"),
        ({what: right[what][:-1]}, "chunk"),
        ({f"{what}Proof": proof[:-1]}, "node"),
        ({f"{what}Proof": [*proof, WRONG]}, "node"),
        ({"index": 18}, "node"),
        ({"index": 19 + 32}, "node"),
        ({"index": 2**256 - 1}, "node"),
    ):
        with opens_not(message):
            judge(epoch, "challengeNextModel", right | change)


# Padding.


@pytest.mark.parametrize("tree", [UPDATE_TREE, DELTA_TREE, MODEL_TREE])
@pytest.mark.parametrize("position", [5_000, 5_001, 5_119])
def test_a_value_past_the_last_is_a_fault_and_zeros_are_none(judge: Judge, tree: int, position: int) -> None:
    epoch = two_leaves()
    with no_fault():
        judge(epoch, "challengePadding", epoch.padding_arguments(tree, 19))
    forged = forged_vector(epoch, tree, position)
    assert judge(forged, "challengePadding", forged.padding_arguments(tree, 19)) == PADDING


def forged_vector(epoch: Epoch, tree: int, position: int) -> Epoch:
    """An epoch in which seat 0's update, the delta or the next model is one off."""
    vector = epoch.padded(tree)
    assert vector is not None
    changed = with_value(vector, position)
    if tree == UPDATE_TREE:
        other = epoch.forge({})
        other.updates = [changed, *epoch.updates[1:]]
        return other
    return epoch.forge({(("delta",) if tree == DELTA_TREE else ("next",)): changed})


def test_the_last_value_is_no_padding(judge: Judge) -> None:
    epoch = two_leaves()
    forged = forged_vector(epoch, DELTA_TREE, 4_999)
    with no_fault():
        judge(forged, "challengePadding", forged.padding_arguments(DELTA_TREE, 19))


@pytest.mark.parametrize("tree", [UPDATE_TREE, DELTA_TREE, MODEL_TREE])
@pytest.mark.parametrize(("height", "index"), [(0, 36), (0, 63), (2, 9), (4, 3)])
def test_a_node_past_the_last_value_is_that_of_zeros(judge: Judge, tree: int, height: int, index: int) -> None:
    epoch = three_leaves()
    with no_fault():
        judge(epoch, "challengePadding", epoch.padding_arguments(tree, index, height))
    forged = forged_vector(epoch, tree, 256 * (index << height) + 7)
    assert judge(forged, "challengePadding", forged.padding_arguments(tree, index, height)) == PADDING


@pytest.mark.parametrize(("height", "index"), [(0, 35), (1, 17), (4, 2), (5, 1), (6, 0)])
def test_a_node_over_a_value_is_no_padding(judge: Judge, height: int, index: int) -> None:
    epoch = three_leaves()
    with boa.reverts("VectorVerifier: node is not past the end"):
        judge(epoch, "challengePadding", epoch.padding_arguments(MODEL_TREE, index, height))


def test_a_gram_leaf_past_the_last_is_empty(judge: Judge) -> None:
    epoch = epoch_of(4, 4 * LEAF + 1, seed=5)
    forged = epoch.forge({("leaf", 7): WRONG})
    for height, index in ((0, 7), (1, 3), (0, 5), (1, 2 + 1)):
        with no_fault():
            judge(epoch, "challengePadding", epoch.padding_arguments(GRAM_TREE, index, height))
    for height, index in ((0, 7), (1, 3)):
        assert judge(forged, "challengePadding", forged.padding_arguments(GRAM_TREE, index, height)) == PADDING
    for height, index in ((0, 4), (1, 2), (2, 1), (3, 0)):
        with boa.reverts("VectorVerifier: node is not past the end"):
            judge(epoch, "challengePadding", epoch.padding_arguments(GRAM_TREE, index, height))


def test_a_gram_tree_of_one_leaf_has_no_padding(judge: Judge) -> None:
    epoch = one_leaf()
    with boa.reverts("VectorVerifier: node is not past the end"):
        judge(epoch, "challengePadding", epoch.padding_arguments(GRAM_TREE, 0, 0))
    with opens_not("node"):
        judge(epoch, "challengePadding", epoch.padding_arguments(GRAM_TREE, 0, 0) | {"index": 1})


def test_padding_is_shown_where_trees_are_deepest(judge: Judge) -> None:
    epoch = deep(10)
    for tree, index in ((UPDATE_TREE, 2**22 - 1), (MODEL_TREE, 2**22 - 1), (GRAM_TREE, 2**18 - 1)):
        with no_fault():
            judge(epoch, "challengePadding", epoch.padding_arguments(tree, index, 0))


@pytest.mark.parametrize(
    ("tree", "change", "message"),
    [
        (DELTA_TREE, {"tree": 4}, "tree does not open"),
        (DELTA_TREE, {"index": 18}, "chunk is not the last one"),
        (DELTA_TREE, {"index": 20}, "chunk is not the last one"),
        (DELTA_TREE, {"chunk": bytes(512)}, "node does not open"),
        (DELTA_TREE, {"chunk": bytes(511)}, "chunk does not open"),
        (MODEL_TREE, {"chunk": bytes(512)}, "chunk does not open"),
        (DELTA_TREE, {"proof": []}, "node does not open"),
        (DELTA_TREE, {"tree": GRAM_TREE}, "chunk does not open"),
        (DELTA_TREE, {"chunk": b"", "height": 6}, "node does not open"),
        (DELTA_TREE, {"chunk": b"", "height": 2**256 - 1}, "node does not open"),
        (DELTA_TREE, {"chunk": b"", "index": 2**256 - 1}, "node does not open"),
        (UPDATE_TREE, {"seat": 4}, "seat does not open"),
        (UPDATE_TREE, {"seat": 2**256 - 1}, "seat does not open"),
        (UPDATE_TREE, {"seat": 1}, "submission does not open"),
        (UPDATE_TREE, {"submissions": bytes(128)}, "submissions do not open"),
    ],
)
def test_what_nobody_committed_to_shows_no_padding(judge: Judge, tree: int, change: Arguments, message: str) -> None:
    with boa.reverts(f"VectorVerifier: {message}"):
        judge(two_leaves(), "challengePadding", two_leaves().padding_arguments(tree, 19) | change)


def test_a_full_last_chunk_holds_no_padding(judge: Judge) -> None:
    epoch = extreme(-(2**15), 0)
    with boa.reverts("VectorVerifier: chunk is not the last one"):
        judge(epoch, "challengePadding", epoch.padding_arguments(DELTA_TREE, 31))


def test_an_absent_seat_has_no_update_that_could_be_padded(judge: Judge) -> None:
    """Its root is 32 zero bytes, which is also what a position outside a tree leads to."""
    epoch = two_leaves()
    arguments = epoch.padding_arguments(DELTA_TREE, 19) | {"tree": UPDATE_TREE, "seat": ABSENT, "chunk": b""}
    arguments |= {"submissions": epoch.submissions, "content": epoch.submission(ABSENT)}
    with opens_not("seat"):
        judge(epoch, "challengePadding", arguments)


def test_a_root_of_zeros_opens_nothing(judge: Judge) -> None:
    """A participant may be given such a root: a position outside the tree still leads nowhere."""
    epoch = two_leaves()
    content = epoch.submission(0)
    forged = epoch.forge({("submission", 0): content[:161] + NOTHING + content[193:]})
    arguments = forged.padding_arguments(UPDATE_TREE, 63, 0) | {"index": 2**10, "node": WRONG, "chunk": b""}
    with opens_not("node"):
        judge(forged, "challengePadding", arguments)


# Gas.


@pytest.mark.parametrize(("n", "bound"), [(10, 130_000), (64, 530_000)])
def test_a_challenge_fits_in_a_block_with_the_largest_model(n: int, bound: int) -> None:
    chain = world.mock("DisputedChain")
    verifier = world.deployer_of("VectorVerifier").deploy(chain.address)
    epoch = deep(n)
    chain.hold(epoch.dispute, [])
    for function, arguments, most in (
        ("challengeProduct", epoch.product_arguments(1, 2, DEEP_LEAF), 250_000),
        ("challengeProduct", epoch.product_arguments(1, 2 * n + 1, DEEP_LEAF), 360_000),
        ("challengeColumn", epoch.column_arguments(1, DEEP_LEAF), 25_000),
        ("challengeDelta", epoch.delta_arguments(DEEP_LEAF, 5), bound),
        ("challengeNextModel", epoch.next_model_arguments(16 * DEEP_LEAF), 125_000),
    ):
        with no_fault():
            getattr(verifier, function)(*arguments.values())
        assert world.gas_of(verifier) < most, function
