"""The probes of orders and pay: V1-6 and V1-7."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from fedblocks.doctor.report import Defect, Evidence, Finding, Verdict
from fedblocks.doctor.simulation import CLIENT, Outcome, Simulation, State, Step, scratch_address
from fedblocks.doctor.staking import StakingProbes
from fedblocks.types import Address
from fedblocks.units import format_ether

COHORT = tuple(scratch_address(f"cohort.{seat}") for seat in range(4))
"""Four clients: what version 2 asks for at least."""
STRANGERS = tuple(scratch_address(f"stranger.{seat}") for seat in range(4))
"""Four who have never staked."""

_ORDER = "newUserInstance(address[],uint256)"
_COLLECT = "collectTrainingFees(uint256)"
_REFUSING_SLOT = {1: 1}
"""The prober's own storage: from now on it takes no ether."""


@dataclass(frozen=True)
class Scene:
    """The same opening for every scene of pay: four clients stake, and the probing user orders one epoch of them."""

    opening: tuple[Step, ...]
    instance: int
    """The number that the order gets."""


class RewardProbes:
    """The probes of one reward manager."""

    def __init__(self, simulation: Simulation, rewards: Address, staking: StakingProbes | None) -> None:
        """Name the reward manager, and the registry in which the clients of an order stake."""
        self.simulation = simulation
        self.rewards = rewards
        self.staking = staking

    @cached_property
    def fee(self) -> int:
        """FEE_PER_EPOCH; 0 when the contract does not say."""
        return self.simulation.read(self.rewards, "FEE_PER_EPOCH()") or 0

    @cached_property
    def price(self) -> int:
        """What an order of one epoch costs. Version 1 has no base fee and takes nothing for an order."""
        base_fee = self.simulation.read(self.rewards, "BASE_FEE()")
        return 0 if base_fee is None else base_fee + self.fee

    @cached_property
    def scene(self) -> Scene | None:
        """The opening; None when even an order like it should be is refused."""
        opening = (*self._staked(COHORT), self._order(COHORT, self.price))
        *_, order = self.simulation.play(opening)
        return None if order.number is None else Scene(opening, order.number)

    def orders(self) -> Finding:
        """V1-6: unpaid orders, orders of clients that never staked or have every seat; and one as it should be."""
        tries = [
            ("without payment", COHORT, 0),
            *((("a wei short", COHORT, self.price - 1), ("a wei over", COHORT, self.price + 1)) if self.price else ()),
            ("of clients that never staked", STRANGERS, self.price),
            ("of one client in all seats", (COHORT[0],) * 4, self.price),
            ("without clients", (), self.price),
        ]
        steps = [self._order(clients, value) for _, clients, value in tries]
        proper = self._order(COHORT, self.price)
        staked = self._staked(COHORT)
        # What others have left there must not decide whether an unpaid order fails.
        state = State(funded=(self.rewards,))
        *outcomes, control = self.simulation.play([*staked, *steps, proper], state)[len(staked) :]
        tried = [*tries, ("as it should be", COHORT, self.price)]
        evidence = tuple(
            _told(outcome, f"an order {name}, {format_ether(value)} ETH")
            for (name, _, value), outcome in zip(tried, [*outcomes, control], strict=True)
        )
        taken = [name for (name, _, _), outcome in zip(tries, outcomes, strict=True) if outcome.succeeded]
        if taken:
            return Finding(Defect.V1_6, Verdict.PRESENT, f"it takes orders {', '.join(taken)}", evidence)
        if not control.succeeded:
            why = "it refuses every order that was tried, the proper one too"
            return Finding(Defect.V1_6, Verdict.UNKNOWN, why, evidence)
        return Finding(Defect.V1_6, Verdict.ABSENT, "it takes a proper order and no other", evidence)

    def pay(self) -> Finding:
        """V1-7: collecting at once, twice, with too much ether, and with a client that takes no ether."""
        if self.scene is None:
            return Finding(Defect.V1_7, Verdict.UNKNOWN, "no order could be made, so there is nothing to collect")
        faults, evidence, collected = self._collect_at_once(self.scene)
        if faults:
            return Finding(Defect.V1_7, Verdict.PRESENT, "; ".join(faults), tuple(evidence))
        if collected:
            why = "it collects for an instance that was only just opened, with no effect that could be seen"
            return Finding(Defect.V1_7, Verdict.UNKNOWN, why, tuple(evidence))
        faults, missing, found = self._collect_when_closed(self.scene)
        evidence += found
        if faults:
            return Finding(Defect.V1_7, Verdict.PRESENT, "; ".join(faults), tuple(evidence))
        if missing:
            return Finding(Defect.V1_7, Verdict.UNKNOWN, "; ".join(missing), tuple(evidence))
        why = (
            "it pays once, when the instance is closed, for trained epochs only; it takes no payment then, and a "
            "client that takes no ether blocks nobody"
        )
        return Finding(Defect.V1_7, Verdict.ABSENT, why, tuple(evidence))

    def _collect_at_once(self, scene: Scene) -> tuple[list[str], list[Evidence], bool]:
        """What version 1 does: pay for an order the moment it was made."""
        paid = self._collect(scene, self.fee)
        client, manager = self._ether_of(COHORT[1]), self._ether_of(self.rewards)
        before, first, after, second = self._after(scene, [client, paid, client, paid])
        evidence = [_told(first, f"collectTrainingFees() at once, {format_ether(self.fee)} ETH")]
        evidence.append(_told(second, "collectTrainingFees() once more"))
        (unpaid,) = self._after(scene, [self._collect(scene, 0)])
        evidence.append(_told(unpaid, "collectTrainingFees() at once, 0 ETH"))
        faults = []
        if first.succeeded and _rise(before, after) > 0:
            faults.append("it pays clients for an epoch that nobody trained")
        if first.succeeded and second.succeeded:
            faults.append("it collects again and again")

        was, excess, now = self._after(scene, [manager, self._collect(scene, 3 * self.fee), manager])
        evidence.append(_told(excess, f"collectTrainingFees() with {format_ether(3 * self.fee)} ETH"))
        if excess.succeeded and (kept := _rise(was, now)) > self.fee:
            faults.append(f"it keeps {format_ether(kept)} ETH of an overpayment")
            evidence.append(Evidence("what it then holds more", f"{format_ether(kept)} ETH"))

        (refused,) = self._after(scene, [paid], _one_refuses())
        evidence.append(_told(refused, "collectTrainingFees() with one client that takes no ether"))
        if first.succeeded and not refused.succeeded:
            faults.append("one client that takes no ether blocks the pay of all")
        return faults, evidence, first.succeeded or unpaid.succeeded

    def _collect_when_closed(self, scene: Scene) -> tuple[list[str], list[str], list[Evidence]]:
        """What version 2 does: settle a closed instance, whose parties then fetch what is theirs.

        Returns:
            What is wrong, what could not be told, and the evidence.
        """
        chain = self.simulation.read_address(self.rewards, "MODEL_PARAMETER_CHAIN()")
        if chain is None:
            return [], ["it collects nothing at once, and names no contract that closes an instance"], []
        stopped = self._settle_stopped(scene, chain)
        trained = self._settle_trained(scene, chain)
        return stopped[0] + trained[0], stopped[1] + trained[1], stopped[2] + trained[2]

    def _settle_stopped(self, scene: Scene, chain: Address) -> tuple[list[str], list[str], list[Evidence]]:
        """The user stops its instance before any epoch: everything but the base fee is its own again, once."""
        stop = Step(chain, "stopInstance(uint256)", (scene.instance,))
        settle = self._collect(scene, 0)
        refund = Step(self.rewards, "withdrawRefund(uint256)", (scene.instance,))
        holds = self._ether_of(CLIENT)
        stopped, paid, first, second, before, back, after = self._after(
            scene, [stop, self._collect(scene, 1), settle, settle, holds, refund, holds]
        )
        returned = _rise(before, after)
        evidence = [
            _told(stopped, "stopInstance() before any epoch"),
            _told(paid, "collectTrainingFees() then, 1 wei sent along"),
            _told(first, "collectTrainingFees() then"),
            _told(second, "collectTrainingFees() once more"),
            Evidence("withdrawRefund()", f"{format_ether(returned)} ETH" if back.succeeded else _said(back)),
        ]
        faults, missing = [], []
        if paid.succeeded:
            faults.append("it takes ether when it settles, and keeps it")
        if first.succeeded and second.succeeded:
            faults.append("it settles an instance twice")
        if first.succeeded and back.succeeded and returned < self.fee:
            faults.append("the user does not get the fee of an untrained epoch back")
        if not (stopped.succeeded and first.succeeded and back.succeeded) and not faults:
            missing.append("an instance that is stopped could not be settled and refunded")
        return faults, missing, evidence

    def _settle_trained(self, scene: Scene, chain: Address) -> tuple[list[str], list[str], list[Evidence]]:
        """The judge is replaced by one that calls every instance trained; the paying is the contract's own."""
        settle, holds = self._collect(scene, 0), self._ether_of(COHORT[1])
        claims = [
            Step(self.rewards, "claimReward(uint256)", (scene.instance,), by=client, role=role)
            for client, role in ((COHORT[0], "the client that takes no ether"), (COHORT[1], "another client"))
        ]
        kind = State(actors=(*COHORT, chain))
        one_refuses = State(actors=kind.actors, storage=_one_refuses().storage)
        (control,) = self._after(scene, [settle], kind)
        settled, refused, was, claimed, now = self._after(
            scene, [settle, claims[0], holds, claims[1], holds], one_refuses
        )
        evidence = [
            _told(control, "collectTrainingFees() of an instance that counts as trained"),
            _told(settled, "collectTrainingFees() of one with a client that takes no ether"),
            refused.evidence(),
            claimed.evidence(),
        ]
        if control.succeeded and not settled.succeeded:
            return ["one client that takes no ether blocks the pay of all"], [], evidence
        if not settled.succeeded or refused.succeeded or _rise(was, now) <= 0:
            return [], ["whether a client that takes no ether blocks the others could not be told"], evidence
        return [], [], evidence

    def _after(self, scene: Scene, steps: list[Step], state: State | None = None) -> list[Outcome]:
        return self.simulation.play([*scene.opening, *steps], state)[len(scene.opening) :]

    def _staked(self, clients: tuple[Address, ...]) -> list[Step]:
        return [] if self.staking is None else [step for each in clients for step in self.staking.staking_steps(each)]

    def _order(self, clients: tuple[Address, ...], value: int) -> Step:
        return Step(self.rewards, _ORDER, (clients, 1), value=value)

    def _collect(self, scene: Scene, value: int) -> Step:
        return Step(self.rewards, _COLLECT, (scene.instance,), value=value)

    def _ether_of(self, holder: Address) -> Step:
        return Step(CLIENT, "etherOf(address)", (holder,))


def _one_refuses() -> State:
    return State(actors=COHORT, storage={COHORT[0]: _REFUSING_SLOT})


def _rise(before: Outcome, after: Outcome) -> int:
    return (after.number or 0) - (before.number or 0)


def _told(outcome: Outcome, call: str) -> Evidence:
    return Evidence(call, _said(outcome))


def _said(outcome: Outcome) -> str:
    return outcome.evidence().returned
