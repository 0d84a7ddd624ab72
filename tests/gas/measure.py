"""Every function once, in a transaction of its own, in cohorts of several sizes; version 1's where it had the function.

The figures are gas of execution: without the 21,000 of a transaction, without its data, and before refunds.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import boa

from tests.contracts.world import (
    AGGREGATOR_BOND,
    FEE_PER_EPOCH,
    GENESIS_ROOT,
    LIVENESS_PERIOD,
    PROTOCOL_FEE_PERCENTAGE,
    ROOT,
    RULES_HASH,
    STAKE_AMOUNT,
    STAKING_PERIOD,
    Protocol,
    Run,
    account,
    deployer_of,
    gas_of,
    reasons,
    wait,
)

SIZES = (4, 10, 32, 64)
EPOCHS = 10
STANDINS = ROOT / "tests" / "fork" / "standins"

Figures = dict[str, int]


def gas(contract: Any, call: Callable[[], object]) -> int:
    """The gas of a call in a transaction of its own: titanoboa by itself lets calls share warm storage."""
    boa.env.evm.vm.state.lock_changes()
    boa.env.reset_gas_used()
    call()
    return int(gas_of(contract))


def of_version_2(size: int) -> Figures:
    """All functions that change something, with a cohort of `size`."""
    with boa.swap_env(boa.Env()):
        protocol = Protocol.deploy(account("deployer"), account("admin"))
        clients = [account(f"client {seat}") for seat in range(size)]
        for client in clients:
            protocol.stake(client)
        return {
            **_staking(protocol),
            **_ordering(protocol, clients),
            **_training(protocol, clients),
            **_replacing(protocol, clients),
            **_overturning(protocol, clients),
            **_paying(protocol, clients),
        }


def _staking(protocol: Protocol) -> Figures:
    registry, client = protocol.registry, account("newcomer")
    staking = gas(registry, lambda: protocol.stake(client))
    leaving = gas(registry, lambda: registry.unRegister(sender=client))
    wait(STAKING_PERIOD)
    withdrawing = gas(registry, lambda: registry.withdrawStake(sender=client))
    return {"stake": staking, "unRegister": leaving, "withdrawStake": withdrawing}


def _ordering(protocol: Protocol, clients: list[Any]) -> Figures:
    user, aggregator = account("user"), account("aggregator")
    chain, genesis = protocol.chain, (aggregator, GENESIS_ROOT, 2**30, RULES_HASH)
    # The first order writes to storage that is empty for good afterwards; the second costs what every later one costs.
    protocol.order(user, clients, EPOCHS)
    short = gas(protocol.rewards, lambda: protocol.order(user, clients, EPOCHS))
    long = gas(protocol.rewards, lambda: protocol.order(user, clients, EPOCHS, *genesis))
    configuring = gas(chain, lambda: chain.configureInstance(1, *genesis, sender=user))
    depositing = gas(chain, lambda: chain.depositBond(1, sender=aggregator, value=AGGREGATOR_BOND))
    stopping = gas(chain, lambda: chain.stopInstance(1, sender=user))
    withdrawing = gas(chain, lambda: chain.withdrawBond(1, sender=aggregator))
    return {
        "newUserInstance, short form": short,
        "newUserInstance, long form": long,
        "configureInstance": configuring,
        "depositBond": depositing,
        "stopInstance": stopping,
        "withdrawBond": withdrawing,
    }


def _training(protocol: Protocol, clients: list[Any]) -> Figures:
    """The second epoch of an instance, for the smallest and the largest model, and one that finds a third guilty."""
    figures: Figures = {}
    chain, user, aggregator = protocol.chain, account("user"), account("aggregator")
    for name, d in (("d = 1", 1), ("d = 2^30", 2**30)):
        instance = protocol.order(user, clients, 3, aggregator, GENESIS_ROOT, d, RULES_HASH)
        chain.depositBond(instance, sender=aggregator, value=AGGREGATOR_BOND)
        run = Run(protocol, instance, user, clients, aggregator)
        run.close()
        run.post(previous_header_hash=chain.getInstance(instance).lastHeaderHash)
        figures[f"closeCommits, {name}"] = gas(chain, run.close)
        figures[f"submitEpoch, {name}"] = gas(chain, run.post)
        run.finalize()
        figures[f"finalizeEpoch, {name}"] = gas(chain, run.finalize)
    guilty = range(len(clients) // 3)
    run.train(excluded=sum(1 << seat for seat in guilty), slash_reasons=reasons(*((seat, 1) for seat in guilty)))
    figures["finalizeEpoch, a third of the cohort found guilty"] = gas(chain, run.finalize)
    cheats, slashing = [clients[seat] for seat in guilty], protocol.slashing
    figures["slash, a third of the cohort"] = gas(
        slashing, lambda: slashing.slash(cheats, run.instance, protocol.registry.address)
    )
    for cheat in cheats:
        # Fresh clients take their seats in what follows.
        clients[clients.index(cheat)] = fresh = account("fresh")
        protocol.stake(fresh)
    return figures


def _replacing(protocol: Protocol, clients: list[Any]) -> Figures:
    run = protocol.run(account("user"), clients, 2, account("aggregator"))
    run.close()
    wait(LIVENESS_PERIOD + 1)
    chain, successor = protocol.chain, account("successor")
    naming = gas(chain, lambda: chain.nameAggregator(run.instance, successor, sender=run.user))
    return {"nameAggregator": naming}


def _overturning(protocol: Protocol, clients: list[Any]) -> Figures:
    """The second of three pending epochs."""
    chain, challenger = protocol.chain, account("challenger")
    run = protocol.run(account("user"), clients, 3, account("aggregator"))
    for _ in range(3):
        run.train()
    overturning = gas(chain, lambda: run.overturn(2, challenger))
    claiming = gas(chain, lambda: chain.claimChallengeReward(sender=challenger))
    return {"overturnEpoch": overturning, "claimChallengeReward": claiming}


def _paying(protocol: Protocol, clients: list[Any]) -> Figures:
    """Ten epochs of twelve are trained; a client is slashed elsewhere before it has claimed."""
    rewards, chain = protocol.rewards, protocol.chain
    user, aggregator = account("user"), account("aggregator")
    run = protocol.run(user, clients, EPOCHS + 2, aggregator)
    for _ in range(EPOCHS):
        run.train()
    run.finalize_all()
    run.stop()
    settling = gas(rewards, run.settle)
    claiming = gas(rewards, lambda: rewards.claimReward(run.instance, sender=clients[1]))
    refunding = gas(rewards, lambda: rewards.withdrawRefund(run.instance, sender=user))
    other = protocol.run(user, clients, 1, aggregator)
    other.train(excluded=0b1, slash_reasons=reasons((0, 1)))
    other.finalize()
    protocol.slashing.slash([clients[0]], other.instance, protocol.registry.address)
    forfeiting = gas(rewards, lambda: rewards.forfeitReward(run.instance, clients[0]))
    treasury = protocol.reward_treasury
    withdrawing = gas(treasury, lambda: treasury.withdraw(1, sender=treasury.ADMIN_ADDRESS()))
    assert chain.isClosed(run.instance)
    return {
        f"collectTrainingFees, {EPOCHS} epochs": settling,
        "claimReward": claiming,
        "withdrawRefund": refunding,
        "forfeitReward": forfeiting,
        "withdraw (treasury)": withdrawing,
    }


def of_version_1(size: int) -> Figures:
    """What stand-ins for version 1, written from its table of behaviour, cost under the same names."""
    with boa.swap_env(boa.Env()):
        admin, key = account("admin"), account("key")
        clients = [account(f"client {seat}") for seat in range(size)]
        slash_treasury = _standin("SlashTreasury", admin)
        reward_treasury = _standin("RewardTreasury", admin)
        slashing = _standin("SlashingManager", key)
        registry = _standin("StakingRegistry", STAKE_AMOUNT, STAKING_PERIOD, slashing.address, slash_treasury.address)
        rewards = _standin("RewardManager", reward_treasury.address, FEE_PER_EPOCH, PROTOCOL_FEE_PERCENTAGE)
        # It refuses the exact stake, and pays a stake back only while it is locked.
        for client in clients:
            registry.stake(sender=client, value=STAKE_AMOUNT + 1)
        newcomer = account("newcomer")
        staking = gas(registry, lambda: registry.stake(sender=newcomer, value=STAKE_AMOUNT + 1))
        leaving = gas(registry, lambda: registry.unRegister(sender=newcomer))
        withdrawing = gas(registry, lambda: registry.withdrawStake(sender=newcomer))
        rewards.newUserInstance(clients, EPOCHS)
        ordering = gas(rewards, lambda: rewards.newUserInstance(clients, EPOCHS))
        fees = EPOCHS * FEE_PER_EPOCH
        collecting = gas(rewards, lambda: rewards.collectTrainingFees(2, sender=account("user"), value=fees))
        cheats = clients[: size // 3]
        slashed = gas(slashing, lambda: slashing.slash(cheats, 1, registry.address, sender=key))
        emptying = gas(reward_treasury, lambda: reward_treasury.withdraw(1, sender=admin))
        return {
            "stake": staking,
            "unRegister": leaving,
            "withdrawStake": withdrawing,
            "newUserInstance, short form": ordering,
            f"collectTrainingFees, {EPOCHS} epochs": collecting,
            "slash, a third of the cohort": slashed,
            "withdraw (treasury)": emptying,
        }


def _standin(name: str, *arguments: Any) -> Any:
    return deployer_of(f"{name}V1", STANDINS).deploy(*arguments)


def measure() -> dict[str, dict[str, dict[str, int]]]:
    """Gas by version, function and size of the cohort."""
    versions = {"version 2": of_version_2, "version 1": of_version_1}
    table: dict[str, dict[str, dict[str, int]]] = {}
    for version, of_version in versions.items():
        functions = table.setdefault(version, {})
        for size in SIZES:
            for function, used in of_version(size).items():
                functions.setdefault(function, {})[str(size)] = used
    return table
