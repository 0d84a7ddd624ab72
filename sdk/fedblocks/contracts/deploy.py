"""Deploying the protocol: ten contracts that name each other and can never be changed.

StakingRegistry, RewardManager and ModelParameterChain must know contracts that come after them. The addresses are
therefore computed first (:mod:`fedblocks.contracts.creation`) and the contracts then deployed with exactly those
nonces. Each contract's code is compared as soon as it exists, the last constructor checks the whole, and at the end
every immutable is read back. The demo and ``ape run deploy`` both come here.

With a journal (:mod:`fedblocks.contracts.journal`) a deployment that ended half-way can be resumed, as long as the
deployer's remaining nonces are free: they alone give the addresses that the contracts so far have been told.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from web3.exceptions import TransactionNotFound

from fedblocks.chain.connection import Connection, NodeRefused, WrongChain
from fedblocks.chain.reverts import ContractReverted
from fedblocks.chain.transactions import Call, Receipt, TransactionSender
from fedblocks.contracts.artifacts import load_artifact
from fedblocks.contracts.creation import Creation, DeploymentPlan, plan_deployment
from fedblocks.contracts.inspection import Status, immutables
from fedblocks.contracts.journal import Journal
from fedblocks.contracts.treasury import RewardTreasury, SlashTreasury
from fedblocks.deployments import CONTRACTS, DeployedContract, Deployment, ProtocolParameters
from fedblocks.exceptions import FedBlocksError
from fedblocks.types import Address, BlockNumber, Hash32


class DeploymentFailed(FedBlocksError, RuntimeError):
    """A deployed contract is not what was meant; what was deployed so far must not be used."""

    def __init__(self, contract: str, what: str, expected: object, actual: object) -> None:
        super().__init__(f"{contract}: {what} should be {expected}, but is {actual}; deploy anew and use none of this")


class DeploymentDead(FedBlocksError, RuntimeError):
    """A half-finished deployment can never be finished: a nonce that it needs has been used for something else."""

    def __init__(self, path: Path, creation: Creation, done: int, used_by: str) -> None:
        self.contract, self.nonce = creation.contract, creation.nonce
        super().__init__(
            f"the half deployment in {path} is dead: nonce {creation.nonce}, which was to create {creation.contract} "
            f"at {creation.address}, was used by {used_by}. The contracts name each other by address, so none of the "
            f"{done} that exist can be used; they hold nothing, leave them where they are. Put the journal aside "
            "(--abandon) and deploy anew, from an account that does nothing else"
        )


class NoncePending(FedBlocksError, RuntimeError):
    """Another transaction of the deployer is waiting to be mined with a nonce that the deployment needs."""

    def __init__(self, creation: Creation) -> None:
        super().__init__(
            f"another transaction of the deployer waits to be mined with nonce {creation.nonce}, which is to create "
            f"{creation.contract}: if the node drops it, resume; once it is mined, this deployment is dead"
        )


class NonceNotReached(FedBlocksError, RuntimeError):
    """Transactions of the deployer that were on their way when the deployment was begun have not been mined."""

    def __init__(self, creation: Creation, mined: int) -> None:
        super().__init__(
            f"{creation.contract} needs nonce {creation.nonce}, but the deployer's next one is {mined}: "
            "its earlier transactions are not mined yet, were dropped, or this node lags behind. Wait; or, when no "
            "contract has been created yet, give the deployment up (--abandon) and begin another"
        )


class WrongDeployer(FedBlocksError, PermissionError):
    """A deployment is resumed by another account than the one that began it."""

    def __init__(self, began: Address, resumes: Address | None) -> None:
        super().__init__(f"{began} began this deployment, and only its nonces can finish it; {resumes} cannot")


class CreationUnknown(FedBlocksError, LookupError):
    """A contract is there, but the node cannot say which transaction created it."""

    def __init__(self, creation: Creation) -> None:
        super().__init__(
            f"{creation.contract} is at {creation.address}, as it should be, but this node cannot say which "
            "transaction created it; resume with a node that keeps old states (an archive node)"
        )


@dataclass(frozen=True)
class DeploymentStep:
    """One contract has been deployed."""

    number: int
    total: int
    contract: str
    address: Address
    receipt: Receipt


OnStep = Callable[[DeploymentStep], None]


def plan_for(sender: TransactionSender, parameters: ProtocolParameters | None = None) -> DeploymentPlan:
    """What the sender's next ten transactions would deploy; nothing is sent.

    Raises:
        NoSigner: if the sender has not even an address.
    """
    if sender.address is None:
        # Nothing can be predicted without a deployer; sending says so.
        sender.send(Call(CONTRACTS[0], "constructor", None, load_artifact(CONTRACTS[0]).bytecode))
        raise AssertionError("unreachable")
    return plan_deployment(sender.connection.chain_id, sender.address, sender.next_nonce(), parameters)


def deploy_protocol(
    sender: TransactionSender,
    parameters: ProtocolParameters | None = None,
    on_step: OnStep | None = None,
    *,
    journal: Path | None = None,
) -> Deployment:
    """Deploy the ten contracts and check them.

    Args:
        sender: The deployer. It must send nothing else meanwhile; if it does, NonceTaken ends the deployment.
        parameters: What to fix for good; the defaults when left out.
        on_step: Told after each contract.
        journal: Where to keep the journal that :func:`resume_deployment` needs; none is kept when left out. The
            caller removes it when it has written the deployments file.

    Returns:
        The deployment, with the treasuries' admins filled in.

    Raises:
        NoSigner: if the sender has none.
        UnfinishedDeployment: if the journal's file is there already.
        DeploymentFailed: if a contract is not what was meant.
    """
    plan = plan_for(sender, parameters)
    book = Journal.begin(journal, plan, sender.connection.block_number()) if journal is not None else None
    return _carry_out(sender, plan, {}, on_step, book)


def resume_deployment(sender: TransactionSender, journal: Path, on_step: OnStep | None = None) -> Deployment:
    """Finish a deployment that ended half-way, from its journal and from what the chain says.

    It is safe to call this any number of times, also when nothing is left to do.

    Args:
        sender: The account that began the deployment.
        journal: The journal's file.
        on_step: Told after each contract that is deployed now.

    Raises:
        JournalNotFound, MalformedJournal, OtherBuild: if the journal cannot be used.
        WrongChain, WrongDeployer: if it is another chain's or another account's.
        DeploymentDead: if a nonce that is needed has been used for something else.
        NoncePending: if another transaction is about to use it.
        DeploymentFailed: if a contract is not what was meant.
    """
    book = Journal.load(journal)
    _check_belongs(sender, book)
    _await_own(sender, book)
    remaining_creations(sender, book)
    done = {
        creation.contract: _deployed(creation, *_origin(sender.connection, book, creation))
        for creation in book.plan.creations
        if sender.connection.code(creation.address)
    }
    return _carry_out(sender, book.plan, done, on_step, book)


def remaining_creations(sender: TransactionSender, journal: Journal) -> tuple[Creation, ...]:
    """What is left to deploy, after making sure that it can be.

    Raises:
        WrongChain, WrongDeployer, DeploymentDead, NoncePending: as :func:`resume_deployment` says.
        DeploymentFailed: if something else lies at an address.
    """
    _check_belongs(sender, journal)
    connection, plan = sender.connection, journal.plan
    left = []
    for creation in plan.creations:
        code = connection.code(creation.address)
        if not code:
            left.append(creation)
        elif code != creation.runtime or left:
            # A creation of the deployer's own, with this nonce, but of something else.
            raise _dead(connection, journal, creation)
    if left:
        with connection.asking():
            mined = int(connection.web3.eth.get_transaction_count(plan.deployer, "latest"))
            waiting = int(connection.web3.eth.get_transaction_count(plan.deployer, "pending"))
        if mined > left[0].nonce:
            raise _dead(connection, journal, left[0])
        if waiting > left[0].nonce and not _known(connection, journal.transactions(left[0].contract)):
            raise NoncePending(left[0])
        if mined < left[0].nonce:
            raise NonceNotReached(left[0], mined)
    return tuple(left)


def check_immutables(sender: TransactionSender, deployment: Deployment) -> None:
    """Read every immutable back, and the admins, and compare them with what the deployment says.

    Raises:
        DeploymentFailed: at the first difference.
    """
    connection = sender.connection
    for finding in immutables(connection, deployment, connection.block_number()):
        if finding.status is not Status.SAME:
            raise DeploymentFailed(finding.contract, finding.field, finding.expected, finding.actual)
    fixed = deployment.parameters
    for treasury, admin in (
        (SlashTreasury(connection, deployment.address("SlashTreasury")), fixed.slash_treasury_admin),
        (RewardTreasury(connection, deployment.address("RewardTreasury")), fixed.reward_treasury_admin),
    ):
        if treasury.admin() != admin:
            raise DeploymentFailed(treasury.NAME, "admin", admin, treasury.admin())


def _carry_out(
    sender: TransactionSender,
    plan: DeploymentPlan,
    done: dict[str, DeployedContract],
    on_step: OnStep | None,
    book: Journal | None,
) -> Deployment:
    deployed = dict(done)
    for number, creation in enumerate(plan.creations, 1):
        name = creation.contract
        if name in deployed:
            continue
        note = None if book is None else lambda digest, name=name: book.signed(name, digest)
        receipt = sender.send(creation.call, nonce=creation.nonce, on_signed=note)
        if receipt.contract_address != creation.address:
            raise DeploymentFailed(name, "its address", creation.address, receipt.contract_address)
        code = sender.connection.code(creation.address)
        if code != creation.runtime:
            raise DeploymentFailed(name, "its code", f"{len(creation.runtime)} bytes as built", f"{len(code)} others")
        deployed[name] = _deployed(creation, receipt.transaction_hash, receipt.block)
        if on_step is not None:
            on_step(DeploymentStep(number, len(plan.creations), name, creation.address, receipt))
    deployment = Deployment(
        chain_id=plan.chain_id,
        deployer=plan.deployer,
        parameters=plan.parameters,
        contracts=deployed,
        compiler=plan.creations[0].artifact.compiler,
    )
    check_immutables(sender, deployment)
    return deployment


def _deployed(creation: Creation, transaction_hash: Hash32, block: BlockNumber) -> DeployedContract:
    return DeployedContract(
        address=creation.address,
        block=block,
        transaction_hash=transaction_hash,
        bytecode_hash=creation.artifact.bytecode_hash,
        code_hash=creation.code_hash,
    )


def _check_belongs(sender: TransactionSender, journal: Journal) -> None:
    if sender.connection.chain_id != journal.plan.chain_id:
        raise WrongChain(journal.plan.chain_id, sender.connection.chain_id)
    if sender.address != journal.plan.deployer:
        raise WrongDeployer(journal.plan.deployer, sender.address)


def _await_own(sender: TransactionSender, journal: Journal) -> None:
    """Wait for a transaction that was sent before the interruption and is not mined yet."""
    for creation in journal.plan.creations:
        if sender.connection.code(creation.address):
            continue
        for transaction_hash in journal.transactions(creation.contract):
            if _known(sender.connection, [transaction_hash]):
                # One that failed has used its nonce up; what that means is found out from the chain.
                with contextlib.suppress(ContractReverted):
                    sender.wait_for(creation.call, transaction_hash, journal.plan.deployer)
                break
        else:
            return  # and the later ones were not sent before this one


def _known(connection: Connection, hashes: list[Hash32]) -> bool:
    for transaction_hash in hashes:
        try:
            with connection.asking():
                connection.web3.eth.get_transaction(transaction_hash)  # type: ignore[arg-type]
        except TransactionNotFound:
            continue
        return True
    return False


def _origin(connection: Connection, journal: Journal, creation: Creation) -> tuple[Hash32, BlockNumber]:
    """The transaction that created a contract, and its block."""
    for transaction_hash in journal.transactions(creation.contract):
        try:
            with connection.asking():
                receipt = connection.web3.eth.get_transaction_receipt(transaction_hash)  # type: ignore[arg-type]
        except TransactionNotFound:
            continue
        return transaction_hash, BlockNumber(int(receipt["blockNumber"]))
    # Killed before the hash was written down, or replaced by a wallet with another price.
    found = _transaction_with_nonce(connection, journal, creation.nonce)
    if found is None:
        raise CreationUnknown(creation)
    return found


def _dead(connection: Connection, journal: Journal, creation: Creation) -> DeploymentDead:
    done = sum(1 for each in journal.plan.creations if connection.code(each.address) == each.runtime)
    found = _transaction_with_nonce(connection, journal, creation.nonce)
    if found is None:
        used_by = "another transaction"
    else:
        own = found[0] in journal.transactions(creation.contract)
        used_by = f"{'its own transaction, which failed,' if own else 'transaction'} 0x{found[0].hex()}"
    return DeploymentDead(journal.path, creation, done, used_by)


def _transaction_with_nonce(connection: Connection, journal: Journal, nonce: int) -> tuple[Hash32, BlockNumber] | None:
    """The deployer's mined transaction with a nonce; None when the node cannot say (it has dropped those states)."""
    deployer, web3 = journal.plan.deployer, connection.web3
    low, high = int(journal.begun_at), int(connection.block_number())
    try:
        with connection.asking():
            while low < high:
                middle = (low + high) // 2
                if int(web3.eth.get_transaction_count(deployer, middle)) > nonce:
                    high = middle
                else:
                    low = middle + 1
            block = web3.eth.get_block(low, full_transactions=True)
    except NodeRefused:
        return None
    for transaction in block["transactions"]:
        if not isinstance(transaction, bytes) and transaction["from"] == deployer and transaction["nonce"] == nonce:
            return Hash32(bytes(transaction["hash"])), BlockNumber(low)
    return None
