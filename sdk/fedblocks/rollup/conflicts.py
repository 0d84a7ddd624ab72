"""What the store refuses to remember: a second truth, a second writer, a step that doesn't exist."""

from __future__ import annotations

from fedblocks.exceptions import FedBlocksError
from fedblocks.rollup.records import ActionRecord, InstanceKey, InstanceRecord, IntentRecord, Level
from fedblocks.types import Address


class UnknownRecord(FedBlocksError, LookupError):
    """What is asked for was never stored."""

    def __init__(self, what: str) -> None:
        super().__init__(f"{what} is not in the store")
        self.what = what


class CorruptRecord(FedBlocksError, ValueError):
    """A row is not what was written: somebody, or the disk, has changed it."""

    def __init__(self, epoch: int, client: Address | None, why: str) -> None:
        whose = f" of client {client}" if client else ""
        super().__init__(f"the stored record of epoch {epoch}{whose} has been changed: {why}")
        self.epoch, self.client, self.why = epoch, client, why


class WriterConflict(FedBlocksError, RuntimeError):
    """Somebody else has the right to write to the instance, or nobody has taken it."""

    def __init__(self, key: InstanceKey, owner: str | None, actual: str | None, seconds_left: float) -> None:
        if actual is None:
            text = f"{key} has no writer: acquire it first"
        elif owner is None or (actual != owner and seconds_left > 0):
            text = (
                f"{key} is written by {actual!r}, whose lease runs for {seconds_left:.0f} s more"
                if seconds_left > 0
                else f"{key} is not written by this store: acquire it first (last writer: {actual!r})"
            )
        else:
            text = f"{key} was taken over by {actual!r}: stop this node, or acquire the instance again"
        super().__init__(text)
        self.key, self.owner, self.actual, self.seconds_left = key, owner, actual, seconds_left


class InstanceConflict(FedBlocksError, ValueError):
    """An instance is known with other values."""

    def __init__(self, key: InstanceKey, known: InstanceRecord, offered: InstanceRecord) -> None:
        super().__init__(
            f"{key} is stored with other values; is this the store of another chain with the same number? "
            f"stored: {known}, now: {offered}"
        )
        self.key, self.known, self.offered = key, known, offered


class ActionConflict(FedBlocksError, ValueError):
    """A seat has sent another action of this kind for the same attempt at the epoch."""

    def __init__(self, key: InstanceKey, known: ActionRecord, offered: ActionRecord) -> None:
        super().__init__(
            f"seat {offered.seat} of {key} has sent another {offered.kind} for attempt {offered.attempt} at epoch "
            f"{offered.epoch} already (action 0x{known.action_hash.hex()}); the first one counts"
        )
        self.key, self.known, self.offered = key, known, offered


class EpochConflict(FedBlocksError, ValueError):
    """An epoch has another truth already."""

    def __init__(self, key: InstanceKey, epoch: int, reason: str) -> None:
        super().__init__(f"epoch {epoch} of {key}: {reason}")
        self.key, self.epoch, self.reason = key, epoch, reason


class RoundConflict(FedBlocksError, ValueError):
    """A round cannot begin, or go to a phase, because of how far it has come."""

    def __init__(self, key: InstanceKey, epoch: int, attempt: int, why: str) -> None:
        super().__init__(f"attempt {attempt} at epoch {epoch} of {key}: {why}")
        self.key, self.epoch, self.attempt, self.why = key, epoch, attempt, why


class LevelConflict(FedBlocksError, ValueError):
    """An epoch cannot go from its level to that one."""

    def __init__(self, key: InstanceKey, epoch: int, attempt: int, known: Level, offered: Level) -> None:
        super().__init__(f"attempt {attempt} at epoch {epoch} of {key} is {known} and cannot become {offered}")
        self.key, self.epoch, self.attempt, self.known, self.offered = key, epoch, attempt, known, offered


class IntentConflict(FedBlocksError, ValueError):
    """A step was planned with another payload."""

    def __init__(self, key: InstanceKey, known: IntentRecord, offered: IntentRecord) -> None:
        super().__init__(
            f"{known.kind} of attempt {known.attempt} at epoch {known.epoch} of {key} is {known.state} with payload "
            f"0x{known.payload_hash.hex()}, now 0x{offered.payload_hash.hex()} was to be sent"
        )
        self.key, self.known, self.offered = key, known, offered
