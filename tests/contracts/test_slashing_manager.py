"""SlashingManager: anyone executes a final verdict, nobody anything else."""

from __future__ import annotations

from typing import Any

import boa

from tests.contracts.world import (
    CHALLENGE_WINDOW,
    LIVENESS_PERIOD,
    SLASH_MARGIN,
    STAKE_AMOUNT,
    STAKING_PERIOD,
    Protocol,
    Run,
    balance,
    events,
    reasons,
    wait,
)


def test_anyone_executes_a_final_verdict(slashed_run: Run, slashing: Any, registry: Any, stranger: Any) -> None:
    cheats = [slashed_run.clients[1], slashed_run.clients[3]]

    slashing.slash(cheats, slashed_run.instance, registry.address, sender=stranger)

    assert events(slashing, "SlashClients") == [{"instanceId": slashed_run.instance}]
    assert events(slashing, "ClientSlashed") == [
        {
            "client": cheat,
            "instanceId": slashed_run.instance,
            "epoch": 1,
            "reason": reason,
            "amount": STAKE_AMOUNT,
        }
        for cheat, reason in zip(cheats, [2, 5], strict=True)
    ]
    assert balance(slashed_run.protocol.slash_treasury) == 2 * STAKE_AMOUNT
    assert all(registry.isSlashed(cheat) for cheat in cheats)


def test_nobody_without_a_verdict_is_slashed(slashed_run: Run, slashing: Any, registry: Any, stranger: Any) -> None:
    innocent = slashed_run.clients[0]
    for victims in ([innocent], [slashed_run.clients[1], innocent], [stranger]):
        with boa.reverts("SlashingManager: client is not finally slashable"):
            slashing.slash(victims, slashed_run.instance, registry.address)
    assert registry.isStaked(slashed_run.clients[1]), "a list is slashed whole or not at all"


def test_a_verdict_that_is_not_final_executes_nothing(run: Run, slashing: Any, registry: Any) -> None:
    run.train(excluded=0b10, slash_reasons=reasons((1, 2)))
    with boa.reverts("SlashingManager: client is not finally slashable"):
        slashing.slash([run.clients[1]], run.instance, registry.address)


def test_a_verdict_holds_for_its_own_instance(
    slashed_run: Run, protocol: Protocol, user: Any, clients: list[Any], slashing: Any, registry: Any
) -> None:
    other = protocol.order(user, clients, 1)
    with boa.reverts("SlashingManager: client is not finally slashable"):
        slashing.slash([slashed_run.clients[1]], other, registry.address)


def test_only_the_registry_of_this_deployment_is_slashed(slashed_run: Run, slashing: Any, deployer: Any) -> None:
    other = Protocol.deploy(deployer, deployer)
    with boa.reverts("SlashingManager: not the registry of this deployment"):
        slashing.slash([slashed_run.clients[1]], slashed_run.instance, other.registry.address)


def test_who_was_slashed_already_is_passed_over(slashed_run: Run, slashing: Any, registry: Any) -> None:
    first, second = slashed_run.clients[1], slashed_run.clients[3]
    slashing.slash([first], slashed_run.instance, registry.address)

    slashing.slash([first, second, second], slashed_run.instance, registry.address)

    assert [event["client"] for event in events(slashing, "ClientSlashed")] == [second]
    assert balance(slashed_run.protocol.slash_treasury) == 2 * STAKE_AMOUNT


def test_slashing_nobody_reverts(slashed_run: Run, slashing: Any, registry: Any) -> None:
    cheat = slashed_run.clients[1]
    slashing.slash([cheat], slashed_run.instance, registry.address)
    for victims in ([cheat], []):
        with boa.reverts("SlashingManager: nothing is left to slash"):
            slashing.slash(victims, slashed_run.instance, registry.address)


def test_who_has_withdrawn_is_passed_over_and_slashed_when_it_comes_back(
    slashed_run: Run, slashing: Any, registry: Any
) -> None:
    gone, present = slashed_run.clients[1], slashed_run.clients[3]
    registry.unRegister(sender=gone)
    wait(STAKING_PERIOD)
    registry.withdrawStake(sender=gone)

    slashing.slash([gone, present], slashed_run.instance, registry.address)
    assert [event["client"] for event in events(slashing, "ClientSlashed")] == [present]
    assert not registry.isSlashed(gone)

    registry.stake(sender=gone, value=STAKE_AMOUNT)
    slashing.slash([gone], slashed_run.instance, registry.address)
    assert registry.isSlashed(gone)


def test_who_leaves_when_commits_close_is_slashed_in_the_last_second(run: Run, slashing: Any, registry: Any) -> None:
    """The bound on STAKING_PERIOD is the sum of the slowest of everything."""
    cheat = run.clients[1]
    run.close()
    registry.unRegister(sender=cheat)
    wait(LIVENESS_PERIOD)
    run.post(excluded=0b10, slash_reasons=reasons((1, 1)))
    wait(CHALLENGE_WINDOW + 1)
    run.chain.finalizeEpoch(run.instance, 1)
    wait(SLASH_MARGIN - 2)
    with boa.reverts("StakingRegistry: staking period has not passed"):
        registry.withdrawStake(sender=cheat)
    slashing.slash([cheat], run.instance, registry.address)
    assert events(slashing, "ClientSlashed")[0]["amount"] == STAKE_AMOUNT


def test_a_whole_cohort_but_one_is_slashed_at_once(
    protocol: Protocol, crowd: list[Any], user: Any, aggregator: Any
) -> None:
    run = protocol.run(user, crowd, 1, aggregator)
    everybody_but_the_last = (1 << 63) - 1
    run.train(excluded=everybody_but_the_last, slash_reasons=reasons(*((seat, 1) for seat in range(63))))
    run.finalize()
    protocol.slashing.slash(crowd[:63], run.instance, protocol.registry.address, gas=32_000_000)
    assert balance(protocol.slash_treasury) == 63 * STAKE_AMOUNT
    assert balance(protocol.registry) == STAKE_AMOUNT


def test_the_manager_says_how_it_was_built(protocol: Protocol, slashing: Any) -> None:
    assert slashing.SLASHER_ADDRESS() == slashing.getSlasherAddress() == protocol.chain.address
    assert slashing.MODEL_PARAMETER_CHAIN() == protocol.chain.address
    assert slashing.STAKING_REGISTRY() == protocol.registry.address
    assert slashing.SLASH_MARGIN() == SLASH_MARGIN
