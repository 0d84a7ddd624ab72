"""Version 1's RewardManager: instances that cost nothing, and fees that are pushed to every client (V1-6, V1-7)."""

from __future__ import annotations

from collections.abc import Sequence

from eth_abi.abi import encode
from eth_utils.abi import function_signature_to_4byte_selector

from fedblocks.chain import web3_errors
from fedblocks.chain.connection import Block
from fedblocks.chain.reverts import revert_of_error
from fedblocks.chain.transactions import Receipt
from fedblocks.contracts.reward_manager import CollectTrainingFees, NewUserInstance
from fedblocks.contracts.v1.base import V1Contract
from fedblocks.types import Address, InstanceId, Wei


class RewardManagerV1(V1Contract):
    """Version 1's instances and their fees."""

    NAME = "RewardManager"
    EVENTS = (NewUserInstance, CollectTrainingFees)

    def reward_treasury(self, block: Block = "latest") -> Address:
        """Where the protocol's part goes."""
        return Address(self._read("REWARD_TREASURY_ADDRESS", block=block))

    def fee_per_epoch(self, block: Block = "latest") -> Wei:
        """What an epoch costs."""
        return Wei(self._read("FEE_PER_EPOCH", block=block))

    def protocol_fee_percentage(self, block: Block = "latest") -> int:
        """The protocol's part of an epoch's fee, scaled by 1e8."""
        return int(self._read("PROTOCOL_FEE_PERCENTAGE", block=block))

    def nonce(self, block: Block = "latest") -> int:
        """The counter that instances are numbered by."""
        return int(self._read("nonce", block=block))

    def user_instance_words(self, instance_id: InstanceId, block: Block = "latest") -> bytes:
        """What `getUserInstance` returns, undecoded: the fields of version 1's struct are not known here."""
        data = function_signature_to_4byte_selector("getUserInstance(uint256)") + encode(["uint256"], [instance_id])
        try:
            with self.connection.asking():
                return bytes(self.connection.web3.eth.call({"to": self.address, "data": data}, block))  # type: ignore[arg-type]
        except web3_errors.ContractLogicError as error:
            raise revert_of_error(error) from None

    def new_user_instance(self, clients: Sequence[Address], number_of_epochs: int) -> Receipt:
        """Order a training; nothing is checked and nothing paid (V1-6)."""
        return self._send("newUserInstance", list(clients), number_of_epochs)

    def collect_training_fees(self, instance_id: InstanceId, value: Wei) -> Receipt:
        """Pay an instance's fees, which are pushed to its clients at once; what is paid too much is lost (V1-7)."""
        return self._send("collectTrainingFees", instance_id, value=value)
