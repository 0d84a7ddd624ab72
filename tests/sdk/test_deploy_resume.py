"""A deployment that ends half-way is finished from its journal, or is said to be dead; it is never done twice."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fedblocks.chain.connection import Connection, WrongChain
from fedblocks.chain.node import Anvil
from fedblocks.chain.transactions import InsufficientFunds, NonceTaken, TransactionNotMined, TransactionSender
from fedblocks.contracts import journal as journals
from fedblocks.contracts.creation import contract_address
from fedblocks.contracts.deploy import (
    CreationUnknown,
    DeploymentDead,
    DeploymentStep,
    NonceNotReached,
    NoncePending,
    WrongDeployer,
    deploy_protocol,
    remaining_creations,
    resume_deployment,
)
from fedblocks.contracts.inspection import inspect_deployment
from fedblocks.contracts.journal import (
    Journal,
    JournalNotFound,
    MalformedJournal,
    OtherBuild,
    UnfinishedDeployment,
    abandon,
)
from fedblocks.deployments import CONTRACTS, Deployment, ProtocolParameters
from fedblocks.types import Wei
from fedblocks.units import ether
from tests.anvil import DEPLOYER, STRANGER, USER


class Killed(BaseException):
    """Ends the process, as far as the code under test can tell."""


def after_step(number: int) -> Callable[[DeploymentStep], None]:
    def kill(step: DeploymentStep) -> None:
        if step.number == number:
            raise Killed

    return kill


@pytest.fixture
def sender(node: Anvil) -> TransactionSender:
    return TransactionSender(node.connection, node.signer(USER))


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    return tmp_path / "deployments" / "journal.json"


def begin(sender: TransactionSender, journal: Path, steps: int, **parameters: Any) -> int:
    """Deploy so many contracts, then die; returns the first nonce."""
    first = sender.next_nonce()
    with pytest.raises(Killed):
        deploy_protocol(sender, ProtocolParameters(**parameters), after_step(steps), journal=journal)
    return first


def assert_whole(sender: TransactionSender, deployment: Deployment, first_nonce: int) -> None:
    assert sender.address is not None
    expected = [contract_address(sender.address, first_nonce + step) for step in range(len(CONTRACTS))]
    assert [contract.address for contract in deployment.contracts.values()] == expected
    assert sender.next_nonce() == first_nonce + len(CONTRACTS)
    inspection = inspect_deployment(sender.connection, deployment)
    assert inspection.ok, inspection.differences


@pytest.mark.parametrize("steps", range(1, len(CONTRACTS) + 1))
def test_a_deployment_killed_after_any_contract_is_finished(
    sender: TransactionSender, journal: Path, steps: int
) -> None:
    first = begin(sender, journal, steps, stake_amount=ether(3))
    left = remaining_creations(sender, Journal.load(journal))
    assert [creation.contract for creation in left] == list(CONTRACTS[steps:])
    resumed: list[DeploymentStep] = []
    deployment = resume_deployment(sender, journal, resumed.append)
    assert [step.contract for step in resumed] == list(CONTRACTS[steps:])
    assert [step.number for step in resumed] == list(range(steps + 1, len(CONTRACTS) + 1))
    assert deployment.parameters.stake_amount == ether(3)
    assert_whole(sender, deployment, first)


def test_resuming_what_is_finished_says_the_same_again(sender: TransactionSender, journal: Path) -> None:
    deployment = deploy_protocol(sender, journal=journal)
    nonce = sender.next_nonce()
    assert resume_deployment(sender, journal) == deployment
    assert resume_deployment(sender, journal) == deployment
    assert sender.next_nonce() == nonce


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("number", range(1, len(CONTRACTS) + 2))
def test_a_deployment_killed_at_any_write_of_its_journal_is_finished(
    sender: TransactionSender, journal: Path, monkeypatch: pytest.MonkeyPatch, number: int, when: str
) -> None:
    """One write for the plan, and one for each transaction, when it has been signed and not yet been sent."""
    really = journals.replace_file
    first, writes = sender.next_nonce(), 0

    def write(path: Path, content: bytes) -> None:
        nonlocal writes
        writes += 1
        if writes < number or when == "after":
            really(path, content)
        if writes == number:
            raise Killed

    monkeypatch.setattr(journals, "replace_file", write)
    with pytest.raises(Killed):
        deploy_protocol(sender, journal=journal)
    monkeypatch.undo()
    assert sender.next_nonce() == first + max(0, number - 2)
    if (number, when) == (1, "before"):
        assert not journal.exists()
        return
    assert_whole(sender, resume_deployment(sender, journal), first)


def test_a_process_that_is_really_killed_leaves_a_deployment_that_can_be_finished(
    node: Anvil, sender: TransactionSender, journal: Path
) -> None:
    program = f"""
        import sys
        from pathlib import Path
        from fedblocks.chain.connection import Connection
        from fedblocks.chain.node import Anvil
        from fedblocks.chain.transactions import TransactionSender
        from fedblocks.contracts.deploy import deploy_protocol

        def wait(step):
            print(step.number, flush=True)
            if step.number == 3:
                sys.stdin.read()  # for ever: nobody closes it

        signer = Anvil(accounts={node.accounts}).signer({USER})
        sender = TransactionSender(Connection.open({node.url!r}), signer)
        deploy_protocol(sender, on_step=wait, journal=Path({str(journal)!r}))
    """
    first = sender.next_nonce()
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        while process.stdout.readline().strip() != "3":
            assert process.poll() is None
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert process.returncode == -signal.SIGKILL
    resumed: list[DeploymentStep] = []
    deployment = resume_deployment(sender, journal, resumed.append)
    assert [step.number for step in resumed] == list(range(4, 11))
    assert_whole(sender, deployment, first)


@pytest.mark.parametrize("steps", range(1, len(CONTRACTS)))
def test_a_deployment_whose_nonce_is_gone_is_dead(
    node: Anvil, sender: TransactionSender, journal: Path, steps: int
) -> None:
    first = begin(sender, journal, steps)
    foreign = sender.transfer(node.signer(STRANGER).address, Wei(1))
    with pytest.raises(DeploymentDead) as caught:
        resume_deployment(sender, journal)
    assert (caught.value.contract, caught.value.nonce) == (CONTRACTS[steps], first + steps)
    message = str(caught.value)
    assert f"was used by transaction 0x{foreign.transaction_hash.hex()}" in message
    assert f"none of the {steps} that exist can be used" in message
    assert "--abandon" in message
    # It stays so, and what follows is a deployment of its own.
    with pytest.raises(DeploymentDead):
        remaining_creations(sender, Journal.load(journal))
    aside = abandon(journal)
    assert aside.exists()
    deployment = deploy_protocol(sender, journal=journal)
    assert_whole(sender, deployment, first + steps + 1)


def test_a_foreign_contract_at_an_address_of_the_deployments_is_no_part_of_it(
    sender: TransactionSender, journal: Path
) -> None:
    first = begin(sender, journal, 2)
    deploy_protocol(sender, ProtocolParameters(base_fee=ether(9)))
    with pytest.raises(DeploymentDead) as caught:
        resume_deployment(sender, journal)
    assert caught.value.nonce == first + 2


def test_the_foreign_transaction_is_not_named_when_the_node_cannot_say(
    node: Anvil, sender: TransactionSender, journal: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin(sender, journal, 2)
    sender.transfer(node.signer(STRANGER).address, Wei(1))
    monkeypatch.setattr("fedblocks.contracts.deploy._transaction_with_nonce", lambda *_: None)
    with pytest.raises(DeploymentDead, match="was used by another transaction"):
        resume_deployment(sender, journal)


def test_a_creation_that_failed_on_the_chain_is_said_to_have_failed(
    node: Anvil, sender: TransactionSender, journal: Path
) -> None:
    begin(sender, journal, 2)
    book = Journal.load(journal)
    third = book.plan.creations[2]
    # Too little gas for the contract's code: mined, failed, and the nonce is gone.
    raw = node.signer(USER).sign_transaction(
        {
            "chainId": node.chain_id,
            "nonce": third.nonce,
            "gas": 300_000,
            "gasPrice": 10**10,
            "value": 0,
            "data": third.call.data,
        }
    )
    digest = node.connection.web3.eth.send_raw_transaction(raw)
    book.signed(third.contract, digest)  # type: ignore[arg-type]
    with pytest.raises(DeploymentDead, match="was used by its own transaction, which failed, 0x"):
        resume_deployment(sender, journal)


def test_a_transaction_that_was_on_its_way_is_waited_for(
    node: Anvil, sender: TransactionSender, journal: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = begin(sender, journal, 2)
    node.connection.rpc("evm_setAutomine", False)
    try:
        hasty = TransactionSender(node.connection, node.signer(USER), timeout=0.05)
        with pytest.raises(TransactionNotMined):
            resume_deployment(hasty, journal)
        # It is found again, and not sent again.
        with pytest.raises(TransactionNotMined):
            resume_deployment(hasty, journal)
        assert len(Journal.load(journal).transactions("StakingRegistry")) == 1
    finally:
        node.connection.rpc("evm_setAutomine", True)
    node.mine()
    assert_whole(sender, resume_deployment(sender, journal), first)


def test_a_transaction_that_the_node_has_dropped_is_sent_again(
    node: Anvil, sender: TransactionSender, journal: Path
) -> None:
    first = begin(sender, journal, 2)
    node.connection.rpc("evm_setAutomine", False)
    try:
        with pytest.raises(TransactionNotMined):
            resume_deployment(TransactionSender(node.connection, node.signer(USER), timeout=0.05), journal)
        (sent,) = Journal.load(journal).transactions("StakingRegistry")
        node.connection.rpc("anvil_dropTransaction", "0x" + sent.hex())
    finally:
        node.connection.rpc("evm_setAutomine", True)
    assert_whole(sender, resume_deployment(sender, journal), first)


def test_another_transaction_that_waits_with_the_nonce_is_named(
    node: Anvil, sender: TransactionSender, journal: Path
) -> None:
    first = begin(sender, journal, 2)
    node.connection.rpc("evm_setAutomine", False)
    try:
        with pytest.raises(TransactionNotMined):
            TransactionSender(node.connection, node.signer(USER), timeout=0.05).transfer(
                node.signer(STRANGER).address, Wei(1)
            )
        with pytest.raises(NoncePending, match=f"nonce {first + 2}, which is to create StakingRegistry"):
            resume_deployment(sender, journal)
    finally:
        node.connection.rpc("anvil_dropAllTransactions")
        node.connection.rpc("evm_setAutomine", True)


def test_a_contract_whose_transaction_was_not_written_down_is_found_by_its_nonce(
    sender: TransactionSender, journal: Path
) -> None:
    first = begin(sender, journal, 4)
    complete = resume_deployment(sender, journal)
    content = json.loads(journal.read_text(encoding="utf-8"))
    for step in content["steps"]:
        step["transactions"] = ["0x" + "ab" * 32]  # signed, but another was mined: a wallet raised its price
    journal.write_text(json.dumps(content), encoding="utf-8")
    assert resume_deployment(sender, journal) == complete
    assert_whole(sender, complete, first)


def test_a_node_without_old_states_is_told_apart(
    sender: TransactionSender, journal: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin(sender, journal, 1)
    content = json.loads(journal.read_text(encoding="utf-8"))
    content["steps"][0]["transactions"] = []
    journal.write_text(json.dumps(content), encoding="utf-8")
    monkeypatch.setattr("fedblocks.contracts.deploy._transaction_with_nonce", lambda *_: None)
    with pytest.raises(CreationUnknown, match="an archive node"):
        resume_deployment(sender, journal)


def test_a_deployment_that_ran_out_of_ether_is_finished_when_there_is_more(
    node: Anvil, sender: TransactionSender, journal: Path
) -> None:
    first = sender.next_nonce()
    assert sender.address is not None

    def impoverish(step: DeploymentStep) -> None:
        if step.number == 3:
            node.connection.rpc("anvil_setBalance", step.receipt and sender.address, hex(10**9))

    with pytest.raises(InsufficientFunds):
        deploy_protocol(sender, on_step=impoverish, journal=journal)
    node.connection.rpc("anvil_setBalance", sender.address, hex(ether(1)))
    assert_whole(sender, resume_deployment(sender, journal), first)


def test_nothing_is_sent_before_the_journal_says_what_will_be(sender: TransactionSender, journal: Path) -> None:
    seen: list[dict[str, Any]] = []

    class Watching:
        address = sender.address

        def sign_transaction(self, transaction: Any) -> bytes:
            seen.append(json.loads(journal.read_text(encoding="utf-8")))
            return sender.signer.sign_transaction(transaction)  # type: ignore[union-attr]

        def sign_typed_data(self, full_message: dict[str, Any]) -> bytes:
            raise NotImplementedError

    deployment = deploy_protocol(TransactionSender(sender.connection, Watching()), journal=journal)  # type: ignore[arg-type]
    assert len(seen) == len(CONTRACTS)
    for content in seen:
        assert [step["contract"] for step in content["steps"]] == list(CONTRACTS)
        assert [step["address"] for step in content["steps"]] == [
            each.address for each in deployment.contracts.values()
        ]
        assert [step["nonce"] for step in content["steps"]] == list(
            range(content["firstNonce"], content["firstNonce"] + len(CONTRACTS))
        )
        assert content["compiler"].startswith("vyper 0.4.3")
    after = Journal.load(journal)
    for name in CONTRACTS:
        assert after.transactions(name) == [deployment.contracts[name].transaction_hash]


def test_a_second_deployment_is_not_begun_over_an_unfinished_one(sender: TransactionSender, journal: Path) -> None:
    begin(sender, journal, 1)
    nonce = sender.next_nonce()
    with pytest.raises(UnfinishedDeployment, match="--resume"):
        deploy_protocol(sender, journal=journal)
    assert sender.next_nonce() == nonce
    assert abandon(journal).name == "journal.json.abandoned-1"
    begin(sender, journal, 1)
    assert abandon(journal).name == "journal.json.abandoned-2"
    with pytest.raises(JournalNotFound):
        abandon(journal)


def test_only_the_account_that_began_can_finish(node: Anvil, sender: TransactionSender, journal: Path) -> None:
    begin(sender, journal, 3)
    with pytest.raises(WrongDeployer, match="only its nonces can finish it"):
        resume_deployment(TransactionSender(node.connection, node.signer(STRANGER)), journal)


def test_a_journal_of_another_chain_is_refused(sender: TransactionSender, journal: Path) -> None:
    begin(sender, journal, 3)
    with Anvil(accounts=2, chain_id=421_614) as other, pytest.raises(WrongChain):
        resume_deployment(TransactionSender(Connection.open(other.url), other.signer(USER)), journal)


def test_a_journal_of_another_build_is_refused(sender: TransactionSender, journal: Path) -> None:
    begin(sender, journal, 3)
    content = json.loads(journal.read_text(encoding="utf-8"))
    content["steps"][4]["bytecodeHash"] = "0x" + "00" * 32
    journal.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(OtherBuild, match="another build of ModelParameterChain"):
        resume_deployment(sender, journal)


@pytest.mark.parametrize(
    "change",
    [
        {"format": "another"},
        {"firstNonce": 10**6},
        {"firstNonce": -1},
        {"deployer": "nobody"},
        {"deployer": None},
        {"parameters": {"stake_amount": 0}},
        {"parameters": {"stake_amount": 5}},
        {"parameters": {"unknown": 1}},
        {"steps": []},
        {"steps": [{}]},
        {"steps": 7},
        {"chainId": "many"},
    ],
)
def test_a_damaged_journal_is_refused(sender: TransactionSender, journal: Path, change: dict[str, Any]) -> None:
    begin(sender, journal, 1)
    content = json.loads(journal.read_text(encoding="utf-8")) | change
    journal.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(MalformedJournal):
        Journal.load(journal)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '"text"', "\x00"])
def test_a_file_that_is_no_journal_is_refused(journal: Path, text: str) -> None:
    journal.parent.mkdir()
    journal.write_text(text, encoding="utf-8")
    with pytest.raises(MalformedJournal):
        Journal.load(journal)


def test_a_missing_journal_is_named(sender: TransactionSender, journal: Path) -> None:
    with pytest.raises(JournalNotFound, match="no journal at"):
        resume_deployment(sender, journal)


def test_a_deployment_begun_behind_transactions_that_were_dropped_is_told(
    node: Anvil, sender: TransactionSender, journal: Path
) -> None:
    node.connection.rpc("evm_setAutomine", False)
    try:
        hasty = TransactionSender(node.connection, node.signer(USER), timeout=0.05)
        with pytest.raises(TransactionNotMined):
            hasty.transfer(node.signer(DEPLOYER).address, Wei(1))
        with pytest.raises(TransactionNotMined):
            deploy_protocol(hasty, journal=journal)
        node.connection.rpc("anvil_dropAllTransactions")
    finally:
        node.connection.rpc("evm_setAutomine", True)
    with pytest.raises(NonceNotReached, match="were dropped"):
        resume_deployment(sender, journal)


def test_a_deployer_that_does_something_else_meanwhile_is_stopped_and_then_dead(
    node: Anvil, sender: TransactionSender, journal: Path
) -> None:
    def interfere(step: DeploymentStep) -> None:
        if step.number == 2:
            sender.transfer(node.signer(DEPLOYER).address, Wei(1))

    with pytest.raises(NonceTaken):
        deploy_protocol(sender, on_step=interfere, journal=journal)
    with pytest.raises(DeploymentDead):
        resume_deployment(sender, journal)
