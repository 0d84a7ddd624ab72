"""FedBlocks: one object for one deployment of the protocol, seen through one node.

>>> fedblocks = FedBlocks.connect("http://127.0.0.1:8545", deployment="deployment.json")  # doctest: +SKIP
>>> fedblocks.staking.client_status("0x...")  # doctest: +SKIP
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from fedblocks.chain.connection import Connection, WrongChain
from fedblocks.chain.events import ChainEvent
from fedblocks.chain.signers import Signer
from fedblocks.chain.transactions import Confirm, TransactionSender
from fedblocks.config import NetworkConfig
from fedblocks.contracts.base import Contract
from fedblocks.contracts.data_demands import DataDemands
from fedblocks.contracts.model_parameter_chain import ModelParameterChain
from fedblocks.contracts.reward_manager import RewardManager
from fedblocks.contracts.slashing_manager import SlashingManager
from fedblocks.contracts.staking_registry import StakingRegistry
from fedblocks.contracts.treasury import RewardTreasury, SlashTreasury
from fedblocks.contracts.verifiers import SubmissionVerifier, VectorVerifier, VerdictVerifier, Verifier
from fedblocks.deployments import Deployment
from fedblocks.doctor.guard import refuse_unsafe
from fedblocks.types import Address

if TYPE_CHECKING:
    from fedblocks.rollup.watcher import WatchedContracts
    from fedblocks.training.jobs import Jobs


class FedBlocks:
    """The ten contracts of a deployment, with one account that signs for all of them, or with none."""

    def __init__(self, connection: Connection, deployment: Deployment, sender: TransactionSender | None = None) -> None:
        """Bind the contracts; :meth:`connect` also checks that they are there."""
        self.connection = connection
        self.deployment = deployment
        self.sender = sender if sender is not None else TransactionSender(connection)
        at = deployment.address
        self.slash_treasury = SlashTreasury(connection, at("SlashTreasury"), self.sender)
        self.reward_treasury = RewardTreasury(connection, at("RewardTreasury"), self.sender)
        self.staking = StakingRegistry(connection, at("StakingRegistry"), self.sender, guard=refuse_unsafe)
        self.rewards = RewardManager(connection, at("RewardManager"), self.sender)
        self.chain = ModelParameterChain(connection, at("ModelParameterChain"), self.sender)
        self.submission_verifier = SubmissionVerifier(connection, at("SubmissionVerifier"), self.sender)
        self.vector_verifier = VectorVerifier(connection, at("VectorVerifier"), self.sender)
        self.verdict_verifier = VerdictVerifier(connection, at("VerdictVerifier"), self.sender)
        self.demands = DataDemands(connection, at("DataDemands"), self.sender)
        self.slashing = SlashingManager(connection, at("SlashingManager"), self.sender)

    @classmethod
    def connect(
        cls,
        url: str,
        deployment: Deployment | Path | str,
        *,
        signer: Signer | None = None,
        address: Address | None = None,
        confirm: Confirm | None = None,
        dry_run: bool = False,
        timeout: float = 10.0,
    ) -> FedBlocks:
        """Connect to a deployment.

        Args:
            url: The node's HTTP endpoint.
            deployment: The deployment, or the path of its deployments file.
            signer: Who signs transactions; without one everything can be read and planned, and nothing is sent.
            address: Whose transactions to plan when there is no signer.
            confirm: Asked before each transaction is signed; False declines it.
            dry_run: Plan transactions only, although there is a signer.
            timeout: Seconds to wait for each answer of the node.

        Raises:
            NodeUnreachable: if the node does not answer.
            WrongChain: if the node serves another chain than the deployment is on.
            NoCodeAtAddress: if a contract of the deployment is not there.
            DeploymentNotFound, MalformedDeployment: if the file is missing or damaged.
        """
        known = deployment if isinstance(deployment, Deployment) else Deployment.load(Path(deployment))
        connection = Connection.open(url, chain_id=known.chain_id, timeout=timeout)
        sender = TransactionSender(connection, signer, address=address, confirm=confirm, dry_run=dry_run)
        fedblocks = cls(connection, known, sender)
        fedblocks.check()
        return fedblocks

    @classmethod
    def from_config(cls, config: NetworkConfig, *, signer: Signer | None = None) -> FedBlocks:
        """Connect as a configuration says."""
        return cls.connect(config.url, config.deployment, signer=signer, timeout=config.timeout)

    @cached_property
    def jobs(self) -> Jobs:
        """Jobs from request to refund; needs the extra ``fedblocks[training]``."""
        from fedblocks.training.jobs import Jobs  # PyTorch takes seconds and is an extra

        return Jobs(self.connection, self.staking, self.rewards, self.chain)

    @cached_property
    def watched(self) -> WatchedContracts:
        """What a :class:`~fedblocks.rollup.watcher.Watcher` reads and writes."""
        from fedblocks.rollup.watcher import WatchedContracts  # Numba takes a second

        verifiers: tuple[Verifier, ...] = (self.submission_verifier, self.vector_verifier, self.verdict_verifier)
        return WatchedContracts(self.chain, self.rewards, self.demands, {each.NAME: each for each in verifiers})

    @property
    def contracts(self) -> tuple[Contract, ...]:
        """All ten contracts, in the order in which they were deployed."""
        return (
            self.slash_treasury,
            self.reward_treasury,
            self.staking,
            self.rewards,
            self.chain,
            self.submission_verifier,
            self.vector_verifier,
            self.verdict_verifier,
            self.demands,
            self.slashing,
        )

    def check(self) -> None:
        """Raise WrongChain or NoCodeAtAddress unless every contract of the deployment is there."""
        if self.connection.chain_id != self.deployment.chain_id:
            raise WrongChain(self.deployment.chain_id, self.connection.chain_id)
        for contract in self.contracts:
            contract.check_code()

    def acting_as(self, signer: Signer) -> FedBlocks:
        """The same deployment over the same connection, with another account signing."""
        return FedBlocks(self.connection, self.deployment, TransactionSender(self.connection, signer))

    def events(self, from_block: int | None = None, to_block: int | str = "latest") -> tuple[ChainEvent, ...]:
        """What all ten contracts have said in a range of blocks, in the chain's order.

        Args:
            from_block: The first block; the deployment's first when left out.
            to_block: The last block.
        """
        first = self.deployment.first_block if from_block is None else from_block
        return self.connection.fetch_events(first, to_block, [contract.address for contract in self.contracts])

    def __repr__(self) -> str:
        return f"<FedBlocks chain={self.connection.chain_id} signer={self.sender.address}>"
