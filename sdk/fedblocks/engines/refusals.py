"""Why an account cannot run an instance as it stands on chain: whatever engine trains it, these are asked first."""

from __future__ import annotations

from fedblocks.contracts.model_parameter_chain import Instance, ModelParameterChain
from fedblocks.exceptions import FedBlocksError
from fedblocks.rollup.duties import NotOpenYet
from fedblocks.types import ZERO_ADDRESS, Address, BlockNumber, InstanceId


class NotTheAggregator(FedBlocksError, PermissionError):
    """The account is not the one that the instance's user has named."""

    def __init__(self, account: str, named: str, instance_id: int) -> None:
        super().__init__(f"instance {instance_id} is aggregated by {named}, not by {account}")


class NoBond(FedBlocksError, PermissionError):
    """The aggregator has not accepted the instance with its bond."""

    def __init__(self, account: str, instance_id: int) -> None:
        super().__init__(
            f"{account} has no bond in instance {instance_id}; deposit it first, with which you answer for every epoch"
        )


class OtherRules(FedBlocksError, ValueError):
    """The instance's updates are judged by other rules than those at hand."""

    def __init__(self, instance_id: int) -> None:
        super().__init__(
            f"instance {instance_id} is judged by other rules than those at hand; give those whose hash is on chain"
        )


def instance_for(chain: ModelParameterChain, number: InstanceId, account: Address, block: BlockNumber) -> Instance:
    """An instance that an account is to run, as it is in one block.

    Raises:
        NotOpenYet: if nobody is named for it: it is not configured, or the node is behind.
        NotTheAggregator: if somebody else is.
    """
    instance = chain.instance(number, block)
    if instance.aggregator == ZERO_ADDRESS:
        raise NotOpenYet(number, block)
    if instance.aggregator != account:
        raise NotTheAggregator(account, instance.aggregator, number)
    return instance
