"""What things cost: an epoch the same for any cohort and model, and the largest instance well within a block.

`pytest tests/contracts/test_gas.py -s` prints the figures that docs/ gives.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import boa
import pytest

from tests.contracts.world import (
    AGGREGATOR_BOND,
    BLOCK_GAS,
    CONTRACTS,
    GENESIS_ROOT,
    RULES_HASH,
    STAKING_PERIOD,
    Protocol,
    Run,
    account,
    deployer_of,
    expected_rewards,
    gas_of,
    reasons,
    wait,
)

EPOCHS = 300

# titanoboa anchors every test by itself, and no anchor survives what `measure` does.
pytestmark = pytest.mark.ignore_isolation


def show(what: str, gas: int) -> int:
    print(f"{what}: {gas:,} gas")
    return gas


@pytest.fixture(autouse=True)
def _leave_no_trace() -> Iterator[None]:
    """A chain of its own in place of the usual anchor."""
    with boa.swap_env(boa.Env()):
        yield


@pytest.fixture
def protocol() -> Protocol:
    return Protocol.deploy(account("deployer"), account("admin"))


@pytest.fixture
def crowd(protocol: Protocol) -> list[Any]:
    clients = [account(f"client {seat}") for seat in range(64)]
    for client in clients:
        protocol.stake(client)
    return clients


@pytest.fixture
def user() -> Any:
    return account("user")


@pytest.fixture
def aggregator() -> Any:
    return account("aggregator")


def measure(contract: Any, call: Callable[[], object]) -> int:
    """The gas of a call in a transaction of its own: titanoboa by itself lets calls share warm storage."""
    boa.env.evm.vm.state.lock_changes()
    boa.env.reset_gas_used()
    call()
    return gas_of(contract)


def epoch_gas(protocol: Protocol, user: Any, clients: list[Any], aggregator: Any, d: int) -> list[int]:
    """Closing, posting and finalising the second epoch of an instance."""
    chain = protocol.chain
    instance = protocol.order(user, clients, 2, aggregator, GENESIS_ROOT, d, RULES_HASH)
    chain.depositBond(instance, sender=aggregator, value=AGGREGATOR_BOND)
    run = Run(protocol, instance, user, clients, aggregator)
    run.close()
    run.post(previous_header_hash=chain.getInstance(instance).lastHeaderHash)
    closing = measure(chain, run.close)
    posting = measure(chain, run.post)
    run.finalize()
    finalizing = measure(chain, run.finalize)
    return [closing, posting, finalizing]


def test_an_epoch_costs_the_same_for_any_cohort_and_model(
    protocol: Protocol, user: Any, crowd: list[Any], aggregator: Any
) -> None:
    small = epoch_gas(protocol, user, crowd[:4], aggregator, 1)
    large = epoch_gas(protocol, user, crowd, aggregator, 2**30)
    for what, gas in zip(("closeCommits", "submitEpoch", "finalizeEpoch"), large, strict=True):
        show(what, gas)
    assert small == large
    assert large[1] < 250_000


def test_opening_the_largest_instance_fits_in_a_block(
    protocol: Protocol, user: Any, crowd: list[Any], aggregator: Any
) -> None:
    gas = measure(
        protocol.rewards,
        lambda: protocol.order(user, crowd, 1024, aggregator, GENESIS_ROOT, 2**30, RULES_HASH),
    )
    assert show("newUserInstance, 64 clients", gas) < BLOCK_GAS // 8


def test_finalising_the_most_verdicts_fits_in_a_block(
    protocol: Protocol, user: Any, crowd: list[Any], aggregator: Any
) -> None:
    run = protocol.run(user, crowd, 1, aggregator)
    run.train(excluded=2**63 - 1, slash_reasons=reasons(*((seat, 6) for seat in range(63))))
    finalizing = measure(protocol.chain, run.finalize)
    assert show("finalizeEpoch, 63 verdicts", finalizing) < BLOCK_GAS // 8
    slashing = measure(
        protocol.slashing,
        lambda: protocol.slashing.slash(crowd[:63], run.instance, protocol.registry.address),
    )
    assert show("slash, 63 clients", slashing) < BLOCK_GAS // 4


def settlement_gas(run: Run) -> int:
    """Settle an instance in which the number of accepted seats is another one in every epoch."""
    for epoch in range(run.protocol.chain.getInstance(run.instance).numberOfEpochs):
        run.train(excluded=(1 << epoch % 64) - 1)
    run.finalize_all()
    gas = measure(run.protocol.rewards, run.settle)
    assert [run.reward_of(client) for client in run.clients] == expected_rewards(run.headers, 64)
    return show(f"collectTrainingFees, 64 clients, {len(run.headers)} epochs", gas)


def test_settling_a_thousand_epochs_of_the_largest_cohort_fits_in_a_block(
    protocol: Protocol, user: Any, crowd: list[Any], aggregator: Any
) -> None:
    """Past 64 epochs every number of accepted seats has occurred, and each further epoch costs the same."""
    few = settlement_gas(protocol.run(user, crowd, 64, aggregator))
    many = settlement_gas(protocol.run(user, crowd, EPOCHS, aggregator))
    each = (many - few) / (EPOCHS - 64)
    assert show("collectTrainingFees, 64 clients, 1024 epochs (by extension)", int(many + (1024 - EPOCHS) * each)) < (
        BLOCK_GAS // 2
    )


def test_what_everybody_does_once_is_cheap(protocol: Protocol, user: Any, crowd: list[Any], aggregator: Any) -> None:
    registry, rewards, chain = protocol.registry, protocol.rewards, protocol.chain
    client = account("newcomer")
    staking = measure(registry, lambda: protocol.stake(client))
    leaving = measure(registry, lambda: registry.unRegister(sender=client))
    wait(STAKING_PERIOD)
    withdrawing = measure(registry, lambda: registry.withdrawStake(sender=client))
    instance = protocol.order(user, crowd[:4], 2, aggregator, GENESIS_ROOT, 1, RULES_HASH)
    depositing = measure(chain, lambda: chain.depositBond(instance, sender=aggregator, value=AGGREGATOR_BOND))
    run = Run(protocol, instance, user, crowd[:4], aggregator)
    run.train(previous_header_hash=chain.getInstance(instance).lastHeaderHash)
    run.finalize()
    stopping = measure(chain, run.stop)
    settling = measure(rewards, run.settle)
    claiming = measure(rewards, lambda: rewards.claimReward(instance, sender=crowd[0]))
    refunding = measure(rewards, lambda: rewards.withdrawRefund(instance, sender=user))
    returning = measure(chain, lambda: chain.withdrawBond(instance, sender=aggregator))
    for what, gas in {
        "stake": staking,
        "unRegister": leaving,
        "withdrawStake": withdrawing,
        "depositBond": depositing,
        "stopInstance": stopping,
        "collectTrainingFees, 4 clients, 1 epoch": settling,
        "claimReward": claiming,
        "withdrawRefund": refunding,
        "withdrawBond": returning,
    }.items():
        assert show(what, gas) < 300_000


@pytest.mark.parametrize("name", sorted(path.stem for path in CONTRACTS.glob("*.vy")))
def test_every_contract_fits_the_code_size_limit(name: str) -> None:
    compiled = deployer_of(name).compiler_data
    size = len(compiled.bytecode_runtime) + compiled.global_ctx.immutable_section_bytes
    print(f"{name}: {size:,} bytes")
    assert size <= 24_576
