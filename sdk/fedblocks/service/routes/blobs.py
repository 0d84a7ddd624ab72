"""Blobs by their hash, whole or in part, sent piece by piece. A blob never changes, so that anyone may keep a copy."""

from __future__ import annotations

import re
from typing import Annotated, Any, BinaryIO

from fastapi import APIRouter, Header, Response
from fastapi import Path as PathParameter
from starlette.types import Receive, Scope, Send

from fedblocks.service.problems import RangeNotSatisfiable
from fedblocks.service.schemas import from_hex
from fedblocks.service.serving import Parts, Serving, problems
from fedblocks.types import Hash32

router = APIRouter(tags=["blobs"])

PIECE_BYTES = 1 << 18
_RANGE = re.compile(r"bytes=([0-9]{0,15})-([0-9]{0,15})")

BlobAddress = Annotated[
    str, PathParameter(pattern=r"^(0x)?[0-9a-fA-F]{64}$", description="keccak-256 of the blob's bytes")
]
Text = Annotated[str | None, Header(max_length=200)]

_BINARY = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}
_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {"description": "The blob.", "content": _BINARY},
    206: {"description": "The part of it that was asked for.", "content": _BINARY},
    304: {"description": "The copy that is there already is right."},
    **problems(404, 416),
}


@router.get("/v1/blobs/{address}", responses=_RESPONSES, response_class=Response)
async def get_blob(
    parts: Parts, address: BlobAddress, range: Text = None, if_none_match: Text = None, if_range: Text = None
) -> Response:
    """A blob, or the one range of it that is asked for. Check its hash: this node does not."""
    return await _answer(parts, address, range, if_none_match, if_range, head=False)


@router.head("/v1/blobs/{address}", responses=_RESPONSES, response_class=Response)
async def head_blob(
    parts: Parts, address: BlobAddress, range: Text = None, if_none_match: Text = None, if_range: Text = None
) -> Response:
    """Whether there is a blob, and its size."""
    return await _answer(parts, address, range, if_none_match, if_range, head=True)


async def _answer(
    parts: Serving, name: str, asked: str | None, has: str | None, only_if: str | None, *, head: bool
) -> Response:
    address = Hash32(from_hex("0x" + name.removeprefix("0x")))
    size = await parts.workers.run(parts.node.blobs.size, address)
    tag = f'"{address.hex()}"'
    headers = {
        "etag": tag,
        "cache-control": "public, max-age=31536000, immutable",
        "accept-ranges": "bytes",
        "content-type": "application/octet-stream",
        "x-content-type-options": "nosniff",
    }
    if has is not None and (has.strip() == "*" or tag in [each.strip().removeprefix("W/") for each in has.split(",")]):
        return Response(status_code=304, headers={name: headers[name] for name in ("etag", "cache-control")})
    start, end, status = 0, size, 200
    if asked is not None and not head and (only_if is None or only_if.strip() == tag):
        part = _part(asked, size)
        if part is not None:
            start, end, status = *part, 206
            headers["content-range"] = f"bytes {start}-{end - 1}/{size}"
    headers["content-length"] = str(end - start)
    if head:
        return Response(status_code=200, headers=headers)
    file = await parts.workers.run(parts.node.blobs.open, address)
    return _BlobResponse(parts, file, start, end, status, headers)


def _part(asked: str, size: int) -> tuple[int, int] | None:
    """Start and end of a range; None for what is to be answered with the whole, as several ranges are.

    Raises:
        RangeNotSatisfiable: if it begins after the end.
    """
    match = _RANGE.fullmatch(asked.strip())
    if match is None or match.group(0) == "bytes=-":
        return None
    first, last = match.groups()
    if not first:
        if int(last) == 0:
            raise RangeNotSatisfiable(asked, size)
        return max(0, size - int(last)), size
    start, end = int(first), min(size, int(last) + 1) if last else size
    if last and int(last) < int(first):
        return None
    if start >= size:
        raise RangeNotSatisfiable(asked, size)
    return start, end


class _BlobResponse(Response):
    """Sends part of a file in pieces, each read by a worker when the one before has gone."""

    def __init__(
        self, parts: Serving, file: BinaryIO, start: int, end: int, status: int, headers: dict[str, str]
    ) -> None:
        super().__init__(status_code=status, headers=headers)
        self._parts, self._file, self._start, self._end = parts, file, start, end

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        try:
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            self._file.seek(self._start)
            left = self._end - self._start
            while left:
                piece = await self._parts.workers.run(self._file.read, min(left, PIECE_BYTES))
                if not piece:
                    raise OSError("a blob has become shorter while it was sent")
                left -= len(piece)
                self._parts.metrics.sent.inc(len(piece))
                await send({"type": "http.response.body", "body": piece, "more_body": left > 0})
        finally:
            self._file.close()
