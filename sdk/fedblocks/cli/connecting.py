"""From what was typed to what can be used: the deployment, the node, the account, the index."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

import click
from eth_utils.address import is_hex_address, to_checksum_address

from fedblocks.chain.connection import Connection, WrongChain
from fedblocks.chain.signers import KeyfileSigner, Signer, find_keyfile, read_passphrase
from fedblocks.chain.transactions import TransactionSender
from fedblocks.cli.options import AccountChoice, Where
from fedblocks.client import FedBlocks
from fedblocks.contracts.v1 import V1_ARBITRUM, V1Deployment
from fedblocks.deployments import Deployment
from fedblocks.exceptions import FedBlocksError
from fedblocks.types import Address
from fedblocks.v1 import FedBlocksV1

if TYPE_CHECKING:
    pass


class NobodyToAsk(FedBlocksError, PermissionError):
    """Something would have to be asked, but there is no terminal."""

    def __init__(self, what: str, instead: str) -> None:
        super().__init__(f"{what} cannot be asked for, because this is no terminal; {instead}")


class NoAccount(FedBlocksError, PermissionError):
    """A command that acts for somebody was given nobody."""

    def __init__(self) -> None:
        super().__init__("nobody is there to act for: give --account with an alias of ape's or a key file")


SenderOf = Callable[[Connection], TransactionSender]
"""How a connection gets whoever sends over it."""


def deployment_of(where: Where) -> Deployment | V1Deployment:
    """The deployment that is meant."""
    return V1_ARBITRUM if where.is_v1 else Deployment.load(where.deployment_path)


def open_connection(where: Where, chain_id: int | None) -> Connection:
    """Connect to the node that is meant.

    Raises:
        WrongChain: if the network, the deployment and the node are not of one chain.
    """
    network = where.network(chain_id)
    if None not in (chain_id, network.chain_id) and chain_id != network.chain_id:
        raise WrongChain(chain_id or 0, network.chain_id or 0)
    return Connection.open(network.url, chain_id=chain_id or network.chain_id, timeout=where.timeout)


def connect(where: Where, sender_of: SenderOf | None = None) -> FedBlocks:
    """Connect to a deployment of version 2, as `sender_of` says or only to look."""
    deployment = Deployment.load(where.deployment_path)
    connection = open_connection(where, deployment.chain_id)
    fedblocks = FedBlocks(connection, deployment, None if sender_of is None else sender_of(connection))
    fedblocks.check()
    return fedblocks


def connect_v1(where: Where, sender_of: SenderOf | None = None) -> FedBlocksV1:
    """Connect to version 1."""
    connection = open_connection(where, V1_ARBITRUM.chain_id)
    v1 = FedBlocksV1(connection, V1_ARBITRUM, None if sender_of is None else sender_of(connection))
    for contract in v1.contracts:
        contract.check_code()
    return v1


def open_signer(account: AccountChoice) -> Signer | None:
    """Whoever signs; None if nobody was named, or only an address. Its passphrase is asked for when it signs.

    Raises:
        UnknownAccount, KeyfileUnusable: if there is no such account.
    """
    if account.name is None or is_hex_address(account.name):
        return None
    keyfile = find_keyfile(account.name)

    def passphrase() -> str:
        if account.passphrase_file is not None:
            return read_passphrase(account.passphrase_file)
        if not sys.stdin.isatty():
            raise NobodyToAsk(f"the passphrase of {account.name}", "give --passphrase-file")
        return str(click.prompt(f"Passphrase of {account.name}", hide_input=True, err=True))

    return KeyfileSigner(keyfile, passphrase)


def address_of(account: AccountChoice) -> Address:
    """Whose account it is, without opening it where that can be avoided.

    Raises:
        NoAccount: if nobody was named.
    """
    if account.name is None:
        raise NoAccount()
    signer = open_signer(account)
    return to_checksum_address(account.name) if signer is None else signer.address
