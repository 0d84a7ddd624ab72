"""From what was typed to an app that runs: the feed, the account, the explorer."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from fedblocks.cli.options import AccountChoice, IndexChoice, Where
from fedblocks.explorers import explorer_link
from fedblocks.types import Address
from fedblocks_tui.app import FedBlocksApp, Options
from fedblocks_tui.clock import ChainClock
from fedblocks_tui.demo import SECONDS, RecordedFeed
from fedblocks_tui.live import LiveFeed
from fedblocks_tui.watching import watcher_state

if TYPE_CHECKING:
    from fedblocks.chain.signers import Signer
    from fedblocks.monitor.monitor import Monitor, ReadScores


@dataclass(frozen=True, kw_only=True)
class Choice:
    """Everything that `fedblocks tui` may be told, beside where to serve it.

    Attributes:
        recording: a recorded run to play in place of a chain; True for the one that is shipped.
        read_only: never act, whoever the account is.
        watch_journal: the journal of a `fedblocks watch` on this machine.
        speed: how many times faster than usual a recording is played.
    """

    where: Where
    index: IndexChoice
    account: AccountChoice
    recording: Path | bool = False
    read_only: bool = False
    watch_journal: Path | None = None
    bell: bool = True
    interval: float = 2.0
    speed: float = 1.0


def run(choice: Choice) -> None:
    """Show it until somebody quits."""
    make(choice).run()


def make(choice: Choice) -> FedBlocksApp:
    """The app that was asked for."""
    if choice.recording:
        path = None if choice.recording is True else Path(choice.recording)
        feed = RecordedFeed(path, seconds=SECONDS / choice.speed)
        return FedBlocksApp(feed, ChainClock(), Options(bell=choice.bell))
    chain_id = _chain_id(choice.where)
    address, signer = (None, None) if choice.account.name is None else _account(choice.account, choice.read_only)
    live = LiveFeed(
        f"chain {chain_id}",
        partial(_open_index, choice.where, choice.index),
        partial(_connect, choice.where, choice.index),
        account=address,
        watcher=partial(watcher_state, choice.watch_journal),
        interval=choice.interval,
    )
    operator = None
    if signer is not None:
        from fedblocks.cli.connecting import connect
        from fedblocks_tui.operator import LiveOperator

        operator = LiveOperator(partial(connect, choice.where), signer, live.note_sent)
    options = Options(operator=operator, account=address, link=_linker(chain_id), bell=choice.bell)
    return FedBlocksApp(live, ChainClock(), options)


def _linker(chain_id: int) -> Callable[[str, str], str | None]:
    def link(kind: str, value: str) -> str | None:
        if kind in ("tx", "address", "block"):
            return explorer_link(chain_id, kind, value)  # type: ignore[arg-type]  # checked in the line above
        return None

    return link


def _chain_id(where: Where) -> int:
    if where.is_v1:
        return 42_161
    from fedblocks.deployments import Deployment

    return Deployment.load(where.deployment_path).chain_id


def _account(choice: AccountChoice, read_only: bool) -> tuple[Address, Signer | None]:
    """Whose account it is, and who signs; a passphrase is asked for now, because the screen hides questions later."""
    from eth_utils.address import is_hex_address

    from fedblocks.chain.signers import LocalSigner, find_keyfile, read_passphrase
    from fedblocks.cli.connecting import NobodyToAsk, address_of

    if read_only or choice.name is None or is_hex_address(choice.name):
        return address_of(choice), None
    keyfile = find_keyfile(choice.name)
    if choice.passphrase_file is not None:
        passphrase = read_passphrase(choice.passphrase_file)
    elif sys.stdin.isatty():
        passphrase = str(click.prompt(f"Passphrase of {choice.name}", hide_input=True, err=True))
    else:
        raise NobodyToAsk(f"the passphrase of {choice.name}", "give --passphrase-file")
    signer = LocalSigner.unlock(keyfile, passphrase)
    return signer.address, signer


def _open_index(where: Where, index: IndexChoice) -> Monitor:
    """What is indexed already, without a node. Version 1 is known by what its contracts say, so it needs one."""
    from fedblocks.deployments import Deployment
    from fedblocks.monitor.monitor import Monitor, index_database
    from fedblocks.monitor.subject import Subject

    return Monitor(Subject.of(Deployment.load(where.deployment_path)), None, index_database(index.database))


def _connect(where: Where, index: IndexChoice) -> Monitor:
    from fedblocks.cli.connecting import connect, connect_v1, first_block_of
    from fedblocks.monitor.monitor import Monitor, index_database

    database = index_database(index.database)
    if where.is_v1:
        v1 = connect_v1(where)
        return Monitor.of_v1(v1, database, first_block=first_block_of(v1, None))
    return Monitor.of(connect(where), database, read_scores=_scores_from(index.data))


def _scores_from(data: str | None) -> ReadScores | None:
    if data is None:
        return None
    from fedblocks.monitor.published import read_scores
    from fedblocks.rollup.blobs import BlobStore

    blobs = BlobStore(data)
    return lambda epoch, instance, previous: read_scores(blobs, epoch, instance, previous)
