"""Acting as somebody whose key nobody here has: a development node signs for any address."""

from __future__ import annotations

from fedblocks.chain.node import Anvil
from fedblocks.chain.transactions import TransactionPlan
from fedblocks.types import Address


def send_as(node: Anvil, sender: Address, plan: TransactionPlan) -> int:
    """Send a planned transaction as `sender`, whom a fork lets act without a key.

    Returns:
        Its status: 1 when it succeeded.
    """
    rpc = node.connection.rpc
    rpc("anvil_impersonateAccount", sender)
    try:
        transaction = {
            "from": sender,
            "to": plan.call.to,
            "data": "0x" + plan.call.data.hex(),
            "value": hex(plan.call.value),
            "gas": hex(plan.gas),
            "gasPrice": hex(plan.gas_price),
        }
        receipt = rpc("eth_getTransactionReceipt", rpc("eth_sendTransaction", transaction))
        return int(receipt["status"], 16)
    finally:
        rpc("anvil_stopImpersonatingAccount", sender)
