"""The constructors: ten contracts that do not belong together cannot be deployed as if they did."""

from __future__ import annotations

from typing import Any

import boa
import pytest

from tests.contracts.world import (
    AGGREGATOR_BOND,
    ANSWER_PERIOD,
    CHALLENGE_WINDOW,
    CHALLENGER_SHARE,
    LIVENESS_PERIOD,
    SLASH_MARGIN,
    STAKING_PERIOD,
    ZERO,
    Protocol,
    deployer_of,
    mock,
    next_address,
)


def test_the_ten_find_each_other(protocol: Protocol) -> None:
    assert protocol.registry.SLASHING_MANAGER() == protocol.slashing.address
    assert protocol.rewards.MODEL_PARAMETER_CHAIN() == protocol.chain.address
    assert protocol.chain.REWARD_MANAGER() == protocol.rewards.address
    assert protocol.slashing.MODEL_PARAMETER_CHAIN() == protocol.chain.address
    for verifier in protocol.verifiers:
        assert verifier.MODEL_PARAMETER_CHAIN() == protocol.chain.address


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"stakeAmount": 0}, "StakingRegistry: stake amount is zero"),
        ({"stakingPeriod": 0}, "StakingRegistry: staking period is zero"),
        ({"slashingManager": ZERO}, "StakingRegistry: slashing manager is the zero address"),
        ({"registrySlashTreasury": ZERO}, "StakingRegistry: slash treasury is not a contract"),
        ({"rewardTreasury": ZERO}, "RewardManager: reward treasury is not a contract"),
        ({"feePerEpoch": 0}, "RewardManager: fee per epoch is zero"),
        ({"protocolFeePercentage": 10**8 + 1}, "RewardManager: protocol fee is more than the whole"),
        ({"baseFee": 0}, "RewardManager: base fee is zero"),
        ({"stakingRegistry": ZERO}, "RewardManager: staking registry is not a contract"),
        ({"modelParameterChain": ZERO}, "RewardManager: model parameter chain is the zero address"),
        ({"rewardManager": ZERO}, "ModelParameterChain: reward manager is not a contract"),
        ({"aggregatorBond": 0}, "ModelParameterChain: aggregator bond is zero"),
        ({"challengeWindow": 0}, "ModelParameterChain: challenge window is zero"),
        ({"livenessPeriod": 0}, "ModelParameterChain: liveness period is zero"),
        ({"challengerShare": 0}, "ModelParameterChain: challenger share is zero"),
        ({"challengerShare": 5 * 10**7 + 1}, "ModelParameterChain: challenger share is more than half"),
        ({"demandDeposit": 0}, "DataDemands: demand deposit is zero"),
        ({"answerPeriod": 0}, "DataDemands: answer period is zero"),
        ({"slashTreasury": ZERO}, "ModelParameterChain: registry names another slash treasury"),
        ({"verdictsFrom": ZERO}, "SlashingManager: model parameter chain is not a contract"),
        ({"slashedRegistry": ZERO}, "SlashingManager: staking registry is not a contract"),
        ({"slashMargin": 0}, "SlashingManager: slash margin is zero"),
        ({"slashMargin": SLASH_MARGIN + 1}, "SlashingManager: staking period is too short"),
        ({"stakingPeriod": STAKING_PERIOD - 1}, "SlashingManager: staking period is too short"),
        ({"challengeWindow": CHALLENGE_WINDOW + 1}, "SlashingManager: staking period is too short"),
        ({"livenessPeriod": LIVENESS_PERIOD + 1}, "SlashingManager: staking period is too short"),
        ({"answerPeriod": ANSWER_PERIOD + 1}, "SlashingManager: staking period is too short"),
    ],
)
def test_a_constructor_refuses_what_makes_no_sense(
    deployer: Any, admin: Any, changes: dict[str, Any], reason: str
) -> None:
    with boa.reverts(reason):
        Protocol.deploy(deployer, admin, **changes)


def test_a_chain_is_refused_that_the_reward_manager_does_not_name(deployer: Any, admin: Any, stranger: Any) -> None:
    with boa.reverts("ModelParameterChain: reward manager names another chain"):
        Protocol.deploy(deployer, admin, modelParameterChain=stranger)


def test_a_second_chain_of_one_reward_manager_is_refused(protocol: Protocol) -> None:
    with boa.reverts("ModelParameterChain: reward manager names another chain"):
        deployer_of("ModelParameterChain").deploy(
            protocol.rewards.address,
            protocol.slash_treasury.address,
            AGGREGATOR_BOND,
            CHALLENGE_WINDOW,
            LIVENESS_PERIOD,
            CHALLENGER_SHARE,
            [verifier.address for verifier in protocol.verifiers],
        )


@pytest.fixture
def named(deployer: Any) -> list[str]:
    """Where the four verifiers will be, once the contracts before them are there."""
    return [next_address(deployer, ahead) for ahead in range(5, 9)]


@pytest.mark.parametrize("which", range(4))
def test_a_verifier_that_nobody_can_be_is_refused(deployer: Any, admin: Any, named: list[str], which: int) -> None:
    named[which] = ZERO
    with boa.reverts("ModelParameterChain: verifier is the zero address"):
        Protocol.deploy(deployer, admin, verifiers=named)


@pytest.mark.parametrize(("which", "other"), [(0, 1), (0, 3), (1, 2), (3, 2)])
def test_a_verifier_is_named_once(deployer: Any, admin: Any, named: list[str], which: int, other: int) -> None:
    named[which] = named[other]
    with boa.reverts("ModelParameterChain: verifier is named twice"):
        Protocol.deploy(deployer, admin, verifiers=named)


@pytest.mark.parametrize("which", range(4))
def test_a_verifier_that_is_no_contract_is_not_sealed(
    deployer: Any, admin: Any, stranger: Any, named: list[str], which: int
) -> None:
    named[which] = stranger
    with boa.reverts("SlashingManager: verifier is not a contract"):
        Protocol.deploy(deployer, admin, verifiers=named)


@pytest.mark.parametrize("which", range(4))
def test_a_verifier_of_another_chain_is_not_sealed(
    deployer: Any, admin: Any, protocol: Protocol, named: list[str], which: int
) -> None:
    named[which] = protocol.verifiers[which].address
    with boa.reverts("SlashingManager: verifier names another chain"):
        Protocol.deploy(deployer, admin, verifiers=named)


def test_a_challenger_may_have_half_of_the_bond(deployer: Any, admin: Any) -> None:
    protocol = Protocol.deploy(deployer, admin, challengerShare=5 * 10**7)
    assert protocol.chain.CHALLENGER_SHARE() == 5 * 10**7


def test_a_slashing_manager_is_refused_that_the_registry_does_not_name(
    deployer: Any, admin: Any, stranger: Any
) -> None:
    with boa.reverts("SlashingManager: registry names another slashing manager"):
        Protocol.deploy(deployer, admin, slashingManager=stranger)


@pytest.fixture
def registry_of_next(deployer: Any, protocol: Protocol) -> Any:
    """A registry that names the second contract after it as its slashing manager; a test puts one in between."""
    with boa.env.prank(deployer):
        return deployer_of("StakingRegistry").deploy(
            1, STAKING_PERIOD, next_address(deployer, 2), protocol.slash_treasury.address
        )


def deploy_slashing_manager(deployer: Any, chain: Any, registry: Any) -> Any:
    with boa.env.prank(deployer):
        return deployer_of("SlashingManager").deploy(chain, registry, SLASH_MARGIN)


def test_a_slashing_manager_of_another_registry_is_refused(
    deployer: Any, protocol: Protocol, registry_of_next: Any
) -> None:
    with boa.env.prank(deployer):
        mock("Actor")
    with boa.reverts("SlashingManager: reward manager names another registry"):
        deploy_slashing_manager(deployer, protocol.chain.address, registry_of_next.address)


def test_a_chain_that_the_reward_manager_does_not_know_gives_no_verdicts(
    deployer: Any, protocol: Protocol, registry_of_next: Any
) -> None:
    with boa.env.prank(deployer):
        impostor = mock("Impostor", protocol.rewards.address, ZERO, ZERO, protocol.slash_treasury.address)
    with boa.reverts("SlashingManager: reward manager names another chain"):
        deploy_slashing_manager(deployer, impostor.address, registry_of_next.address)


def test_a_chain_with_another_slash_treasury_gives_no_verdicts(
    deployer: Any, protocol: Protocol, registry_of_next: Any
) -> None:
    with boa.env.prank(deployer):
        here = next_address(deployer)
        impostor = mock("Impostor", here, here, registry_of_next.address, protocol.reward_treasury.address)
    with boa.reverts("SlashingManager: slash treasuries differ"):
        deploy_slashing_manager(deployer, impostor.address, registry_of_next.address)
