"""What a user asks for: which model, how good, of what data, trained how.

A job is an agreement between parties that do not trust each other, so it is written in one way only: JSON with
sorted keys, without spaces, and with integers for numbers (a learning rate of 0.1 is 100,000 millionths), because two
programs write the same float differently. Its keccak-256 hash then names it: the cohort is drawn from that hash, and
whoever shows the text shows what was agreed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields
from itertools import pairwise
from typing import Any, TypeVar

from eth_utils.crypto import keccak

from fedblocks.exceptions import FedBlocksError
from fedblocks.types import MAX_COHORT, MIN_COHORT, Hash32
from fedblocks.units import PARTS_PER_MILLION

JOB_VERSION = 2
MAX_EPOCHS = 1024
"""Epochs of an instance at most, as the contracts have it."""

MAX_CLASSES = 65_536
_MAX_SAFE = 2**53 - 1  # what a JSON number holds exactly in every language
_LONGEST_TEXT = 1 << 20
_MOST_BRACKETS = 16
_WORD = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")


class InvalidJob(FedBlocksError, ValueError):
    """A field of a job, of its data requirement or of its training is missing, unknown or out of range."""

    def __init__(self, field_name: str, why: str) -> None:
        super().__init__(f"the job's {field_name} {why}")
        self.field_name, self.why = field_name, why


@dataclass(frozen=True)
class LocalTraining:
    """How every client trains in every epoch.

    Attributes:
        local_steps: mini-batch steps, the same number for every client whatever its data: unequal work looks like an
            attack to Krum.
        batch_size: samples in a step.
        learning_rate_millionths: 100_000 is 0.1.
        momentum_millionths: 0 to 999_999; the momentum starts from nothing in every epoch.
    """

    local_steps: int = 60
    batch_size: int = 32
    learning_rate_millionths: int = 100_000
    momentum_millionths: int = 0

    def __post_init__(self) -> None:
        _within("local_steps", self.local_steps, 1, 1_000_000)
        _within("batch_size", self.batch_size, 1, 65_536)
        _within("learning_rate_millionths", self.learning_rate_millionths, 1, 1000 * PARTS_PER_MILLION)
        _within("momentum_millionths", self.momentum_millionths, 0, PARTS_PER_MILLION - 1)

    @property
    def learning_rate(self) -> float:
        return self.learning_rate_millionths / PARTS_PER_MILLION

    @property
    def momentum(self) -> float:
        return self.momentum_millionths / PARTS_PER_MILLION


@dataclass(frozen=True)
class DataRequirement:
    """What data a client must have to be considered for a job.

    Attributes:
        domain: what the data are of, such as ``fashion``: lower-case letters, digits and ``. _ -``.
        modality: what kind of data they are, such as ``image``; written alike.
        input_shape: one sample's shape.
        labels: classes that a client must have samples of, ascending; none is no demand.
        minimum_samples: what a client must have at least.
    """

    domain: str
    modality: str
    input_shape: tuple[int, ...]
    labels: tuple[int, ...] = ()
    minimum_samples: int = 1

    def __post_init__(self) -> None:
        check_word("domain", self.domain)
        check_word("modality", self.modality)
        check_shape("input_shape", self.input_shape)
        check_labels("labels", self.labels)
        _within("minimum_samples", self.minimum_samples, 1, _MAX_SAFE)


@dataclass(frozen=True)
class JobRequest:
    """One model to be trained, as its user asks for it.

    Attributes:
        architecture: the name of one in :data:`fedblocks.training.models.ARCHITECTURES`, or one that user and clients
            have agreed on.
        input_shape: what the model takes, without the batch.
        classes: what it tells apart.
        target_accuracy_ppm: the accuracy at which training may stop, in parts per million.
        maximum_epochs: what the user pays for at most.
        cohort_size: how many clients train.
        seed: what the genesis model's weights, and the clients' batches, are drawn from; below 2**53.
    """

    architecture: str
    input_shape: tuple[int, ...]
    classes: int
    target_accuracy_ppm: int
    maximum_epochs: int
    cohort_size: int
    requirement: DataRequirement
    training: LocalTraining = field(default_factory=LocalTraining)
    seed: int = 0

    def __post_init__(self) -> None:
        check_word("architecture", self.architecture)
        check_shape("input_shape", self.input_shape)
        _within("classes", self.classes, 2, MAX_CLASSES)
        _within("target_accuracy_ppm", self.target_accuracy_ppm, 1, PARTS_PER_MILLION)
        _within("maximum_epochs", self.maximum_epochs, 1, MAX_EPOCHS)
        _within("cohort_size", self.cohort_size, MIN_COHORT, MAX_COHORT)
        _within("seed", self.seed, 0, _MAX_SAFE)
        if self.requirement.input_shape != self.input_shape:
            raise InvalidJob("requirement.input_shape", f"must be the model's, {self.input_shape}")
        if self.requirement.labels and self.requirement.labels[-1] >= self.classes:
            raise InvalidJob("requirement.labels", f"must be below the number of classes, {self.classes}")

    def to_json(self) -> str:
        """The job's one text: sorted keys, no spaces, ASCII, integers only."""
        return json.dumps(
            {"version": JOB_VERSION, **asdict(self)}, sort_keys=True, separators=(",", ":"), ensure_ascii=True
        )

    def hash(self) -> Hash32:
        """keccak-256 of :meth:`to_json`; it names the job."""
        return Hash32(keccak(self.to_json().encode("ascii")))

    @classmethod
    def from_json(cls, text: str | bytes) -> JobRequest:
        """Read a job, from whoever it comes.

        Spaces and the order of keys do not matter; a field too many or too few does.

        Raises:
            InvalidJob: if it is no job of this version.
        """
        if isinstance(text, bytes):
            text = text.decode("ascii", "replace")
        # Texts come from strangers, and Python's JSON reader can be made to overflow the stack.
        if len(text) > _LONGEST_TEXT or text.count("[") + text.count("{") > _MOST_BRACKETS:
            raise InvalidJob("text", "is longer or deeper than any job")
        try:
            document = json.loads(text, object_pairs_hook=_without_repetition)
        except ValueError as error:
            raise InvalidJob("text", f"is not JSON: {error}") from error
        if not isinstance(document, dict):
            raise InvalidJob("text", "is not a JSON object")
        version = document.pop("version", None)
        if version != JOB_VERSION or isinstance(version, (bool, float)):
            raise InvalidJob("version", f"must be {JOB_VERSION}, not {version!r}")
        return _read(
            cls,
            document,
            "",
            {
                "input_shape": _integers,
                "requirement": lambda name, value: _read(
                    DataRequirement, value, f"{name}.", {"input_shape": _integers, "labels": _integers}
                ),
                "training": lambda name, value: _read(LocalTraining, value, f"{name}.", {}),
            },
        )


def check_word(name: str, value: object) -> None:
    """Raise InvalidJob unless `value` is a word in lower-case ASCII, so that no two look alike."""
    if not isinstance(value, str) or not _WORD.fullmatch(value):
        raise InvalidJob(
            name, f"must be 1 to 64 of a-z, 0-9 and . _ -, beginning with a letter or digit, not {value!r}"
        )


def check_shape(name: str, value: object) -> None:
    """Raise InvalidJob unless `value` is a tuple of 1 to 8 dimensions, each at least 1."""
    if not isinstance(value, tuple) or not 1 <= len(value) <= 8:
        raise InvalidJob(name, f"must be 1 to 8 dimensions, not {value!r}")
    for dimension in value:
        _within(name, dimension, 1, 2**30)


def check_labels(name: str, value: object) -> None:
    """Raise InvalidJob unless `value` is a tuple of classes, ascending, each once."""
    if not isinstance(value, tuple):
        raise InvalidJob(name, f"must be a tuple of classes, not {value!r}")
    for label in value:
        _within(name, label, 0, MAX_CLASSES - 1)
    if any(first >= second for first, second in pairwise(value)):
        raise InvalidJob(name, f"must ascend, each class once, not {value!r}")


def _within(name: str, value: object, lowest: int, highest: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not lowest <= value <= highest:
        raise InvalidJob(name, f"must be an integer, {lowest} to {highest}, not {value!r}")


T = TypeVar("T")
_Reader = Callable[[str, Any], Any]


def _read(cls: type[T], document: Any, prefix: str, readers: Mapping[str, _Reader]) -> T:
    if not isinstance(document, dict):
        raise InvalidJob(prefix.rstrip("."), "must be a JSON object")
    names = [f.name for f in fields(cls)]  # type: ignore[arg-type]
    for name in document.keys() - set(names):
        raise InvalidJob(f"{prefix}{name}", "is unknown")
    for name in names:
        if name not in document:
            raise InvalidJob(f"{prefix}{name}", "is missing")
    values = {
        name: readers[name](f"{prefix}{name}", value) if name in readers else value for name, value in document.items()
    }
    return cls(**values)


def _integers(name: str, value: Any) -> tuple[Any, ...]:
    if not isinstance(value, list):
        raise InvalidJob(name, "must be a list of integers")
    return tuple(value)


def _without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) != len(pairs):
        raise InvalidJob("text", "has a field twice")
    return document
