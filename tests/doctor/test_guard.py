"""Nobody stakes in what nobody has looked at, or what does not pass."""

from __future__ import annotations

import pytest

from fedblocks import FedBlocks
from fedblocks.chain.connection import Connection
from fedblocks.chain.node import Anvil
from fedblocks.chain.transactions import TransactionSender
from fedblocks.contracts.guard import UncheckedDeployment, UnsafeDeployment
from fedblocks.contracts.staking_registry import Stake, StakingRegistry
from fedblocks.contracts.v1 import V1_ARBITRUM
from fedblocks.contracts.v1.reverts import IncorrectStakingAmount
from fedblocks.contracts.v1.staking_registry import StakingRegistryV1
from fedblocks.deployments import Deployment
from fedblocks.doctor import Finding, examine_staking, guard, is_own_deployment
from fedblocks.types import Address, Wei
from fedblocks.v1 import FedBlocksV1
from tests.doctor.test_patients import node_before


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[Address]:
    """Which registries were probed, in order."""
    seen: list[Address] = []

    def counted(connection: Connection, registry: Address) -> tuple[Finding, ...]:
        seen.append(registry)
        return examine_staking(connection, registry)

    monkeypatch.setattr(guard, "examine_staking", counted)
    return seen


@pytest.fixture
def v1(v1_node: Anvil) -> FedBlocksV1:
    return FedBlocksV1.connect(v1_node.url, signer=v1_node.signer(1))


def foreign(node: Anvil, deployment: Deployment) -> None:
    """Make the registry no build of ours, without any effect: a byte that is never reached is added to its code."""
    address = deployment.address("StakingRegistry")
    node.connection.rpc("anvil_setCode", address, "0x" + node.connection.code(address).hex() + "00")


def test_version_1s_registry_is_refused_and_its_defects_named(v1: FedBlocksV1) -> None:
    with pytest.raises(UnsafeDeployment, match="V1-1, V1-2, V1-3, V1-4, V1-5") as refused:
        v1.staking.stake()
    assert refused.value.defects == ("V1-1", "V1-2", "V1-3", "V1-4", "V1-5")
    assert refused.value.unknown == ()
    assert refused.value.registry == V1_ARBITRUM.address("StakingRegistry")
    assert not v1.staking.is_staked(v1.sender.address or refused.value.registry)


def test_who_accepts_the_defects_meets_them(v1: FedBlocksV1) -> None:
    with pytest.raises(IncorrectStakingAmount):
        v1.staking.stake(accept_defects=True)
    receipt = v1.staking.stake(Wei(1), accept_defects=True)
    assert receipt.one(Stake).client == v1.sender.address


def test_a_registry_is_looked_at_once(v1: FedBlocksV1, v1_node: Anvil, looks: list[Address]) -> None:
    for staking in (v1.staking, v1.staking, v1.acting_as(v1_node.signer(2)).staking):
        with pytest.raises(UnsafeDeployment):
            staking.stake()
    assert looks == [V1_ARBITRUM.address("StakingRegistry")]


def test_our_own_build_is_known_and_not_probed(node: Anvil, deployment: Deployment, looks: list[Address]) -> None:
    FedBlocks.connect(node.url, deployment, signer=node.signer(1)).staking.stake()
    assert looks == []


def test_a_sound_registry_of_another_build_is_probed_and_accepted(
    node: Anvil, deployment: Deployment, looks: list[Address]
) -> None:
    foreign(node, deployment)
    fedblocks = FedBlocks.connect(node.url, deployment, signer=node.signer(1))
    fedblocks.staking.stake()
    fedblocks.acting_as(node.signer(2)).staking.stake()
    assert looks == [deployment.address("StakingRegistry")]


def test_code_that_changes_is_looked_at_anew(node: Anvil, deployment: Deployment, looks: list[Address]) -> None:
    fedblocks = FedBlocks.connect(node.url, deployment, signer=node.signer(1))
    fedblocks.staking.stake()
    foreign(node, deployment)
    fedblocks.acting_as(node.signer(2)).staking.stake()
    assert looks == [deployment.address("StakingRegistry")]


@pytest.mark.parametrize("spoilt", ["SlashingManager", "ModelParameterChain", "RewardManager", "SlashTreasury"])
def test_our_own_registry_beside_strange_contracts_is_probed(node: Anvil, deployment: Deployment, spoilt: str) -> None:
    registry = deployment.address("StakingRegistry")
    assert is_own_deployment(node.connection, registry)
    address = deployment.address(spoilt)
    node.connection.rpc("anvil_setCode", address, "0x" + node.connection.code(address).hex() + "00")
    assert not is_own_deployment(node.connection, registry)


def test_what_cannot_be_told_is_not_safe(node: Anvil, deployment: Deployment) -> None:
    foreign(node, deployment)
    with node_before(node.url, refuses=True) as url:
        fedblocks = FedBlocks.connect(url, deployment, signer=node.signer(1))
        with pytest.raises(UnsafeDeployment, match="could not be cleared of V1-1") as refused:
            fedblocks.staking.stake()
    assert refused.value.defects == ()
    assert len(refused.value.unknown) == 5


def test_a_class_that_was_made_without_a_guard_refuses(node: Anvil, deployment: Deployment, v1_node: Anvil) -> None:
    sender = TransactionSender(node.connection, node.signer(1))
    registry = StakingRegistry(node.connection, deployment.address("StakingRegistry"), sender)
    with pytest.raises(UncheckedDeployment, match=r"FedBlocks\.connect"):
        registry.stake()
    registry.stake(accept_defects=True)
    with pytest.raises(UncheckedDeployment):
        StakingRegistryV1(v1_node.connection, V1_ARBITRUM.address("StakingRegistry")).stake()


def test_only_staking_is_guarded(v1: FedBlocksV1) -> None:
    """Who is in must be able to get out."""
    v1.staking.stake(Wei(0), accept_defects=True)
    v1.staking.unregister()
    v1.staking.withdraw_stake()
    assert v1.staking.client_stake(v1.sender.address or V1_ARBITRUM.address("StakingRegistry")) == 0
