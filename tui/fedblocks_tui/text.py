"""How things are written in a terminal: amounts, addresses, times, and a sign for every state.

A state is always a word with a sign of its own shape beside it; a colour (a :class:`Tone`) comes on top and says
nothing that the word does not. So everything can be read in one colour.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from fedblocks.monitor.views import ClientState, DemandState, EpochState, HealthState, InstanceState, OwnState, Severity
from fedblocks.seats import SlashReason
from fedblocks.types import Timestamp
from fedblocks.units import WEI_PER_ETHER, format_ether

_DECIMALS = 6


class Tone(StrEnum):
    """How a cell is coloured, where there are colours."""

    PLAIN = "plain"
    GOOD = "good"
    WARN = "warn"
    BAD = "bad"
    DIM = "dim"


@dataclass(frozen=True)
class Cell:
    """Text with a tone."""

    text: str
    tone: Tone = Tone.PLAIN


_STATES: dict[str, Cell] = {
    ClientState.STAKED: Cell("● staked", Tone.GOOD),
    ClientState.UNBONDING: Cell("◐ unbonding", Tone.WARN),
    ClientState.WITHDRAWN: Cell("○ withdrawn", Tone.DIM),
    ClientState.SLASHED: Cell("✗ slashed", Tone.BAD),
    InstanceState.FUNDED: Cell("○ funded", Tone.DIM),
    InstanceState.TRAINING: Cell("▶ training", Tone.GOOD),
    InstanceState.STOPPED: Cell("■ stopped", Tone.WARN),
    InstanceState.COMPLETE: Cell("◆ complete", Tone.GOOD),
    InstanceState.SETTLED: Cell("✓ settled", Tone.DIM),
    EpochState.POSTED: Cell("◔ posted", Tone.WARN),
    EpochState.FINALIZABLE: Cell("◆ finalizable", Tone.GOOD),
    EpochState.FINAL: Cell("✓ final", Tone.DIM),
    EpochState.OVERTURNED: Cell("✗ overturned", Tone.BAD),
    DemandState.OPEN: Cell("◔ open", Tone.WARN),
    DemandState.ANSWERED: Cell("✓ answered", Tone.DIM),
    DemandState.FAILED: Cell("✗ failed", Tone.BAD),
    DemandState.RETURNED: Cell("↩ returned", Tone.DIM),
    OwnState.PENDING: Cell("◔ pending", Tone.WARN),
    OwnState.SUCCEEDED: Cell("✓ succeeded", Tone.GOOD),
    Severity.INFO: Cell("· info", Tone.DIM),
    Severity.WARNING: Cell("▲ warning", Tone.WARN),
    Severity.CRITICAL: Cell("✗ critical", Tone.BAD),
    HealthState.LOADING: Cell("◌ LOADING", Tone.WARN),
    HealthState.HEALTHY: Cell("● HEALTHY", Tone.GOOD),
    HealthState.IDLE: Cell("◦ IDLE", Tone.DIM),
    HealthState.LAGGING: Cell("▲ LAGGING", Tone.WARN),
    HealthState.DISCONNECTED: Cell("✗ DISCONNECTED", Tone.BAD),
}


def state(
    value: ClientState | InstanceState | EpochState | DemandState | OwnState | Severity | HealthState,
) -> Cell:
    """A state's word with its sign.

    >>> state(EpochState.FINAL).text
    '✓ final'
    """
    # A failed demand and a failed transaction share their word, and so their sign.
    return _STATES[value]


def reason(value: SlashReason | None) -> str:
    """Why a stake was taken, in a word; version 1 says nothing."""
    return "not said (v1)" if value is None else value.name.lower()


def amount(wei: int | None) -> str:
    """Ether for a table: six decimals at most; what was cut off is marked.

    >>> amount(1234500000000000000)
    '1.2345'
    >>> amount(1)
    '0.000000…'
    """
    if wei is None:
        return "?"
    kept = wei // 10 ** (18 - _DECIMALS) * 10 ** (18 - _DECIMALS)
    if kept == wei:
        return format_ether(wei)
    whole, rest = divmod(abs(wei), WEI_PER_ETHER)
    return f"{'-' if wei < 0 else ''}{whole}.{rest // 10 ** (18 - _DECIMALS):0{_DECIMALS}d}…"


def exact(wei: int | None) -> str:
    """Ether in full, for details."""
    return "not known" if wei is None else f"{format_ether(wei)} ETH"


def short(value: str | bytes | None, length: int = 13) -> str:
    """An address or a hash, cut in the middle.

    >>> short("0x70997970C51812dc3A010C7d01b50e0d17dc79C8")
    '0x7099…dc79C8'
    """
    if value is None:
        return "-"
    text = value if isinstance(value, str) else "0x" + value.hex()
    tail = (length - 1) // 2
    return text if len(text) <= length else f"{text[: length - 1 - tail]}…{text[-tail:]}"


def hex_of(value: bytes) -> str:
    """Bytes as 0x…"""
    return "0x" + value.hex()


def percent(ppm: int | None) -> str:
    """Millionths as per cent.

    >>> percent(812_300)
    '81.23 %'
    """
    return "-" if ppm is None else f"{ppm // 10_000}.{ppm % 10_000 // 100:02d} %"


def moment(timestamp: float | None) -> str:
    """A time of the chain, UTC."""
    return "-" if timestamp is None else datetime.fromtimestamp(timestamp, UTC).strftime("%Y-%m-%d %H:%M:%S")


def span(seconds: float) -> str:
    """A length of time in its two largest units.

    >>> span(93_784)
    '1d 02h'
    >>> span(75)
    '1m 15s'
    """
    rest = max(0, int(seconds))
    if rest < 60:
        return f"{rest}s"
    if rest < 3600:
        return f"{rest // 60}m {rest % 60:02d}s"
    if rest < 86_400:
        return f"{rest // 3600}h {rest % 3600 // 60:02d}m"
    return f"{rest // 86_400}d {rest % 86_400 // 3600:02d}h"


def countdown(until: Timestamp | None, now: float) -> str:
    """How long until a time of the chain; "due" when it has come.

    >>> countdown(Timestamp(100), 25)
    'in 1m 15s'
    """
    if until is None:
        return "-"
    return "due" if now >= until else f"in {span(until - now)}"


def bar(done: int, total: int, width: int = 8) -> str:
    """A progress bar that needs no colour.

    >>> bar(3, 6, 4)
    '██░░'
    """
    filled = 0 if total <= 0 else min(width, done * width // total)
    return "█" * filled + "░" * (width - filled)
