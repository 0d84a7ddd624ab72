"""`ape run` as a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from eth_account import Account

ROOT = Path(__file__).parents[2]


class Ape:
    """`ape run`, in the checkout, as a user with an empty home calls it."""

    def __init__(self, home: Path, host: str | None = None) -> None:
        # Only the virtual environment and the system: the scripts find anvil by themselves.
        path = os.pathsep.join([str(Path(sys.executable).parent), "/usr/bin", "/bin"])
        self._environment = {
            "PATH": path,
            "HOME": str(home),
            "APE_DATA_FOLDER": str(home / ".ape"),
            "LANG": "C.UTF-8",
            **({} if host is None else {"APE_FOUNDRY_HOST": host}),
        }

    def run(self, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        command = [str(Path(sys.executable).parent / "ape"), "run", *arguments]
        return subprocess.run(
            command, cwd=ROOT, env=self._environment, input=stdin, capture_output=True, text=True, timeout=120
        )


def import_account(home: Path, alias: str, passphrase: str) -> Any:
    """Give ape a new account, as `ape accounts import` does; returns it with its key."""
    account = Account.create()
    accounts = home / ".ape" / "accounts"
    accounts.mkdir(parents=True, exist_ok=True)
    # Few rounds: what is tested is not how long it takes to guess the passphrase.
    keyfile = json.dumps(Account.encrypt(account.key, passphrase, iterations=2))
    (accounts / f"{alias}.json").write_text(keyfile, encoding="utf-8")
    return account
