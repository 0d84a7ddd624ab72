"""Who took a nonce.

A node counts an account's transactions, but doesn't say which of them had a nonce. That the count has passed a nonce
and that none of one's own transactions is found proves nothing: the two answers may come from two nodes, one of which
lags behind the other, and to send the same thing again with another nonce would do it twice. So it is looked for until
it is found: the count at numbered blocks leads to the block in which the nonce was used, and the block shows by what.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from web3.types import TxData

from fedblocks.chain.connection import Connection
from fedblocks.types import Address, BlockNumber, Hash32

_REORGANISED_AT_MOST = 64
"""No chain takes back more blocks than this without being another chain."""


@dataclass(frozen=True)
class NonceOwner:
    """The transaction that has a nonce.

    Attributes:
        hash: the transaction; None if it is older than anything that was sent, so that nobody needs to know.
        block: where it is, or a block by which the nonce was used.
    """

    hash: Hash32 | None
    block: BlockNumber


def transaction_count(connection: Connection, address: Address, block: int | str = "latest") -> int:
    """How many transactions of an account the chain has up to a block: the next one's nonce."""
    with connection.asking():
        return int(connection.web3.eth.get_transaction_count(address, block))  # type: ignore[arg-type]


def owner_of_nonce(connection: Connection, address: Address, nonce: int, since: int) -> NonceOwner | None:
    """Find the transaction of an account that has a nonce.

    Args:
        connection: to a node that knows the state at the blocks since `since`.
        address: the account.
        nonce: which one.
        since: a block before the first transaction of one's own with that nonce was sent.

    Returns:
        None if the nonce is free, or if the node's answers don't fit together: look again later.

    Raises:
        NodeRefused: if the node has forgotten the state at one of these blocks.
    """
    low = max(0, since - _REORGANISED_AT_MOST)
    high = int(connection.block_number())
    if high < low or transaction_count(connection, address, high) <= nonce:
        return None
    if transaction_count(connection, address, low) > nonce:
        return NonceOwner(None, BlockNumber(low))
    while high - low > 1:
        middle = (low + high) // 2
        if transaction_count(connection, address, middle) > nonce:
            high = middle
        else:
            low = middle
    with connection.asking():
        block = connection.web3.eth.get_block(BlockNumber(high), full_transactions=True)
    for transaction in cast(Sequence[TxData], block["transactions"]):
        if transaction["from"] == address and int(transaction["nonce"]) == nonce:
            return NonceOwner(Hash32(bytes(transaction["hash"])), BlockNumber(high))
    return None
