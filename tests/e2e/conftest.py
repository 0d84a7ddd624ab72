"""One demo that several tests look at."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

DEMO = (
    *("--data", "digits", "--clients", "10", "--attackers", "sign-flip,free-rider"),
    *("--target", "0.93", "--epochs", "8", "--local-steps", "40"),
)


def fedblocks(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the command as a user does, in a folder of its own."""
    command = [sys.executable, "-c", "from fedblocks.cli.main import main; main()", *arguments]
    # One thread: the tests beside this one want a core too, and it is what makes training repeatable.
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "160"}
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300, check=False
    )


@dataclass(frozen=True)
class Played:
    """A demo that has been run."""

    folder: Path
    output: str
    result: dict


def play(folder: Path, *arguments: str) -> Played:
    ended = fedblocks("demo", *DEMO, *arguments, "--json", folder=folder)
    assert ended.returncode == 0, ended.stderr
    return Played(folder / "demo-run", ended.stderr, json.loads(ended.stdout))


@pytest.fixture(scope="session")
def played(tmp_path_factory) -> Played:
    return play(tmp_path_factory.mktemp("demo"))
