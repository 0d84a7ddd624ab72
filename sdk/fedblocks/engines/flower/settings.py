"""What a SuperNode and a ServerApp must know to take part: two small TOML files.

They name files and addresses and hold no secret: the key lies encrypted in its key file, the passphrase in a file of
its own. Paths are relative to the folder of the TOML file. A field too many is refused, because a misspelt one would
otherwise be a default.

Nothing of this comes over the network. A SuperNode is told its file by whoever starts it, ``--node-config
'fedblocks="/etc/fedblocks/client.toml"'``. Flower's simulation engine gives its virtual nodes no configuration but
their number: there the environment variable FEDBLOCKS_CLIENTS names a folder with ``0.toml``, ``1.toml`` and so on.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

from fedblocks.chain.signers import KeyfileSigner, LocalSigner, find_keyfile, read_passphrase
from fedblocks.exceptions import FedBlocksError

NODE_KEY = "fedblocks"
"""The entry of a SuperNode's configuration that names the client's settings."""

CLIENTS_VARIABLE = "FEDBLOCKS_CLIENTS"
"""The environment variable that names the folder of a simulation's clients."""


class InvalidSettings(FedBlocksError, ValueError):
    """A settings file is missing, unreadable, or has a field too many, too few or of another type."""

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(f"{path} is not usable: {why}")
        self.path, self.why = path, why


class NoSettings(FedBlocksError, LookupError):
    """A ClientApp has the FedBlocks mod, but nobody has said which client it is."""

    def __init__(self) -> None:
        super().__init__(
            f"which client this is was not said; start the SuperNode with --node-config '{NODE_KEY}=\"client.toml\"', "
            f"or a simulation with {CLIENTS_VARIABLE} naming the folder with 0.toml, 1.toml and so on"
        )


@dataclass(frozen=True, kw_only=True)
class _Account:
    """Which chain, which deployment, whose key."""

    rpc: str = field(repr=False)
    """The node's HTTP endpoint; it may hold an API key, so it is not shown."""
    deployment: Path
    """The deployments file."""
    account: str
    """The key file, or the alias of one of ape's accounts."""
    passphrase_file: Path
    """The file with the passphrase of the account's key file."""

    def signer(self) -> KeyfileSigner:
        """The account; its key file is opened when something is signed and not before."""
        return KeyfileSigner(find_keyfile(self.account), lambda: read_passphrase(self.passphrase_file))

    def opened(self) -> LocalSigner:
        """The account with its key file open, for whoever signs again and again."""
        return LocalSigner.from_keyfile(find_keyfile(self.account), self.passphrase_file)


@dataclass(frozen=True, kw_only=True)
class ClientSettings(_Account):
    """A client's."""

    state: Path
    """The folder in which the client keeps what it has committed to until it reveals it."""
    confirmations: int = 0
    """How many blocks deep something must lie on chain before it counts."""
    patience: int = 60
    """Seconds to wait until the node has seen what the aggregator says is on chain."""

    @classmethod
    def load(cls, path: Path) -> ClientSettings:
        """Read a client's settings.

        Raises:
            InvalidSettings: if the file is not what it should be.
        """
        return _load(cls, path)

    @classmethod
    def of_node(cls, node_config: Mapping[str, object]) -> ClientSettings:
        """The settings of the node that this process runs for.

        Raises:
            NoSettings: if nobody has said which they are.
            InvalidSettings: if the file is not what it should be.
        """
        named, partition = node_config.get(NODE_KEY), node_config.get("partition-id")
        if isinstance(named, str):
            return cls.load(Path(named))
        folder = os.environ.get(CLIENTS_VARIABLE)
        if folder and isinstance(partition, int):
            return cls.load(Path(folder) / f"{partition}.toml")
        raise NoSettings


@dataclass(frozen=True, kw_only=True)
class AggregatorSettings(_Account):
    """An aggregator's."""

    instance: int
    """The instance that it was named for."""
    job: Path
    """The job's text, as the user published it."""
    store: str
    """The database of the micro-rollup, as SQLAlchemy writes it: ``sqlite:///…``, ``postgresql+psycopg://…``."""
    data: str
    """Where published data go: ``file:///…``, or any URL of fsspec."""
    settle: bool = False
    """Whether to make epochs final, and to stay after training until the job is settled and the bond is back."""
    chain_seconds: int = 15
    """Seconds between two looks at the chain while waiting for that."""

    @classmethod
    def load(cls, path: Path) -> AggregatorSettings:
        """Read an aggregator's settings.

        Raises:
            InvalidSettings: if the file is not what it should be.
        """
        return _load(cls, path)


T = TypeVar("T", bound=_Account)


def _load(cls: type[T], path: Path) -> T:
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InvalidSettings(path, str(error)) from error
    kinds = get_type_hints(cls)
    known = {each.name: each for each in fields(cls)}
    values: dict[str, Any] = {}
    for name, value in document.items():
        if name not in known:
            raise InvalidSettings(path, f"{name} is unknown; there are {', '.join(known)}")
        expected = str if kinds[name] is Path else kinds[name]
        if type(value) is not expected:
            raise InvalidSettings(path, f"{name} must be {_KINDS[expected]}, not {value!r}")
        if isinstance(value, int) and value < 0:
            raise InvalidSettings(path, f"{name} must not be negative, and is {value}")
        values[name] = path.parent / value if kinds[name] is Path else value
    missing = [name for name, each in known.items() if each.default is MISSING and name not in values]
    if missing:
        raise InvalidSettings(path, f"{', '.join(missing)} is missing")
    # A key file lies beside its settings as the other files do; anything else is an alias.
    beside = path.parent / values["account"]
    if beside.is_file():
        values["account"] = str(beside)
    return cls(**values)


_KINDS = {str: "text", int: "an integer", bool: "true or false"}
