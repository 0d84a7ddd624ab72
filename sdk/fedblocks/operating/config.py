"""What an operator decides: the configuration of a client's and of an aggregator's process.

Neither holds a secret. A key lies encrypted in its key file, the passphrase in a file of its own that only the process
may read. Whoever talks to a paid node or to a database with a password puts that into the address, and then the file is
a secret too: give it mode 600, or let PostgreSQL read its password from ``~/.pgpass``.
"""

# ruff: noqa: RUF009 - what is called in the defaults is dataclasses.field under another name
from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from fedblocks.chain.signers import LocalSigner, find_keyfile
from fedblocks.config import parse_network
from fedblocks.operating.toml import setting


@dataclass(frozen=True, kw_only=True)
class ChainConfig:
    """Which chain, and which deployment on it."""

    network: str = setting(
        "The node: ecosystem:network:provider as in ape, or a URL (which may hold an API key: then keep this file "
        "secret).",
        example="arbitrum:sepolia",
        shown=False,
    )
    deployment: Path = setting("The deployments file.", example="deployment.json")
    confirmations: int = setting("How many blocks deep something must lie before it counts.", 0, minimum=0)
    timeout: float = setting("Seconds to wait for each answer of the node.", 30.0, minimum=0.1)

    @property
    def url(self) -> str:
        """The node's address."""
        return parse_network(self.network).url


@dataclass(frozen=True, kw_only=True)
class AccountConfig:
    """Whose process this is."""

    keyfile: Path | None = setting("An encrypted key file, as geth and ape write it.", None, example="key.json")
    alias: str | None = setting("In place of a key file: the alias of one of ape's accounts.", None, example="alice")
    passphrase_file: Path = setting(
        "The file with the passphrase; readable by this process alone.", example="passphrase"
    )

    def __post_init__(self) -> None:
        if (self.keyfile is None) == (self.alias is None):
            raise ValueError("give either keyfile or alias")

    def open(self) -> LocalSigner:
        """The account, with its key file opened.

        Raises:
            UnknownAccount, KeyfileUnusable, WrongPassphrase: if it cannot be.
        """
        return LocalSigner.from_keyfile(self.keyfile or find_keyfile(self.alias or ""), self.passphrase_file)


@dataclass(frozen=True, kw_only=True)
class DataConfig:
    """The data to train with, or to measure a model with: a file, or a part of a known data set."""

    file: Path | None = setting(
        "A .npz or .safetensors file with the arrays x, float[n, *shape], and y, integer[n].", None, example="data.npz"
    )
    dataset: str | None = setting(
        "In place of a file: digits, fashion-mnist or letters, to try things out.", None, example="digits"
    )
    part: int = setting("Of a data set: which part is this client's, counted from 0.", 0, minimum=0)
    parts: int = setting("Of a data set: into how many parts it is divided.", 1, minimum=1)
    alpha: float = setting("Of a data set: how even the parts are; 0.1 is very uneven.", 0.5, minimum=0.001)
    seed: int = setting("Of a data set: what the division is drawn from.", 0, minimum=0)
    minimum_samples: int = setting("Of a data set: what each part has at least.", 64, minimum=1)
    domain: str = setting(
        "What the data are of, as jobs name it; the data set's name by default.", "", example="fashion"
    )
    modality: str = setting("What kind of data they are, as jobs name it.", "image")

    def __post_init__(self) -> None:
        if (self.file is None) == (self.dataset is None):
            raise ValueError("give either file or dataset")
        if self.part >= self.parts:
            raise ValueError(f"part must be below parts, {self.parts}, and is {self.part}")
        if self.file is not None and not self.domain:
            raise ValueError("domain must be given with a file")


@dataclass(frozen=True, kw_only=True)
class EvaluationConfig:
    """The data that an aggregator measures accuracy with."""

    file: Path | None = setting("A .npz or .safetensors file with the arrays x and y.", None, example="test.npz")
    dataset: str | None = setting(
        "In place of a file: the test part of digits, fashion-mnist or letters.", None, example="digits"
    )

    def __post_init__(self) -> None:
        if (self.file is None) == (self.dataset is None):
            raise ValueError("give either file or dataset")


@dataclass(frozen=True, kw_only=True)
class ClientConfig:
    """A client's process."""

    service: str = setting(
        "The aggregator's node, over HTTPS unless it is on this machine.", example="https://fedblocks.example.org"
    )
    state: Path = setting(
        "The folder of this client's state: what it has committed to, and the acknowledgements that "
        "prove it. Keep it on a disk that survives; one process, one folder.",
        example="state",
    )
    instances: tuple[int, ...] = setting(
        "The instances to take part in; all in which the account has a seat by default.", (), minimum=1
    )
    jobs: tuple[str, ...] = setting("The hashes of the jobs to take part in; any by default.", ())
    max_samples_per_epoch: int = setting(
        "Take no part in a job that wants more than this many samples trained in an "
        "epoch (local steps times batch size).",
        10_000_000,
        minimum=1,
    )
    publish_profile: bool = setting("Publish, signed, what data there are: domain, shape, classes and how many.", True)
    claim_rewards: bool = setting("Claim rewards when an instance is settled; costs gas.", False)
    poll_seconds: float = setting("Seconds between two looks when there is nothing to do.", 2.0, minimum=0.01)
    threads: int = setting("For PyTorch. With one, training is repeatable bit by bit.", 1, minimum=1)
    chain: ChainConfig = setting("The chain.")
    account: AccountConfig = setting("The client's account. It signs commitments; it sends only to claim rewards.")
    data: DataConfig = setting("The client's data: give file or dataset.")


@dataclass(frozen=True, kw_only=True)
class InstanceConfig:
    """An instance that the aggregator runs."""

    instance: int = setting("Its number.", example=1, minimum=1)
    job: Path = setting("The job's text, as the user has published it.", example="job.json")
    evaluation: EvaluationConfig = setting("What accuracy is measured with: give file or dataset.")
    genesis: Path | None = setting(
        "The genesis model as it is hashed; by default it follows from the job's seed.", None, example="genesis.model"
    )
    maximum_epochs: int | None = setting(
        "Stop after so many epochs, although more were paid for.", None, example=10, minimum=1
    )


@dataclass(frozen=True, kw_only=True)
class AggregatorConfig:
    """An aggregator's process."""

    store: str = setting(
        "The database that it shares with its nodes: postgresql://HOST/NAME, or sqlite:////PATH on one machine.",
        example="postgresql:///fedblocks",
        shown=False,
    )
    data: str = setting(
        "Where updates and models lie, shared with the nodes: file:///PATH or s3://BUCKET/PREFIX.",
        example="file:///var/lib/fedblocks/blobs",
    )
    outbox: str | None = setting(
        "The database of its transactions; the store by default.",
        None,
        example="sqlite:////var/lib/fedblocks/outbox.sqlite",
        shown=False,
    )
    deposit_bond: bool = setting("Accept an instance by depositing the bond, where that is not done.", False)
    settle: bool = setting("Settle an instance when it is closed, so that everybody can be paid.", True)
    withdraw_bond: bool = setting("Take the bond back when an instance is closed.", True)
    slash: bool = setting("Carry out verdicts when they are final; anybody may.", True)
    commit_seconds: float = setting("How long to wait for commitments, that is for training.", 3600.0, minimum=0.1)
    reveal_seconds: float = setting("How long to wait for updates.", 900.0, minimum=0.1)
    minimum_commits: int = setting("With fewer commitments than this an epoch is not closed.", 1, minimum=1)
    max_fee_gwei: float | None = setting("Wait while a unit of gas costs more than this.", None, example=2.0, minimum=0)
    poll_seconds: float = setting("Seconds between two looks at the store.", 1.0, minimum=0.01)
    chain_seconds: float = setting(
        "Seconds between two looks at the chain, for demands and due epochs.", 10.0, minimum=0.01
    )
    threads: int = setting("For PyTorch. With one, accuracy is repeatable.", 1, minimum=1)
    chain: ChainConfig = setting("The chain.")
    account: AccountConfig = setting("The aggregator's account: it signs and it pays for gas.")
    instance: tuple[InstanceConfig, ...] = setting("One of these for each instance.")
