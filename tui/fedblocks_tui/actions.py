"""What an account may do about the row that is selected.

An action is one call of one contract. Whether it can work is first judged by what is shown, so that only what makes
sense is offered; then the contract itself judges it in a simulation, whose costs are shown; and only then somebody
confirms.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from fedblocks.monitor.views import ClientState, EpochState, EpochView, InstanceState, InstanceView
from fedblocks.types import Address, Hash32, InstanceId
from fedblocks_tui.picture import Picture
from fedblocks_tui.text import amount

if TYPE_CHECKING:
    from fedblocks.chain.transactions import Receipt, TransactionPlan


@dataclass(frozen=True, kw_only=True)
class Action:
    """One call.

    Attributes:
        title: what it does, for a menu.
        contract: the contract's name.
        function: by its ABI name.
        arguments: for the ABI encoder. Where the registry's own address is one, the operator puts it in for
            :data:`REGISTRY`.
    """

    title: str
    contract: str
    function: str
    arguments: tuple[Any, ...] = ()


REGISTRY = "the registry"


class Operator(Protocol):
    """The account that acts, if there is one."""

    @property
    def address(self) -> Address:
        """Whose transactions they are."""
        ...

    def plan(self, action: Action) -> TransactionPlan:
        """Simulate and price an action; raises what the contract would refuse it with."""
        ...

    def send(self, action: Action, plan: TransactionPlan, on_signed: Callable[[Hash32], None]) -> Receipt:
        """Carry an action out, for no more than the plan that was confirmed."""
        ...


def for_account(picture: Picture, own: Address, now: float) -> list[Action]:
    """What an account may do with its own stake."""
    client = picture.clients_by_address.get(own)
    actions = []
    if client is None or client.state in (ClientState.UNBONDING, ClientState.WITHDRAWN):
        actions.append(Action(title="Stake as a client", contract="StakingRegistry", function="stake"))
    if client is not None and client.active > 0:
        title = f"Unregister: start unbonding {amount(client.active)} ETH"
        actions.append(Action(title=title, contract="StakingRegistry", function="unRegister"))
    if client is not None and client.withdrawable_at is not None and client.unbonding > 0:
        ready = now >= client.withdrawable_at
        title = f"Withdraw {amount(client.unbonding)} ETH" + ("" if ready else " (not due yet)")
        actions.append(Action(title=title, contract="StakingRegistry", function="withdrawStake"))
    for reward in picture.own_rewards:
        owed = reward.credited - reward.claimed - reward.forfeited
        if owed > 0:
            title = f"Claim the reward of instance {reward.instance_id}: {amount(owed)} ETH"
            arguments = (int(reward.instance_id),)
            actions.append(Action(title=title, contract="RewardManager", function="claimReward", arguments=arguments))
    return actions


def for_instance(picture: Picture, instance: InstanceView, own: Address) -> list[Action]:
    """What an account may do about an instance; some of it anybody may."""
    number = int(instance.instance_id)
    actions = [action for epoch in picture.epochs_of(instance.instance_id) for action in for_epoch(picture, epoch)][:1]
    if condemned := picture.condemned(instance.instance_id):
        actions.append(slash_all(instance.instance_id, condemned))
    if instance.state in (InstanceState.COMPLETE, InstanceState.STOPPED):
        actions.append(
            Action(
                title=f"Settle instance {number}: share out the fees",
                contract="RewardManager",
                function="collectTrainingFees",
                arguments=(number,),
            )
        )
    if instance.user == own and instance.refund is not None and instance.refund > instance.refunded:
        title = f"Take back {amount(instance.refund - instance.refunded)} ETH of instance {number}"
        actions.append(Action(title=title, contract="RewardManager", function="withdrawRefund", arguments=(number,)))
    if instance.user == own and instance.state in (InstanceState.FUNDED, InstanceState.TRAINING):
        actions.append(
            Action(
                title=f"Stop instance {number}",
                contract="ModelParameterChain",
                function="stopInstance",
                arguments=(number,),
            )
        )
    return actions


def for_epoch(picture: Picture, epoch: EpochView) -> list[Action]:
    """What anybody may do about an epoch: make it final, if it is its turn."""
    if epoch.state is not EpochState.FINALIZABLE:
        return []
    instance = picture.instances_by_id.get(epoch.instance_id)
    if instance is not None and epoch.epoch != instance.finalized_epochs + 1:
        return []
    return [
        Action(
            title=f"Make epoch {epoch.epoch} of instance {epoch.instance_id} final",
            contract="ModelParameterChain",
            function="finalizeEpoch",
            arguments=(int(epoch.instance_id), int(epoch.epoch)),
        )
    ]


def slash_all(instance_id: InstanceId, condemned: tuple[Address, ...]) -> Action:
    """Carry out the final verdicts of an instance."""
    return Action(
        title=f"Execute the slash of {len(condemned)} client{'s' * (len(condemned) > 1)} of instance {instance_id}",
        contract="SlashingManager",
        function="slash",
        arguments=(list(condemned), int(instance_id), REGISTRY),
    )
