"""What an aggregator has committed to is opened in time or its epoch falls, and every deposit finds its owner."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import boa
import numpy as np
import pytest
from eth_utils import keccak
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from fedblocks.rollup.vectors import encode_vector, vector_root
from tests.contracts.committed import Epoch, changed, entry, perfect_tree, root, siblings
from tests.contracts.world import ETHER, NO_HASH, ZERO, Header, account, balance, deployer_of, events, mock, wait

COMMITS, SUBMISSION, UPDATE, COLUMN, ROW, STATS, CARRIED, DELTA, NEXT_MODEL = range(9)
WITHHELD = 10
DEPOSIT = ETHER // 100
ANSWER_PERIOD = 60
CHALLENGE_WINDOW = 100
FOR_EVER = 2**256 - 1
NOT_OPEN = "DataDemands: demand is not open"
NO_ANSWER = "DataDemands: answer does not open"
NO_POSITION = "DataDemands: no such position"


@dataclass
class Answer:
    """What is brought to open a position; what its kind has no use for stays empty."""

    entries: bytes = b""
    submission: bytes = b""
    column_root: bytes = NO_HASH
    rows_root: bytes = NO_HASH
    opening_proof: list[bytes] = field(default_factory=list)
    content: bytes = b""
    proof: list[bytes] = field(default_factory=list)

    def words(self, index: int) -> tuple[Any, ...]:
        opening = (index, self.column_root, self.rows_root, self.opening_proof)
        return self.entries, self.submission, opening, self.content, self.proof


class Archive:
    """All that an honest aggregator holds of an epoch. Three leaves make trees of two levels with a filling."""

    def __init__(self, chain: Any, n: int = 5, leaves: int = 3, participants: int = 0b11011) -> None:
        self.n, self.leaves = n, leaves
        self.top = (leaves - 1).bit_length()
        generator = np.random.default_rng(7)
        d = 4096 * leaves
        self.delta = generator.integers(-(2**15), 2**15, d).astype(np.int16)
        self.model = generator.integers(-(2**31), 2**31, d).astype(np.int32)
        self.update = generator.integers(-(2**15), 2**15, d).astype(np.int16)
        self.epoch = Epoch(chain, n=n, d=d, participants=participants)
        for seat in range(n):
            if self.epoch.took_part(seat):
                self.epoch.contents[seat] = changed(self.epoch.contents[seat], "update root", vector_root(self.update))
        self.stats = [generator.bytes(143) if self.epoch.took_part(seat) else b"" for seat in range(n)]
        self.stats.append(generator.bytes(114))
        self.carried = generator.bytes(23 * n)
        self.columns = [generator.bytes(32 * n) for _ in range(leaves)]
        sizes = [8 * (2 * n + 1) + 12] * n + [8 * (3 * n + 1) + 12]
        self.rows = [[generator.bytes(size) for size in sizes] for _ in range(leaves)]
        self.commit()

    def commit(self) -> None:
        """Write what there is into the header."""
        leaf_hashes = [
            keccak(b"\x0e" + root(0x0D, column) + root(0x0C, self.row_entries(leaf)))
            for leaf, column in enumerate(self.columns)
        ]
        self.gram = perfect_tree(leaf_hashes, 0x0F, self.top, NO_HASH)
        self.epoch.changes |= {
            "gram_root": self.gram[-1][0],
            "stats_root": root(0x0A, self.stats_entries),
            "carried_root": root(0x11, self.carried),
            "delta_root": vector_root(self.delta),
            "next_model_root": vector_root(self.model),
        }

    @property
    def header(self) -> Header:
        return self.epoch.header

    @property
    def stats_entries(self) -> bytes:
        return b"".join(entry(0x09, content) for content in self.stats)

    def row_entries(self, leaf: int) -> bytes:
        return b"".join(entry(0x0B, row) for row in self.rows[leaf])

    def vector(self, values: Any, leaf: int, tags: tuple[int, int]) -> tuple[bytes, list[bytes]]:
        """The values of a leaf, and the siblings from it to the root."""
        leaf_tag, node_tag = tags
        contents = [encode_vector(values[4096 * k : 4096 * (k + 1)]) for k in range(self.leaves)]
        size = len(contents[0]) // 16
        nodes = [
            perfect_tree(
                [keccak(bytes([leaf_tag]) + content[i * size : (i + 1) * size]) for i in range(16)], node_tag, 4, b""
            )[-1][0]
            for content in contents
        ]
        filling = vector_root(np.zeros(4096, dtype=values.dtype))
        return contents[leaf], siblings(perfect_tree(nodes, node_tag, self.top, filling), leaf)

    def answer(self, kind: int, seat: int, index: int) -> Answer:
        """The honest answer to a demand."""
        if kind == COMMITS:
            return Answer(content=self.epoch.committed)
        if kind == SUBMISSION:
            return Answer(entries=self.epoch.submissions, content=self.epoch.contents[seat])
        if kind == UPDATE:
            content, proof = self.vector(self.update, index, (1, 2))
            return Answer(self.epoch.submissions, self.epoch.contents[seat], content=content, proof=proof)
        if kind == COLUMN:
            rows = root(0x0C, self.row_entries(index))
            return Answer(rows_root=rows, opening_proof=siblings(self.gram, index), content=self.columns[index])
        if kind == ROW:
            return Answer(
                entries=self.row_entries(index),
                column_root=root(0x0D, self.columns[index]),
                opening_proof=siblings(self.gram, index),
                content=self.rows[index][seat],
            )
        if kind == STATS:
            return Answer(entries=self.stats_entries, content=self.stats[seat])
        if kind == CARRIED:
            return Answer(content=self.carried)
        values, tags = (self.delta, (1, 2)) if kind == DELTA else (self.model, (3, 4))
        content, proof = self.vector(values, index, tags)
        return Answer(content=content, proof=proof)


POSITIONS = {
    "the commits": (COMMITS, 0, 0),
    "a submission": (SUBMISSION, 4, 0),
    "an absent seat's submission": (SUBMISSION, 2, 0),
    "the first leaf of an update": (UPDATE, 1, 0),
    "the last leaf of an update": (UPDATE, 4, 2),
    "a column": (COLUMN, 0, 1),
    "a row": (ROW, 4, 2),
    "an absent seat's row": (ROW, 2, 0),
    "the common row": (ROW, 5, 1),
    "a seat's figures": (STATS, 3, 0),
    "an absent seat's figures": (STATS, 2, 0),
    "the cohort's figures": (STATS, 5, 0),
    "what is carried": (CARRIED, 0, 0),
    "a leaf of delta": (DELTA, 0, 2),
    "a leaf of the next model": (NEXT_MODEL, 0, 1),
}
# What each kind looks at.
LOOKED_AT = {
    COMMITS: {"content"},
    SUBMISSION: {"entries", "content"},
    UPDATE: {"entries", "submission", "content", "proof"},
    COLUMN: {"rows_root", "opening_proof", "content"},
    ROW: {"entries", "column_root", "opening_proof", "content"},
    STATS: {"entries", "content"},
    CARRIED: {"content"},
    DELTA: {"content", "proof"},
    NEXT_MODEL: {"content", "proof"},
}
JUNK = {
    "entries": b"\x01" * 192,
    "submission": b"\x01" * 289,
    "column_root": b"\x01" * 32,
    "rows_root": b"\x01" * 32,
    "opening_proof": [b"\x01" * 32] * 2,
    "content": b"\x01" * 8192,
    "proof": [b"\x01" * 32] * 2,
}


class Desk:
    """Whoever demands and answers."""

    def __init__(self, contract: Any, chain: Any, archive: Archive) -> None:
        self.contract, self.chain, self.archive = contract, chain, archive
        self.positions: dict[int, tuple[int, int, int]] = {}

    def demand(self, position: tuple[int, int, int], sender: Any, value: int = DEPOSIT) -> int:
        number: int = self.contract.demand(self.archive.header.words, *position, sender=sender, value=value)
        self.positions[number] = position
        return number

    def answer(self, number: int, sender: Any, answer: Answer | None = None, **changes: Any) -> None:
        position = self.positions[number]
        brought = replace(answer or self.archive.answer(*position), **changes)
        self.contract.answer(number, self.archive.header.words, *brought.words(position[2]), sender=sender)

    def lose_epoch(self) -> None:
        """What the chain does when it overturns an epoch, or makes it final."""
        self.chain.hold((NO_HASH, ZERO, 0, 0, NO_HASH), [])

    @property
    def held_until(self) -> int:
        until: int = self.contract.heldUntil(self.archive.header.hash)
        return until


@pytest.fixture(scope="module")
def disputed() -> Any:
    return mock("DisputedChain")


@pytest.fixture(scope="module")
def demands(disputed: Any) -> Any:
    return deployer_of("DataDemands").deploy(disputed.address, DEPOSIT, ANSWER_PERIOD)


@pytest.fixture(scope="session")
def watcher() -> Any:
    return account("watcher")


@pytest.fixture(scope="session")
def helper() -> Any:
    """Who has the data and is not the aggregator."""
    return account("helper")


@pytest.fixture
def desk(demands: Any, disputed: Any) -> Desk:
    archive = Archive(disputed)
    archive.epoch.hold()
    return Desk(demands, disputed, archive)


def test_it_serves_the_chain_it_was_deployed_for(demands: Any, disputed: Any) -> None:
    assert demands.MODEL_PARAMETER_CHAIN() == disputed.address
    assert (demands.DEMAND_DEPOSIT(), demands.ANSWER_PERIOD()) == (DEPOSIT, ANSWER_PERIOD)


def test_it_is_not_deployed_with_nothing_to_lose_or_no_time(disputed: Any, stranger: Any) -> None:
    contract = deployer_of("DataDemands")
    with boa.reverts("DataDemands: model parameter chain is not a contract"):
        contract.deploy(stranger, DEPOSIT, ANSWER_PERIOD)
    with boa.reverts("DataDemands: demand deposit is zero"):
        contract.deploy(disputed.address, 0, ANSWER_PERIOD)
    with boa.reverts("DataDemands: answer period is zero"):
        contract.deploy(disputed.address, DEPOSIT, 0)


def test_it_reads_epochs_as_the_chain_gives_them(disputed: Any, chain: Any) -> None:
    """What it asks for and what ModelParameterChain answers have the same fields in the same order."""

    def shape(kinds: Any) -> Any:
        return [(kind["name"], kind["type"], shape(kind.get("components", []))) for kind in kinds]

    asked, answered = (
        next(shape(item["outputs"]) for item in contract.abi if item.get("name") == "getEpoch")
        for contract in (disputed, chain)
    )
    assert asked == answered


# Demands


@pytest.mark.parametrize("position", POSITIONS.values(), ids=POSITIONS)
def test_what_is_committed_to_can_be_demanded(desk: Desk, watcher: Any, position: tuple[int, int, int]) -> None:
    number = desk.demand(position, watcher)
    deadline = boa.env.timestamp + ANSWER_PERIOD
    assert events(desk.contract, "DataDemanded") == [
        {
            "demandId": number,
            "instanceId": 1,
            "epoch": 1,
            "headerHash": desk.archive.header.hash,
            "demander": watcher,
            "kind": position[0],
            "seat": position[1],
            "index": position[2],
            "deadline": deadline,
        }
    ]
    asked = (1, 1, desk.archive.header.hash, watcher, *position, deadline, True)
    assert tuple(desk.contract.demands(number)) == asked


@pytest.mark.parametrize(
    "position",
    [
        (COMMITS, 1, 0),
        (COMMITS, 0, 1),
        (SUBMISSION, 5, 0),
        (SUBMISSION, 0, 1),
        (UPDATE, 5, 0),
        (UPDATE, 2, 0),
        (UPDATE, 1, 3),
        (UPDATE, 2**256 - 1, 0),
        (COLUMN, 1, 0),
        (COLUMN, 0, 3),
        (ROW, 6, 0),
        (ROW, 0, 3),
        (STATS, 6, 0),
        (STATS, 0, 1),
        (CARRIED, 1, 0),
        (CARRIED, 0, 1),
        (DELTA, 1, 0),
        (DELTA, 0, 3),
        (NEXT_MODEL, 1, 0),
        (NEXT_MODEL, 0, 3),
        (NEXT_MODEL, 0, 2**256 - 1),
        (9, 0, 0),
        (2**256 - 1, 0, 0),
    ],
)
def test_nothing_else_can_be_demanded(desk: Desk, watcher: Any, position: tuple[int, int, int]) -> None:
    with boa.reverts(NO_POSITION):
        desk.demand(position, watcher)


@pytest.mark.parametrize("value", [0, DEPOSIT - 1, DEPOSIT + 1])
def test_a_demand_costs_the_deposit_to_the_wei(desk: Desk, watcher: Any, value: int) -> None:
    with boa.reverts("DataDemands: incorrect deposit"):
        desk.demand((COMMITS, 0, 0), watcher, value=value)


def test_a_position_is_demanded_once_for_each_header(desk: Desk, watcher: Any, stranger: Any) -> None:
    number = desk.demand((STATS, 1, 0), watcher)
    with boa.reverts("DataDemands: position is demanded already"):
        desk.demand((STATS, 1, 0), stranger)
    desk.answer(number, watcher)
    with boa.reverts("DataDemands: position is demanded already"):
        desk.demand((STATS, 1, 0), stranger)
    desk.demand((STATS, 3, 0), stranger)
    desk.archive.epoch.changes["metric"] = 1
    desk.archive.epoch.hold()
    assert desk.demand((STATS, 1, 0), stranger) != number


def test_an_epoch_is_demanded_from_for_two_challenge_windows(desk: Desk, watcher: Any) -> None:
    wait(2 * CHALLENGE_WINDOW)
    desk.demand((COMMITS, 0, 0), watcher)
    wait(1)
    with boa.reverts("DataDemands: demand is late"):
        desk.demand((CARRIED, 0, 0), watcher)


def test_only_a_pending_epoch_is_demanded_from(desk: Desk, watcher: Any) -> None:
    desk.lose_epoch()
    with boa.reverts("DataDemands: header is not a pending epoch's"):
        desk.demand((COMMITS, 0, 0), watcher)


# Answers


@pytest.mark.parametrize("position", POSITIONS.values(), ids=POSITIONS)
def test_an_honest_answer_opens_the_position_for_everybody(
    desk: Desk, watcher: Any, helper: Any, position: tuple[int, int, int]
) -> None:
    number = desk.demand(position, watcher)
    desk.answer(number, helper)
    answer = desk.archive.answer(*position)
    (event,) = events(desk.contract, "DemandAnswered")
    entries, submission, opening, content, proof = answer.words(position[2])
    assert tuple(event.pop("opening")) == opening
    assert event == {
        "demandId": number,
        "headerHash": desk.archive.header.hash,
        "answerer": helper,
        "list": entries,
        "submission": submission,
        "content": content,
        "proof": proof,
    }


def test_who_answers_has_the_deposit(desk: Desk, watcher: Any, helper: Any) -> None:
    number = desk.demand((COMMITS, 0, 0), watcher)
    desk.answer(number, helper)
    assert events(desk.contract, "DepositCredited") == [{"demandId": number, "answerer": helper, "amount": DEPOSIT}]
    assert (desk.contract.credits(helper), desk.contract.credits(watcher)) == (DEPOSIT, 0)
    before = balance(helper)
    desk.contract.withdraw(sender=helper)
    assert events(desk.contract, "Withdrawn") == [{"account": helper, "receiver": helper, "amount": DEPOSIT}]
    assert balance(helper) == before + DEPOSIT
    assert balance(desk.contract) == 0


@pytest.mark.parametrize("position", POSITIONS.values(), ids=POSITIONS)
def test_what_a_kind_has_no_use_for_is_not_looked_at(
    desk: Desk, watcher: Any, helper: Any, position: tuple[int, int, int]
) -> None:
    number = desk.demand(position, watcher)
    unused = {name: value for name, value in JUNK.items() if name not in LOOKED_AT[position[0]]}
    desk.answer(number, helper, **unused)
    assert desk.contract.credits(helper) == DEPOSIT


def spoiled(name: str, honest: Any) -> list[Any]:
    """A part of an answer as it should not be: another, too long, too short, missing."""
    if isinstance(honest, list):
        return [JUNK[name], [*honest, NO_HASH], honest[:-1]]
    if len(honest) == 32:
        return [JUNK[name]]
    values = [JUNK[name], honest + b"\0", honest[:-1], b""]
    return [value for value in values if value != honest and len(value) <= 16384]


@pytest.mark.parametrize(
    ("position", "name"),
    [(position, name) for position in POSITIONS.values() for name in sorted(LOOKED_AT[position[0]])],
)
def test_an_answer_with_one_wrong_part_opens_nothing(
    desk: Desk, watcher: Any, helper: Any, position: tuple[int, int, int], name: str
) -> None:
    number = desk.demand(position, watcher)
    for value in spoiled(name, getattr(desk.archive.answer(*position), name)):
        with boa.reverts(NO_ANSWER):
            desk.answer(number, helper, **{name: value})
    desk.answer(number, helper)
    assert desk.contract.credits(helper) == DEPOSIT


@pytest.mark.parametrize(
    ("asked", "brought"),
    [
        ((SUBMISSION, 1, 0), (SUBMISSION, 3, 0)),
        ((UPDATE, 1, 0), (UPDATE, 1, 1)),
        ((COLUMN, 0, 1), (COLUMN, 0, 0)),
        ((ROW, 1, 1), (ROW, 1, 0)),
        ((ROW, 1, 1), (ROW, 3, 1)),
        ((ROW, 5, 1), (ROW, 4, 1)),
        ((STATS, 1, 0), (STATS, 3, 0)),
        ((STATS, 1, 0), (STATS, 2, 0)),
        ((STATS, 5, 0), (STATS, 4, 0)),
        ((DELTA, 0, 2), (DELTA, 0, 0)),
        ((NEXT_MODEL, 0, 1), (NEXT_MODEL, 0, 2)),
        ((DELTA, 0, 1), (UPDATE, 1, 1)),
    ],
)
def test_the_answer_to_another_demand_opens_nothing(
    desk: Desk, watcher: Any, helper: Any, asked: tuple[int, int, int], brought: tuple[int, int, int]
) -> None:
    number = desk.demand(asked, watcher)
    with boa.reverts(NO_ANSWER):
        desk.answer(number, helper, desk.archive.answer(*brought))


def malformed(archive: Archive, kind: int) -> None:
    """Commit to something of the wrong length under a kind's root."""
    if kind == COMMITS:
        archive.epoch.commit_entries = archive.epoch.committed + bytes(32)
    elif kind in (SUBMISSION, UPDATE):
        archive.epoch.contents[1] += b"\0"
    elif kind == COLUMN:
        archive.columns[1] += bytes(32)
    elif kind == ROW:
        archive.rows[1][1] += bytes(8)
    elif kind == STATS:
        archive.stats[1] += b"\0"
    elif kind == CARRIED:
        archive.carried += bytes(23)
    archive.commit()


@pytest.mark.parametrize(
    "position",
    [
        (COMMITS, 0, 0),
        (SUBMISSION, 1, 0),
        (UPDATE, 1, 0),
        (COLUMN, 0, 1),
        (ROW, 1, 1),
        (STATS, 1, 0),
        (CARRIED, 0, 0),
    ],
)
def test_what_is_committed_to_in_a_wrong_length_cannot_be_answered(
    desk: Desk, watcher: Any, helper: Any, position: tuple[int, int, int]
) -> None:
    malformed(desk.archive, position[0])
    desk.archive.epoch.hold()
    number = desk.demand(position, watcher)
    with boa.reverts(NO_ANSWER):
        desk.answer(number, helper)


@pytest.mark.parametrize("position", [(SUBMISSION, 1, 0), (UPDATE, 1, 0), (ROW, 1, 1), (STATS, 1, 0)])
def test_a_list_with_more_entries_than_seats_cannot_be_answered(
    desk: Desk, watcher: Any, helper: Any, position: tuple[int, int, int]
) -> None:
    archive = desk.archive
    if position[0] in (SUBMISSION, UPDATE):
        archive.epoch.submission_entries = archive.epoch.submissions + bytes(32)
    elif position[0] == ROW:
        archive.rows[1].append(b"one more")
    else:
        archive.stats.append(b"one more")
    archive.commit()
    archive.epoch.hold()
    number = desk.demand(position, watcher)
    with boa.reverts(NO_ANSWER):
        desk.answer(number, helper)


def test_vectors_hashed_in_deeper_trees_cannot_be_answered(desk: Desk, watcher: Any, helper: Any) -> None:
    shallow = desk.archive.answer(DELTA, 0, 0)
    deeper = keccak(b"\x02" + vector_root(desk.archive.delta) + NO_HASH)
    desk.archive.epoch.changes["delta_root"] = deeper
    desk.archive.epoch.hold()
    number = desk.demand((DELTA, 0, 0), watcher)
    with boa.reverts(NO_ANSWER):
        desk.answer(number, helper, shallow, proof=[*shallow.proof, NO_HASH])


@pytest.mark.parametrize("position", [(COLUMN, 0, 0), (ROW, 1, 0)])
def test_leaves_of_a_deeper_gram_tree_cannot_be_answered(
    desk: Desk, watcher: Any, helper: Any, position: tuple[int, int, int]
) -> None:
    shallow = desk.archive.answer(*position)
    desk.archive.epoch.changes["gram_root"] = keccak(b"\x0f" + desk.archive.gram[-1][0] + NO_HASH)
    desk.archive.epoch.hold()
    number = desk.demand(position, watcher)
    with boa.reverts(NO_ANSWER):
        desk.answer(number, helper, shallow, opening_proof=[*shallow.opening_proof, NO_HASH])


def test_a_participant_without_figures_is_answered_by_nothing(desk: Desk, watcher: Any, helper: Any) -> None:
    """That there are none is then for all to see, and is a fault."""
    desk.archive.stats[1] = b""
    desk.archive.commit()
    desk.archive.epoch.hold()
    number = desk.demand((STATS, 1, 0), watcher)
    desk.answer(number, helper)
    assert desk.contract.credits(helper) == DEPOSIT


def test_figures_that_there_are_are_not_answered_by_nothing(desk: Desk, watcher: Any, helper: Any) -> None:
    number = desk.demand((STATS, 1, 0), watcher)
    with boa.reverts(NO_ANSWER):
        desk.answer(number, helper, content=b"")


@pytest.mark.parametrize(("n", "leaves"), [(4, 1), (64, 2), (10, 5)])
def test_every_kind_is_answered_in_every_cohort_and_model(
    demands: Any, disputed: Any, watcher: Any, helper: Any, n: int, leaves: int
) -> None:
    archive = Archive(disputed, n, leaves, participants=2**n - 1)
    archive.epoch.hold()
    desk = Desk(demands, disputed, archive)
    last = leaves - 1
    positions = [(COMMITS, 0, 0), (SUBMISSION, n - 1, 0), (UPDATE, n - 1, last), (COLUMN, 0, last), (ROW, n - 1, last)]
    positions += [(ROW, n, last), (STATS, n - 1, 0), (STATS, n, 0), (CARRIED, 0, 0), (DELTA, 0, last)]
    positions += [(NEXT_MODEL, 0, last)]
    for position in positions:
        desk.answer(desk.demand(position, watcher), helper)
    assert demands.credits(helper) == len(positions) * DEPOSIT


def test_an_opening_is_of_the_demanded_leaf_whatever_it_names(desk: Desk, watcher: Any, helper: Any) -> None:
    words, archive = desk.archive.header.words, desk.archive
    number = desk.demand((COLUMN, 0, 1), watcher)
    with boa.reverts(NO_ANSWER):
        desk.contract.answer(number, words, *archive.answer(COLUMN, 0, 2).words(1), sender=helper)
    desk.contract.answer(number, words, *archive.answer(COLUMN, 0, 1).words(2), sender=helper)
    assert desk.contract.credits(helper) == DEPOSIT


def test_an_answer_comes_before_the_deadline_has_passed(desk: Desk, watcher: Any, helper: Any) -> None:
    first, second = desk.demand((COMMITS, 0, 0), watcher), desk.demand((CARRIED, 0, 0), watcher)
    wait(ANSWER_PERIOD)
    desk.answer(first, helper)
    wait(1)
    with boa.reverts("DataDemands: answer is late"):
        desk.answer(second, helper)


def test_a_demand_is_answered_once(desk: Desk, watcher: Any, helper: Any) -> None:
    number = desk.demand((COMMITS, 0, 0), watcher)
    desk.answer(number, helper)
    with boa.reverts(NOT_OPEN):
        desk.answer(number, helper)


def test_what_was_not_demanded_is_not_answered(desk: Desk, helper: Any) -> None:
    desk.positions[1] = (COMMITS, 0, 0)
    with boa.reverts(NOT_OPEN):
        desk.answer(1, helper)
    with boa.reverts(NOT_OPEN):
        desk.contract.failDemand(1)
    with boa.reverts(NOT_OPEN):
        desk.contract.reclaim(1)


def test_an_answer_is_about_the_header_that_was_demanded(desk: Desk, watcher: Any, helper: Any) -> None:
    number = desk.demand((COMMITS, 0, 0), watcher)
    demanded = desk.archive.header
    desk.archive.epoch.changes["metric"] = 1
    with boa.reverts("DataDemands: header is not a pending epoch's"):
        desk.answer(number, helper)
    desk.archive.epoch.hold()
    assert desk.archive.header != demanded
    with boa.reverts("DataDemands: header is not the demanded one"):
        desk.answer(number, helper)


# What holds an epoch


def test_an_epoch_of_which_nothing_was_demanded_is_not_held(desk: Desk) -> None:
    assert desk.held_until == 0


def test_an_open_demand_holds_the_epoch_until_somebody_ends_it(desk: Desk, watcher: Any) -> None:
    desk.demand((COMMITS, 0, 0), watcher)
    assert desk.held_until == FOR_EVER
    wait(10 * ANSWER_PERIOD)
    assert desk.held_until == FOR_EVER


def test_the_last_answer_leaves_time_to_act_on_it(desk: Desk, watcher: Any, helper: Any) -> None:
    first, second = desk.demand((COMMITS, 0, 0), watcher), desk.demand((CARRIED, 0, 0), watcher)
    desk.answer(first, helper)
    assert desk.held_until == FOR_EVER
    wait(7)
    desk.answer(second, helper)
    answered_at = boa.env.timestamp
    wait(3)
    assert desk.held_until == answered_at + ANSWER_PERIOD


def test_demands_hold_one_epoch_and_no_other(desk: Desk, watcher: Any) -> None:
    desk.demand((COMMITS, 0, 0), watcher)
    assert desk.contract.heldUntil(keccak(text="another header")) == 0


def test_no_demand_holds_an_epoch_longer_than_the_protocol_allows(desk: Desk, watcher: Any, helper: Any) -> None:
    """The last moment for a demand, and the last moment for its answer."""
    posted_at = boa.env.timestamp
    wait(2 * CHALLENGE_WINDOW)
    number = desk.demand((COMMITS, 0, 0), watcher)
    wait(ANSWER_PERIOD)
    desk.answer(number, helper)
    assert desk.held_until == posted_at + 2 * CHALLENGE_WINDOW + 2 * ANSWER_PERIOD


# Failed demands


def test_an_unanswered_demand_overturns_the_epoch_for_its_demander(desk: Desk, watcher: Any, stranger: Any) -> None:
    number = desk.demand((COMMITS, 0, 0), watcher)
    wait(ANSWER_PERIOD + 1)
    desk.contract.failDemand(number, sender=stranger)
    assert events(desk.contract, "DemandFailed") == [{"demandId": number, "demander": watcher}]
    assert events(desk.contract, "DepositReturned") == [{"demandId": number, "demander": watcher, "amount": DEPOSIT}]
    assert (desk.chain.overturned(), desk.chain.challenger()) == (WITHHELD, watcher)
    assert (desk.contract.credits(watcher), desk.contract.credits(stranger)) == (DEPOSIT, 0)
    assert desk.held_until == 0


def test_a_demand_has_not_failed_while_it_can_be_answered(desk: Desk, watcher: Any, helper: Any) -> None:
    number = desk.demand((COMMITS, 0, 0), watcher)
    wait(ANSWER_PERIOD)
    with boa.reverts("DataDemands: demand can still be answered"):
        desk.contract.failDemand(number)
    desk.answer(number, helper)
    wait(1)
    with boa.reverts(NOT_OPEN):
        desk.contract.failDemand(number)


def test_a_demand_fails_once(desk: Desk, watcher: Any) -> None:
    number = desk.demand((COMMITS, 0, 0), watcher)
    wait(ANSWER_PERIOD + 1)
    desk.contract.failDemand(number)
    for settle in (desk.contract.failDemand, desk.contract.reclaim):
        with boa.reverts(NOT_OPEN):
            settle(number)


def test_an_epoch_that_is_gone_is_not_overturned_again(desk: Desk, watcher: Any, stranger: Any) -> None:
    first, second = desk.demand((COMMITS, 0, 0), watcher), desk.demand((CARRIED, 0, 0), stranger)
    wait(ANSWER_PERIOD + 1)
    desk.contract.failDemand(first)
    desk.lose_epoch()
    with boa.reverts("DataDemands: epoch is not pending"):
        desk.contract.failDemand(second)
    desk.contract.reclaim(second)
    assert desk.contract.credits(stranger) == DEPOSIT


@pytest.mark.parametrize("replaced", [True, False], ids=["by another", "and not posted again"])
def test_the_deposit_comes_back_when_the_epoch_is_overturned(
    desk: Desk, watcher: Any, stranger: Any, replaced: bool
) -> None:
    number = desk.demand((COMMITS, 0, 0), watcher)
    with boa.reverts("DataDemands: epoch is pending"):
        desk.contract.reclaim(number)
    demanded = desk.archive.header.hash
    desk.lose_epoch()
    if replaced:
        desk.archive.epoch.changes["attempt"] = 3
        desk.archive.epoch.hold()
    desk.contract.reclaim(number, sender=stranger)
    assert events(desk.contract, "DepositReturned") == [{"demandId": number, "demander": watcher, "amount": DEPOSIT}]
    assert (desk.contract.credits(watcher), desk.contract.credits(stranger)) == (DEPOSIT, 0)
    assert desk.contract.heldUntil(demanded) == 0
    with boa.reverts(NOT_OPEN):
        desk.contract.reclaim(number)


def test_an_answered_demand_is_not_reclaimed(desk: Desk, watcher: Any, helper: Any) -> None:
    number = desk.demand((COMMITS, 0, 0), watcher)
    desk.answer(number, helper)
    desk.lose_epoch()
    with boa.reverts(NOT_OPEN):
        desk.contract.reclaim(number)


def test_an_aggregator_that_demands_of_itself_gains_nothing_by_it(desk: Desk) -> None:
    """It pays itself, and the position is open to all: or it loses its epoch."""
    aggregator = desk.archive.epoch.aggregator.address
    boa.env.set_balance(aggregator, ETHER)
    answered, failed = desk.demand((COMMITS, 0, 0), aggregator), desk.demand((CARRIED, 0, 0), aggregator)
    desk.answer(answered, aggregator)
    wait(ANSWER_PERIOD + 1)
    desk.contract.failDemand(failed)
    assert (desk.chain.overturned(), desk.chain.challenger()) == (WITHHELD, aggregator)
    desk.contract.withdraw(sender=aggregator)
    assert balance(aggregator) == ETHER


# Ether


def test_deposits_can_be_sent_elsewhere(desk: Desk, watcher: Any, helper: Any, stranger: Any) -> None:
    desk.answer(desk.demand((COMMITS, 0, 0), watcher), helper)
    desk.answer(desk.demand((CARRIED, 0, 0), watcher), helper)
    before = balance(stranger)
    desk.contract.withdraw(stranger, sender=helper)
    assert balance(stranger) == before + 2 * DEPOSIT


def test_who_has_no_credit_withdraws_nothing(desk: Desk, watcher: Any, helper: Any) -> None:
    with boa.reverts("DataDemands: no credit to withdraw"):
        desk.contract.withdraw(sender=helper)
    desk.answer(desk.demand((COMMITS, 0, 0), watcher), helper)
    desk.contract.withdraw(sender=helper)
    with boa.reverts("DataDemands: no credit to withdraw"):
        desk.contract.withdraw(sender=helper)
    with boa.reverts("DataDemands: receiver is the zero address"):
        desk.contract.withdraw(ZERO, sender=helper)


def test_a_demander_that_takes_no_ether_saves_no_epoch(desk: Desk, watcher: Any) -> None:
    actor = mock("Actor")
    actor.refuse()
    words = desk.archive.header.words
    calldata = desk.contract.demand.prepare_calldata(words, COMMITS, 0, 0)
    number = int.from_bytes(keccak(desk.archive.header.hash + bytes(96)), "big")
    actor.act(desk.contract.address, calldata, sender=watcher, value=DEPOSIT)
    wait(ANSWER_PERIOD + 1)
    desk.contract.failDemand(number)
    assert (desk.chain.overturned(), desk.chain.challenger()) == (WITHHELD, actor.address)
    with boa.reverts("DataDemands: receiver refused the payment"):
        actor.act(desk.contract.address, desk.contract.withdraw.prepare_calldata())
    before = balance(watcher)
    actor.act(desk.contract.address, desk.contract.withdraw.prepare_calldata(watcher))
    assert balance(watcher) == before + DEPOSIT


def test_a_receiver_that_calls_back_is_paid_once(desk: Desk, watcher: Any, helper: Any) -> None:
    actor = mock("Actor")
    number = desk.demand((COMMITS, 0, 0), watcher)
    desk.demand((CARRIED, 0, 0), watcher)
    answer = desk.archive.answer(COMMITS, 0, 0).words(0)
    calldata = desk.contract.answer.prepare_calldata(number, desk.archive.header.words, *answer)
    actor.act(desk.contract.address, calldata)
    withdraw = desk.contract.withdraw.prepare_calldata()
    actor.callBack(desk.contract.address, withdraw)
    actor.act(desk.contract.address, withdraw)
    assert actor.callbacks() == 1
    assert not actor.callbackSucceeded()
    assert (balance(actor), balance(desk.contract)) == (DEPOSIT, DEPOSIT)


def test_ether_that_is_forced_in_is_nobodys(desk: Desk, watcher: Any, helper: Any) -> None:
    number = desk.demand((COMMITS, 0, 0), watcher)
    mock("Actor").force(desk.contract.address, sender=watcher, value=11)
    desk.answer(number, helper)
    desk.contract.withdraw(sender=helper)
    assert balance(desk.contract) == 11


class Deposits(RuleBasedStateMachine):
    """Demands beside plain Python books: in any order of moves, the contract holds what it owes, and nothing sticks."""

    def __init__(self) -> None:
        super().__init__()
        self.world = boa.env.anchor()
        self.world.__enter__()

    def teardown(self) -> None:
        if hasattr(self, "desk"):
            self.everybody_is_paid_in_the_end()
        self.world.__exit__(None, None, None)

    @initialize()
    def begin(self) -> None:
        chain = mock("DisputedChain")
        archive = Archive(chain, n=4, leaves=1, participants=0b1111)
        contract = deployer_of("DataDemands").deploy(chain.address, DEPOSIT, ANSWER_PERIOD)
        self.desk = Desk(contract, chain, archive)
        self.accounts = [account(f"party {number}") for number in range(3)]
        self.credits = dict.fromkeys(self.accounts, 0)
        self.open: dict[int, tuple[Any, bytes, int]] = {}
        self.demanded: dict[tuple[Any, ...], int] = {}
        self.pending: bytes | None = None
        self.posted_at = 0
        self.an_epoch_is_posted()

    def attempt(self, allowed: bool, move: Callable[[], Any]) -> Any:
        """Make a move that succeeds exactly when the books allow it."""
        if allowed:
            return move()
        with pytest.raises(boa.BoaError):
            move()
        return None

    @rule()
    def an_epoch_is_posted(self) -> None:
        epoch = self.desk.archive.epoch
        epoch.changes["attempt"] = epoch.changes.get("attempt", 0) + 1
        epoch.hold()
        self.pending, self.posted_at = epoch.header.hash, boa.env.timestamp

    @rule()
    def the_epoch_is_overturned(self) -> None:
        self.desk.lose_epoch()
        self.pending = None

    @rule(seconds=st.sampled_from([1, ANSWER_PERIOD, ANSWER_PERIOD + 1, CHALLENGE_WINDOW]))
    def time_passes(self, seconds: int) -> None:
        wait(seconds)

    @rule(who=st.integers(0, 2), seat=st.integers(0, 4), value=st.sampled_from([DEPOSIT, DEPOSIT, DEPOSIT, 0]))
    def data_are_demanded(self, who: int, seat: int, value: int) -> None:
        position, sender = (STATS, seat, 0), self.accounts[who]
        key = (self.desk.archive.header.hash, seat)
        allowed = value == DEPOSIT and self.pending == key[0] and key not in self.demanded
        allowed = allowed and boa.env.timestamp <= self.posted_at + 2 * CHALLENGE_WINDOW
        number = self.attempt(allowed, lambda: self.desk.demand(position, sender, value))
        if number is not None:
            self.demanded[key] = number
            self.open[number] = (sender, key[0], boa.env.timestamp + ANSWER_PERIOD)

    def settle(self, number: int, beneficiary: Any) -> None:
        del self.open[number]
        self.credits[beneficiary] += DEPOSIT

    @rule(who=st.integers(0, 2), data=st.data())
    def a_demand_is_answered(self, who: int, data: st.DataObject) -> None:
        if not self.demanded:
            return
        number = data.draw(st.sampled_from(list(self.demanded.values())))
        current = self.desk.archive.header.hash
        _, asked, deadline = self.open.get(number, (None, None, 0))
        allowed = asked == self.pending == current and boa.env.timestamp <= deadline
        self.attempt(allowed, lambda: self.desk.answer(number, self.accounts[who]))
        if allowed:
            self.settle(number, self.accounts[who])

    @rule(who=st.integers(0, 2), data=st.data())
    def a_demand_is_failed(self, who: int, data: st.DataObject) -> None:
        if not self.demanded:
            return
        number = data.draw(st.sampled_from(list(self.demanded.values())))
        demander, asked, deadline = self.open.get(number, (None, None, 0))
        allowed = demander is not None and asked == self.pending and boa.env.timestamp > deadline
        self.attempt(allowed, lambda: self.desk.contract.failDemand(number, sender=self.accounts[who]))
        if allowed:
            self.settle(number, demander)
            self.the_epoch_is_overturned()

    @rule(who=st.integers(0, 2), data=st.data())
    def a_deposit_is_reclaimed(self, who: int, data: st.DataObject) -> None:
        if not self.demanded:
            return
        number = data.draw(st.sampled_from(list(self.demanded.values())))
        demander, asked, _ = self.open.get(number, (None, None, 0))
        allowed = demander is not None and asked != self.pending
        self.attempt(allowed, lambda: self.desk.contract.reclaim(number, sender=self.accounts[who]))
        if allowed:
            self.settle(number, demander)

    @rule(who=st.integers(0, 2))
    def credit_is_withdrawn(self, who: int) -> None:
        sender = self.accounts[who]
        before, owed = balance(sender), self.credits[sender]
        self.attempt(owed != 0, lambda: self.desk.contract.withdraw(sender=sender))
        assert balance(sender) == before + owed
        self.credits[sender] = 0

    @invariant()
    def the_contract_holds_what_it_owes(self) -> None:
        if hasattr(self, "desk"):
            assert balance(self.desk.contract) == sum(self.credits.values()) + DEPOSIT * len(self.open)
            assert {who: self.desk.contract.credits(who) for who in self.accounts} == self.credits

    def everybody_is_paid_in_the_end(self) -> None:
        wait(ANSWER_PERIOD + 1)
        for number, (demander, asked, _) in list(self.open.items()):
            if asked == self.pending:
                self.desk.contract.failDemand(number)
                self.the_epoch_is_overturned()
            else:
                self.desk.contract.reclaim(number)
            self.settle(number, demander)
        for who in range(3):
            self.credit_is_withdrawn(who)
        assert balance(self.desk.contract) == 0


TestDeposits = Deposits.TestCase
TestDeposits.settings = settings(
    max_examples=15,
    stateful_step_count=40,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
