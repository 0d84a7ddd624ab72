"""A lie on the real chain: posted, found, deleted by one transaction, and nobody honest is worse off."""

from __future__ import annotations

from dataclasses import dataclass, replace
from random import Random
from typing import Literal

from fedblocks.rollup.fraud.cases import Demand, FraudCase
from fedblocks.rollup.fraud.prover import find_fault
from fedblocks.rollup.fraud.published import Published
from fedblocks.rollup.header import Header
from fedblocks.rollup.keccak import keccak256
from tests.adversary.lies import Told
from tests.adversary.stage import AGGREGATOR, SUCCESSOR, Refused, refusal, rehearsal
from tests.adversary.truth import Truth
from tests.contracts import world

PIECES = ("commits", "submissions", "stats", "cohort", "updates", "gram", "carried", "delta", "next_model")
Manner = Literal["open", "answering", "silent"]
"""Whether the aggregator publishes everything, answers what is demanded, or withholds for good."""


@dataclass(frozen=True)
class Outcome:
    """What came of an epoch.

    Attributes:
        refused: why the chain did not take it; None when it did.
        case: by which it was deleted; None when it stands.
        demands: how many were made.
        unanswered: what the last demand was for, when it was not answered.
    """

    refused: str | None = None
    case: FraudCase | None = None
    demands: int = 0
    unanswered: Demand | None = None


@dataclass(frozen=True)
class Books:
    """Who holds how much: the challenger, the aggregator, the registry of stakes, the treasury, all contracts."""

    challenger: int
    aggregator: int
    stakes: int
    treasury: int
    contracts: int

    @classmethod
    def of(cls, truth: Truth) -> Books:
        stage = truth.instance.stage
        holders = (stage.challenger, AGGREGATOR.address, stage.protocol.registry, stage.protocol.slash_treasury)
        return cls(*map(world.balance, holders), stage.holdings)


def withheld_pieces(manner: Manner, n: int, rng: Random) -> frozenset[str]:
    """What an aggregator withholds. A large cohort's updates are a great many demands, which show nothing new."""
    if manner == "open":
        return frozenset()
    pieces = PIECES if n <= 5 or manner == "silent" else ("commits", "gram", "stats", "carried", "delta", "next_model")
    return frozenset(rng.sample(pieces, rng.randint(1, len(pieces))))


def tried(truth: Truth, told: Told, manner: Manner, rng: Random) -> Outcome:
    """Post an epoch and let a watcher do what it can; the chain is afterwards as it was."""
    with rehearsal():
        return _tried(truth, told, manner, rng)


def _tried(truth: Truth, told: Told, manner: Manner, rng: Random) -> Outcome:
    instance = truth.instance
    before, books = instance.state, Books.of(truth)
    try:
        instance.close(told.committed.roots()["commits_root"], AGGREGATOR.address)
        instance.post(tuple(told.words.values()), AGGREGATOR.address)
    except Refused as refused:
        return Outcome(refused=str(refused))
    header = told.header
    _follow_up(truth, header, rng.randrange(3))
    outcome = _watched(truth, told, header, manner, rng)
    if outcome.case is None:
        return outcome

    after = instance.state
    assert after.postedEpochs == before.postedEpochs
    assert after.attempt == before.attempt + 1
    for name in ("lastHeaderHash", "lastModelRoot", "slashReasons", "finalizedEpochs", "finalSlashReasons"):
        assert getattr(after, name) == getattr(before, name), name
    _everything_is_accounted(truth, outcome, books)
    _goes_on(truth, rng)
    return outcome


def _follow_up(truth: Truth, header: Header, count: int) -> None:
    """Build further epochs on the one that was posted."""
    for _ in range(count):
        commits = keccak256(b"commits" + header.hash())
        header = replace(
            header,
            epoch=header.epoch + 1,
            previous_header_hash=header.hash(),
            base_model_root=header.next_model_root,
            commits_root=commits,
            participants=(1 << truth.n) - 1,
            excluded=(1 << truth.n) - 2,
        )
        truth.instance.close(commits, AGGREGATOR.address)
        if refusal(truth.instance.post, header.as_tuple(), AGGREGATOR.address) is not None:
            # Who is slashable cannot take part again; the epoch before has made somebody so.
            assert header.slash_reasons
            return


def _watched(truth: Truth, told: Told, header: Header, manner: Manner, rng: Random) -> Outcome:
    """Look, demand what is missing, and challenge what is wrong."""
    stage = truth.instance.stage
    withheld = withheld_pieces(manner, truth.n, rng)
    published: Published = told.committed.published(truth.context, header, withheld)
    demands = 0
    while True:
        found = find_fault(truth.before, truth.previous, header, published)
        if found is None and told.known is not None:
            found = told.known
        if found is None:
            return Outcome(demands=demands)
        if not isinstance(found, Demand):
            stage.challenge(found)
            assert truth.instance.header_hash(header.epoch) == bytes(32), "the challenge has deleted it"
            return Outcome(case=found.case, demands=demands)
        assert found.position not in published.answers, "a position is demanded once"
        number, demands = stage.demand(header, found), demands + 1
        answer = None if manner == "silent" else told.committed.answer(found)
        if answer is None or refusal(stage.answer, number, header, found, answer, AGGREGATOR.address) is not None:
            world.wait(world.ANSWER_PERIOD + 1)
            stage.fail(number)
            assert truth.instance.header_hash(header.epoch) == bytes(32), "the demand has deleted it"
            return Outcome(case=FraudCase.WITHHELD, demands=demands, unanswered=found)
        published.learn(found.position, answer)


def _everything_is_accounted(truth: Truth, outcome: Outcome, before: Books) -> None:
    """The bond is gone, the challenger has its part and its deposits, the clients have their stakes."""
    stage, number = truth.instance.stage, truth.instance.number
    assert stage.protocol.chain.bonds(number, AGGREGATOR.address) == 0
    stage.settle(stage.challenger, AGGREGATOR.address)
    answered = (outcome.demands - (outcome.unanswered is not None)) * world.DEMAND_DEPOSIT
    after = Books.of(truth)
    assert after.stakes == before.stakes
    assert after.challenger == before.challenger + world.CHALLENGE_REWARD - answered
    assert after.aggregator == before.aggregator + answered
    assert after.treasury == before.treasury + world.AGGREGATOR_BOND - world.CHALLENGE_REWARD
    assert after.contracts == before.contracts - world.CHALLENGE_REWARD


def _goes_on(truth: Truth, rng: Random) -> None:
    """The same aggregator with a new bond, or another one, posts the epoch as it should have been."""
    instance, aggregator, again = truth.instance, AGGREGATOR.address, truth.again
    if rng.random() < 0.5:
        aggregator = SUCCESSOR.address
        instance.chain.nameAggregator(instance.number, aggregator, sender=instance.stage.user)
        again = again.again
    instance.bond(aggregator)
    instance.close(again.header.commits_root, aggregator)
    instance.post(again.header.as_tuple(), aggregator)
    assert instance.header_hash(again.header.epoch) == again.header.hash()
