"""What a network needs on this machine, and how to get what is not there."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

from fedblocks.chain.node import AnvilMissing, find_anvil
from fedblocks.storage.postgres import PostgresMissing, find_postgres
from tests.flower.network import BIN, is_installed


def missing() -> list[str]:
    """A line for each thing that is missing; none when the network can be started."""
    return list(_missing())


def _missing() -> Iterator[str]:
    for find, error in ((find_anvil, AnvilMissing), (find_postgres, PostgresMissing)):
        try:
            find()
        except error as why:
            yield f"missing: {why}"
    if not is_installed():
        yield f"missing: Flower's own environment, {BIN.parent}; run `make flower`"
        return
    # The ServerApp's store is on PostgreSQL.
    asked = subprocess.run([str(BIN / "python"), "-c", "import psycopg"], capture_output=True, check=False)
    if asked.returncode:
        yield f"missing: PostgreSQL's driver (psycopg) in {BIN.parent}; run `make flower`"
