"""`ape run deploy` on a public network, played by an anvil with Arbitrum Sepolia's chain id."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from fedblocks.chain.node import Anvil
from fedblocks.chain.signers import LocalSigner
from fedblocks.chain.transactions import TransactionSender
from fedblocks.contracts.deploy import DeploymentStep, deploy_protocol
from fedblocks.contracts.inspection import inspect_deployment
from fedblocks.contracts.journal import journal_path
from fedblocks.deployments import CONTRACTS, Deployment, ProtocolParameters
from fedblocks.types import Wei
from fedblocks.units import ether
from tests.scripts.ape_run import Ape, import_account

pytestmark = pytest.mark.slow

PASSPHRASE = "open sesame"
# For the first transaction: sign it, the passphrase, leave the account unlocked; for the others: sign it.
SIGN = f"y\n{PASSPHRASE}\ny\n"
SIGN_NEXT = "y\n"


class Killed(BaseException):
    """Ends the process, as far as the code under test can tell."""


@dataclass(frozen=True)
class Sepolia:
    """A public network, an account on it, and where its deployments file is to lie."""

    node: Anvil
    account: Any
    ape: Ape
    file: Path

    def deploy(self, *arguments: str, stdin: str = "") -> Any:
        network = f"arbitrum:sepolia:{self.node.url}"
        return self.ape.run(
            "deploy", "--network", network, "--account", "deployer", "--output", str(self.file), *arguments,
            stdin=stdin,
        )  # fmt: skip

    @property
    def sender(self) -> TransactionSender:
        """The account, as the SDK sends from it."""
        return TransactionSender(self.node.connection, LocalSigner(self.account))

    def half(self, steps: int, **parameters: Any) -> None:
        """Deploy so many contracts, then die."""

        def kill(step: DeploymentStep) -> None:
            if step.number == steps:
                raise Killed

        with pytest.raises(Killed):
            deploy_protocol(self.sender, ProtocolParameters(**parameters), kill, journal=journal_path(self.file))


@pytest.fixture(scope="module")
def node() -> Iterator[Anvil]:
    with Anvil(accounts=2, chain_id=421_614) as running:
        yield running


@pytest.fixture
def sepolia(node: Anvil, tmp_path: Path) -> Sepolia:
    account = import_account(tmp_path, "deployer", PASSPHRASE)
    TransactionSender(node.connection, node.signer(0)).transfer(account.address, ether(1))
    return Sepolia(node, account, Ape(tmp_path), tmp_path / "deployments" / "arbitrum-sepolia.json")


def test_a_dry_run_shows_everything_and_neither_sends_nor_asks(sepolia: Sepolia) -> None:
    done = sepolia.deploy("--dry-run", "--stake-amount", "0.25")
    assert done.returncode == 0, done.stderr
    for line in (
        "chain      421614 (Arbitrum Sepolia)",
        f"deployer   {sepolia.account.address}, nonces 0 to 9",
        "balance    1 ether",
        "stake_amount             0.25 ether",
        "without Arbitrum's fee for data on Ethereum",
        "nothing was sent",
    ):
        assert line in done.stderr
    for name in CONTRACTS:
        assert name in done.stderr
    assert sepolia.sender.next_nonce() == 0
    assert list(sepolia.file.parent.parent.glob("deployments/*")) == []


def test_a_deployment_that_is_not_confirmed_sends_nothing(sepolia: Sepolia) -> None:
    done = sepolia.deploy(stdin="n\n")
    assert done.returncode == 1
    assert "None of it can be changed afterwards" in done.stderr
    assert "balance    1 ether" in done.stderr
    assert sepolia.sender.next_nonce() == 0
    assert not journal_path(sepolia.file).exists()


def test_a_confirmed_deployment_leaves_its_file_and_what_explorers_need(sepolia: Sepolia) -> None:
    done = sepolia.deploy(stdin="y\n" + SIGN + 9 * SIGN_NEXT)
    assert done.returncode == 0, done.stdout + done.stderr
    assert PASSPHRASE not in done.stdout + done.stderr
    deployment = Deployment.load(sepolia.file)
    assert (deployment.chain_id, deployment.deployer) == (421_614, sepolia.account.address)
    assert deployment.compiler is not None
    assert deployment.compiler.startswith("vyper 0.4.3")
    assert inspect_deployment(sepolia.node.connection, deployment).ok
    assert not journal_path(sepolia.file).exists()
    folder = sepolia.file.with_name("arbitrum-sepolia.verification")
    assert len(list(folder.iterdir())) == 3 * len(CONTRACTS)
    about = json.loads((folder / "SlashingManager.about.json").read_text(encoding="utf-8"))
    assert about["address"] == deployment.address("SlashingManager")

    again = sepolia.deploy(stdin="y\n")
    assert again.returncode == 2
    assert "exists; other programs may rely on it" in again.stderr


def test_a_half_deployment_is_resumed_with_the_parameters_that_it_was_begun_with(sepolia: Sepolia) -> None:
    sepolia.half(4, stake_amount=ether("0.321"))
    refused = sepolia.deploy(stdin="y\n")
    assert refused.returncode == 1
    assert "was begun and not finished" in refused.stderr

    other = sepolia.deploy("--resume", "--stake-amount", "5")
    assert other.returncode == 2
    assert "leave out --stake-amount" in other.stderr

    shown = sepolia.deploy("--resume", "--dry-run")
    assert shown.returncode == 0, shown.stderr
    assert shown.stderr.count("is there already") == 4
    assert sepolia.sender.next_nonce() == 4

    done = sepolia.deploy("--resume", "--no-bundles", stdin="y\n" + SIGN + 5 * SIGN_NEXT)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "5/10 ModelParameterChain" in done.stderr
    assert "1/10" not in done.stderr
    deployment = Deployment.load(sepolia.file)
    assert deployment.parameters.stake_amount == ether("0.321")
    assert inspect_deployment(sepolia.node.connection, deployment).ok
    assert sepolia.sender.next_nonce() == 10


def test_a_dead_half_deployment_is_said_to_be_dead_and_can_be_given_up(sepolia: Sepolia) -> None:
    sepolia.half(2)
    foreign = sepolia.sender.transfer(sepolia.node.signer(1).address, Wei(1))
    dead = sepolia.deploy("--resume", stdin="y\n")
    assert dead.returncode == 1
    assert "is dead: nonce 2" in dead.stderr
    assert f"0x{foreign.transaction_hash.hex()}" in dead.stderr
    assert "Traceback" not in dead.stderr

    declined = sepolia.deploy("--abandon", stdin="n\n")
    assert declined.returncode == 1
    assert journal_path(sepolia.file).exists()

    done = sepolia.deploy("--abandon", "--no-bundles", stdin="y\n" + SIGN + 9 * SIGN_NEXT)
    assert done.returncode == 0, done.stdout + done.stderr
    assert inspect_deployment(sepolia.node.connection, Deployment.load(sepolia.file)).ok
    assert journal_path(sepolia.file).with_name("arbitrum-sepolia.journal.json.abandoned-1").exists()


def test_an_account_that_cannot_pay_for_all_of_it_does_not_begin(sepolia: Sepolia) -> None:
    sepolia.node.connection.rpc("anvil_setBalance", sepolia.account.address, hex(10**15))
    done = sepolia.deploy(stdin="y\n")
    assert done.returncode == 1
    assert "holds 0.001 ether, but" in done.stderr
    assert sepolia.sender.next_nonce() == 0


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("nobody", "ape knows no account 'nobody'"),
        ("0x" + "ab" * 32, "never a key"),
        ("AB" * 32, "never a key"),
        (" ".join(["test"] * 11 + ["junk"]), "never a key or a phrase"),
    ],
)
def test_an_account_is_an_alias_and_nothing_else(name: str, problem: str) -> None:
    import click
    from scripts._ape import choose_account

    with pytest.raises(click.UsageError, match=problem) as caught:
        choose_account(None, name)  # type: ignore[arg-type]
    assert (name in str(caught.value)) is (name == "nobody")


def test_a_public_network_has_no_account_by_itself(sepolia: Sepolia) -> None:
    done = sepolia.ape.run("deploy", "--network", f"arbitrum:sepolia:{sepolia.node.url}")
    assert done.returncode == 2
    assert "name the account with --account" in done.stderr
