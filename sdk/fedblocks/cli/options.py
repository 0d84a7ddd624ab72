"""The options that commands share, said in one way everywhere.

A decorator adds the options of one subject and hands the command one object for all of them:

    @click.command()
    @network_options   # where: Where
    @index_options     # index: IndexChoice
    @account_options   # account: AccountChoice
    @sending_options   # sending: SendingChoice, which has an account
    @json_option       # as_json: bool
    def command(where: Where, index: IndexChoice, ...) -> None: ...

What is not given comes from the configuration (:mod:`fedblocks.cli.settings`), else from what is built in. Nothing is
opened here: `fedblocks --help` must not wait for a chain's library. :mod:`fedblocks.cli.connecting` opens what was
chosen (``connect(where)``, ``open_signer(account)``, ``open_monitor(where, index)``); commands import it when they run.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

from fedblocks.cli.settings import Settings
from fedblocks.config import NETWORKS, Network, parse_network

F = TypeVar("F", bound=Callable[..., Any])

V1 = "v1"
"""What stands for the deployment of version 1 wherever a deployments file may."""

DEFAULT_TIMEOUT = 30.0


def settings_of(context: click.Context | None = None) -> Settings:
    """The configuration of this run; read once."""
    root = (context or click.get_current_context()).find_root()
    if "fedblocks.settings" not in root.meta:
        root.meta["fedblocks.settings"] = Settings.load(profile=root.meta.get("fedblocks.profile"))
    settings: Settings = root.meta["fedblocks.settings"]
    return settings


def _given_or_set(key: str, given: Any) -> Any:
    if given is not None:
        return given
    setting = settings_of().get(key)
    return None if setting is None else setting.value


@dataclass(frozen=True)
class Where:
    """Which node and which deployment; `fedblocks.cli.connecting` opens them.

    Attributes:
        network_text: as it was given; None if neither the command nor the configuration says.
        deployment_text: likewise: a file, or ``v1``.
        timeout: seconds to wait for each answer of the node.
    """

    network_text: str | None
    deployment_text: str | None
    timeout: float

    @property
    def is_v1(self) -> bool:
        """Whether version 1 is meant."""
        return self.deployment_text == V1

    @property
    def deployment_path(self) -> Path:
        """The deployments file of version 2."""
        if self.deployment_text is None:
            raise click.UsageError("say which deployment: --deployment FILE, or `fedblocks config set deployment FILE`")
        if self.is_v1:
            raise click.UsageError("version 1 has no such thing: give a deployments file of version 2")
        return Path(self.deployment_text).expanduser()

    def network(self, chain_id: int | None = None) -> Network:
        """The node. When none is named it follows from the chain of the deployment: its public node, or this machine's.

        Raises:
            UnknownNetwork, NoPublicNode: if it is named in a way that is not understood.
        """
        if self.network_text is not None:
            return parse_network(self.network_text)
        for ecosystem, networks in NETWORKS.items():
            for name, known in networks.items():
                if known.chain_id is not None and known.chain_id == chain_id:
                    return parse_network(f"{ecosystem}:{name}")
        return parse_network("")


@dataclass(frozen=True)
class IndexChoice:
    """The index that is read.

    Attributes:
        database: an SQLAlchemy URL.
        data: where epochs' data are published; None if that was not said.
        update: whether to read on from the chain first.
    """

    database: str
    data: str | None
    update: bool


@dataclass(frozen=True)
class AccountChoice:
    """Who acts.

    Attributes:
        name: ape's alias, a key file's path, or an address that is only looked at; None for nobody.
        passphrase_file: what opens the key file; asked for on a terminal when left out.
    """

    name: str | None
    passphrase_file: Path | None


@dataclass(frozen=True)
class SendingChoice:
    """How a transaction is sent.

    Attributes:
        account: who sends.
        dry_run: show it and end.
        yes: don't ask.
        max_fee: the most to pay for a unit of gas, in Wei; None for what the network asks.
        wait_for_fee: wait until the network asks no more than that.
    """

    account: AccountChoice
    dry_run: bool
    yes: bool
    max_fee: int | None
    wait_for_fee: bool


def network_options(command: F) -> F:
    """--network, --deployment, --timeout, as ``where: Where``."""

    @click.option(
        "--network",
        metavar="ECOSYSTEM:NETWORK:PROVIDER",
        help="The node, as in ape: arbitrum:sepolia, arbitrum:mainnet:https://…, ::http://…, or a URL.  "
        "[default: follows from the deployment's chain]",
    )
    @click.option("--deployment", metavar="FILE|v1", help="The deployments file, or v1 for version 1 on Arbitrum One.")
    @click.option(
        "--timeout", type=click.FloatRange(min=0, min_open=True), help="Seconds for each answer.  [default: 30]"
    )
    @functools.wraps(command)
    def wrapped(*args: Any, network: str | None, deployment: str | None, timeout: float | None, **rest: Any) -> Any:
        where = Where(
            _given_or_set("network", network),
            _given_or_set("deployment", deployment),
            float(_given_or_set("timeout", timeout) or DEFAULT_TIMEOUT),
        )
        return command(*args, where=where, **rest)

    return wrapped  # type: ignore[return-value]


def index_options(command: F) -> F:
    """--database, --data, --update/--no-update, as ``index: IndexChoice``."""

    @click.option(
        "--database", metavar="URL", help="The index.  [default: SQLite, index.sqlite beside the configuration]"
    )
    @click.option("--data", metavar="URL", help="Where epochs' data are published: file:///…, s3://…, https://…")
    @click.option(
        "--update/--no-update", default=True, help="Read on from the chain first, or show what is there.  [default: do]"
    )
    @functools.wraps(command)
    def wrapped(*args: Any, database: str | None, data: str | None, update: bool, **rest: Any) -> Any:
        chosen = _given_or_set("database", database) or default_database()
        return command(*args, index=IndexChoice(chosen, _given_or_set("data", data), update), **rest)

    return wrapped  # type: ignore[return-value]


def default_database() -> str:
    """The index's URL when nobody names one: a file beside the configuration."""
    return f"sqlite:///{settings_of().path.absolute().parent / 'index.sqlite'}"


def data_option(command: F) -> F:
    """--data alone, as ``data: str``, for commands that need published data and no index."""

    @click.option("--data", metavar="URL", help="Where epochs' data are published: file:///…, s3://…, https://…")
    @functools.wraps(command)
    def wrapped(*args: Any, data: str | None, **rest: Any) -> Any:
        chosen = _given_or_set("data", data)
        if chosen is None:
            raise click.UsageError("say where the epochs' data are published: --data URL")
        return command(*args, data=chosen, **rest)

    return wrapped  # type: ignore[return-value]


def account_options(command: F) -> F:
    """--account, --passphrase-file, as ``account: AccountChoice``."""

    @click.option("--account", metavar="ALIAS|KEYFILE", help="Who acts: an account of ape's, or an encrypted key file.")
    @click.option(
        "--passphrase-file",
        type=click.Path(path_type=Path, dir_okay=False),
        help="What opens the key file; asked for on a terminal when left out.",
    )
    @functools.wraps(command)
    def wrapped(*args: Any, account: str | None, passphrase_file: Path | None, **rest: Any) -> Any:
        return command(*args, account=AccountChoice(_given_or_set("account", account), passphrase_file), **rest)

    return wrapped  # type: ignore[return-value]


def sending_options(command: F) -> F:
    """What belongs to a command that sends, its account included, as ``sending: SendingChoice``."""

    @account_options
    @click.option("--dry-run", is_flag=True, help="Show what would be sent, and end.")
    @click.option("--yes", "-y", is_flag=True, help="Send without asking.")
    @click.option("--max-fee", metavar="GWEI", help="Pay no more than this for a unit of gas.")
    @click.option("--wait-for-fee", is_flag=True, help="With --max-fee: wait until the network asks no more.")
    @functools.wraps(command)
    def wrapped(
        *args: Any,
        account: AccountChoice,
        dry_run: bool,
        yes: bool,
        max_fee: str | None,
        wait_for_fee: bool,
        **rest: Any,
    ) -> Any:
        limit = _given_or_set("max_fee", max_fee)
        if wait_for_fee and limit is None:
            raise click.UsageError("--wait-for-fee needs --max-fee GWEI")
        price = None if limit is None else _gwei(str(limit))
        return command(*args, sending=SendingChoice(account, dry_run, yes, price, wait_for_fee), **rest)

    return wrapped  # type: ignore[return-value]


def _gwei(text: str) -> int:
    from decimal import Decimal, InvalidOperation

    try:
        wei = Decimal(text) * 10**9
    except InvalidOperation:
        wei = Decimal(-1)
    if not wei.is_finite() or wei <= 0 or wei != wei.to_integral_value():
        raise click.BadParameter(f"{text!r} is not an amount of gwei above zero", param_hint="--max-fee")
    return int(wei)


def json_option(command: F) -> F:
    """--json, as ``as_json: bool``."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON on stdout; amounts are integers of wei.")(
        command
    )


class AddressType(click.ParamType):
    """An address, as people write it."""

    name = "address"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Check and checksum it."""
        from eth_utils.address import is_address, to_checksum_address

        if not isinstance(value, str) or not is_address(value):
            self.fail(f"{value!r} is not an address of 20 bytes with a right checksum", param, ctx)
        return to_checksum_address(value)


class HashType(click.ParamType):
    """A transaction's hash."""

    name = "hash"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> bytes:
        """Read 32 bytes of hex."""
        if isinstance(value, bytes):
            return value
        text = str(value).removeprefix("0x")
        try:
            raw = bytes.fromhex(text)
        except ValueError:
            raw = b""
        if len(raw) != 32:
            self.fail(f"{value!r} is not a hash: 0x and 64 hexadecimal digits", param, ctx)
        return raw


ADDRESS, HASH = AddressType(), HashType()
INSTANCE = click.IntRange(min=1)
EPOCH = click.IntRange(min=1)
