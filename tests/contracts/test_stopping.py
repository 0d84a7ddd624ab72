"""How an instance ends before its time: by its user at once, by anyone when it is silent."""

from __future__ import annotations

from typing import Any

import boa

from tests.contracts.world import (
    AGGREGATOR_BOND,
    CHALLENGE_WINDOW,
    FEE_PER_EPOCH,
    LIVENESS_PERIOD,
    Protocol,
    Run,
    events,
    now,
    wait,
)


def test_the_user_stops_at_any_time(run: Run, chain: Any) -> None:
    run.train()
    run.train()
    run.finalize()

    run.stop()

    assert events(chain, "InstanceStopped") == [
        {"instanceId": run.instance, "caller": run.user, "postedEpochs": 2, "finalizedEpochs": 1}
    ]
    assert chain.getInstance(run.instance).stoppedAt == now()
    assert not chain.isClosed(run.instance), "an epoch is pending"
    run.finalize()
    assert chain.isClosed(run.instance)


def test_an_instance_that_was_never_configured_closes_when_it_is_stopped(
    protocol: Protocol, user: Any, clients: list[Any], chain: Any
) -> None:
    instance = protocol.order(user, clients, 5)
    chain.stopInstance(instance, sender=user)
    assert chain.isClosed(instance)
    protocol.rewards.collectTrainingFees(instance)
    assert protocol.rewards.refunds(instance) == 5 * FEE_PER_EPOCH


def test_an_instance_is_stopped_once(run: Run) -> None:
    run.stop()
    with boa.reverts("ModelParameterChain: instance is stopped"):
        run.stop()


def test_a_finished_instance_is_not_stopped(run: Run) -> None:
    for _ in range(3):
        run.train()
    run.finalize_all()
    with boa.reverts("ModelParameterChain: instance is closed"):
        run.stop()


def test_nobody_else_stops_an_instance_that_is_at_work(run: Run, chain: Any, stranger: Any) -> None:
    run.train()
    wait(2 * LIVENESS_PERIOD)
    for caller in (stranger, run.aggregator, run.clients[0]):
        with boa.reverts("ModelParameterChain: only the user may stop it yet"):
            chain.stopInstance(run.instance, sender=caller)


def test_anyone_stops_an_instance_after_two_silent_liveness_periods(run: Run, chain: Any, stranger: Any) -> None:
    run.train()
    run.close()
    wait(2 * LIVENESS_PERIOD + 1)
    chain.stopInstance(run.instance, sender=stranger)
    assert events(chain, "InstanceStopped")[0]["caller"] == stranger
    run.finalize()
    run.settle()
    assert all(run.reward_of(client) > 0 for client in run.clients), "the user's silence costs the clients nothing"


def test_anyone_stops_an_instance_that_promises_and_never_posts(
    run: Run, chain: Any, stranger: Any, successor: Any
) -> None:
    """Else a user and an aggregator of its own could hold back the clients' pay, by closing commits for ever."""
    run.train()
    for run.attempt in range(3):
        run.close()
        wait(LIVENESS_PERIOD + 1)
        with boa.reverts("ModelParameterChain: only the user may stop it yet"):
            chain.stopInstance(run.instance, sender=stranger)
    chain.nameAggregator(run.instance, successor, sender=run.user)
    chain.depositBond(run.instance, sender=successor, value=AGGREGATOR_BOND)
    wait(LIVENESS_PERIOD)
    chain.stopInstance(run.instance, sender=stranger)
    assert chain.getInstance(run.instance).stoppedAt == now()


def test_the_aggregator_is_free_when_the_user_vanishes(run: Run, chain: Any) -> None:
    wait(2 * LIVENESS_PERIOD + 1)
    chain.stopInstance(run.instance, sender=run.aggregator)
    chain.withdrawBond(run.instance, sender=run.aggregator)
    assert chain.bonds(run.instance, run.aggregator) == 0


def test_an_epoch_whose_commits_were_closed_is_still_taken_from_a_stopped_instance(run: Run, chain: Any) -> None:
    run.close()
    run.stop()
    assert not chain.isClosed(run.instance), "its clients have trained"
    wait(LIVENESS_PERIOD)
    run.post()
    wait(CHALLENGE_WINDOW)
    assert not chain.isClosed(run.instance)
    run.finalize()
    assert chain.isClosed(run.instance)
    run.settle()
    assert run.refund == 2 * FEE_PER_EPOCH


def test_a_stopped_instance_takes_that_epoch_and_no_other(run: Run) -> None:
    run.close()
    run.stop()
    run.post()
    with boa.reverts("ModelParameterChain: instance is stopped"):
        run.close()
    with boa.reverts("ModelParameterChain: commits are not closed"):
        run.post()


def test_a_stopped_instance_does_not_wait_for_that_epoch_for_ever(run: Run, chain: Any) -> None:
    run.close()
    run.stop()
    wait(LIVENESS_PERIOD)
    assert not chain.isClosed(run.instance)
    wait(1)
    assert chain.isClosed(run.instance)
    with boa.reverts("ModelParameterChain: epoch is late"):
        run.post()
    run.settle()
    assert run.refund == 3 * FEE_PER_EPOCH


def test_an_epoch_cannot_slip_in_after_the_settlement(run: Run, chain: Any) -> None:
    run.train()
    run.finalize()
    run.close()
    run.stop()
    with boa.reverts("RewardManager: instance is not closed"):
        run.settle()
    wait(LIVENESS_PERIOD + 1)
    run.settle()
    with boa.reverts("ModelParameterChain: epoch is late"):
        run.post()
    assert chain.getInstance(run.instance).postedEpochs == 1
