"""From what was typed to what can be used: the deployment, the node, the account, the index."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import click
from eth_utils.address import is_hex_address, to_checksum_address

from fedblocks.chain.connection import Connection, WrongChain
from fedblocks.chain.signers import KeyfileSigner, Signer, find_keyfile, read_passphrase
from fedblocks.chain.transactions import TransactionSender
from fedblocks.cli.options import AccountChoice, IndexChoice, Where
from fedblocks.cli.output import talk
from fedblocks.client import FedBlocks
from fedblocks.contracts.v1 import V1_ARBITRUM, V1Deployment
from fedblocks.deployments import Deployment
from fedblocks.exceptions import FedBlocksError
from fedblocks.monitor.indexer import Progress
from fedblocks.monitor.monitor import Monitor, ReadScores, index_database
from fedblocks.monitor.subject import Subject
from fedblocks.types import Address, BlockNumber
from fedblocks.v1 import FedBlocksV1


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


@contextmanager
def open_monitor(
    where: Where,
    index: IndexChoice,
    *,
    confirmations: int = 0,
    first_block: int | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> Iterator[Monitor]:
    """Open the index of the deployment that is meant, brought up to date unless that is not wanted.

    Args:
        where: which deployment, and the node to read on from.
        index: which index.
        confirmations: how many blocks to stay behind the newest one.
        first_block: of version 1, where to begin; looked for when left out.
        progress: told of each chunk of blocks; else it is shown on a terminal.

    Raises:
        NotIndexed, StoreNotFound: if nothing is to be read from the chain and nothing is there.
    """
    scores = None if index.data is None else _reader(index.data)
    if where.is_v1:
        v1 = connect_v1(where)
        database = index_database(index.database)
        begin = first_block_of(v1, first_block)
        monitor = Monitor.of_v1(v1, database, first_block=begin, confirmations=confirmations)
    elif not index.update:
        # No node is needed to show what is there.
        subject = Subject.of(Deployment.load(where.deployment_path))
        monitor = Monitor(subject, None, index_database(index.database, read_only=True))
    else:
        database = index_database(index.database)
        monitor = Monitor.of(connect(where), database, confirmations=confirmations, read_scores=scores)
    with monitor:
        if index.update:
            if progress is not None:
                monitor.update(progress)
            else:
                with backfill_bar() as bar:
                    monitor.update(bar)
        yield monitor


def _reader(data: str) -> ReadScores:
    from fedblocks.monitor.published import read_scores
    from fedblocks.rollup.blobs import BlobStore

    return partial(read_scores, BlobStore(data))


def first_block_of(v1: FedBlocksV1, given: int | None) -> BlockNumber:
    """The block in which version 1's registry was made: the first one at which it has code."""
    if given is not None:
        return BlockNumber(given)
    registry, low, high = v1.staking.address, 0, int(v1.connection.block_number())
    while low < high:
        middle = (low + high) // 2
        if v1.connection.code(registry, middle):
            high = middle
        else:
            low = middle + 1
    return BlockNumber(low)


@contextmanager
def backfill_bar() -> Iterator[Callable[[Progress], None]]:
    """Shows a backfill on stderr: a bar on a terminal, a line now and then elsewhere."""
    from rich.console import Console
    from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    console = Console(stderr=True)
    columns = (
        TextColumn("reading blocks"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[events]} events"),
    )
    with Bar(*columns, TimeRemainingColumn(), console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("blocks", total=None, events="0")
        said = 0

        def tell(each: Progress) -> None:
            nonlocal said
            total, done = each.target - each.first + 1, each.block - each.first + 1
            bar.update(task, total=total, completed=done, events=f"{each.events:,}")
            tenth = 10 * done // max(total, 1)
            # What takes one chunk needs no words.
            if not console.is_terminal and tenth > said and (done < total or said):
                said = tenth
                talk(f"block {each.block} of {each.target}, {each.events:,} events")

        yield tell
