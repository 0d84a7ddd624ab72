"""How fast the terminal interface is with 10,000 clients and 200,000 events; the figures of docs/tui.md.

    python -m benchmarks.tui

The recording of benchmarks/protocol_log.py is indexed once into `.cache`. Then, several times each:

- *first screen*: a new process starts, opens the warm index, and shows its totals: until the overview has been painted
  with data, by the wall clock, interpreter and imports included.
- *keys*: on the clients' screen, from the press of a key until the screen has been painted again.

The node is left out: what is measured is what a person waits for.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
INDEX = ROOT / ".cache" / "tui" / "index.db"
SUBJECT = ROOT / ".cache" / "tui" / "subject.json"
RESULTS = ROOT / "docs" / "benchmarks" / "tui.json"
KEYS = {
    "j": ["j"] * 20,
    "k": ["k"] * 20,
    "ctrl+d": ["ctrl+d"] * 20,
    "G, g": ["G", "g"] * 10,
    "s": ["s"] * 12,
    "s, S": ["s", *["S"] * 5, "s", *["S"] * 5],
    "/ and a letter of an address": ["slash", *"0xa1b2", "escape"] * 2,
    "/ and a letter of a comparison": ["slash", *"stake>0", "escape"] * 2,
    "l, h": ["l", "h"] * 5,
    "enter, escape": ["enter", "escape"] * 5,
    "1 to 6": [*"123456", "2"] * 2,
}


def prepare(clients: int, events: int) -> None:
    """Index the recording, unless it was done before."""
    if INDEX.exists() and SUBJECT.exists():
        return
    from benchmarks.protocol_log import synthetic_recording
    from fedblocks.monitor.monitor import Monitor, index_database
    from fedblocks.monitor.recording import RecordedSource

    recording = synthetic_recording(clients, events)
    INDEX.parent.mkdir(parents=True, exist_ok=True)
    with Monitor(recording.subject, RecordedSource(recording), index_database(INDEX)) as monitor:
        monitor.update()
    SUBJECT.write_text(json.dumps(recording.subject.to_json()))


def make_app():  # type: ignore[no-untyped-def]
    """The app over the warm index, without a node."""
    from fedblocks_tui.app import FedBlocksApp, Options
    from fedblocks_tui.clock import ChainClock
    from fedblocks_tui.live import LiveFeed

    def open_index():  # type: ignore[no-untyped-def]
        from fedblocks.monitor.monitor import Monitor, index_database
        from fedblocks.monitor.subject import Subject

        subject = Subject.from_json(json.loads(SUBJECT.read_text()))
        return Monitor(subject, None, index_database(INDEX, read_only=True))

    def no_node():  # type: ignore[no-untyped-def]
        from fedblocks.chain.connection import NodeUnreachable

        raise NodeUnreachable("none", TimeoutError("this benchmark has no node"))

    return FedBlocksApp(LiveFeed("benchmark", open_index, no_node, interval=3600.0), ChainClock(), Options())


async def first_screen() -> None:
    """Start, show data, print when and how large."""
    app = make_app()
    async with app.run_test(size=(120, 40)) as pilot:
        frame = time.time()
        while app.picture is None:
            await asyncio.sleep(0.002)
        while not painted(app):
            await asyncio.sleep(0.002)
        print(json.dumps({"frame": frame, "data": time.time(), "rss": rss()}))
        await pilot.pause()


def painted(app) -> bool:  # type: ignore[no-untyped-def]
    """Whether the totals are on the screen."""
    text = "".join(part.text for strip in app.screen._compositor.render_strips() for part in strip)
    return f"{app.picture.totals.events:,}" in text


def rss() -> int:
    """This process's largest resident memory, in bytes."""
    from benchmarks.memory import peak_bytes

    return peak_bytes()


async def keys() -> None:
    """Press keys on the clients' screen, and take the time until each has been painted."""
    app = make_app()
    times: dict[str, list[float]] = {}
    async with app.run_test(size=(100, 40)) as pilot:
        while app.picture is None or not app.picture.complete:
            await pilot.pause(0.01)
        await pilot.press("2")
        await pilot.pause(0.5)
        for name, presses in KEYS.items():
            await pilot.press("2")
            for key in presses:
                await pilot.pause(0.05)
                if (seconds := await repaint(app, key)) is not None:
                    times.setdefault(name, []).append(seconds)
            await pilot.pause(0.05)
        rows = app.picture.totals
    print(json.dumps({"times": times, "rss": rss(), "events": rows.events, "clients": sum(rows.clients.values())}))


async def repaint(app, key: str) -> float | None:  # type: ignore[no-untyped-def]
    """Seconds from a key until the screen was painted; None where there was nothing to paint (the end of a list).

    The painting is the app's own: what would go to the terminal has been handed over.
    """
    from textual import events
    from textual.keys import _character_to_key

    painted_at = 0.0
    display = app._display

    def noting(screen, renderable):  # type: ignore[no-untyped-def]
        nonlocal painted_at
        display(screen, renderable)
        painted_at = painted_at or time.perf_counter()

    app._display = noting
    began = time.perf_counter()
    character = key if len(key) == 1 else None
    app.post_message(events.Key(_character_to_key(key) if character else key, character))
    while not painted_at and time.perf_counter() - began < 0.5:
        await asyncio.sleep(0.001)
    app._display = display
    return painted_at - began if painted_at else None


def alone(what: str) -> dict[str, Any]:
    """What a process of its own has measured."""
    command = [sys.executable, "-m", "benchmarks.tui", what]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    return json.loads(done.stdout.splitlines()[-1])  # type: ignore[no-any-return]


def measure(repeats: int) -> dict[str, object]:
    """All figures, each process alone."""
    starts, frames, memories = [], [], []
    for _ in range(repeats):
        began = time.time()
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.tui", "--first-screen"],
            capture_output=True,
            text=True,
            check=True,
            cwd=ROOT,
        )
        got = json.loads(done.stdout.splitlines()[-1])
        starts.append(got["data"] - began)
        frames.append(got["frame"] - began)
        memories.append(got["rss"])
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.tui", "--keys"], capture_output=True, text=True, check=True, cwd=ROOT
    )
    pressed = json.loads(done.stdout.splitlines()[-1])
    return {
        "machine": f"{platform.machine()}, {platform.python_implementation()} {platform.python_version()}",
        "clients": pressed["clients"],
        "events": pressed["events"],
        "firstFrameSeconds": {"median": statistics.median(frames), "worst": max(frames)},
        "firstScreenSeconds": {"median": statistics.median(starts), "worst": max(starts)},
        "memoryBytes": {"firstScreen": max(memories), "afterKeys": pressed["rss"]},
        "keyMilliseconds": {
            name: {
                "presses": len(times),
                "p50": 1000 * statistics.median(times),
                "p95": 1000 * sorted(times)[min(len(times) - 1, int(0.95 * len(times)))],
                "max": 1000 * max(times),
            }
            for name, times in pressed["times"].items()
        },
    }


def show(result: dict[str, object]) -> None:
    """Print the tables of docs/tui.md."""
    print(f"{result['clients']:,} clients, {result['events']:,} events, {result['machine']}")
    for name in ("firstFrameSeconds", "firstScreenSeconds"):
        figures = result[name]
        print(f"{name}: median {figures['median']:.2f}, worst {figures['worst']:.2f}")  # type: ignore[index]
    memory = result["memoryBytes"]
    print(f"memory: {memory['firstScreen'] / 2**20:.0f} MiB, {memory['afterKeys'] / 2**20:.0f} MiB after the keys")  # type: ignore[index]
    print("| key | presses | p50 ms | p95 ms | max ms |\n|---|---|---|---|---|")
    for name, row in result["keyMilliseconds"].items():  # type: ignore[attr-defined]
        print(f"| {name} | {row['presses']} | {row['p50']:.0f} | {row['p95']:.0f} | {row['max']:.0f} |")


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", type=int, default=10_000)
    parser.add_argument("--events", type=int, default=200_000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--first-screen", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--keys", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.first_screen:
        asyncio.run(first_screen())
    elif given.keys:
        asyncio.run(keys())
    else:
        prepare(given.clients, given.events)
        result = measure(given.repeats)
        show(result)
        RESULTS.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
