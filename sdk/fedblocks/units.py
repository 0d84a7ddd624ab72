"""Amounts of ether: the one place where Wei becomes text and text becomes Wei."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

from fedblocks.exceptions import FedBlocksError
from fedblocks.types import Wei

WEI_PER_ETHER = 10**18
PROTOCOL_FEE_SCALE = 10**8
"""PROTOCOL_FEE_PERCENTAGE is a fraction of a fee in units of 1e-8 (v1's scale): 2_000_000 is 2 %."""

SHARE_SCALE = 10**8
"""CHALLENGER_SHARE is a fraction of a bond in the same units."""

PARTS_PER_MILLION = 10**6
"""A header carries its metric in millionths: an accuracy of 0.8123 is 812_300."""


class InvalidAmount(FedBlocksError, ValueError):
    """The text is not an amount of ether with at most 18 decimals."""

    def __init__(self, text: str) -> None:
        super().__init__(f"{text!r} is not an amount of ether; write it like 0.1, with at most 18 decimals")


def ether(amount: str | int | Decimal) -> Wei:
    """Convert an amount of ether to Wei, exactly.

    >>> ether("0.1")
    100000000000000000

    Raises:
        InvalidAmount: if it is no number, is negative, or has more than 18 decimals. A float is refused by its type:
            0.1 as a float is not a tenth.
    """
    if isinstance(amount, (float, bool)):
        raise InvalidAmount(repr(amount))
    try:
        wei = Decimal(amount) * WEI_PER_ETHER
    except InvalidOperation as error:
        raise InvalidAmount(str(amount)) from error
    if not wei.is_finite() or wei < 0 or wei != wei.to_integral_value():
        raise InvalidAmount(str(amount))
    return Wei(int(wei))


def format_ether(wei: int) -> str:
    """Write Wei as ether, exactly and without an exponent.

    >>> format_ether(100000000000000000)
    '0.1'
    """
    sign = "-" if wei < 0 else ""
    whole, rest = divmod(abs(wei), WEI_PER_ETHER)
    decimals = f"{rest:018d}".rstrip("0")
    return f"{sign}{whole}.{decimals}" if decimals else f"{sign}{whole}"
