"""Recordings: a run's logs in one file, to be indexed again without a node.

A recording holds the deployment, the blocks in which something was logged, the logs as the chain held them, and
whatever published data are wanted with them. It is JSON lines, compressed, and the same run gives the same bytes. A
:class:`RecordedSource` plays it: its head can be moved, so that a day may pass in a minute.

Blocks without logs are not in the file. Their hashes are made up from the one before them, which is all that an index
needs: a hash that stays the same, and changes with what came before.
"""

from __future__ import annotations

import base64
import bisect
import gzip
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

from eth_utils.crypto import keccak

from fedblocks.chain.connection import BlockHeader, UnknownBlock
from fedblocks.exceptions import FedBlocksError
from fedblocks.monitor.sources import LogSource, RawLog
from fedblocks.monitor.subject import Subject
from fedblocks.types import BlockNumber, Hash32, Timestamp

FORMAT = "fedblocks-recording-1"
BLOCKS_AT_ONCE = 1000


class MalformedRecording(FedBlocksError, ValueError):
    """A file is not a recording, or is damaged."""

    def __init__(self, path: Path, problem: str) -> None:
        self.path = path
        super().__init__(f"{path} is not a usable recording: {problem}; make it again")


@dataclass(frozen=True)
class Recording:
    """What a file holds.

    Attributes:
        head: the block up to which was recorded.
        logs: in the chain's order.
        blobs: published data by their content addresses.
    """

    subject: Subject
    head: BlockHeader
    logs: Sequence[RawLog]
    blobs: Mapping[Hash32, bytes] = field(default_factory=dict)

    def save(self, path: Path) -> None:
        """Write the file."""
        opening = {
            "format": FORMAT,
            "subject": self.subject.to_json(),
            "head": [self.head.number, self.head.hash.hex(), self.head.parent_hash.hex(), self.head.timestamp],
        }
        lines: list[Any] = [opening]
        for block, logs in groupby(self.logs, key=lambda log: (log.block, log.block_hash, log.timestamp)):
            number, block_hash, timestamp = block
            lines.append([number, block_hash.hex(), timestamp, [_log_to_json(log) for log in logs]])
        lines += [
            {"blob": address.hex(), "data": base64.b85encode(data).decode()} for address, data in self.blobs.items()
        ]
        text = "".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines)
        # Without a time of its own in the file, the same run gives the same bytes.
        path.write_bytes(gzip.compress(text.encode(), mtime=0))

    @classmethod
    def load(cls, path: Path) -> Recording:
        """Read a file.

        Raises:
            MalformedRecording: if it is damaged or something else.
            FileNotFoundError: if there is none.
        """
        try:
            lines = gzip.decompress(path.read_bytes()).splitlines()
            opening = json.loads(lines[0])
            if opening["format"] != FORMAT:
                raise MalformedRecording(path, f"its format is {opening['format']!r}, not {FORMAT!r}")
            logs: list[RawLog] = []
            blobs: dict[Hash32, bytes] = {}
            for line in map(json.loads, lines[1:]):
                if isinstance(line, dict):
                    blobs[_hash(line["blob"])] = base64.b85decode(line["data"])
                else:
                    logs += _logs_from_json(line)
            number, block_hash, parent_hash, timestamp = opening["head"]
            head = BlockHeader(number, _hash(block_hash), _hash(parent_hash), timestamp, None)
            return cls(Subject.from_json(opening["subject"]), head, logs, blobs)
        except MalformedRecording:
            raise
        except (gzip.BadGzipFile, EOFError, ValueError, KeyError, TypeError, IndexError) as error:
            raise MalformedRecording(path, f"{type(error).__name__}: {error}") from error


def record(
    source: LogSource,
    subject: Subject,
    path: Path,
    *,
    last: BlockNumber | None = None,
    blobs: Mapping[Hash32, bytes] | None = None,
) -> Recording:
    """Write what a source tells of a deployment into a file.

    Args:
        source: The chain.
        subject: The deployment.
        path: The file, which is replaced.
        last: Up to which block; the newest when left out.
        blobs: Published data to put beside it.
    """
    head = source.head() if last is None else source.header(last)
    logs: list[RawLog] = []
    for first in range(subject.first_block, head.number + 1, BLOCKS_AT_ONCE):
        logs += source.logs(BlockNumber(first), BlockNumber(min(head.number, first + BLOCKS_AT_ONCE - 1)))
    recording = Recording(subject, head, logs, dict(blobs or {}))
    recording.save(path)
    return recording


class RecordedSource:
    """A recording, as a chain whose head stands where it is told to."""

    def __init__(self, recording: Recording, *, head: BlockNumber | None = None) -> None:
        """Play a recording; `head` is where it stands at first, its end when left out."""
        self.recording = recording
        self.subject = recording.subject
        self._numbers = [log.block for log in recording.logs]
        self._known = {
            log.block: BlockHeader(log.block, log.block_hash, Hash32(bytes(32)), log.timestamp, None)
            for log in recording.logs
        }
        self._with_header = sorted(self._known)
        self._head = recording.head.number if head is None else head

    @property
    def last(self) -> BlockNumber:
        """Where the recording ends."""
        return self.recording.head.number

    @property
    def moments(self) -> Sequence[BlockNumber]:
        """The blocks in which something happens, ascending."""
        return self._with_header

    def advance(self, number: BlockNumber) -> None:
        """Move the head, at most to the recording's end."""
        self._head = BlockNumber(min(number, self.last))

    def head(self) -> BlockHeader:
        """The block at which the recording stands."""
        return self.header(self._head)

    def header(self, number: BlockNumber) -> BlockHeader:
        """A block's header; its hash is made up where nothing was logged in it."""
        if not 0 <= number <= self._head:
            raise UnknownBlock(number)
        if (known := self._known.get(number)) is not None:
            return known
        # Its time is known; its hash must be what it will be when more blocks come after it.
        end = self.recording.head
        given = end.timestamp if number == end.number else None
        at = bisect.bisect_right(self._with_header, number) - 1
        before = self._known[self._with_header[at]] if at >= 0 else None
        seed = bytes(32) if before is None else before.hash
        after = before if before is not None else self._known.get(self._with_header[0], end) if self._known else end
        return BlockHeader(number, _made_up(seed, number), _made_up(seed, number - 1), given or after.timestamp, None)

    def logs(self, first: BlockNumber, last: BlockNumber) -> Sequence[RawLog]:
        """The recorded logs of a range of blocks."""
        last = BlockNumber(min(last, self._head))
        return self.recording.logs[bisect.bisect_left(self._numbers, first) : bisect.bisect_right(self._numbers, last)]


def _made_up(seed: bytes, number: int) -> Hash32:
    return Hash32(keccak(seed + number.to_bytes(32, "big", signed=True)))


def _hash(text: str) -> Hash32:
    found = bytes.fromhex(text)
    if len(found) != 32:
        raise ValueError(f"{text!r} is not a hash of 32 bytes")
    return Hash32(found)


def _log_to_json(log: RawLog) -> list[Any]:
    topics = [topic.hex() for topic in log.topics]
    return [log.log_index, log.transaction_hash.hex(), log.address, topics, log.data.hex()]


def _logs_from_json(block: Sequence[Any]) -> Iterable[RawLog]:
    number, block_hash, timestamp, logs = block
    found = _hash(block_hash)
    for index, transaction, address, topics, data in logs:
        yield RawLog(
            BlockNumber(number),
            found,
            Timestamp(timestamp),
            Hash32(bytes.fromhex(transaction)),
            index,
            address,
            tuple(map(bytes.fromhex, topics)),
            bytes.fromhex(data),
        )
