"""The probes of a registry: V1-1 to V1-4."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from fedblocks.doctor.layout import find_slot
from fedblocks.doctor.report import Defect, Evidence, Finding, Verdict
from fedblocks.doctor.simulation import CLIENT, Outcome, Simulation, State, Step
from fedblocks.types import Address
from fedblocks.units import format_ether

_CREDIT = ("clientStakes(address)", "getClientStake(address)")
_UNBONDING = ("unbondingStakes(address)",)
_TIMELOCK = ("withdrawlTimelock(address)", "getWithdrawlTimelock(address)")
_LONG_AGO = 1
"""A timelock that has passed on every chain: one second after 1970 began."""


@dataclass(frozen=True)
class UnbondingSlots:
    """Where a registry keeps what makes a client unbonding."""

    credit: int
    timelock: int
    unbonding: int | None
    """Version 2 keeps the unbonding part by itself; version 1 does not."""


class StakingProbes:
    """The probes of one registry."""

    def __init__(self, simulation: Simulation, registry: Address) -> None:
        self.simulation = simulation
        self.registry = registry

    @cached_property
    def stake_amount(self) -> int | None:
        """STAKE_AMOUNT, as the registry says."""
        return self.simulation.read(self.registry, "STAKE_AMOUNT()")

    @cached_property
    def slashing_manager(self) -> Address | None:
        """Who may slash, as the registry says."""
        return self.simulation.read_address(self.registry, "SLASHING_MANAGER()")

    @cached_property
    def slots(self) -> UnbondingSlots | None:
        """Where an unbonding client is kept; None when it was not found."""
        credit = find_slot(self.simulation, self.registry, _CREDIT, CLIENT)
        timelock = find_slot(self.simulation, self.registry, _TIMELOCK, CLIENT)
        if credit is None or timelock is None:
            return None
        if self.simulation.read(self.registry, _UNBONDING[0], CLIENT) is None:
            return UnbondingSlots(credit, timelock, None)
        unbonding = find_slot(self.simulation, self.registry, _UNBONDING, CLIENT)
        return None if unbonding is None else UnbondingSlots(credit, timelock, unbonding)

    def unbonding_state(self, timelock: int, credit: int) -> State | None:
        """A stage on which the client has left; None when it cannot be set."""
        if self.slots is None:
            return None
        written = {self.slots.credit: credit, self.slots.timelock: timelock}
        if self.slots.unbonding is not None:
            written[self.slots.unbonding] = credit
        return State(funded=(self.registry,), storage={self.registry: written})

    def staking_steps(self, by: Address | None = None) -> list[Step]:
        """Get a client staked, in a registry of either version: with the exact amount, else for nothing."""
        values = (self.stake_amount or 0, 0)
        return [Step(self.registry, "stake()", value=value, by=by) for value in values]

    def exact_stake(self) -> Finding:
        """V1-1: every amount is tried by a new client, and the credit is read afterwards."""
        amount = self.stake_amount
        if not amount:
            return Finding(Defect.V1_1, Verdict.UNKNOWN, "the registry does not say its STAKE_AMOUNT")
        accepted: dict[int, bool] = {}
        evidence: list[Evidence] = []
        for value in (amount, 0, 1, amount - 1, amount + 1, 2 * amount):
            stake, credit = self._play(
                [Step(self.registry, "stake()", value=value), Step(self.registry, _CREDIT[1], (CLIENT,))]
            )
            accepted[value] = stake.succeeded
            evidence.append(stake.evidence())
            if stake.succeeded:
                evidence.append(Evidence(str(credit.step), str(credit.number)))
        wrong = [value for value, taken in accepted.items() if taken and value != amount]
        if wrong:
            honest = "accepts" if accepted[amount] else "refuses"
            others = ", ".join(format_ether(value) for value in sorted(wrong))
            why = f"it {honest} the exact amount and accepts others: {others} ETH"
            return Finding(Defect.V1_1, Verdict.PRESENT, why, tuple(evidence))
        if not accepted[amount]:
            return Finding(
                Defect.V1_1, Verdict.UNKNOWN, "it accepts no amount at all from a new client", tuple(evidence)
            )
        return Finding(Defect.V1_1, Verdict.ABSENT, "it accepts the exact amount and no other", tuple(evidence))

    def timelock(self) -> Finding:
        """V1-2: withdrawing in the second of leaving, and with a timelock that has or has not passed."""
        unregister = Step(self.registry, "unRegister()")
        withdraw = Step(self.registry, "withdrawStake()")
        evidence: list[Evidence] = []
        *_, left, early = self._play([*self.staking_steps(), unregister, withdraw])
        evidence += [left.evidence(), _told(early, "withdrawStake() in the second of unRegister()")]
        paid_early = left.succeeded and early.succeeded
        pays: dict[str, bool] = {}
        for name, until in (("has passed", _LONG_AGO), ("has not passed", self.simulation.timestamp + 10**6)):
            state = self.unbonding_state(until, self.stake_amount or 1)
            if state is not None:
                (outcome,) = self._play([withdraw], state)
                pays[name] = outcome.succeeded
                evidence.append(_told(outcome, f"withdrawStake() when the timelock {name}"))
        late, before = pays.get("has passed"), pays.get("has not passed")
        faults = []
        if paid_early or before:
            faults.append("it pays before the timelock has passed")
        # A refusal alone may be the stage's fault; that the same stage pays earlier shows that it is not.
        if late is False and before:
            faults.append("it refuses once the timelock has passed")
        if faults:
            return Finding(Defect.V1_2, Verdict.PRESENT, " and ".join(faults), tuple(evidence))
        if not left.succeeded:
            why = "a new client could not be staked and unregistered"
        elif late is None:
            why = "it refuses before the timelock; what it does afterwards could not be played: its storage is unclear"
        elif not late:
            why = "it pays neither before nor after the timelock, in a state that may not be complete"
        else:
            return Finding(
                Defect.V1_2, Verdict.ABSENT, "it pays once the timelock has passed and not before", tuple(evidence)
            )
        return Finding(Defect.V1_2, Verdict.UNKNOWN, why, tuple(evidence))

    def coming_back(self) -> Finding:
        """V1-3: a client leaves, and stakes again before it has withdrawn."""
        again = self.staking_steps()
        *first, left, exact, free = self._play([*self.staking_steps(), Step(self.registry, "unRegister()"), *again])
        evidence = (
            left.evidence(),
            _told(exact, "stake() with the exact amount, after unRegister()"),
            _told(free, "stake() with nothing, after unRegister()"),
        )
        if not any(outcome.succeeded for outcome in first) or not left.succeeded:
            return Finding(Defect.V1_3, Verdict.UNKNOWN, "a new client could not be staked and unregistered", evidence)
        if exact.succeeded or free.succeeded:
            return Finding(Defect.V1_3, Verdict.ABSENT, "a client that has left can stake again", evidence)
        return Finding(Defect.V1_3, Verdict.PRESENT, "a client that has left cannot stake again", evidence)

    def empty_slash(self) -> Finding:
        """V1-4: the slashing manager slashes clients whose credit is zero, in every way of getting there."""
        manager = self.slashing_manager
        if manager is None:
            return Finding(Defect.V1_4, Verdict.UNKNOWN, "the registry does not say its SLASHING_MANAGER")
        leave = [Step(self.registry, "unRegister()"), Step(self.registry, "withdrawStake()")]
        slash = Step(self.registry, "slashStake(address)", (CLIENT,), by=manager, role="the slashing manager")
        ways: list[tuple[str, list[Step], State | None]] = [
            ("never staked", [], State()),
            ("withdrew at once", [*self.staking_steps(), *leave], State(funded=(self.registry,))),
            ("is slashed already", [*self.staking_steps(), slash], State(funded=(self.registry,))),
            ("left and has no credit", [], self.unbonding_state(self.simulation.timestamp + 10**6, 0)),
            ("withdrew in time", leave[1:], self.unbonding_state(_LONG_AGO, self.stake_amount or 1)),
        ]
        evidence: list[Evidence] = []
        reached: list[str] = []
        slashed: list[str] = []
        for name, steps, state in ways:
            if state is None:
                continue
            credit = Step(self.registry, _CREDIT[1], (CLIENT,))
            marked = Step(self.registry, "getIsSlashed(address)", (CLIENT,))
            *before, was, attempt, mark = self._play([*steps, credit, slash, marked], state)
            # A way counts only when it has led to a client without credit that something had happened to.
            if was.number != 0 or (before and not before[-1].succeeded):
                continue
            reached.append(name)
            evidence.append(_told(attempt, f"slashStake() of a client that {name}, credit 0"))
            if attempt.succeeded and mark.number:
                slashed.append(name)
                evidence.append(mark.evidence())
        if slashed:
            why = f"it slashed a client that had nothing at stake: it {', or '.join(slashed)}"
            return Finding(Defect.V1_4, Verdict.PRESENT, why, tuple(evidence))
        if len(reached) < 2:
            why = "a client that was staked once and has no credit could not be arranged"
            return Finding(Defect.V1_4, Verdict.UNKNOWN, why, tuple(evidence))
        why = f"it refused to slash a client without credit in {len(reached)} ways of getting there"
        return Finding(Defect.V1_4, Verdict.ABSENT, why, tuple(evidence))

    def _play(self, steps: list[Step], state: State | None = None) -> list[Outcome]:
        # Version 1 pays out what it never took in: whether it would pay must not hang on what others have left there.
        return self.simulation.play(steps, state or State(funded=(self.registry,)))


def _told(outcome: Outcome, call: str) -> Evidence:
    return Evidence(call, outcome.evidence().returned)
