"""An instance's beginning: ordering and paying it, saying what is trained, naming who trains it, the bond."""

from __future__ import annotations

from typing import Any

import boa
import pytest
from eth_abi import encode
from eth_utils import keccak

from tests.contracts.world import (
    AGGREGATOR_BOND,
    BASE_FEE,
    FEE_PER_EPOCH,
    GENESIS_ROOT,
    LIVENESS_PERIOD,
    NO_HASH,
    PARAMETERS,
    RULES_HASH,
    STAKE_AMOUNT,
    ZERO,
    Protocol,
    Run,
    balance,
    events,
    mock,
    now,
    wait,
)

CONFIGURATION = (GENESIS_ROOT, PARAMETERS, RULES_HASH)


@pytest.fixture
def ordered(protocol: Protocol, user: Any, clients: list[Any]) -> int:
    """An instance in the short form: paid for, and nothing said of what is trained."""
    return protocol.order(user, clients, 3)


@pytest.fixture
def configured(protocol: Protocol, user: Any, clients: list[Any], aggregator: Any) -> int:
    """An instance whose aggregator has not accepted yet."""
    return protocol.order(user, clients, 3, aggregator, *CONFIGURATION)


# Ordering


def test_a_user_orders_an_instance(protocol: Protocol, rewards: Any, user: Any, clients: list[Any]) -> None:
    instance = protocol.order(user, clients, 3)

    assert events(rewards, "NewUserInstance") == [{"instanceId": 1, "numberOfEpochs": 3}]
    assert events(rewards, "InstanceFunded") == [
        {"instanceId": 1, "user": user, "baseFee": BASE_FEE, "escrow": 3 * FEE_PER_EPOCH, "clients": clients}
    ]
    assert events(rewards, "InstanceOpened") == [
        {"instanceId": 1, "user": user, "cohortSize": len(clients), "numberOfEpochs": 3}
    ]
    assert events(rewards, "InstanceConfigured") == []
    assert instance == rewards.nonce() == 1
    assert balance(rewards) == 3 * FEE_PER_EPOCH
    assert balance(protocol.reward_treasury) == BASE_FEE
    expected = (user, 3, 3 * FEE_PER_EPOCH, False, clients)
    assert tuple(rewards.getUserInstance(1)) == tuple(rewards.idToUserInstance(1)) == expected
    assert rewards.getCohort(1) == clients
    assert [rewards.getClient(1, seat) for seat in range(len(clients))] == clients


def test_the_chain_knows_of_the_order(chain: Any, ordered: int, user: Any, clients: list[Any]) -> None:
    instance = chain.getInstance(ordered)
    assert instance.user == user
    assert instance.cohortSize == len(clients)
    assert instance.numberOfEpochs == 3
    assert instance.cohortHash == keccak(encode(["address[]"], [clients]))
    assert instance.lastActivity == instance.lastProgress == now()
    assert instance.aggregator == ZERO
    assert instance.genesisModelRoot == instance.lastHeaderHash == instance.lastModelRoot == NO_HASH
    assert not chain.isClosed(ordered)


def test_instances_are_counted_from_one(protocol: Protocol, user: Any, stranger: Any, clients: list[Any]) -> None:
    assert [protocol.order(payer, clients, 1) for payer in (user, stranger, user)] == [1, 2, 3]


@pytest.mark.parametrize("difference", [-1, 1, -BASE_FEE, FEE_PER_EPOCH])
def test_an_instance_costs_exactly_its_price(rewards: Any, user: Any, clients: list[Any], difference: int) -> None:
    with boa.reverts("RewardManager: incorrect value"):
        rewards.newUserInstance(clients, 2, sender=user, value=BASE_FEE + 2 * FEE_PER_EPOCH + difference)


def test_an_instance_has_epochs(protocol: Protocol, user: Any, clients: list[Any]) -> None:
    with boa.reverts("RewardManager: number of epochs is zero"):
        protocol.order(user, clients, 0)


def test_an_instance_has_at_most_1024_epochs(protocol: Protocol, user: Any, clients: list[Any]) -> None:
    protocol.order(user, clients, 1024)
    with boa.reverts("RewardManager: too many epochs"):
        protocol.order(user, clients, 1025)


def test_a_cohort_has_at_least_four_seats(protocol: Protocol, user: Any, crowd: list[Any]) -> None:
    protocol.order(user, crowd[:4], 1)
    for cohort in (crowd[:3], []):
        with boa.reverts("RewardManager: cohort is too small"):
            protocol.order(user, cohort, 1)


def test_a_cohort_has_at_most_64_seats(protocol: Protocol, user: Any, crowd: list[Any], newcomer: Any) -> None:
    instance = protocol.order(user, crowd, 1)
    assert protocol.rewards.getCohort(instance) == crowd
    protocol.stake(newcomer)
    # The list does not even decode, so there is no reason to read.
    arguments = encode(["address[]", "uint256"], [[*crowd, newcomer], 1])
    calldata = keccak(text="newUserInstance(address[],uint256)")[:4] + arguments
    with boa.reverts():
        mock("Actor").act(protocol.rewards.address, calldata, sender=user, value=BASE_FEE + FEE_PER_EPOCH)
    assert protocol.rewards.nonce() == instance


def test_nobody_has_two_seats(protocol: Protocol, user: Any, clients: list[Any]) -> None:
    with boa.reverts("RewardManager: client has two seats"):
        protocol.order(user, [*clients, clients[0]], 1)


def test_a_client_may_sit_in_many_cohorts(protocol: Protocol, user: Any, clients: list[Any]) -> None:
    protocol.order(user, clients, 1)
    assert protocol.order(user, clients[::-1], 1) == 2


def test_who_is_not_staked_has_no_seat(protocol: Protocol, user: Any, clients: list[Any], newcomer: Any) -> None:
    with boa.reverts("RewardManager: client is not staked"):
        protocol.order(user, [*clients, newcomer], 1)


def test_who_is_leaving_has_no_seat(protocol: Protocol, user: Any, clients: list[Any]) -> None:
    protocol.registry.unRegister(sender=clients[2])
    with boa.reverts("RewardManager: client is not staked"):
        protocol.order(user, clients, 1)


def test_there_is_nobody_past_the_last_seat(rewards: Any, ordered: int, clients: list[Any]) -> None:
    for instance, seat in ((ordered, len(clients)), (ordered + 1, 0)):
        with boa.reverts("RewardManager: no such seat"):
            rewards.getClient(instance, seat)


def test_only_the_reward_manager_opens_instances(chain: Any, user: Any, clients: list[Any]) -> None:
    with boa.reverts("ModelParameterChain: caller is not the reward manager"):
        chain.openInstance(1, user, clients, 3, sender=user)


# Configuring


def test_a_user_configures_its_instance(
    protocol: Protocol, chain: Any, ordered: int, user: Any, aggregator: Any
) -> None:
    wait(10)
    chain.configureInstance(ordered, aggregator, *CONFIGURATION, sender=user)

    clients = protocol.rewards.getCohort(ordered)
    genesis_hash = Run(protocol, ordered, user, clients, aggregator).genesis_hash
    assert events(chain, "InstanceConfigured") == [
        {
            "instanceId": ordered,
            "genesisModelRoot": GENESIS_ROOT,
            "d": PARAMETERS,
            "rulesHash": RULES_HASH,
            "genesisHash": genesis_hash,
        }
    ]
    assert events(chain, "AggregatorNamed") == [
        {"instanceId": ordered, "aggregator": aggregator, "previousAggregator": ZERO, "attempt": 0}
    ]
    instance = chain.getInstance(ordered)
    assert instance.aggregator == aggregator
    assert instance.d == PARAMETERS
    assert instance.rulesHash == RULES_HASH
    assert instance.genesisModelRoot == instance.lastModelRoot == GENESIS_ROOT
    assert instance.lastHeaderHash == genesis_hash
    assert instance.lastActivity == instance.lastProgress == now()
    assert instance.attempt == 0


def test_an_order_in_the_long_form_is_configured_at_once(
    protocol: Protocol, chain: Any, user: Any, clients: list[Any], aggregator: Any
) -> None:
    instance = protocol.order(user, clients, 3, aggregator, *CONFIGURATION)
    genesis_hash = Run(protocol, instance, user, clients, aggregator).genesis_hash
    assert [event["genesisHash"] for event in events(protocol.rewards, "InstanceConfigured")] == [genesis_hash]
    assert chain.getInstance(instance).aggregator == aggregator


@pytest.mark.parametrize(
    ("configuration", "what"),
    [
        ((), "genesis model root is missing"),
        ((GENESIS_ROOT,), "number of parameters is missing"),
        ((GENESIS_ROOT, PARAMETERS), "rules hash is missing"),
        ((NO_HASH, PARAMETERS, RULES_HASH), "genesis model root is missing"),
        ((GENESIS_ROOT, 0, RULES_HASH), "number of parameters is missing"),
        ((GENESIS_ROOT, PARAMETERS, NO_HASH), "rules hash is missing"),
        ((GENESIS_ROOT, 2**30 + 1, RULES_HASH), "too many parameters"),
    ],
)
def test_half_a_configuration_is_refused(
    protocol: Protocol,
    chain: Any,
    ordered: int,
    user: Any,
    clients: list[Any],
    aggregator: Any,
    configuration: tuple[Any, ...],
    what: str,
) -> None:
    with boa.reverts(f"ModelParameterChain: {what}"):
        protocol.order(user, clients, 3, aggregator, *configuration)
    if len(configuration) == 3:
        with boa.reverts(f"ModelParameterChain: {what}"):
            chain.configureInstance(ordered, aggregator, *configuration, sender=user)


def test_a_configuration_names_an_aggregator(
    protocol: Protocol, chain: Any, ordered: int, user: Any, clients: list[Any]
) -> None:
    with boa.reverts("ModelParameterChain: aggregator is missing"):
        chain.configureInstance(ordered, ZERO, *CONFIGURATION, sender=user)
    for partial in ((ZERO, GENESIS_ROOT), (ZERO, NO_HASH, 1), (ZERO, NO_HASH, 0, RULES_HASH)):
        with boa.reverts("ModelParameterChain: aggregator is missing"):
            protocol.order(user, clients, 3, *partial)


def test_a_long_form_of_zeros_is_the_short_form(protocol: Protocol, user: Any, clients: list[Any]) -> None:
    instance = protocol.order(user, clients, 3, ZERO, NO_HASH, 0, NO_HASH)
    assert protocol.chain.getInstance(instance).aggregator == ZERO


@pytest.mark.parametrize("d", [1, 2**30])
def test_a_model_has_one_to_two_to_the_thirty_parameters(
    chain: Any, ordered: int, user: Any, aggregator: Any, d: int
) -> None:
    chain.configureInstance(ordered, aggregator, GENESIS_ROOT, d, RULES_HASH, sender=user)
    assert chain.getInstance(ordered).d == d


def test_an_instance_is_configured_once(chain: Any, configured: int, user: Any, aggregator: Any) -> None:
    with boa.reverts("ModelParameterChain: instance is configured already"):
        chain.configureInstance(configured, aggregator, *CONFIGURATION, sender=user)


def test_only_the_user_configures(chain: Any, ordered: int, aggregator: Any, stranger: Any) -> None:
    for caller in (stranger, aggregator):
        with boa.reverts("ModelParameterChain: caller is not the user"):
            chain.configureInstance(ordered, aggregator, *CONFIGURATION, sender=caller)


def test_a_stopped_instance_is_not_configured(chain: Any, ordered: int, user: Any, aggregator: Any) -> None:
    chain.stopInstance(ordered, sender=user)
    with boa.reverts("ModelParameterChain: instance is stopped"):
        chain.configureInstance(ordered, aggregator, *CONFIGURATION, sender=user)


def test_what_does_not_exist_is_neither_configured_nor_stopped_nor_given_an_aggregator(
    chain: Any, user: Any, aggregator: Any
) -> None:
    with boa.reverts("ModelParameterChain: no such instance"):
        chain.configureInstance(1, aggregator, *CONFIGURATION, sender=user)
    with boa.reverts("ModelParameterChain: no such instance"):
        chain.nameAggregator(1, aggregator, sender=user)
    with boa.reverts("ModelParameterChain: no such instance"):
        chain.stopInstance(1, sender=user)
    assert not chain.isClosed(1)


# The bond


def test_an_aggregator_accepts_by_its_bond(chain: Any, configured: int, aggregator: Any) -> None:
    wait(7)
    chain.depositBond(configured, sender=aggregator, value=AGGREGATOR_BOND)

    assert events(chain, "BondDeposited") == [
        {"instanceId": configured, "aggregator": aggregator, "amount": AGGREGATOR_BOND}
    ]
    assert chain.bonds(configured, aggregator) == balance(chain) == AGGREGATOR_BOND
    assert chain.getInstance(configured).lastActivity == now()
    assert chain.getInstance(configured).lastProgress == now() - 7, "a bond is a promise, not progress"


@pytest.mark.parametrize("value", [0, AGGREGATOR_BOND - 1, AGGREGATOR_BOND + 1])
def test_no_other_amount_is_a_bond(chain: Any, configured: int, aggregator: Any, value: int) -> None:
    with boa.reverts("ModelParameterChain: incorrect bond"):
        chain.depositBond(configured, sender=aggregator, value=value)


def test_a_bond_is_deposited_once(run: Run, chain: Any) -> None:
    with boa.reverts("ModelParameterChain: bond is deposited already"):
        chain.depositBond(run.instance, sender=run.aggregator, value=AGGREGATOR_BOND)


def test_only_the_named_aggregator_deposits(chain: Any, configured: int, stranger: Any) -> None:
    for instance in (configured, configured + 1):
        with boa.reverts("ModelParameterChain: caller is not the aggregator"):
            chain.depositBond(instance, sender=stranger, value=AGGREGATOR_BOND)


def test_a_stopped_instance_takes_no_bond(chain: Any, configured: int, user: Any, aggregator: Any) -> None:
    chain.stopInstance(configured, sender=user)
    with boa.reverts("ModelParameterChain: instance is stopped"):
        chain.depositBond(configured, sender=aggregator, value=AGGREGATOR_BOND)


def test_a_finished_instance_takes_no_bond(run: Run, chain: Any) -> None:
    for _ in range(3):
        run.train()
    run.finalize_all()
    chain.withdrawBond(run.instance, sender=run.aggregator)
    with boa.reverts("ModelParameterChain: instance is closed"):
        chain.depositBond(run.instance, sender=run.aggregator, value=AGGREGATOR_BOND)


def test_an_aggregator_at_work_keeps_its_bond_in(run: Run, chain: Any) -> None:
    run.train()
    run.finalize()
    with boa.reverts("ModelParameterChain: caller is the aggregator"):
        chain.withdrawBond(run.instance, sender=run.aggregator)


def test_who_has_no_bond_withdraws_none(run: Run, chain: Any, stranger: Any) -> None:
    with boa.reverts("ModelParameterChain: no bond to withdraw"):
        chain.withdrawBond(run.instance, sender=stranger)


def test_the_bond_comes_back_when_every_epoch_is_final(run: Run, chain: Any) -> None:
    for _ in range(3):
        run.train()
    with boa.reverts("ModelParameterChain: caller is the aggregator"):
        chain.withdrawBond(run.instance, sender=run.aggregator)
    run.finalize_all()
    before = balance(run.aggregator)

    chain.withdrawBond(run.instance, sender=run.aggregator)

    assert events(chain, "BondWithdrawn") == [
        {
            "instanceId": run.instance,
            "aggregator": run.aggregator,
            "receiver": run.aggregator,
            "amount": AGGREGATOR_BOND,
        }
    ]
    assert balance(run.aggregator) == before + AGGREGATOR_BOND
    assert balance(chain) == 0
    with boa.reverts("ModelParameterChain: no bond to withdraw"):
        chain.withdrawBond(run.instance, sender=run.aggregator)


def test_the_bond_comes_back_when_the_instance_is_stopped(run: Run, chain: Any, stranger: Any) -> None:
    run.stop()
    before = balance(stranger)
    chain.withdrawBond(run.instance, stranger, sender=run.aggregator)
    assert events(chain, "BondWithdrawn")[0]["receiver"] == stranger
    assert balance(stranger) == before + AGGREGATOR_BOND


def test_the_bond_is_not_sent_nowhere(run: Run, chain: Any) -> None:
    run.stop()
    with boa.reverts("ModelParameterChain: receiver is the zero address"):
        chain.withdrawBond(run.instance, ZERO, sender=run.aggregator)


def test_the_bond_answers_for_an_epoch_that_is_pending_when_the_instance_is_stopped(run: Run, chain: Any) -> None:
    run.train()
    run.stop()
    with boa.reverts("ModelParameterChain: caller is the aggregator"):
        chain.withdrawBond(run.instance, sender=run.aggregator)
    run.finalize()
    chain.withdrawBond(run.instance, sender=run.aggregator)


# Another aggregator


def test_an_aggregator_that_has_not_accepted_is_replaced_at_once(
    chain: Any, configured: int, user: Any, aggregator: Any, successor: Any
) -> None:
    chain.nameAggregator(configured, successor, sender=user)

    assert events(chain, "AggregatorNamed") == [
        {"instanceId": configured, "aggregator": successor, "previousAggregator": aggregator, "attempt": 1}
    ]
    instance = chain.getInstance(configured)
    assert instance.aggregator == successor
    assert instance.attempt == 1
    with boa.reverts("ModelParameterChain: caller is not the aggregator"):
        chain.depositBond(configured, sender=aggregator, value=AGGREGATOR_BOND)
    chain.depositBond(configured, sender=successor, value=AGGREGATOR_BOND)


def test_an_aggregator_at_work_is_not_replaced(run: Run, chain: Any, successor: Any) -> None:
    wait(LIVENESS_PERIOD)
    with boa.reverts("ModelParameterChain: aggregator is at work"):
        chain.nameAggregator(run.instance, successor, sender=run.user)
    run.close()
    wait(LIVENESS_PERIOD)
    with boa.reverts("ModelParameterChain: aggregator is at work"):
        chain.nameAggregator(run.instance, successor, sender=run.user)


def test_a_silent_aggregator_is_replaced_and_its_commitments_are_void(run: Run, chain: Any, successor: Any) -> None:
    run.train()
    run.close()
    wait(LIVENESS_PERIOD + 1)

    chain.nameAggregator(run.instance, successor, sender=run.user)

    record = chain.getEpoch(run.instance, 2)
    assert record.commitsRoot == NO_HASH
    assert record.commitsClosedAt == 0
    assert chain.getInstance(run.instance).lastActivity == now(), "the new one has its own time"
    with boa.reverts("ModelParameterChain: caller is not the aggregator"):
        run.post()
    previous, run.aggregator = run.aggregator, successor
    with boa.reverts("ModelParameterChain: bond is missing"):
        run.close()
    chain.depositBond(run.instance, sender=successor, value=AGGREGATOR_BOND)
    with boa.reverts("ModelParameterChain: attempt is not the current one"):
        run.close()
    run.attempt = 1
    run.train()
    assert chain.getEpoch(run.instance, 2).aggregator == successor
    assert chain.getEpoch(run.instance, 1).aggregator == previous


def test_a_replaced_aggregator_has_its_bond_back_when_its_epochs_are_final(
    run: Run, chain: Any, successor: Any
) -> None:
    run.train()
    wait(LIVENESS_PERIOD + 1)
    chain.nameAggregator(run.instance, successor, sender=run.user)
    with boa.reverts("ModelParameterChain: an epoch of the caller's is not final"):
        chain.withdrawBond(run.instance, sender=run.aggregator)
    run.finalize()
    chain.withdrawBond(run.instance, sender=run.aggregator)
    assert chain.bonds(run.instance, run.aggregator) == 0


def test_a_replaced_aggregator_that_posted_nothing_has_its_bond_back_at_once(
    run: Run, chain: Any, successor: Any
) -> None:
    wait(LIVENESS_PERIOD + 1)
    chain.nameAggregator(run.instance, successor, sender=run.user)
    chain.withdrawBond(run.instance, sender=run.aggregator)
    assert balance(chain) == 0


def test_a_replaced_aggregator_may_return_on_the_bond_it_left(run: Run, chain: Any, successor: Any) -> None:
    wait(LIVENESS_PERIOD + 1)
    chain.nameAggregator(run.instance, successor, sender=run.user)
    chain.nameAggregator(run.instance, run.aggregator, sender=run.user)
    run.attempt = 2
    run.train()
    assert chain.getInstance(run.instance).postedEpochs == 1


def test_only_the_user_names_an_aggregator(chain: Any, configured: int, aggregator: Any, successor: Any) -> None:
    for caller in (aggregator, successor):
        with boa.reverts("ModelParameterChain: caller is not the user"):
            chain.nameAggregator(configured, successor, sender=caller)


def test_an_aggregator_is_not_replaced_by_nobody_nor_by_itself(
    chain: Any, configured: int, user: Any, aggregator: Any
) -> None:
    with boa.reverts("ModelParameterChain: aggregator is missing"):
        chain.nameAggregator(configured, ZERO, sender=user)
    with boa.reverts("ModelParameterChain: aggregator is named already"):
        chain.nameAggregator(configured, aggregator, sender=user)


def test_an_instance_is_configured_before_another_aggregator_is_named(
    chain: Any, ordered: int, user: Any, successor: Any
) -> None:
    with boa.reverts("ModelParameterChain: instance is not configured"):
        chain.nameAggregator(ordered, successor, sender=user)


def test_a_stopped_instance_gets_no_other_aggregator(chain: Any, configured: int, user: Any, successor: Any) -> None:
    chain.stopInstance(configured, sender=user)
    with boa.reverts("ModelParameterChain: instance is stopped"):
        chain.nameAggregator(configured, successor, sender=user)


def test_an_instance_with_every_epoch_posted_gets_no_other_aggregator(run: Run, chain: Any, successor: Any) -> None:
    for _ in range(3):
        run.train()
    wait(LIVENESS_PERIOD + 1)
    with boa.reverts("ModelParameterChain: every epoch has been posted"):
        chain.nameAggregator(run.instance, successor, sender=run.user)


def test_a_stake_is_not_touched_by_sitting_in_a_cohort(run: Run, registry: Any) -> None:
    client = run.clients[0]
    registry.unRegister(sender=client)
    wait(registry.STAKING_PERIOD())
    registry.withdrawStake(sender=client)
    assert events(registry, "StakeReturned") == [{"client": client, "amount": STAKE_AMOUNT}]
