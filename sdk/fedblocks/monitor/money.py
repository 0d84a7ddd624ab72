"""Whether a slash took what it says it took.

Three numbers must be one: what the registry says it took, what the client's stake fell by, and what arrived in the
treasury. The first is in the event; the other two are read from the chain's state, at the block of the slash and at the
one before. Other things may happen in the same block, so that a treasury's change is held against everything that the
contracts say of that block.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fedblocks.chain.events import ChainEvent
from fedblocks.client import FedBlocks
from fedblocks.contracts.staking_registry import StakeLocked, StakeReturned, StakeSlashed
from fedblocks.contracts.treasury import Recieved, Withdraw
from fedblocks.monitor.views import SlashView
from fedblocks.types import Address, BlockNumber, Wei
from fedblocks.units import format_ether


@dataclass(frozen=True, kw_only=True)
class Change:
    """A balance before and after a block, and the change that the contracts' events give it.

    Attributes:
        what: whose.
        before, after: as the chain's state has it.
        expected: after minus before, by the events.
    """

    what: str
    before: Wei
    after: Wei
    expected: int

    @property
    def agrees(self) -> bool:
        """Whether the state changed as the events say."""
        return self.after - self.before == self.expected

    @property
    def sentence(self) -> str:
        """The same for people."""
        said = f"{self.what}: {format_ether(self.before)} ETH before the block, {format_ether(self.after)} after it"
        if self.agrees:
            return f"{said}; this is the change that the events say ({format_ether(self.expected)} ETH)."
        return (
            f"{said}; the events say a change of {format_ether(self.expected)} ETH, but it is "
            f"{format_ether(self.after - self.before)} ETH."
        )


@dataclass(frozen=True, kw_only=True)
class MoneyCheck:
    """A slash held against the chain's state.

    Attributes:
        block: where it happened.
        taken: what the slash is said to have taken, and
        received: the treasury to have received with it.
        said: what the registry says that it took, in the transaction as the node has it.
        changes: of the client's stake, of the registry and of the treasury.
    """

    block: BlockNumber
    taken: Wei
    received: Wei | None
    said: Wei
    changes: tuple[Change, ...]

    @property
    def agrees(self) -> bool:
        """Whether all numbers are one."""
        return self.taken == self.received == self.said and all(each.agrees for each in self.changes)


def check_slash_money(fedblocks: FedBlocks, slash: SlashView) -> MoneyCheck:
    """Hold a slash against the balances around it.

    Args:
        fedblocks: the deployment; its node must still have the state of the block before the slash.
        slash: which.

    Raises:
        NodeRefused: if the node has dropped that state; an archive node keeps it.
        NodeUnreachable: if the node does not answer.
    """
    block = slash.slashed.block
    before = BlockNumber(block - 1)
    events = fedblocks.events(block, block)
    registry, treasury = fedblocks.staking, fedblocks.slash_treasury
    balance = fedblocks.connection.balance
    return MoneyCheck(
        block=block,
        taken=slash.amount,
        received=slash.received,
        said=Wei(
            sum(
                event.amount
                for event in events
                if isinstance(event, StakeSlashed)
                and event.client == slash.client
                and event.transaction_hash == slash.slashed.transaction_hash
            )
        ),
        changes=(
            Change(
                what=f"stake of {slash.client}",
                before=registry.client_stake(slash.client, before),
                after=registry.client_stake(slash.client, block),
                expected=_stakes(events, slash.client),
            ),
            Change(
                what="StakingRegistry",
                before=balance(registry.address, before),
                after=balance(registry.address, block),
                expected=_stakes(events),
            ),
            Change(
                what="SlashTreasury",
                before=balance(treasury.address, before),
                after=balance(treasury.address, block),
                expected=_treasury(events, treasury.address),
            ),
        ),
    )


def _stakes(events: Sequence[ChainEvent], client: Address | None = None) -> int:
    """What the registry's events add to the stakes, of one client or of all."""
    total = 0
    for event in events:
        if isinstance(event, (StakeLocked, StakeReturned, StakeSlashed)) and client in (None, event.client):
            total += event.amount if isinstance(event, StakeLocked) else -event.amount
    return total


def _treasury(events: Sequence[ChainEvent], treasury: Address) -> int:
    own = [event for event in events if event.address == treasury]
    received = sum(event.amount for event in own if isinstance(event, Recieved))
    return received - sum(event.amount for event in own if isinstance(event, Withdraw))
