"""The scripts through ape itself, each in a process and with a home of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from eth_account import Account
from eth_account.messages import encode_typed_data

from fedblocks import FedBlocks
from fedblocks.chain.node import Anvil
from fedblocks.chain.transactions import TransactionSender
from fedblocks.contracts.deploy import deploy_protocol
from fedblocks.contracts.reward_manager import NewUserInstance
from fedblocks.deployments import CONTRACTS, Deployment, ProtocolParameters
from fedblocks.types import Hash32
from fedblocks.units import ether
from tests.scripts.ape_run import Ape, import_account

NETWORK = ("--network", "arbitrum:local:foundry")

pytestmark = pytest.mark.slow


@pytest.fixture
def ape(tmp_path: Path) -> Ape:
    return Ape(tmp_path)


@pytest.fixture(scope="module")
def node() -> Iterator[Anvil]:
    with Anvil(accounts=10) as running:
        yield running


def test_deploying_writes_a_deployments_file_that_says_what_was_asked_for(ape: Ape, tmp_path: Path) -> None:
    file = tmp_path / "out" / "deployment.json"
    done = ape.run(
        "deploy", *NETWORK, "--output", str(file), "--stake-amount", "0.25", "--protocol-fee", "3.5",
        "--challenge-window", "60", "--liveness-period", "120", "--slash-margin", "30", "--staking-period", "290",
        "--challenger-share", "12.5", "--demand-deposit", "0.005", "--answer-period", "10",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert str(file) in done.stdout
    assert "10/10 SlashingManager" in done.stderr
    deployment = Deployment.load(file)
    assert deployment.chain_id == 31337
    assert tuple(deployment.contracts) == CONTRACTS
    assert deployment.parameters == ProtocolParameters(
        stake_amount=ether("0.25"),
        protocol_fee_percentage=3_500_000,
        challenge_window=60,
        liveness_period=120,
        slash_margin=30,
        staking_period=290,
        challenger_share=12_500_000,
        demand_deposit=ether("0.005"),
        answer_period=10,
        slash_treasury_admin=deployment.deployer,
        reward_treasury_admin=deployment.deployer,
    )


def test_parameters_that_contradict_each_other_are_refused_before_anything_is_sent(ape: Ape, tmp_path: Path) -> None:
    file = tmp_path / "deployment.json"
    refused = ape.run("deploy", *NETWORK, "--output", str(file), "--staking-period", "60")
    assert refused.returncode == 2
    assert "staking_period (60 s) must be at least" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert not file.exists()


def test_a_deployment_is_managed_from_bond_to_treasury(tmp_path: Path, node: Anvil) -> None:
    deployment = deploy_protocol(TransactionSender(node.connection, node.signer(0)))
    file = tmp_path / "deployment.json"
    deployment.save(file)
    deployer = FedBlocks.connect(node.url, deployment, signer=node.signer(0))
    clients = [deployer.acting_as(node.signer(index)) for index in range(1, 5)]
    for client in clients:
        client.staking.stake()
    number = deployer.rewards.new_configured_instance(
        [client.sender.address for client in clients if client.sender.address],
        1,
        aggregator=deployment.deployer,
        genesis_model_root=Hash32(b"\1" * 32),
        d=10,
        rules_hash=Hash32(b"\2" * 32),
    ).one(NewUserInstance).instance_id  # fmt: skip
    ape = Ape(tmp_path, node.url)
    at = (*NETWORK, "--deployment", str(file))

    status = ape.run("manage", "status", *at)
    assert status.returncode == 0, status.stderr
    assert deployment.address("ModelParameterChain") in status.stdout
    assert "0.4 ether" in status.stdout
    assert "instances: 1" in status.stdout

    deposited = ape.run("manage", "bond", "deposit", str(number), *at)
    assert deposited.returncode == 0, deposited.stderr
    assert deployer.chain.bond(number, deployment.deployer) == ether(1)

    deployer.chain.stop_instance(number)
    withdrawn = ape.run("manage", "bond", "withdraw", str(number), *at)
    assert withdrawn.returncode == 0, withdrawn.stderr
    assert deployer.chain.bond(number, deployment.deployer) == 0

    paid = ape.run("manage", "treasury", "withdraw", "reward", "all", *at)
    assert "withdrew 0.05 ether from RewardTreasury" in paid.stderr
    assert deployer.reward_treasury.balance() == 0


def test_an_account_of_apes_signs_with_its_passphrase(tmp_path: Path, node: Anvil) -> None:
    account = import_account(tmp_path, "owner", "open sesame")
    TransactionSender(node.connection, node.signer(9)).transfer(account.address, ether(5))
    file = tmp_path / "deployment.json"
    # For each transaction: sign it, the passphrase, and whether to leave the account unlocked.
    answers = "y\nopen sesame\nn\n" * 10
    done = Ape(tmp_path, node.url).run("deploy", *NETWORK, "--account", "owner", "--output", str(file), stdin=answers)
    assert done.returncode == 0, done.stdout + done.stderr
    assert Deployment.load(file).deployer == account.address
    assert "open sesame" not in done.stdout + done.stderr

    declined = Ape(tmp_path, node.url).run("deploy", *NETWORK, "--account", "owner", "--force", stdin="n\n")
    assert declined.returncode == 1
    assert "did not sign, so nothing was sent" in declined.stderr


def test_a_missing_deployments_file_is_named(ape: Ape, tmp_path: Path) -> None:
    done = ape.run("manage", "status", *NETWORK, "--deployment", str(tmp_path / "absent.json"))
    assert done.returncode == 1
    assert "Error: there is no deployments file at" in done.stderr
    assert "Traceback" not in done.stderr


def test_ape_lists_the_scripts_and_nothing_private(ape: Ape) -> None:
    listed = ape.run("--help").stdout
    assert "deploy " in listed
    assert "manage " in listed
    assert "_ape" not in listed


def test_apes_test_account_signs_typed_data_as_the_sdk_does() -> None:
    import ape
    from scripts._ape import ApeSigner

    message = {
        "types": {"EIP712Domain": [{"name": "name", "type": "string"}], "Note": [{"name": "n", "type": "uint256"}]},
        "primaryType": "Note",
        "domain": {"name": "FedBlocks"},
        "message": {"n": 7},
    }
    signer = ApeSigner(ape.accounts.test_accounts[0])
    signature = signer.sign_typed_data(message)
    assert len(signature) == 65
    assert Account.recover_message(encode_typed_data(full_message=message), signature=signature) == signer.address
