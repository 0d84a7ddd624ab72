"""Errors on the wire: problem details (RFC 9457) that say what was wrong, with what value and what to do.

Every error that FedBlocks raises on purpose already is such a sentence. Here each kind gets a status; a status is what
a client's program acts on (409: fetch the round and sign anew, 429 and 503: wait and try again), the type and the
sentence are for people.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from fedblocks.exceptions import FedBlocksError
from fedblocks.rollup.admission import (
    ActionRefused,
    DoesNotOpen,
    SeatBarred,
    SeatLeftOut,
    UnsignedAction,
    UnusableUpdate,
)
from fedblocks.rollup.blobs import BlobMissing
from fedblocks.rollup.conflicts import ActionConflict, CorruptRecord, UnknownRecord
from fedblocks.rollup.profiles import StaleProfile, TooManyProfiles
from fedblocks.rollup.vectors import WrongVectorSize
from fedblocks.storage.errors import StorageError
from fedblocks.training.profile import ForgedProfile, InvalidProfile

MEDIA_TYPE = "application/problem+json"
TYPE_PREFIX = "urn:fedblocks:problem:"
RETRY_SECONDS = 1


class ServiceError(FedBlocksError, RuntimeError):
    """A request cannot be served; its status says why."""

    status = 400

    def __init__(self, detail: str) -> None:
        super().__init__(detail)


class UnknownInstance(ServiceError):
    """No such instance is known here."""

    status = 404

    def __init__(self, text: str) -> None:
        super().__init__(f"this node knows no instance {text}; GET /v1/instances lists those that it does")


class AmbiguousInstance(ServiceError):
    """Several deployments have an instance of this number."""

    status = 409

    def __init__(self, number: int, names: list[str]) -> None:
        super().__init__(f"several deployments have an instance {number}; say which: {', '.join(names)}")


class UnknownThing(ServiceError):
    """What is asked for is not there."""

    status = 404

    def __init__(self, what: str) -> None:
        super().__init__(f"{what} is not known here")


class NotActing(ServiceError):
    """This node cannot acknowledge actions of the instance."""

    status = 409

    def __init__(self, holds: str, needed: str) -> None:
        super().__init__(
            f"this node signs as {holds}, but the instance's aggregator is {needed}; ask the aggregator for its node"
        )


class ForeignDeployment(ServiceError):
    """Something is for a deployment that is not served here."""

    status = 409

    def __init__(self, chain_id: int, settlement: str) -> None:
        super().__init__(f"deployment {settlement} on chain {chain_id} is not served here; check both")


class BodyTooLarge(ServiceError):
    """A request's body is larger than what is expected."""

    status = 413

    def __init__(self, actual: int, limit: int) -> None:
        super().__init__(f"the body has {actual} bytes or more, at most {limit} are taken here")


class HeadersTooLarge(ServiceError):
    """A request's headers are larger than what is taken."""

    status = 431

    def __init__(self, actual: int, limit: int) -> None:
        super().__init__(f"the headers have {actual} bytes, at most {limit} are taken here")


class WrongMediaType(ServiceError):
    """A body is of another media type than the one that is expected."""

    status = 415

    def __init__(self, actual: str, expected: str) -> None:
        super().__init__(f"the body's Content-Type is {actual[:80]!r}; send {expected}")


class TooSlow(ServiceError):
    """A body did not come in time."""

    status = 408

    def __init__(self, why: str) -> None:
        super().__init__(f"{why}; nothing was changed, send again")


class RangeNotSatisfiable(ServiceError):
    """A range begins after the end of a blob."""

    status = 416

    def __init__(self, asked: str, size: int) -> None:
        super().__init__(f"the blob has {size} bytes; {asked[:80]!r} is outside it")
        self.size = size


class TooManyRequests(ServiceError):
    """Somebody asks more often than is allowed."""

    status = 429

    def __init__(self, whose: str, seconds: float) -> None:
        super().__init__(f"{whose} sends more often than is allowed; wait {seconds:.1f} s")
        self.seconds = seconds


class Busy(ServiceError):
    """The node has as much to do as it can bear."""

    status = 503

    def __init__(self, what: str) -> None:
        super().__init__(f"{what}; nothing was changed, try again in a moment")


_STATUS: tuple[tuple[type[FedBlocksError], int], ...] = (
    (UnsignedAction, 403),
    (SeatBarred, 403),
    (SeatLeftOut, 403),
    (ForgedProfile, 403),
    (DoesNotOpen, 422),
    (UnusableUpdate, 422),
    (WrongVectorSize, 422),
    (InvalidProfile, 422),
    (ActionRefused, 409),
    (ActionConflict, 409),
    (StaleProfile, 409),
    (UnknownRecord, 404),
    (BlobMissing, 404),
    (TooManyProfiles, 503),
    (StorageError, 503),
    (CorruptRecord, 503),
)

_EXTRAS = ("field", "phase", "client")


def status_of(error: FedBlocksError) -> int:
    """The status for an error; 500 for one that no request should be able to cause."""
    if isinstance(error, ServiceError):
        return error.status
    return next((status for kind, status in _STATUS if isinstance(error, kind)), 500)


def slug_of(kind: type[Exception]) -> str:
    """An error's name as it stands in a problem's type: ``WrongRound`` is ``wrong-round``."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", kind.__name__).lower()


def problem(
    status: int, kind: str, title: str, detail: str, *, headers: Mapping[str, str] | None = None, **extra: Any
) -> Response:
    """A problem as a response."""
    content = {"type": TYPE_PREFIX + kind, "title": title, "status": status, "detail": detail, **extra}
    # ASCII throughout: half a surrogate pair, which JSON may hold, could not be encoded.
    response = Response(json.dumps(content), status, media_type=MEDIA_TYPE, headers=dict(headers or {}))
    if status in (429, 503):
        response.headers.setdefault("retry-after", str(RETRY_SECONDS))
    return response


def problem_of(error: FedBlocksError) -> Response:
    """The problem that an error is."""
    status = status_of(error)
    title = (type(error).__doc__ or type(error).__name__).strip().splitlines()[0]
    if status == 500:
        # What went wrong inside is for the log, and nobody else's business.
        return problem(500, "internal", "The node has failed.", "this is a fault of the node; it has been logged")
    extra = {name: getattr(error, name) for name in _EXTRAS if isinstance(getattr(error, name, None), str)}
    headers = {}
    if isinstance(error, TooManyRequests):
        headers["retry-after"] = str(max(1, round(error.seconds)))
    if isinstance(error, RangeNotSatisfiable):
        headers["content-range"] = f"bytes */{error.size}"
    detail = str(error)
    if isinstance(error, StorageError):
        # Paths and database URLs stay inside.
        title, detail = "The node's storage refuses.", "the node cannot read or write its storage now; try again later"
    return problem(status, slug_of(type(error)), title, detail, headers=headers, **extra)
