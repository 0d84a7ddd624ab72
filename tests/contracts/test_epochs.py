"""An epoch's way: commits closed, header posted, challenge window passed, final."""

from __future__ import annotations

from typing import Any

import boa
import pytest
from eth_utils import keccak

from tests.contracts.world import (
    AGGREGATOR_BOND,
    CHALLENGE_WINDOW,
    LIVENESS_PERIOD,
    NO_HASH,
    ZERO,
    Protocol,
    Run,
    events,
    now,
    reasons,
    wait,
)

# Closing commits


def test_the_aggregator_closes_commits(run: Run, chain: Any) -> None:
    wait(5)
    run.close()

    assert events(chain, "CommitsClosed") == [
        {"instanceId": run.instance, "epoch": 1, "attempt": 0, "commitsRoot": run.commits_root(1)}
    ]
    record = chain.getEpoch(run.instance, 1)
    assert record.commitsRoot == run.commits_root(1)
    assert record.commitsClosedAt == now()
    assert record.headerHash == NO_HASH
    assert record.postedAt == 0
    assert not record.finalized
    instance = chain.getInstance(run.instance)
    assert instance.lastActivity == now()
    assert instance.lastProgress == now() - 5, "closed commits are a promise, not progress"


def test_only_the_aggregator_closes_commits(run: Run, chain: Any, stranger: Any) -> None:
    for instance, caller in ((run.instance, stranger), (run.instance, run.user), (run.instance + 1, stranger)):
        with boa.reverts("ModelParameterChain: caller is not the aggregator"):
            chain.closeCommits(instance, 1, 0, run.commits_root(1), sender=caller)


def test_an_aggregator_without_a_bond_closes_no_commits(
    protocol: Protocol, user: Any, clients: list[Any], aggregator: Any
) -> None:
    instance = protocol.order(user, clients, 1, aggregator, keccak(b"root"), 1, keccak(b"rules"))
    with boa.reverts("ModelParameterChain: bond is missing"):
        protocol.chain.closeCommits(instance, 1, 0, keccak(b"commits"), sender=aggregator)


@pytest.mark.parametrize("epoch", [0, 2])
def test_commits_are_closed_for_the_next_epoch_only(run: Run, chain: Any, epoch: int) -> None:
    with boa.reverts("ModelParameterChain: epoch is not the next one"):
        chain.closeCommits(run.instance, epoch, 0, run.commits_root(epoch), sender=run.aggregator)


def test_no_commits_are_closed_past_the_last_epoch(run: Run) -> None:
    for _ in range(3):
        run.train()
    with boa.reverts("ModelParameterChain: every epoch has been posted"):
        run.close()


def test_commits_have_a_root(run: Run, chain: Any) -> None:
    with boa.reverts("ModelParameterChain: commits root is missing"):
        chain.closeCommits(run.instance, 1, 0, NO_HASH, sender=run.aggregator)


@pytest.mark.parametrize("attempt", [1, 2**256 - 1])
def test_commits_are_closed_under_the_current_attempt(run: Run, attempt: int) -> None:
    run.attempt = attempt
    with boa.reverts("ModelParameterChain: attempt is not the current one"):
        run.close()


def test_commits_are_not_closed_again_while_their_epoch_can_be_posted(run: Run) -> None:
    run.close()
    wait(LIVENESS_PERIOD)
    for run.attempt in (0, 1):
        with boa.reverts("ModelParameterChain: commits are closed already"):
            run.close()


def test_commits_closed_in_vain_are_closed_again_under_the_next_attempt(run: Run, chain: Any) -> None:
    run.close()
    wait(LIVENESS_PERIOD + 1)
    for run.attempt in (0, 2):
        with boa.reverts("ModelParameterChain: attempt is not the current one"):
            run.close()
    run.attempt = 1
    run.close()
    assert chain.getInstance(run.instance).attempt == 1
    run.post()
    run.train()
    assert chain.getInstance(run.instance).attempt == 1, "the attempt stays for the epochs that follow"


def test_a_stopped_instance_closes_no_commits(run: Run) -> None:
    run.stop()
    with boa.reverts("ModelParameterChain: instance is stopped"):
        run.close()


# Posting


def test_the_aggregator_posts_an_epoch(run: Run, chain: Any) -> None:
    run.close()
    wait(9)
    header = run.post(excluded=0b1, slash_reasons=reasons((0, 6)))

    assert events(chain, "EpochSubmitted") == [
        {
            "instanceId": run.instance,
            "epoch": 1,
            "aggregator": run.aggregator,
            "headerHash": header.hash,
            "finalizableAt": now() + CHALLENGE_WINDOW + 1,
            "header": header.words,
        }
    ]
    record = chain.getEpoch(run.instance, 1)
    assert tuple(record) == (
        header.hash,
        run.aggregator,
        now(),
        header.participants,
        header.excluded,
        header.slash_reasons,
        header.next_model_root,
        header.commits_root,
        now() - 9,
        False,
    )
    instance = chain.getInstance(run.instance)
    assert instance.postedEpochs == 1
    assert instance.finalizedEpochs == 0
    assert instance.lastHeaderHash == header.hash
    assert instance.lastModelRoot == header.next_model_root
    assert instance.slashReasons == header.slash_reasons
    assert instance.finalSlashReasons == 0
    assert instance.lastActivity == instance.lastProgress == now()


def test_an_epoch_may_be_posted_before_the_one_before_is_final(run: Run, chain: Any) -> None:
    headers = [run.train() for _ in range(3)]
    assert chain.getInstance(run.instance).lastHeaderHash == headers[2].hash
    assert [chain.getEpoch(run.instance, epoch).headerHash for epoch in (1, 2, 3)] == [h.hash for h in headers]


def test_only_the_aggregator_posts(run: Run, chain: Any, stranger: Any) -> None:
    run.close()
    with boa.reverts("ModelParameterChain: caller is not the aggregator"):
        chain.submitEpoch(run.header().words, sender=stranger)


def test_an_aggregator_without_a_bond_posts_nothing(
    protocol: Protocol, user: Any, clients: list[Any], aggregator: Any
) -> None:
    instance = protocol.order(user, clients, 1, aggregator, keccak(b"root"), 1, keccak(b"rules"))
    with boa.reverts("ModelParameterChain: bond is missing"):
        Run(protocol, instance, user, clients, aggregator).post()


def test_an_epoch_is_posted_after_its_commits_are_closed(run: Run) -> None:
    with boa.reverts("ModelParameterChain: commits are not closed"):
        run.post()


def test_an_epoch_is_posted_in_the_last_second_of_the_liveness_period(run: Run, chain: Any) -> None:
    run.close()
    wait(LIVENESS_PERIOD)
    run.post()
    assert chain.getInstance(run.instance).postedEpochs == 1


def test_an_epoch_is_not_posted_a_second_later(run: Run) -> None:
    run.close()
    wait(LIVENESS_PERIOD + 1)
    with boa.reverts("ModelParameterChain: epoch is late"):
        run.post()


def test_an_epoch_is_posted_once(run: Run, chain: Any) -> None:
    header = run.train()
    with boa.reverts("ModelParameterChain: epoch is not the next one"):
        chain.submitEpoch(header.words, sender=run.aggregator)


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"epoch": 0}, "epoch is not the next one"),
        ({"epoch": 3}, "epoch is not the next one"),
        ({"attempt": 1}, "attempt is not the current one"),
        ({"previous_header_hash": NO_HASH}, "header does not follow the last one"),
        ({"commits_root": keccak(b"other")}, "commits root is not the closed one"),
        ({"base_model_root": keccak(b"other")}, "base model is not the last one"),
        ({"participants": 0b100000}, "participant outside the cohort"),
        ({"participants": 1 << 64}, "participant outside the cohort"),
        ({"participants": 1 << 255}, "participant outside the cohort"),
        ({"participants": 0b01111, "excluded": 0b10000}, "excluded seat took no part"),
        ({"excluded": 1 << 200}, "excluded seat took no part"),
        ({"participants": 0}, "no seat is accepted"),
        ({"excluded": 0b11111}, "no seat is accepted"),
        ({"excluded": 0b1, "slash_reasons": reasons((0, 7))}, "slash reason is unknown"),
        ({"excluded": 0b1, "slash_reasons": reasons((0, 8))}, "slash reason is unknown"),
        ({"excluded": 0b1, "slash_reasons": reasons((0, 15))}, "slash reason is unknown"),
        ({"slash_reasons": reasons((0, 1))}, "slashed seat is not excluded"),
        ({"excluded": 0b1, "slash_reasons": reasons((0, 1), (1, 1))}, "slashed seat is not excluded"),
        ({"participants": 0b11110, "slash_reasons": reasons((0, 1))}, "slashed seat is not excluded"),
        ({"slash_reasons": reasons((5, 1))}, "slashed seat is not excluded"),
        ({"slash_reasons": reasons((63, 6))}, "slashed seat is not excluded"),
    ],
)
def test_a_header_that_contradicts_the_chain_is_refused(run: Run, changes: dict[str, Any], what: str) -> None:
    run.train()
    run.close()
    with boa.reverts(f"ModelParameterChain: {what}"):
        run.post(**changes)
    run.post()


def test_a_header_of_another_instance_is_refused(run: Run, protocol: Protocol) -> None:
    other = protocol.run(run.user, run.clients, 3, run.aggregator)
    run.close()
    other.close()
    with boa.reverts("ModelParameterChain: header does not follow the last one"):
        run.post(instance_id=other.instance)


@pytest.mark.parametrize("reason", [1, 2, 3, 4, 5, 6])
def test_every_reason_can_be_given_to_every_seat(
    protocol: Protocol, user: Any, crowd: list[Any], aggregator: Any, reason: int
) -> None:
    run = protocol.run(user, crowd, 1, aggregator)
    seats = [seat for seat in range(64) if seat % 6 != reason % 6]
    run.train(excluded=sum(1 << seat for seat in seats), slash_reasons=reasons(*((seat, reason) for seat in seats)))
    run.finalize()
    verdicts = [protocol.chain.getVerdict(run.instance, client) for client in crowd]
    assert verdicts == [(1, reason) if seat in seats else (0, 0) for seat in range(64)]


@pytest.fixture
def convicted(run: Run) -> Run:
    """Seats 1 and 3 were found out in the first epoch, which is not final yet."""
    run.train(excluded=0b01010, slash_reasons=reasons((1, 2), (3, 5)))
    run.close()
    return run


def test_slash_reasons_are_carried_and_added_to(convicted: Run, chain: Any) -> None:
    more = reasons((0, 4), (1, 2), (3, 5))
    convicted.post(participants=0b10101, excluded=0b00001, slash_reasons=more)
    assert chain.getInstance(convicted.instance).slashReasons == more


@pytest.mark.parametrize(
    "carried", [0, reasons((1, 2)), reasons((1, 3), (3, 5)), reasons((1, 6), (3, 5)), reasons((1, 2), (3, 4))]
)
def test_slash_reasons_are_neither_dropped_nor_changed(convicted: Run, carried: int) -> None:
    with boa.reverts("ModelParameterChain: slash reason is changed"):
        convicted.post(participants=0b10101, slash_reasons=carried)


@pytest.mark.parametrize("participants", [0b11111, 0b00111, 0b11101])
def test_who_is_slashable_takes_no_part(convicted: Run, participants: int) -> None:
    with boa.reverts("ModelParameterChain: slashable seat takes part"):
        convicted.post(participants=participants)


# Finality


def test_anyone_makes_an_epoch_final(run: Run, chain: Any, stranger: Any) -> None:
    header = run.train(excluded=0b100)
    wait(CHALLENGE_WINDOW + 1)

    chain.finalizeEpoch(run.instance, 1, sender=stranger)

    assert events(chain, "EpochFinalized") == [
        {
            "instanceId": run.instance,
            "epoch": 1,
            "headerHash": header.hash,
            "participants": header.participants,
            "excluded": 0b100,
        }
    ]
    assert events(chain, "ClientSlashable") == []
    assert chain.getInstance(run.instance).finalizedEpochs == 1
    assert chain.getEpoch(run.instance, 1).finalized
    assert not chain.getEpoch(run.instance, 0).finalized
    assert not chain.isClosed(run.instance)


def test_finality_is_no_sign_of_life(run: Run, chain: Any) -> None:
    run.train()
    posted_at = now()
    run.finalize()
    instance = chain.getInstance(run.instance)
    assert instance.lastActivity == instance.lastProgress == posted_at


def test_an_epoch_is_not_final_in_the_last_second_of_its_window(run: Run, chain: Any) -> None:
    run.train()
    wait(CHALLENGE_WINDOW)
    with boa.reverts("ModelParameterChain: challenge window is open"):
        chain.finalizeEpoch(run.instance, 1)
    wait(1)
    chain.finalizeEpoch(run.instance, 1)


def test_epochs_become_final_in_order_and_once(run: Run, chain: Any) -> None:
    run.train()
    run.train()
    wait(CHALLENGE_WINDOW + 1)
    for epoch in (0, 2, 3):
        with boa.reverts("ModelParameterChain: epoch is not the next one to finalize"):
            chain.finalizeEpoch(run.instance, epoch)
    chain.finalizeEpoch(run.instance, 1)
    with boa.reverts("ModelParameterChain: epoch is not the next one to finalize"):
        chain.finalizeEpoch(run.instance, 1)
    chain.finalizeEpoch(run.instance, 2)


def test_what_is_not_posted_does_not_become_final(run: Run, chain: Any) -> None:
    run.close()
    wait(10 * CHALLENGE_WINDOW)
    for instance in (run.instance, run.instance + 1):
        with boa.reverts("ModelParameterChain: epoch is not posted"):
            chain.finalizeEpoch(instance, 1)


def test_verdicts_become_final_with_their_epoch(convicted: Run, chain: Any) -> None:
    one, three = convicted.clients[1], convicted.clients[3]
    assert not chain.isFinallySlashable(convicted.instance, one)
    assert chain.getVerdict(convicted.instance, one) == (0, 0)
    convicted.post(participants=0b10101, excluded=0b100, slash_reasons=reasons((1, 2), (2, 1), (3, 5)))

    convicted.finalize()

    assert events(chain, "ClientSlashable") == [
        {"instanceId": convicted.instance, "client": one, "epoch": 1, "reason": 2},
        {"instanceId": convicted.instance, "client": three, "epoch": 1, "reason": 5},
    ]
    assert chain.getInstance(convicted.instance).finalSlashReasons == reasons((1, 2), (3, 5))
    assert chain.getVerdict(convicted.instance, one) == (1, 2)
    assert chain.getVerdict(convicted.instance, three) == (1, 5)
    assert chain.isFinallySlashable(convicted.instance, one)
    assert not chain.isFinallySlashable(convicted.instance, convicted.clients[2])

    convicted.finalize()

    assert events(chain, "ClientSlashable") == [
        {"instanceId": convicted.instance, "client": convicted.clients[2], "epoch": 2, "reason": 1}
    ]
    assert chain.getVerdict(convicted.instance, one) == (1, 2), "a verdict keeps the epoch that found it"


def test_nobody_outside_the_cohort_has_a_verdict(slashed_run: Run, chain: Any, stranger: Any) -> None:
    for somebody in (stranger, ZERO):
        assert chain.getVerdict(slashed_run.instance, somebody) == (0, 0)
        assert not chain.isFinallySlashable(slashed_run.instance, somebody)


def test_the_settlement_lists_who_is_paid_for_every_final_epoch(run: Run, chain: Any) -> None:
    run.train(excluded=0b00001)
    run.train(participants=0b01110)
    run.train()
    run.finalize()
    assert chain.getSettlement(run.instance) == (False, 0, [0b11110])
    run.finalize_all()
    assert chain.getSettlement(run.instance) == (True, 0, [0b11110, 0b01110, 0b11111])
    assert chain.isClosed(run.instance)


def test_the_chain_says_how_it_was_built(protocol: Protocol, chain: Any) -> None:
    assert chain.REWARD_MANAGER() == protocol.rewards.address
    assert chain.SLASH_TREASURY_ADDRESS() == protocol.slash_treasury.address
    assert chain.AGGREGATOR_BOND() == AGGREGATOR_BOND
    assert chain.CHALLENGE_WINDOW() == CHALLENGE_WINDOW
    assert chain.LIVENESS_PERIOD() == LIVENESS_PERIOD
