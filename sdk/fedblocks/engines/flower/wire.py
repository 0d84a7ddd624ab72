"""What Flower's messages hold between a FedBlocks strategy and a FedBlocks mod.

Everything of FedBlocks lies in records of its own, so that the app's records stay as they are:

====================  ==================  ===========================================================================
record                in                  content
====================  ==================  ===========================================================================
fedblocks             every message       a ConfigRecord: which phase of which epoch, and hashes, signature, salt
fedblocks.vector      commit request,     one array: the base model or the update, as the raw integers that are hashed
                      reveal reply        (big-endian, offset by half their range), never as a pickle
fedblocks.constants   commit request      tensors that are no part of the vector, as Flower sends arrays
====================  ==================  ===========================================================================

A request to commit has the type ``train``, as any message that makes a client train, and so has the request to reveal,
because that is the type for which every app has a function; the mod answers it and the app never sees it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, cast

import numpy as np
from flwr.app import Array, ArrayRecord, ConfigRecord, MetricRecord, RecordDict

from fedblocks.aggregation.fixed_point import Int16Array, Int32Array
from fedblocks.aggregation.rules import Rules
from fedblocks.engines.flower.layout import Layout
from fedblocks.engines.notebook import Page
from fedblocks.exceptions import FedBlocksError
from fedblocks.rollup.actions import CommitUpdate, Reveal
from fedblocks.rollup.state import InstanceContext
from fedblocks.rollup.vectors import Values, VectorKind, WrongVectorSize, decode_vector, encode_vector, kind_of
from fedblocks.training.client import RoundTask
from fedblocks.types import Address, EpochNumber, Hash32, InstanceId, Seat

RECORD, VECTOR, CONSTANTS = "fedblocks", "fedblocks.vector", "fedblocks.constants"
_RAW = "fedblocks.vector"
"""The serialisation type of a vector's array: its wire form and nothing else."""


class Malformed(FedBlocksError, ValueError):
    """A message holds no FedBlocks record, or one that is not what it should be."""

    def __init__(self, what: str) -> None:
        super().__init__(f"the message cannot be used: {what}")


class Phase(StrEnum):
    """The two exchanges of an epoch."""

    COMMIT = "commit"
    REVEAL = "reveal"


@dataclass(frozen=True)
class AppModel:
    """A model as an app knows it: tensors with names, in its order.

    Attributes:
        layout: the floating tensors, which make up the vector.
        constants: the others; nobody changes them.
        order: all names, as the app gave them.
    """

    layout: Layout
    constants: ArrayRecord
    order: tuple[str, ...]

    @classmethod
    def of(cls, arrays: ArrayRecord) -> AppModel:
        """The model of these tensors.

        Raises:
            WrongLayout: if none is floating, or one cannot be averaged.
        """
        layout = Layout.of(_numpy(arrays))
        floating = {tensor.name for tensor in layout.tensors}
        constants = ArrayRecord({name: array for name, array in arrays.items() if name not in floating})
        return cls(layout, constants, tuple(arrays))

    def vector(self, arrays: ArrayRecord) -> Int32Array:
        """These tensors as a vector: int32[d]."""
        return self.layout.model(_numpy(arrays))

    def arrays(self, vector: Int32Array) -> ArrayRecord:
        """The tensors that a vector stands for, with the constants, in the app's order."""
        tensors = self.layout.tensors_of(vector)
        return ArrayRecord(
            {name: Array(tensors[name]) if name in tensors else self.constants[name] for name in self.order}
        )


@dataclass(frozen=True)
class Request:
    """What a client is asked for, as it came and not believed yet.

    Attributes:
        phase: whether to commit or to reveal.
        chain_id, settlement, instance_id, epoch, attempt: where it belongs.
        fields: the rest of the record.
    """

    phase: Phase
    chain_id: int
    settlement: str
    instance_id: InstanceId
    epoch: EpochNumber
    attempt: int
    fields: Mapping[str, Any]

    @property
    def layout(self) -> Layout:
        """The model's layout, of a request to commit."""
        return Layout.from_json(_field(self.fields, "layout", str))

    @property
    def rules(self) -> Rules:
        """The rules of the instance, of a request to commit.

        Raises:
            InvalidRules: if they are none.
        """
        return Rules.from_words(_field(self.fields, "rules", list))

    @property
    def entries(self) -> bytes:
        """The hashes of all entries of the commits list, of a request to reveal."""
        return bytes(_field(self.fields, "entries", bytes))


def request_of(content: RecordDict) -> Request | None:
    """The request in a message; None if it is not from a FedBlocks strategy.

    Raises:
        Malformed: if it is one that cannot be read.
    """
    if RECORD not in content.config_records:
        return None
    record = cast(Mapping[str, Any], content.config_records[RECORD])
    try:
        phase = Phase(_field(record, "phase", str))
    except ValueError as error:
        raise Malformed(str(error)) from error
    numbers = {name: _field(record, name, int) for name in ("chain-id", "instance", "epoch", "attempt")}
    for name, value in numbers.items():
        if value < 0:
            raise Malformed(f"its {name} is {value}")
    return Request(
        phase=phase,
        chain_id=numbers["chain-id"],
        settlement=_field(record, "settlement", str),
        instance_id=InstanceId(numbers["instance"]),
        epoch=EpochNumber(numbers["epoch"]),
        attempt=numbers["attempt"],
        fields=record,
    )


def commit_request(task: RoundTask, model: AppModel, rest: RecordDict) -> RecordDict:
    """What asks a client to train and to commit.

    Args:
        task: the epoch's.
        model: how the app knows it.
        rest: the app's own records, such as its training configuration.
    """
    content = RecordDict(dict(rest.items()))
    record = _request(task, Phase.COMMIT)
    record["layout"] = model.layout.to_json()
    record["order"] = list(model.order)
    record["rules"] = list(task.context.rules.words())
    content[RECORD] = record
    content[VECTOR] = _vector_record(task.base)
    content[CONSTANTS] = model.constants
    return content


def base_model(content: RecordDict, d: int) -> Int32Array:
    """The base model of a request to commit: int32[d].

    Raises:
        Malformed: if it is not there, or of another size.
    """
    return cast(Int32Array, _read_vector(content, VectorKind.MODEL, d))


def app_model(content: RecordDict, request: Request) -> AppModel:
    """How the app knows the model, from a request to commit.

    Raises:
        WrongLayout, Malformed: if its parts do not fit together.
    """
    layout, constants = request.layout, content.array_records.get(CONSTANTS, ArrayRecord())
    order = tuple(_field(request.fields, "order", list))
    if sorted(order) != sorted([*(tensor.name for tensor in layout.tensors), *constants]):
        raise Malformed("the order of its tensors names others than there are")
    return AppModel(layout, constants, order)


def app_content(content: RecordDict, arrays: ArrayRecord, key: str) -> RecordDict:
    """The message as the app's own training function knows it: the model's tensors and the app's records.

    Args:
        content: of a request to commit.
        arrays: the model.
        key: the name of the app's record of arrays.
    """
    ours = (RECORD, VECTOR, CONSTANTS)
    theirs = RecordDict({name: record for name, record in content.items() if name not in ours})
    theirs[key] = arrays
    return theirs


def commit_reply(page: Page) -> RecordDict:
    """A signed commitment and what the app measured; nothing from which the update could be guessed."""
    action = page.commit.action
    record = ConfigRecord(
        {
            "instance": action.instance_id,
            "epoch": action.epoch,
            "attempt": action.attempt,
            "base-model-root": action.base_model_root,
            "commitment": action.commitment,
            "signature": page.commit.signature,
        }
    )
    return RecordDict({RECORD: record, "metrics": MetricRecord(cast(Any, dict(page.metrics)))})


def read_commit(content: RecordDict) -> tuple[CommitUpdate, bytes]:
    """A commitment and its signature, as they came and not checked yet.

    Raises:
        Malformed: if there is none.
    """
    if RECORD not in content.config_records:
        raise Malformed("it holds no commitment; does the ClientApp have the FedBlocks mod?")
    record = cast(Mapping[str, Any], content.config_records[RECORD])
    action = CommitUpdate(
        instance_id=InstanceId(_field(record, "instance", int)),
        epoch=EpochNumber(_field(record, "epoch", int)),
        attempt=_field(record, "attempt", int),
        base_model_root=_hash(record, "base-model-root"),
        commitment=_hash(record, "commitment"),
    )
    return action, _field(record, "signature", bytes)


def reveal_request(task: RoundTask, entries: bytes) -> RecordDict:
    """What asks a client to reveal.

    Args:
        task: the epoch's.
        entries: the hashes of all entries of the commits list: with them a client sees that it is in the list whose
            root is on chain.
    """
    record = _request(task, Phase.REVEAL)
    record["entries"] = entries
    return RecordDict({RECORD: record})


def reveal_reply(reveal: Reveal) -> RecordDict:
    """What opens a commitment."""
    record = ConfigRecord({"samples": reveal.samples.to_bytes(32, "big"), "salt": reveal.salt})
    return RecordDict({RECORD: record, VECTOR: _vector_record(reveal.update)})


def read_reveal(content: RecordDict, context: InstanceContext, client: Address) -> Reveal:
    """What a client sent to open its commitment; whether it does is for the sequencer to say.

    Raises:
        Malformed: if it cannot be read.
    """
    if RECORD not in content.config_records:
        raise Malformed("it holds nothing that opens a commitment")
    record = cast(Mapping[str, Any], content.config_records[RECORD])
    update = cast(Int16Array, _read_vector(content, VectorKind.UPDATE, context.d))
    samples = int.from_bytes(_hash(record, "samples"), "big")
    return Reveal(Seat(context.seat_of(client)), update, samples, _hash(record, "salt"))


def _request(task: RoundTask, phase: Phase) -> ConfigRecord:
    context = task.context
    return ConfigRecord(
        {
            "phase": str(phase),
            "chain-id": context.chain_id,
            "settlement": context.settlement,
            "instance": context.instance_id,
            "epoch": task.epoch,
            "attempt": task.attempt,
        }
    )


def _numpy(arrays: ArrayRecord) -> dict[str, np.ndarray[Any, Any]]:
    return {name: array.numpy() for name, array in arrays.items()}


def _vector_record(values: Values) -> ArrayRecord:
    kind = kind_of(values)
    return ArrayRecord({"vector": Array(kind.dtype.name, (len(values),), _RAW, encode_vector(values))})


def _read_vector(content: RecordDict, kind: VectorKind, d: int) -> Values:
    array = content.array_records.get(VECTOR, {}).get("vector")
    if array is None:
        raise Malformed(f"it holds no {kind.value}")
    try:
        return decode_vector(array.data, kind, d)
    except WrongVectorSize as error:
        raise Malformed(str(error)) from error


def _field(record: Mapping[str, Any], name: str, kind: type[Any]) -> Any:
    value = record.get(name)
    if type(value) is not kind:
        raise Malformed(f"its {name} must be of the type {kind.__name__}, not {type(value).__name__}")
    return value


def _hash(record: Mapping[str, Any], name: str) -> Hash32:
    value = _field(record, name, bytes)
    if len(value) != 32:
        raise Malformed(f"its {name} must have 32 bytes, not {len(value)}")
    return Hash32(value)
