"""A game: makes every call in the model and on the chain, and compares everything after each.

`machine` adds the moves.
"""

from __future__ import annotations

from typing import Any

import boa
from eth_abi import decode
from eth_utils import keccak
from hypothesis.stateful import RuleBasedStateMachine, invariant

from tests.contracts.fuzz.exits import everybody_leaves
from tests.contracts.fuzz.model import Actor, Call, Model
from tests.contracts.fuzz.replay import Replay
from tests.contracts.fuzz.stage import ACTORS, CONTRACTS, stage
from tests.contracts.fuzz.state import Instance
from tests.contracts.fuzz.storage import Reader
from tests.contracts.fuzz.tally import MADE, REFUSED, TALLY
from tests.contracts.fuzz.watch import Watch
from tests.contracts.world import CHALLENGE_WINDOW, LIVENESS_PERIOD, balance

ERROR = keccak(text="Error(string)")[:4]


class Game(RuleBasedStateMachine):
    """One run: the protocol from its deployment on, the books beside it, and no moves yet."""

    def __init__(self) -> None:
        super().__init__()
        self.stage = stage()
        self.contexts = [boa.swap_env(self.stage.env), self.stage.env.anchor()]
        for context in self.contexts:
            context.__enter__()
        self.protocol = self.stage.protocol
        self.replay, self.watch = Replay(), Watch()
        self.forced: dict[str, int] = {}
        self.vanished: set[str] = set()
        self.counter = 0
        self.failed = False
        people = self.stage.people.values()
        self.reader = Reader(self.protocol, people)
        for event, moment in self.stage.events:
            self.watch.see(event)
            self.replay.apply(event, moment)
        self.model = Model(
            protocol=self.protocol,
            state=self.reader.state(self.forced),
            purses={address: balance(address) for address in (*people, self.stage.driver)},
            actors={self.stage.people[name]: Actor() for name in ACTORS},
            closed={
                self.stage.babbler,
                *(self.stage.address(name) for name in CONTRACTS if not name.endswith("Treasury")),
            },
        )
        TALLY["runs"] += 1

    def teardown(self) -> None:
        try:
            if not self.failed:
                left = everybody_leaves(
                    self.protocol,
                    list(self.stage.people.values()),
                    self.stage.people["stranger"],
                    self.stage.people["heir"],
                    self._send_unmodelled,
                )
                assert left == {address: self.forced.get(address, 0) for address in left}, "something is left behind"
        finally:
            # titanoboa keeps what it has seen hashed, over all runs.
            self.stage.env.sha3_trace.clear()
            for context in reversed(self.contexts):
                context.__exit__(None, None, None)

    # Calls

    @property
    def now(self) -> int:
        return int(boa.env.timestamp)

    @property
    def instances(self) -> dict[int, Instance]:
        return self.model.state.instances

    def pick(self, which: int) -> int:
        """An instance's number."""
        return (which - 1) % len(self.instances) + 1 if which else len(self.instances) + 1

    def unique(self, what: str) -> bytes:
        self.counter += 1
        return keccak(text=f"{what} {self.counter}")

    def sender(self, name: str, right: str) -> str:
        """The name of a caller; `right` is the address whose job it is."""
        return self.stage.names.get(right, "stranger") if name == "right" else name

    @staticmethod
    def _outcome(computation: Any) -> str | None:
        if not computation.is_error:
            return None
        output = computation.output
        return str(decode(["string"], output[4:])[0]) if output[:4] == ERROR else ""

    def _send_unmodelled(self, sender: str, contract: Any, function: str, *arguments: Any) -> str | None:
        data = getattr(contract, function).prepare_calldata(*arguments)
        MADE[f"on the way out: {function}"] += 1
        return self._outcome(self.stage.execute(sender, contract, data, 0))

    def call(self, sender: str, contract: str, function: str, *arguments: Any, value: int = 0) -> bool:
        """Make a call, by a person or a contract, in the model and on the chain, and compare; whether it was taken."""
        if sender in self.vanished:
            return False
        call = Call(self.stage.address(sender), contract, function, arguments, value)
        if sender in ACTORS and value:
            self.model.purses[self.stage.driver] -= value
            self.model.purses[call.sender] += value
        try:
            expected = self.model.attempt(call, self.now)
            if sender in ACTORS and value and expected is not None:
                self.model.purses[self.stage.driver] += value
                self.model.purses[call.sender] -= value
            target = self.stage.contracts[contract]
            data = b"" if function == "__default__" else getattr(target, function).prepare_calldata(*arguments)
            computation = self.stage.execute(call.sender, target, data, value)
            outcome = self._outcome(computation)
            MADE[call.name] += 1
            if outcome is not None:
                REFUSED[call.name, outcome] += 1
            assert outcome == expected, (
                f"{call.name} by {sender}: the contract says {outcome!r}, the model {expected!r}"
            )
            self._hear(target, computation)
            self.check()
        except BaseException:
            self.failed = True
            raise
        return outcome is None

    def _hear(self, contract: Any, computation: Any) -> None:
        for event in contract.get_logs(computation):
            TALLY["events"] += 1
            self.watch.see(event)
            self.replay.apply(event, self.now)

    def check(self) -> None:
        """Everything that must hold after every call."""
        TALLY["checks"] += 1
        protocol, forced = self.protocol, self.forced
        stored = self.reader.state(forced)
        expected = self.model.state
        expected.clients = {address: c for address, c in expected.clients.items() if c != type(c)()}
        assert stored == expected, "the contracts have stored something else than the model"
        told = self.replay.state
        told.clients = {address: c for address, c in told.clients.items() if c != type(c)()}
        assert stored == told, "the event log does not tell what is stored"

        owed = {protocol.registry: stored.staked, protocol.rewards: stored.escrowed, protocol.chain: stored.bonded}
        for contract, amount in owed.items():
            assert balance(contract) == amount + forced.get(str(contract.address), 0), "a balance is not what is owed"
        assert balance(protocol.slashing) == forced.get(str(protocol.slashing.address), 0)
        self.watch.held(
            escrow=sum(instance.order.escrow for instance in stored.instances.values()),
            refunds=sum(instance.refund for instance in stored.instances.values()),
        )
        assert {address: balance(address) for address in self.model.purses} == self.model.purses

    # Time

    @invariant()
    def a_move_was_made(self) -> None:
        TALLY["moves"] += 1

    def deadlines(self) -> list[int]:
        """Every moment still to come at which something begins or ends."""
        moments = {client.timelock for client in self.model.state.clients.values()}
        for instance in self.instances.values():
            training = instance.training
            moments |= {training.last_activity + k * LIVENESS_PERIOD for k in (1, 2)}
            moments.add(training.last_progress + 4 * LIVENESS_PERIOD)
            for epoch in instance.epochs.values():
                moments |= {epoch.commits_closed_at + LIVENESS_PERIOD, epoch.posted_at + CHALLENGE_WINDOW}
        return sorted(moment for moment in moments if moment > self.now)

    def wait_until(self, moment: int) -> None:
        if moment > self.now:
            boa.env.time_travel(seconds=moment - self.now)
