"""What may happen to a network: a catalogue of faults.

A fault has two parts. *Before* the processes start it may change how they are set up: a node that misbehaves in front
of the good one, a clock that is wrong. *While* they run it does harm, step by step: a generator that yields what it
waits for. Moments are drawn by how much the processes have logged, so that they are spread over the whole run however
fast the machine is.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from fedblocks.rollup.keccak import keccak256
from fedblocks.storage.postgres import PostgresServer
from tests.chaos.arena import AGGREGATOR_ACCOUNT, Arena, Setup, wait_a_moment
from tests.chaos.processes import Child
from tests.chaos.relay import StallingRelay
from tests.faults.mempool import automine, drop, give, pooled, reorganise, sign
from tests.faults.proxy import Dice, Fault, FaultyNode

LINES = 76
"""What aggregator and clients log, altogether, in an undisturbed run."""

Condition = Callable[[], bool]


@dataclass
class Harm:
    """One run, as a fault sees it.

    Attributes:
        done: what has been done, for the report.
    """

    arena: Arena
    random: random.Random
    setup: Setup
    postgres: PostgresServer | None = None
    done: list[str] = field(default_factory=list)

    def moment(self, first: float = 0.0, last: float = 0.95) -> Condition:
        """A moment of the run, drawn at random."""
        line, rest = int(self.random.uniform(first, last) * LINES), self.random.uniform(0, 0.15)
        reached: list[float] = []

        def holds() -> bool:
            if not reached and self.arena.lines() >= line:
                reached.append(time.monotonic())
            return bool(reached) and time.monotonic() - reached[0] >= rest

        return holds

    def pause(self, longest: float = 0.6) -> Condition:
        """A moment later."""
        return wait_a_moment(self.random.uniform(0, longest))

    def anybody(self) -> Child:
        """A process, drawn at random: the kind first."""
        arena = self.arena
        return self.random.choice([arena.node, arena.aggregator, self.random.choice(arena.clients), arena.watcher])

    def faulty(self, roles: list[str], faults: list[Fault], rate: float, hang: float = 1.5) -> FaultyNode:
        """Put a misbehaving node in front of some roles' good one."""
        node = FaultyNode(self.arena.anvil.url, Dice(self.random.getrandbits(32), rate, faults), hang=hang)
        node.start(0)
        for role in roles:
            self.setup.nodes[role] = node
        return node

    def some_roles(self) -> list[str]:
        """Whose node misbehaves: the aggregator's, a client's, the watcher's, or everybody's."""
        single = ["aggregator", self.random.choice(self.clients), "watcher"]
        return self.random.choice([*([each] for each in single), ["aggregator", *self.clients, "watcher"]])

    @property
    def clients(self) -> list[str]:
        """Their names."""
        return [f"client-{number}" for number in range(self.arena.count)]

    def say(self, what: str) -> None:
        self.done.append(what)


Before = Callable[[Harm], None]
While = Callable[[Harm], Iterator[Condition]]


@dataclass(frozen=True)
class Kind:
    """A kind of fault.

    Attributes:
        name: for the report.
        act: does the harm.
        before: sets it up.
        needs_postgres: whether the store must be PostgreSQL.
    """

    name: str
    act: While
    before: Before | None = None
    needs_postgres: bool = False


def _kill(harm: Harm, child: Child, first: float = 0.0, last: float = 0.95) -> Iterator[Condition]:
    yield harm.moment(first, last)
    if child.kill():
        harm.say(f"killed {child.name}")
        yield harm.pause()
        child.start()


def kill_node(harm: Harm) -> Iterator[Condition]:
    yield from _kill(harm, harm.arena.node)


def kill_aggregator(harm: Harm) -> Iterator[Condition]:
    yield from _kill(harm, harm.arena.aggregator)


def kill_client(harm: Harm) -> Iterator[Condition]:
    yield from _kill(harm, harm.random.choice(harm.arena.clients))


def kill_watcher(harm: Harm) -> Iterator[Condition]:
    yield from _kill(harm, harm.arena.watcher)


def kill_twice(harm: Harm) -> Iterator[Condition]:
    child, middle = harm.anybody(), harm.random.uniform(0.1, 0.8)
    yield from _kill(harm, child, 0.0, middle)
    yield from _kill(harm, child, middle, 0.95)


def kill_several(harm: Harm) -> Iterator[Condition]:
    """The machine that they share loses power."""
    victims = harm.random.sample(harm.arena.processes, harm.random.randint(2, 6))
    yield harm.moment()
    killed = [child for child in victims if child.kill()]
    harm.say("killed " + ", ".join(child.name for child in killed))
    harm.random.shuffle(killed)
    for child in killed:
        yield harm.pause(0.3)
        child.start()


def pause(harm: Harm) -> Iterator[Condition]:
    """A process that stands still, its connections open: a virtual machine that is moved."""
    child = harm.anybody()
    yield harm.moment()
    child.pause()
    harm.say(f"paused {child.name}")
    yield wait_a_moment(harm.random.uniform(0.3, 3))
    child.go_on()


def nothing(harm: Harm) -> Iterator[Condition]:
    yield from ()


def _rpc(name: str, faults: list[Fault], rates: tuple[float, float] = (0.05, 0.3)) -> Kind:
    def before(harm: Harm) -> None:
        roles, rate = harm.some_roles(), harm.random.uniform(*rates)
        harm.faulty(roles, faults, rate)
        harm.setup.timeout = 1.0
        harm.say(f"{rate:.2f} of requests of {'everybody' if len(roles) > 1 else roles[0]}")

    return Kind(f"rpc: {name}", nothing, before)


def _lagging_before(harm: Harm) -> None:
    roles = harm.some_roles()
    node = harm.faulty(roles, [], 0.0)
    node.lag = harm.random.randint(1, 4)
    harm.say(f"{node.lag} blocks behind for {'everybody' if len(roles) > 1 else roles[0]}")


def lagging(harm: Harm) -> Iterator[Condition]:
    node = next(iter(harm.setup.nodes.values()))
    yield harm.moment()
    node.always_stale = True
    yield wait_a_moment(harm.random.uniform(0.3, 2))
    node.always_stale = False


def _deep(harm: Harm) -> None:
    harm.setup.confirmations = 4


def reorg(harm: Harm) -> Iterator[Condition]:
    """Blocks are taken back, and their transactions are gone; everybody waits for four confirmations."""
    for _ in range(harm.random.randint(1, 3)):
        yield harm.moment(0.0, 0.9)
        head = harm.arena.anvil.connection.block_number()
        depth = min(harm.random.randint(1, 3), head - harm.arena.first_block)
        if depth > 0:
            reorganise(harm.arena.anvil, depth)
            harm.say(f"took {depth} blocks back from {head}")


def _catch(harm: Harm) -> Iterator[Condition]:
    """Stop mining until the aggregator has sent something."""
    yield harm.moment(0.0, 0.8)
    automine(harm.arena.anvil, False)
    harm.arena.mining = False
    late = wait_a_moment(4)
    yield lambda: late() or bool(_of_aggregator(harm))


def _of_aggregator(harm: Harm) -> list[dict[str, str]]:
    own = harm.arena.anvil.signer(AGGREGATOR_ACCOUNT).address.lower()
    return [each for each in pooled(harm.arena.anvil) if each["from"].lower() == own]


def _mine_again(harm: Harm, blocks: int = 1) -> None:
    harm.arena.anvil.mine(blocks)
    automine(harm.arena.anvil, True)
    harm.arena.mining = True


def dropped(harm: Harm) -> Iterator[Condition]:
    """The node forgets a transaction that it has accepted."""
    yield from _catch(harm)
    for each in _of_aggregator(harm):
        drop(harm.arena.anvil, bytes.fromhex(each["hash"][2:]))
        harm.say(f"dropped the aggregator's transaction {each['nonce']}")
    yield harm.pause()
    _mine_again(harm)


def taken_nonce(harm: Harm) -> Iterator[Condition]:
    """Another program with the aggregator's key takes the nonce of a transaction that waits."""
    yield from _catch(harm)
    anvil = harm.arena.anvil
    for each in _of_aggregator(harm)[:1]:
        signer = anvil.signer(AGGREGATOR_ACCOUNT)
        price = 3 * int(each["maxFeePerGas"], 16)
        give(anvil, sign(anvil, signer, int(each["nonce"], 16), signer.address, 1, price=price))
        harm.say(f"took the aggregator's nonce {each['nonce']}")
    _mine_again(harm)


def dear_gas(harm: Harm) -> Iterator[Condition]:
    """The base fee rises above what was offered, and falls again."""
    yield from _catch(harm)
    anvil, factor = harm.arena.anvil, harm.random.choice([3, 10, 50])
    base = anvil.connection.block().base_fee or 1
    anvil.connection.rpc("anvil_setNextBlockBaseFeePerGas", hex(base * factor))
    harm.say(f"gas is {factor} times as dear, {len(_of_aggregator(harm))} transactions wait")
    anvil.mine()
    harm.arena.mining = True
    for _ in range(60):
        yield wait_a_moment(0.03)
        anvil.mine()
    automine(anvil, True)
    anvil.mine()


def postgres_restart(harm: Harm) -> Iterator[Condition]:
    assert harm.postgres is not None
    yield harm.moment()
    harm.postgres.stop()
    harm.say("PostgreSQL stopped")
    yield harm.pause(1.5)
    harm.postgres.start()


def _blobs(harm: Harm) -> list[Path]:
    folder = harm.arena.folder / "blobs"
    return [file for file in folder.glob("??/*") if not file.name.startswith(".new-")]


def corrupt_blob(harm: Harm) -> Iterator[Condition]:
    """The disk returns other bytes than were written, or nothing, for a blob that was published."""
    yield harm.moment(0.1, 0.9)
    yield lambda: bool(_blobs(harm))
    victim = harm.random.choice(sorted(_blobs(harm)))
    kept = victim.read_bytes()
    data = bytearray(kept)
    how = harm.random.choice(["a bit is wrong", "cut off", "gone"])
    if how == "gone":
        victim.unlink()
    elif how == "cut off":
        victim.write_bytes(data[: harm.random.randrange(len(data))])
    else:
        data[harm.random.randrange(len(data))] ^= 1 << harm.random.randrange(8)
        victim.write_bytes(data)
    harm.say(f"blob {victim.name[:8]} of {len(data)} bytes: {how}")
    if harm.random.random() < 0.5:
        # Whoever has it in memory goes on as if nothing had happened; who starts again has to read it.
        harm.arena.aggregator.kill()
        yield harm.pause()
        harm.arena.aggregator.start()
        harm.say("killed aggregator")
    # What can be computed again is mended unasked, and so is an update that its client still has, when it is seen that
    # it is wanted. For the rest somebody names the blob, and gets it from a backup.
    asked: list[bool] = []

    def has_looked() -> bool:
        with suppress(SQLAlchemyError):  # the database may be away
            asked.append(harm.arena.is_update(victim.name))
        return bool(asked)

    yield has_looked

    def ends() -> bool:
        needs_backup = not (asked[0] and _is_asked_for(harm, how, victim))
        return _is_whole(victim) or (needs_backup and harm.arena.has_named(victim.name))

    yield ends
    if _is_whole(victim):
        harm.say("it was mended")
    else:
        victim.write_bytes(kept)
        harm.say("it was named, and brought back")


def _is_whole(blob: Path) -> bool:
    return blob.is_file() and keccak256(blob.read_bytes()).hex() == blob.name


def _is_asked_for(harm: Harm, how: str, update: Path) -> bool:
    """Whether a client will see that its update is wanted: it still runs, and the update is not there in its length.
    The aggregator takes away one that it has found to be damaged; a watcher cannot."""
    found = how != "a bit is wrong" or update.name in harm.arena.aggregator.log.read_text(errors="replace")
    return found and not all(client.is_done for client in harm.arena.clients)


def _stall_before(harm: Harm) -> None:
    client = harm.random.choice(harm.clients)
    seconds, after, breaks = harm.random.uniform(0.3, 4), harm.random.randrange(1200), harm.random.random() < 0.5
    stalls = harm.random.randint(1, 2)
    harm.setup.relay[client] = lambda port: StallingRelay(
        port, stalls=stalls, seconds=seconds, after=after, breaks=breaks
    )
    harm.say(f"{client} stalls after {after} bytes for {seconds:.1f} s, then {'breaks off' if breaks else 'goes on'}")


def stalled_upload(harm: Harm) -> Iterator[Condition]:
    """An update gets stuck half-way; its client may be killed meanwhile."""
    name = next(iter(harm.setup.relay))
    client = next(each for each in harm.arena.clients if each.name == name)
    if harm.random.random() < 0.5:
        late = wait_a_moment(20)
        yield lambda: late() or any(relay.stalled for relay in harm.arena.relays)
        yield harm.pause(1)
        if client.kill():
            harm.say(f"killed {name} meanwhile")
            yield harm.pause()
            client.start()


def _piped(harm: Harm) -> None:
    harm.setup.piped = True


def full_disk(harm: Harm) -> Iterator[Condition]:
    """For a while, a process can write to no file."""
    child = harm.anybody()
    yield harm.moment()
    child.limit_files(0)
    harm.say(f"no room for {child.name}")
    yield wait_a_moment(harm.random.uniform(0.2, 2))
    child.limit_files(-1)


def full_disk_for_all(harm: Harm) -> Iterator[Condition]:
    yield harm.moment()
    for child in harm.arena.processes:
        child.limit_files(0)
    harm.say("no room for anybody")
    yield wait_a_moment(harm.random.uniform(0.2, 2))
    for child in harm.arena.processes:
        child.limit_files(-1)


def _skew_before(harm: Harm) -> None:
    names = ["node", "aggregator", *harm.clients, "watcher"]
    for name in harm.random.sample(names, harm.random.randint(1, len(names))):
        harm.setup.skew[name] = harm.random.choice([-1, 1]) * harm.random.choice([30.0, 3600.0, 86400.0 * 30])
    harm.say(", ".join(f"{name} {skew:+.0f} s" for name, skew in harm.setup.skew.items()))


def skewed(harm: Harm) -> Iterator[Condition]:
    """Clocks are wrong, and one of them is set right when its process is started again."""
    child = harm.anybody()
    yield harm.moment()
    if harm.random.random() < 0.6 and child.kill():
        child.skew = harm.random.choice([0.0, -child.skew])
        harm.say(f"killed {child.name}, its clock is now {child.skew:+.0f} s")
        yield harm.pause()
        child.start()


KINDS = (
    Kind("kill node", kill_node),
    Kind("kill aggregator", kill_aggregator),
    Kind("kill client", kill_client),
    Kind("kill twice", kill_twice),
    Kind("kill several", kill_several),
    Kind("pause", pause),
    _rpc("time-outs", [Fault.TIME_OUT, Fault.TIME_OUT_UNSEEN], (0.01, 0.05)),
    _rpc("429", [Fault.BUSY, Fault.BUSY_FOR, Fault.BUSY_IN_JSON]),
    _rpc("errors", [Fault.ERROR_500, Fault.ERROR_502, Fault.INTERNAL]),
    _rpc("dropped answers", [Fault.RESET_BEFORE, Fault.RESET_AFTER, Fault.CUT_OFF, Fault.GARBLED]),
    _rpc("duplicates", [Fault.TWICE, Fault.SLOW_DRIP], (0.1, 0.4)),
    _rpc("stale reads", [Fault.STALE]),
    _rpc("nonces", [Fault.NONCE_TOO_LOW, Fault.NONCE_TOO_HIGH, Fault.UNDERPRICED, Fault.ALREADY_KNOWN], (0.3, 0.7)),
    _rpc("everything", list(Fault), (0.02, 0.1)),
    Kind("node lags", lagging, _lagging_before),
    Kind("reorg", reorg, _deep),
    Kind("dropped transaction", dropped),
    Kind("nonce taken", taken_nonce),
    Kind("gas jump", dear_gas),
    Kind("PostgreSQL restart", postgres_restart, needs_postgres=True),
    Kind("corrupt blob", corrupt_blob),
    Kind("stalled upload", stalled_upload, _stall_before),
    Kind("disk full", full_disk, _piped),
    Kind("disk full for all", full_disk_for_all, _piped),
    Kind("clock skew", skewed, _skew_before),
    Kind("kill watcher", kill_watcher),
)
