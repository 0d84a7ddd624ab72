"""Explorers: public web pages that show a chain to people, and how each addresses what it shows.

A link is a convenience and no evidence: what a page says is the word of whoever runs it.
"""

from __future__ import annotations

from typing import Literal

Kind = Literal["tx", "address", "block"]
"""What a link leads to."""

EXPLORERS = {
    1: "https://etherscan.io",
    11_155_111: "https://sepolia.etherscan.io",
    42_161: "https://arbiscan.io",
    421_614: "https://sepolia.arbiscan.io",
}
"""By chain id; a chain of one's own has none."""


def explorer_link(chain_id: int, kind: Kind, value: str | bytes | int) -> str | None:
    """Where people can look at a transaction, an address or a block.

    >>> explorer_link(42161, "block", 1)
    'https://arbiscan.io/block/1'

    Args:
        chain_id: of the chain that it is on.
        kind: what it is.
        value: a hash as bytes or as text, an address, or a block's number.

    Returns:
        The link, or None where the chain has no explorer.
    """
    base = EXPLORERS.get(chain_id)
    if base is None:
        return None
    text = "0x" + value.hex() if isinstance(value, bytes) else str(value)
    return f"{base}/{kind}/{text}"
