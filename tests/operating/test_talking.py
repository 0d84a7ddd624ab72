"""What a process says, and how it is told to end."""

from __future__ import annotations

import io
import json
import signal
import subprocess
import sys

import pytest

from fedblocks.operating.talking import Stopped, Stopping, Talk

_WAITS = """
import sys
from fedblocks.operating.talking import Stopped, Stopping, Talk
stopping = Stopping()
stopping.listen()
Talk()("ready")
try:
    {}
except Stopped:
    Talk()("stopped")
"""


def lines(stream: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_says_when_what_and_how_bad():
    stream = io.StringIO()
    Talk(stream, as_json=True)("posted", "warning", epoch=3, header=b"\x01\x02", why=ValueError("so"), nothing=None)
    (line,) = lines(stream)
    assert line.pop("at").endswith("+00:00")
    assert line == {"level": "warning", "what": "posted", "epoch": 3, "header": "0x0102", "why": "so"}


def test_people_get_one_line_too():
    stream = io.StringIO()
    Talk(stream)("refused", "error", why="two words\nand a line", epoch=3)
    assert stream.getvalue().count("\n") == 1
    assert r'why="two words\nand a line" epoch=3' in stream.getvalue()


def test_what_stays_as_it_is_is_said_once_and_again_when_it_has_changed():
    stream = io.StringIO()
    talk = Talk(stream, as_json=True)
    for why in ("away", "away", "back", "away"):
        talk.once("node", "waiting", why=why)
    talk.once("other", "waiting", why="away")
    assert [line["why"] for line in lines(stream)] == ["away", "back", "away", "away"]


def test_waiting_ends_at_once_when_the_process_is_to_stop():
    stopping = Stopping()
    stopping.rest(0)
    stopping.stop()
    with pytest.raises(Stopped):
        stopping.rest(60)


def test_what_is_done_every_so_often_is_not_done_more_often():
    done: list[int] = []
    due, always = Stopping().every(3600, lambda: done.append(1)), Stopping().every(0, lambda: done.append(2))
    for _ in range(3):
        due()
        always()
    assert done == [1, 2, 2, 2]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_waiting_in_an_orderly_way(number):
    with started("stopping.rest(60)") as process:
        assert "ready" in process.stderr.readline()
        process.send_signal(number)
        assert "stopped" in process.stderr.readline()
        assert process.wait(20) == 0


def test_a_second_signal_ends_the_process_at_once():
    busy = 'import time\n    while not stopping.asked: time.sleep(.01)\n    Talk()("asked")\n    time.sleep(60)'
    with started(busy) as process:
        process.stderr.readline()
        process.terminate()
        assert "asked" in process.stderr.readline()
        process.terminate()
        assert process.wait(20) == -signal.SIGTERM


def started(waits: str) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", _WAITS.format(waits)], stderr=subprocess.PIPE, text=True)
