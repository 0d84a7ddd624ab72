"""What a watcher has sent: it must not send it twice, whenever it is killed.

One line of JSON for each transaction, written and forced to the disk before any node has the transaction. Whether it
was mined is never written down, but asked of the chain.
"""

from __future__ import annotations

import json
from pathlib import Path

from fedblocks.exceptions import FedBlocksError
from fedblocks.storage.files import append_to_file
from fedblocks.types import Hash32


class JournalUnusable(FedBlocksError, OSError):
    """The journal cannot be read or written."""

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(f"the watcher's journal {path} cannot be used: {why}")


class WatchJournal:
    """The transactions of a watcher, by what they were for.

    Args:
        path: the file; nothing is kept over a restart when left out.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._sent: dict[str, Hash32] = {}
        if path is not None and path.exists():
            self._read(path)

    def sent(self, purpose: str) -> Hash32 | None:
        """The transaction that was last signed for a purpose."""
        return self._sent.get(purpose)

    def sending(self, purpose: str, transaction_hash: Hash32) -> None:
        """Write down a transaction that is about to be sent.

        Raises:
            JournalUnusable: if it cannot be written; it must not be sent then.
        """
        if self._path is not None:
            line = json.dumps({"purpose": purpose, "transaction": transaction_hash.hex()}).encode() + b"\n"
            try:
                append_to_file(self._path, line)
            except OSError as error:
                raise JournalUnusable(self._path, error.strerror or str(error)) from error
        self._sent[purpose] = transaction_hash

    def _read(self, path: Path) -> None:
        try:
            # Killed while writing the last line: without its end, that transaction was never sent.
            lines = path.read_text(encoding="utf-8").split("\n")[:-1]
        except (OSError, UnicodeDecodeError) as error:
            raise JournalUnusable(path, str(error)) from error
        for number, line in enumerate(lines, 1):
            if not line:
                continue
            try:
                entry = json.loads(line)
                self._sent[entry["purpose"]] = Hash32(bytes.fromhex(entry["transaction"]))
            except (ValueError, KeyError, TypeError) as error:
                raise JournalUnusable(path, f"line {number} is damaged ({error})") from error
