"""What became of the transactions that were sent from here: asked of the chain, never assumed.

A transaction is pending until the chain has it. It may be mined and taken back by a reorganisation, and be pending
again; another one may take its nonce, and then it will never be mined.
"""

from __future__ import annotations

from fedblocks.chain import web3_errors
from fedblocks.chain.connection import Connection
from fedblocks.monitor.journal import Journal
from fedblocks.monitor.views import OwnState
from fedblocks.types import BlockNumber, Wei


def reconcile(journal: Journal, connection: Connection, *, above: int) -> None:
    """Look for every transaction that is pending, or was mined above a block.

    Raises:
        NodeUnreachable, NodeRefused: if the node does not answer.
    """
    for transaction_hash, sender, nonce in journal.unsettled(above):
        try:
            with connection.asking():
                receipt = connection.web3.eth.get_transaction_receipt(transaction_hash)  # type: ignore[arg-type]
        except web3_errors.TransactionNotFound:
            if nonce is not None and _next_nonce(connection, sender) > nonce:
                why = f"another transaction has taken its nonce {nonce}"
                journal.note_outcome(transaction_hash, OwnState.FAILED, reason=why)
            else:
                journal.note_outcome(transaction_hash, OwnState.PENDING)
            continue
        succeeded = receipt["status"] == 1
        journal.note_outcome(
            transaction_hash,
            OwnState.SUCCEEDED if succeeded else OwnState.FAILED,
            block=BlockNumber(int(receipt["blockNumber"])),
            fee=Wei(int(receipt["gasUsed"]) * int(receipt.get("effectiveGasPrice", 0))),
            reason=None if succeeded else "it was mined and reverted",
        )


def _next_nonce(connection: Connection, sender: str) -> int:
    with connection.asking():
        return int(connection.web3.eth.get_transaction_count(sender, "latest"))  # type: ignore[arg-type]
