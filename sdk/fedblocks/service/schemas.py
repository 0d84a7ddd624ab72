"""What goes over the wire as JSON. Names are in camel case; bytes are ``0x`` and hexadecimal.

Numbers are JSON numbers where 53 bits always hold them, as those of epochs and seats do, and text where they may need
256 bits, as samples do.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from fedblocks.rollup.progress import Happened, Phase
from fedblocks.rollup.records import Level

MAX_SAFE = 2**53 - 1

Hex32 = Annotated[str, Field(pattern=r"^0x[0-9a-fA-F]{64}$", description="32 bytes")]
HexAddress = Annotated[str, Field(pattern=r"^0x[0-9a-fA-F]{40}$", description="an address")]
HexSignature = Annotated[str, Field(pattern=r"^0x[0-9a-fA-F]{130}$", description="r ‖ s ‖ v, 65 bytes")]
HexBytes = Annotated[str, Field(pattern=r"^0x([0-9a-fA-F]{2})*$")]
Uint256 = Annotated[str, Field(pattern=r"^(0|[1-9][0-9]{0,77})$", description="an unsigned integer of up to 256 bits")]
Count = Annotated[int, Field(ge=0, le=MAX_SAFE)]
Positive = Annotated[int, Field(ge=1, le=MAX_SAFE)]


def hexadecimal(data: bytes) -> str:
    """Bytes as they go over the wire."""
    return "0x" + data.hex()


def from_hex(text: str) -> bytes:
    """The inverse of :func:`hexadecimal`, for text of a checked form."""
    return bytes.fromhex(text[2:])


class Wire(BaseModel):
    """The base of everything on the wire: names in camel case, no unknown fields, no guessing at types."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="forbid", strict=True, frozen=True)


class Problem(BaseModel):
    """What went wrong, as problem details (RFC 9457)."""

    model_config = ConfigDict(extra="allow")

    type: str
    title: str
    status: int
    detail: str


class Commit(Wire):
    """A signed commitment: the fields of CommitUpdate, its EIP-712 domain, and the client's signature."""

    chain_id: Positive
    settlement: HexAddress
    instance_id: Positive
    epoch: Positive
    attempt: Count
    base_model_root: Hex32
    commitment: Hex32
    signature: HexSignature


class Acknowledged(Wire):
    """The aggregator's word that an action is stored: check the signature against its address."""

    action_hash: Hex32
    signature: HexSignature


class Profile(Wire):
    """What data a client has, signed by it."""

    chain_id: Positive
    settlement: HexAddress
    client: HexAddress
    domain: Annotated[str, Field(max_length=64)]
    modality: Annotated[str, Field(max_length=64)]
    input_shape: Annotated[str, Field(max_length=128)]
    labels: Annotated[str, Field(max_length=8192)]
    samples: Positive
    issued_at: Count
    signature: HexSignature


class ProfilePage(Wire):
    """Profiles in the order of their clients; `next` is what to give as `after` for more, None at the end."""

    profiles: list[Profile]
    next: str | None


class InstanceSummary(Wire):
    """An instance, in short."""

    name: str
    chain_id: int
    settlement: str
    instance_id: int
    epochs: int
    max_epochs: int


class Instances(Wire):
    """All instances that the node knows."""

    instances: list[InstanceSummary]


class Instance(Wire):
    """What never changes in an instance (its aggregator aside): hold the genesis hash against the chain."""

    name: str
    chain_id: int
    settlement: str
    instance_id: int
    user: str
    aggregator: str
    cohort: list[str]
    d: int
    max_epochs: int
    rules: list[str]
    genesis_hash: str
    genesis_model_blob: str | None
    job_blob: str | None
    job: Any = Field(default=None, description="the job document, whose bytes lie under jobBlob")


class Round(Wire):
    """The round under way. The base model's root is on chain; the blob's bytes hash to its address."""

    epoch: int
    attempt: int
    phase: Phase
    base_model_root: str
    base_model_blob: str
    last_delta_blob: str | None
    barred: list[int]
    deadline: float | None
    commits_root: str | None
    left_out: list[int]
    committed: list[int]
    revealed: list[int]


class HeaderEntry(Wire):
    """A header as it is hashed, 17 words, and how certain it is."""

    epoch: int
    attempt: int
    header: str
    header_hash: str
    level: Level


class HeaderPage(Wire):
    """Headers in order; `next` is the epoch to go on from, None at the end."""

    headers: list[HeaderEntry]
    next: int | None


class Epoch(Wire):
    """An executed epoch."""

    epoch: int
    attempt: int
    level: Level
    header: str
    header_hash: str
    fields: dict[str, str]
    manifest_blob: str
    transaction_hash: str | None
    block_number: int | None


class Opening(Wire):
    """Opens a list at a seat: the entry's hash is in `hashes` at the seat's place, and they hash to the root."""

    entry: str | None
    hashes: str
    root: str


class Proof(Wire):
    """What an epoch says of one seat, under roots that the header commits to."""

    epoch: int
    attempt: int
    seat: int
    client: str
    header: str
    header_hash: str
    commits: Opening
    submissions: Opening
    stats: Opening
    update_blob: str | None


class Event(Wire):
    """Something that has happened in an instance."""

    number: int
    what: Happened
    epoch: int
    attempt: int
    at: float
    details: dict[str, Any]


class Health(Wire):
    """The node answers."""

    status: str
    version: str


class ActionLevel(Wire):
    """How certain it is that an action counts."""

    action_hash: str
    level: Level
