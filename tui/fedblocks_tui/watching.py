"""What a watcher on this machine does, by its journal: the chain alone does not tell who looks on."""

from __future__ import annotations

import time
from pathlib import Path

from fedblocks_tui.text import span


def watcher_state(journal: Path | None) -> str | None:
    """A few words on the journal of `fedblocks watch`; None where none was named."""
    if journal is None:
        return None
    try:
        lines = journal.read_text(encoding="utf-8").count("\n")
        age = time.time() - journal.stat().st_mtime
    except FileNotFoundError:
        return f"{journal.name}: nothing sent yet"
    except OSError as error:
        return f"{journal.name} cannot be read: {error.strerror or error}"
    return f"{journal.name}: {lines} sent, the last {span(age)} ago"
