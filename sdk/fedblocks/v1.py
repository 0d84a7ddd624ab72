"""FedBlocksV1: version 1's contracts on one chain, seen through one node.

>>> v1 = FedBlocksV1.connect("https://arb1.arbitrum.io/rpc")  # doctest: +SKIP
>>> v1.staking.client_status("0x...")  # doctest: +SKIP
"""

from __future__ import annotations

from fedblocks.chain.connection import Connection
from fedblocks.chain.events import ChainEvent
from fedblocks.chain.signers import Signer
from fedblocks.chain.transactions import Confirm, TransactionSender
from fedblocks.contracts.base import Contract
from fedblocks.contracts.v1 import (
    V1_ARBITRUM,
    RewardManagerV1,
    RewardTreasuryV1,
    SlashingManagerV1,
    SlashTreasuryV1,
    StakingRegistryV1,
    V1Deployment,
)
from fedblocks.doctor.guard import refuse_unsafe
from fedblocks.types import Address


class FedBlocksV1:
    """The five contracts of version 1, with one account that signs for all of them, or with none."""

    def __init__(
        self, connection: Connection, deployment: V1Deployment = V1_ARBITRUM, sender: TransactionSender | None = None
    ) -> None:
        """Bind the contracts; :meth:`connect` also checks that they are there."""
        self.connection = connection
        self.deployment = deployment
        self.sender = sender if sender is not None else TransactionSender(connection)
        at = deployment.address
        self.slash_treasury = SlashTreasuryV1(connection, at("SlashTreasury"), self.sender)
        self.reward_treasury = RewardTreasuryV1(connection, at("RewardTreasury"), self.sender)
        self.staking = StakingRegistryV1(connection, at("StakingRegistry"), self.sender, guard=refuse_unsafe)
        self.rewards = RewardManagerV1(connection, at("RewardManager"), self.sender)
        self.slashing = SlashingManagerV1(connection, at("SlashingManager"), self.sender)

    @classmethod
    def connect(
        cls,
        url: str,
        deployment: V1Deployment = V1_ARBITRUM,
        *,
        signer: Signer | None = None,
        address: Address | None = None,
        confirm: Confirm | None = None,
        dry_run: bool = False,
        timeout: float = 10.0,
    ) -> FedBlocksV1:
        """Connect to version 1; the arguments are those of :meth:`fedblocks.FedBlocks.connect`.

        Raises:
            NodeUnreachable: if the node does not answer.
            WrongChain: if the node serves another chain than the deployment is on.
            NoCodeAtAddress: if one of the contracts is not there.
        """
        connection = Connection.open(url, chain_id=deployment.chain_id, timeout=timeout)
        sender = TransactionSender(connection, signer, address=address, confirm=confirm, dry_run=dry_run)
        v1 = cls(connection, deployment, sender)
        for contract in v1.contracts:
            contract.check_code()
        return v1

    @property
    def contracts(self) -> tuple[Contract, ...]:
        """All five contracts."""
        return (self.slash_treasury, self.reward_treasury, self.staking, self.rewards, self.slashing)

    def acting_as(self, signer: Signer) -> FedBlocksV1:
        """The same contracts over the same connection, with another account signing."""
        return FedBlocksV1(self.connection, self.deployment, TransactionSender(self.connection, signer))

    def events(self, from_block: int, to_block: int | str = "latest") -> tuple[ChainEvent, ...]:
        """What all five contracts have said in a range of blocks; nodes limit how wide it may be."""
        return self.connection.fetch_events(from_block, to_block, [contract.address for contract in self.contracts])

    def __repr__(self) -> str:
        return f"<FedBlocksV1 chain={self.connection.chain_id} signer={self.sender.address}>"
