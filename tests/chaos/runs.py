"""One run: a network, a seed that decides what happens to it, and whether it ended as it should."""

from __future__ import annotations

import random
import shutil
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine, text

from fedblocks.storage.postgres import PostgresServer
from tests.chaos.arena import Arena, Setup, wait_a_moment
from tests.chaos.harm import KINDS, Condition, Harm, Kind

LONGEST = 300.0
"""Seconds after which a run that has not ended counts as stuck."""

MOST_RESTARTS = 30
RESTART_AFTER = 0.3


@dataclass
class Outcome:
    """How a run has ended.

    Attributes:
        seed: which run.
        kind: what kind of fault, or faults.
        done: what exactly was done.
        seconds: how long it took.
        restarts: how often a process had given up and was started again, as a supervisor would.
        refused: transactions that a contract refused: gas that was lost, but nothing else.
        wrong: what is not as it should be, by kind: differing, lost, doubled, stuck, unkept, unwatched.
    """

    seed: int
    kind: str
    store: str
    done: list[str] = field(default_factory=list)
    seconds: float = 0.0
    restarts: int = 0
    refused: int = 0
    wrong: dict[str, str] = field(default_factory=dict)

    @property
    def is_good(self) -> bool:
        return not self.wrong

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def kinds_of(seed: int) -> tuple[Kind, ...]:
    """What happens in a run: the kinds take turns, so that each has its share; sometimes two at once."""
    first = KINDS[seed % len(KINDS)]
    rng = random.Random(f"second {seed}")
    if rng.random() >= 0.25:
        return (first,)
    second = rng.choice([kind for kind in KINDS if kind.before is None and not kind.needs_postgres and kind != first])
    return (first, second)


def play(
    arena: Arena,
    seed: int,
    folder: Path,
    postgres: PostgresServer | None,
    kinds: tuple[Kind, ...] | None = None,
    longest: float = LONGEST,
) -> Outcome:
    """Play one run; its logs are kept if it does not end as it should."""
    kinds = kinds_of(seed) if kinds is None else kinds
    rng = random.Random(seed)
    setup = Setup()
    wants = any(kind.needs_postgres for kind in kinds) or rng.random() < 0.25
    if postgres is not None and wants:
        setup.store = _new_database(postgres, f"run_{seed}")
    outcome = Outcome(seed, " + ".join(kind.name for kind in kinds), "PostgreSQL" if setup.store else "SQLite")
    harm = Harm(arena, rng, setup, postgres, outcome.done)
    started = time.monotonic()
    try:
        for kind in kinds:
            if kind.before is not None:
                kind.before(harm)
        arena.begin(folder, setup)
        for child in rng.sample(arena.processes, len(arena.processes)):
            child.start()
        _run(arena, [kind.act(harm) for kind in kinds], outcome, longest)
        _compare(arena, outcome)
    except Exception as error:
        outcome.wrong["stuck"] = f"{type(error).__name__}: {error}"[-4000:]
    finally:
        arena.end()
        for node in setup.nodes.values():
            with suppress(Exception):
                node.stop()
        if postgres is not None:
            postgres.start()
    outcome.seconds = time.monotonic() - started
    if outcome.is_good:
        shutil.rmtree(folder, ignore_errors=True)
    return outcome


def _run(arena: Arena, acts: list[Iterator[Condition]], outcome: Outcome, longest: float) -> None:
    end = time.monotonic() + longest
    waiting: list[tuple[Iterator[Condition], Condition]] = [(act, lambda: True) for act in acts]
    mine = wait_a_moment(0)
    while not _is_over(arena):
        if time.monotonic() > end:
            raise TimeoutError(arena.last_words())
        still = []
        for act, holds in waiting:
            if not holds():
                still.append((act, holds))
                continue
            following = next(act, None)
            if following is not None:
                still.append((act, following))
        waiting = still
        outcome.restarts += _supervise(arena)
        if outcome.restarts > MOST_RESTARTS:
            raise RuntimeError("a process gives up again and again\n" + arena.last_words())
        if arena.setup.confirmations and arena.mining and mine():
            arena.anvil.mine()
            mine = wait_a_moment(0.1)
        if arena.mining:
            arena.tick()
        time.sleep(0.02)
    for act, _ in waiting:
        act.close()


def _is_over(arena: Arena) -> bool:
    return all(child.is_done for child in (arena.aggregator, *arena.clients)) and arena.has_been_watched()


def _supervise(arena: Arena) -> int:
    """Start again what has given up, after a moment, as systemd would; how many that were."""
    count = 0
    for child in arena.processes:
        gave_up = not child.is_running and child.ends and child.ends[-1] != 0
        if gave_up and child.pid is None and time.monotonic() - child.ended_at > RESTART_AFTER and not child.killed:
            child.start()
            count += 1
    return count


def _compare(arena: Arena, outcome: Outcome) -> None:
    anvil = arena.anvil
    anvil.connection.rpc("evm_setAutomine", True)
    anvil.mine()
    expected, ended = arena.reference, arena.played()
    outcome.refused = arena.refused()
    if ended.headers != expected.headers:
        outcome.wrong["differing"] = f"headers {[each.hex()[:12] for each in ended.headers]}"
    elif ended.balances != expected.balances:
        off = {name: (ended.balances[name], want) for name, want in expected.balances.items()}
        outcome.wrong["differing"] = f"balances { ({n: v for n, v in off.items() if v[0] != v[1]}) }"
    lost = {name: want for name, want in expected.sent.items() if ended.sent.get(name, 0) < want}
    doubled = {name: count for name, count in ended.sent.items() if count > expected.sent.get(name, 0)}
    if lost:
        outcome.wrong["lost"] = str(lost)
    if doubled:
        outcome.wrong["doubled"] = str(doubled)
    if stuck := arena.stuck():
        outcome.wrong["stuck"] = "; ".join(stuck)
    if unkept := arena.unkept():
        outcome.wrong["unkept"] = "; ".join(unkept)
    if unwatched := arena.unwatched():
        outcome.wrong["unwatched"] = "; ".join(unwatched)


def _new_database(server: PostgresServer, name: str) -> str:
    engine = create_engine(server.url(), isolation_level="AUTOCOMMIT")
    try:
        with engine.connect() as connection:
            connection.execute(text(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"))
            connection.execute(text(f"CREATE DATABASE {name}"))
    finally:
        engine.dispose()
    return server.url(name)
