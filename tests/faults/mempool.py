"""What a test does to anvil's pool and chain, and an account that nobody else uses."""

from __future__ import annotations

from typing import Any

from eth_account import Account
from eth_utils.address import to_checksum_address

from fedblocks.chain.node import Anvil
from fedblocks.chain.signers import LocalSigner
from fedblocks.chain.transactions import Call
from fedblocks.types import Address, Wei
from fedblocks.units import ether

ONCE_ADDRESS = to_checksum_address("0x00000000000000000000000000000000000000c1")
ONCE_CODE = "0x60005415600c5760006000fd5b600160005500"
"""A contract that takes the first call and refuses every later one: if sload(0) != 0 revert; sstore(0, 1)."""


def rich_account(node: Anvil) -> LocalSigner:
    """A new account with 100 ether."""
    signer = LocalSigner(Account.create())
    node.connection.rpc("anvil_setBalance", signer.address, hex(ether(100)))
    return signer


def nobody() -> Address:
    """An address that has nothing."""
    return Account.create().address


def pay(to: Address, value: int) -> Call:
    return Call("transfer", "", to, value=Wei(value))


def automine(node: Anvil, on: bool) -> None:
    """Whether each transaction gets a block at once."""
    node.connection.rpc("evm_setAutomine", on)


def reorganise(node: Anvil, depth: int) -> None:
    """Put as many empty blocks in the place of the last ones; their transactions are gone."""
    node.connection.rpc("anvil_reorg", depth, [])


def drop(node: Anvil, transaction_hash: bytes) -> None:
    """Have the node forget a transaction that waits."""
    node.connection.rpc("anvil_dropTransaction", "0x" + transaction_hash.hex())


def pooled(node: Anvil) -> list[Any]:
    """The transactions that wait in the node's pool, of all accounts."""
    content = node.connection.rpc("txpool_content")
    return [tx for part in ("pending", "queued") for own in content[part].values() for tx in own.values()]


def sign(node: Anvil, signer: LocalSigner, nonce: int, to: Address, value: int, *, price: int = 3 * 10**9) -> bytes:
    """A transaction of the same account that the outbox knows nothing of."""
    return signer.sign_transaction(
        {
            "chainId": node.chain_id,
            "nonce": nonce,
            "gas": 21_000,
            "to": to,
            "value": value,
            "maxFeePerGas": price,
            "maxPriorityFeePerGas": price,
            "type": 2,
        }
    )


def give(node: Anvil, raw: bytes) -> bytes:
    return bytes(node.connection.web3.eth.send_raw_transaction(raw))


def deploy_once(node: Anvil) -> None:
    """Put the contract that takes one call to its address, as if nobody had called it yet."""
    node.connection.rpc("anvil_setCode", ONCE_ADDRESS, ONCE_CODE)
    node.connection.rpc("anvil_setStorageAt", ONCE_ADDRESS, "0x0", "0x" + "00" * 32)


def once_is_done(node: Anvil) -> bool:
    return int(node.connection.web3.eth.get_storage_at(ONCE_ADDRESS, 0).hex(), 16) != 0  # type: ignore[arg-type]


ONCE = Call("Once", "do", ONCE_ADDRESS)
