"""The real program in a real terminal, driven as a person drives it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

TMUX = shutil.which("tmux")
PATIENCE = 60.0

pytestmark = pytest.mark.skipif(TMUX is None, reason="tmux is not installed")


class Terminal:
    """A tmux server of its own, with one window in which a command runs."""

    def __init__(self, socket: Path, command: str) -> None:
        self._socket = socket
        environment = {**os.environ, "TERM": "xterm-256color", "LC_ALL": "C.UTF-8"}
        self._tmux("-f", os.devnull, "new-session", "-d", "-x", "100", "-y", "30", command, env=environment)

    def _tmux(self, *arguments: str, env: dict[str, str] | None = None) -> str:
        assert TMUX is not None
        done = subprocess.run(
            [TMUX, "-S", str(self._socket), *arguments], capture_output=True, text=True, env=env, check=True
        )
        return done.stdout

    def press(self, *keys: str) -> None:
        self._tmux("send-keys", *keys)

    @property
    def text(self) -> str:
        try:
            return self._tmux("capture-pane", "-p")
        except subprocess.CalledProcessError:
            return "(ended)"

    def until(self, *wanted: str, gone: str = "(nothing)") -> str:
        deadline = time.monotonic() + PATIENCE
        while True:
            text = self.text
            if all(each in text for each in wanted) and gone not in text:
                return text
            assert time.monotonic() < deadline, f"{wanted} never came; there was:\n{text}"
            time.sleep(0.05)

    def end(self) -> None:
        subprocess.run([str(TMUX), "-S", str(self._socket), "kill-server"], capture_output=True, check=False)


@pytest.fixture
def terminal(tmp_path):
    main = f"{sys.executable} -c 'from fedblocks.cli.main import main; main()'"
    made = Terminal(tmp_path / "tmux", f"{main} tui --demo --no-bell --speed 40")
    yield made
    made.end()


def test_the_demo_plays_and_answers_the_keys(terminal):
    terminal.until("[1 overview]", "● HEALTHY", "overturned  1")
    terminal.press("2")
    terminal.until("[2 clients]", "● staked", "✗ slashed")
    terminal.press("/")
    terminal.until("words or 0x")
    terminal.press("-l", "slashed")
    terminal.until("✗ slashed", "▶ 0x", gone="● staked")
    terminal.press("Enter")
    time.sleep(1)  # nothing on the screen tells that the table has the keys again
    terminal.press("Enter")
    terminal.until("╭─ client 0x", "StakeSlashed")
    terminal.press("3")
    terminal.until("[3 slashes]")
    terminal.press("Enter")
    terminal.until("╭─ slash of 0x", "treasury got", "(this slash)")
    terminal.press("5")
    terminal.until("[5 rollup]", "✗ overturned 1")
    terminal.press("?")
    terminal.until("─ keys ─")
    terminal.press("Escape")
    terminal.until("✗ overturned 1")
    terminal.press("q")
    deadline = time.monotonic() + PATIENCE
    while terminal.text != "(ended)":
        assert time.monotonic() < deadline, "q did not end it"
        time.sleep(0.05)
