"""The entry to the SDK: one object, checked against the chain before it is used."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

import fedblocks
from fedblocks import FedBlocks
from fedblocks.chain.connection import NoCodeAtAddress, NodeRefused, NodeUnreachable, WrongChain
from fedblocks.chain.node import Anvil
from fedblocks.chain.transactions import DryRun, NoSigner
from fedblocks.config import NetworkConfig
from fedblocks.deployments import Deployment, DeploymentNotFound
from fedblocks.types import InstanceId
from tests.anvil import FIRST_CLIENT, Roles


def test_it_connects_with_a_deployment_or_its_file(node: Anvil, deployment: Deployment, tmp_path: Path) -> None:
    file = tmp_path / "deployment.json"
    deployment.save(file)
    for source in (deployment, file, str(file)):
        client = FedBlocks.connect(node.url, source)
        assert client.staking.stake_amount() == deployment.parameters.stake_amount
        assert [contract.address for contract in client.contracts] == [
            contract.address for contract in deployment.contracts.values()
        ]
    assert FedBlocks.from_config(NetworkConfig(url=node.url, deployment=file)).deployment == deployment


def test_a_deployment_of_another_chain_is_refused(node: Anvil, deployment: Deployment) -> None:
    with pytest.raises(WrongChain, match="serves chain 31337, but chain 42161"):
        FedBlocks.connect(node.url, replace(deployment, chain_id=42161))
    with pytest.raises(WrongChain):
        FedBlocks(node.connection, replace(deployment, chain_id=42161)).check()


def test_a_chain_without_the_contracts_is_refused(deployment: Deployment) -> None:
    with Anvil(accounts=1) as empty, pytest.raises(NoCodeAtAddress, match="SlashTreasury: there is no code at"):
        FedBlocks.connect(empty.url, deployment)


def test_reading_where_there_is_no_contract_says_so(node: Anvil, deployment: Deployment) -> None:
    elsewhere = replace(deployment.contracts["StakingRegistry"], address=node.signer(FIRST_CLIENT).address)
    unchecked = FedBlocks(
        node.connection, replace(deployment, contracts={**deployment.contracts, "StakingRegistry": elsewhere})
    )
    with pytest.raises(NoCodeAtAddress, match="StakingRegistry"):
        unchecked.staking.stake_amount()


def test_a_node_that_is_down_and_a_file_that_is_missing_are_named(deployment: Deployment, tmp_path: Path) -> None:
    with pytest.raises(NodeUnreachable):
        FedBlocks.connect("http://127.0.0.1:1", deployment)
    with pytest.raises(DeploymentNotFound):
        FedBlocks.connect("http://127.0.0.1:1", tmp_path / "absent.json")


def test_without_a_signer_everything_can_be_read_and_nothing_sent(node: Anvil, deployment: Deployment) -> None:
    watcher = FedBlocks.connect(node.url, deployment)
    assert watcher.rewards.instance_count() == 0
    assert watcher.chain.instance(InstanceId(1)).number_of_epochs == 0
    with pytest.raises(NoSigner):
        watcher.staking.stake()


def test_a_dry_run_plans_with_the_signers_address(node: Anvil, deployment: Deployment) -> None:
    client = FedBlocks.connect(node.url, deployment, signer=node.signer(FIRST_CLIENT), dry_run=True)
    with pytest.raises(DryRun) as caught:
        client.staking.stake()
    plan = caught.value.plan
    assert plan is not None
    assert (plan.sender, plan.call.contract, plan.call.function) == (
        node.signer(FIRST_CLIENT).address,
        "StakingRegistry",
        "stake",
    )
    assert not client.staking.is_staked(node.signer(FIRST_CLIENT).address)


def test_a_plan_names_its_arguments(staked: Roles) -> None:
    plan = staked.user.rewards.plan("newUserInstance", staked.cohort, 2, value=staked.user.rewards.price(2))
    assert plan.call.arguments == {"clients": staked.cohort, "numberOfEpochs": 2}
    with pytest.raises(TypeError, match="does not take 1 arguments"):
        staked.user.rewards.plan("newUserInstance", staked.cohort)


def test_accounts_share_a_connection(roles: Roles) -> None:
    assert roles.user.connection is roles.deployer.connection
    assert roles.user.sender.address != roles.deployer.sender.address


def test_the_package_is_light_until_it_is_used() -> None:
    program = (
        "import sys, fedblocks; assert 'web3' not in sys.modules; fedblocks.FedBlocks; assert 'web3' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = fedblocks.nothing


def test_what_the_node_refuses_is_said_in_its_own_words(roles: Roles) -> None:
    with pytest.raises(NodeRefused, match=r"http://127\.0\.0\.1:\d+ refused"):
        roles.user.staking.stake_amount(10_000_000)
    with pytest.raises(NodeRefused, match="refused"):
        roles.node.connection.rpc("fedblocks_noSuchMethod")
