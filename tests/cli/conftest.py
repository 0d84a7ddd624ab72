"""`fedblocks` as it is typed, within this process, with a home of its own."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account

from fedblocks.chain.node import Anvil
from fedblocks.deployments import Deployment

PASSPHRASE = "correct horse"


@dataclass(frozen=True)
class Ended:
    """How a command ended, and what it said where."""

    code: int
    stdout: str
    stderr: str

    @property
    def json(self) -> Any:
        return json.loads(self.stdout)


Run = Callable[..., Ended]


class Terminal(io.StringIO):
    """Somebody who types."""

    def isatty(self) -> bool:
        return True


@dataclass
class Home:
    """What a person has on its machine: configuration, accounts, a deployments file."""

    folder: Path
    monkeypatch: pytest.MonkeyPatch
    capsys: pytest.CaptureFixture[str]

    def run(self, *arguments: object, typed: str | None = None) -> Ended:
        """Run a command; `typed` is what somebody at a terminal answers, without it there is no terminal."""
        from fedblocks.cli.main import main

        self.capsys.readouterr()
        self.monkeypatch.setattr(sys, "argv", ["fedblocks", *map(str, arguments)])
        self.monkeypatch.setattr(sys, "stdin", io.StringIO("") if typed is None else Terminal(typed))
        code = 0
        try:
            main()
        except SystemExit as end:
            code = int(end.code or 0)
        captured = self.capsys.readouterr()
        return Ended(code, captured.out, captured.err)

    def account(self, node: Anvil, index: int, alias: str) -> str:
        """Make an account of ape's for one of the node's keys."""
        folder = self.folder / "ape" / "accounts"
        folder.mkdir(parents=True, exist_ok=True)
        key = node.signer(index)._account.key
        content = Account.encrypt(key, PASSPHRASE, kdf="pbkdf2", iterations=2)
        (folder / f"{alias}.json").write_text(json.dumps(content))
        return alias

    @property
    def passphrase(self) -> Path:
        path = self.folder / "passphrase"
        path.write_text(PASSPHRASE + "\n")
        return path

    def configure(self, node: Anvil, deployment: Deployment, **more: Any) -> None:
        """Let the configuration name the node and the deployment, so that commands need not."""
        file = self.folder / "deployment.json"
        deployment.save(file)
        values = {"network": f"ethereum:local:{node.url}", "deployment": str(file), **more}
        lines = [f"{key} = {json.dumps(value)}" for key, value in values.items()]
        (self.folder / "config.toml").write_text("\n".join(["[defaults]", *lines]))


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Home:
    monkeypatch.setenv("FEDBLOCKS_CONFIG", str(tmp_path / "config.toml"))
    monkeypatch.delenv("FEDBLOCKS_PROFILE", raising=False)
    monkeypatch.setenv("APE_DATA_FOLDER", str(tmp_path / "ape"))
    return Home(tmp_path, monkeypatch, capsys)
