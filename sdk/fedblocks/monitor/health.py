"""Health: how far what is shown can be believed to be now.

Three things look alike and are not: a node that does not answer, a node that is behind the chain, and a chain on which
nothing happens. Only the first two are faults. A node is behind when it says so, when its newest block is below one
that it has already shown without the chain being reorganised, or when another node knows newer blocks. That no block
came for a while is told, and no alarm.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from fedblocks.chain.connection import BlockHeader
from fedblocks.monitor.views import Health, HealthState
from fedblocks.types import BlockNumber

IDLE_AFTER = 60.0
"""Seconds by the wall clock without a new block, after which the chain is called quiet."""

LAGGING_BLOCKS = 3
"""Another node may know a block or two before this one does."""

FAR_BEHIND = 50
"""Blocks that the index lacks, from which on it is being filled rather than a moment late."""


@dataclass(frozen=True)
class Heard:
    """What is known of the node and the index, by the wall clock of this machine.

    Attributes:
        head: the node's newest block; None before the first answer.
        indexed: the index's newest block; None while it is empty.
        confirmations: how many blocks the index stays behind on purpose.
        heard_at: when the node last answered; None if it never did.
        new_block_at: when its newest block was last another one.
        failure: why it does not answer; None while it does.
        syncing: whether it says itself that it is behind.
        behind_itself: whether its newest block is below one that it has shown, without a reorganisation.
        reference: the newest block of another node, if one is asked.
    """

    head: BlockHeader | None = None
    indexed: BlockNumber | None = None
    confirmations: int = 0
    heard_at: float | None = None
    new_block_at: float | None = None
    failure: str | None = None
    syncing: bool = False
    behind_itself: bool = False
    reference: BlockNumber | None = None

    def answered(self, head: BlockHeader, now: float) -> Heard:
        """After the node has told its newest block."""
        is_new = self.head is None or head.hash != self.head.hash
        return replace(self, head=head, heard_at=now, failure=None, new_block_at=now if is_new else self.new_block_at)

    def failed(self, why: str) -> Heard:
        """After the node has not answered."""
        return replace(self, failure=why)


def judge_health(heard: Heard, now: float) -> Health:
    """The health at a moment of the wall clock."""
    state, text = _judge(heard, now)
    return Health(
        state=state,
        head=None if heard.head is None else heard.head.number,
        head_timestamp=None if heard.head is None else heard.head.timestamp,
        indexed=heard.indexed,
        data_age=0.0 if heard.heard_at is None else max(0.0, now - heard.heard_at),
        text=text,
    )


def _judge(heard: Heard, now: float) -> tuple[HealthState, str]:
    head = heard.head
    if heard.failure is not None:
        since = "it was never heard" if heard.heard_at is None else f"last heard {_ago(now - heard.heard_at)} ago"
        return HealthState.DISCONNECTED, f"no connection, {since}: {heard.failure}"
    if head is None:
        return HealthState.LOADING, "waiting for the node's first answer"
    if heard.syncing:
        return HealthState.LAGGING, f"the node says that it is still catching up; it is at block {head.number}"
    if heard.behind_itself:
        return HealthState.LAGGING, f"the node is at block {head.number}, behind what it has shown before"
    if heard.reference is not None and heard.reference - head.number > LAGGING_BLOCKS:
        missing = heard.reference - head.number
        return HealthState.LAGGING, f"the node is at block {head.number}; another node knows {missing} more"
    if heard.indexed is None:
        return HealthState.LOADING, f"reading events up to block {head.number}"
    missing = head.number - heard.confirmations - heard.indexed
    if missing > FAR_BEHIND:
        return HealthState.LOADING, f"reading events: block {heard.indexed} of {head.number}"
    quiet = 0.0 if heard.new_block_at is None else now - heard.new_block_at
    if quiet > IDLE_AFTER:
        return HealthState.IDLE, f"no new block for {_ago(quiet)}; the node answers"
    return HealthState.HEALTHY, f"block {heard.indexed}"


def _ago(seconds: float) -> str:
    whole = int(seconds)
    if whole < 60:
        return f"{whole} s"
    return f"{whole // 60} min" if whole < 3600 else f"{whole // 3600} h {whole % 3600 // 60} min"
