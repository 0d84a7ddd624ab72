"""The probe of who may slash: V1-5."""

from __future__ import annotations

from fedblocks.doctor.report import Defect, Evidence, Finding, Verdict
from fedblocks.doctor.simulation import CLIENT, Outcome, Simulation, State, Step, scratch_address
from fedblocks.doctor.staking import StakingProbes
from fedblocks.types import Address

_STRANGER = scratch_address("stranger")
_SLASH = "slash(address[],uint256,address)"
_INVENTED = 2**255
"""An instance that there is nowhere."""


def arbitrary_slash(simulation: Simulation, staking: StakingProbes) -> Finding:
    """V1-5: is a client slashed that has staked only within this very call? No evidence against it can exist."""
    manager = staking.slashing_manager
    if manager is None:
        return Finding(Defect.V1_5, Verdict.UNKNOWN, "the registry does not say its SLASHING_MANAGER")
    if not simulation.has_code(manager):
        return _key_as_manager(staking, manager)
    slasher = simulation.read_address(manager, "SLASHER_ADDRESS()")
    if not any(outcome.succeeded for outcome in simulation.play(staking.staking_steps())):
        return Finding(Defect.V1_5, Verdict.UNKNOWN, "a new client could not be staked, so there is nobody to slash")
    outcomes: list[tuple[str, Outcome, bool]] = []
    for instance in (1, _INVENTED):
        outcomes.append(("a stranger", *_slash_by(staking, manager, _STRANGER, "a stranger", instance)))
        if slasher is not None and not simulation.has_code(slasher):
            outcomes.append(("the slasher's key", *_slash_by(staking, manager, slasher, "the slasher's key", instance)))
        elif slasher is not None:
            outcome = _slash_as_contract(simulation, staking, manager, slasher, instance)
            if outcome is not None:
                outcomes.append(("the slasher contract", outcome, outcome.succeeded))
    evidence = tuple(outcome.evidence() for _, outcome, _ in outcomes)
    able = list(dict.fromkeys(who for who, _, slashed in outcomes if slashed))
    asked = list(dict.fromkeys(who for who, _, _ in outcomes))
    if able:
        why = f"{' and '.join(able)} can slash a client against which no evidence can exist"
        return Finding(Defect.V1_5, Verdict.PRESENT, why, evidence)
    if len(asked) < 2:
        why = "a stranger cannot slash; what the slasher can do could not be tried"
        return Finding(Defect.V1_5, Verdict.UNKNOWN, why, evidence)
    why = f"neither {' nor '.join(asked)} can slash a client against which there is no evidence"
    return Finding(Defect.V1_5, Verdict.ABSENT, why, evidence)


def _key_as_manager(staking: StakingProbes, manager: Address) -> Finding:
    """The registry's slashing manager is no contract: its key is asked."""
    step = Step(staking.registry, "slashStake(address)", (CLIENT,), by=manager, role="the key that is slashing manager")
    *before, outcome = staking.simulation.play([*staking.staking_steps(), step], State(funded=(staking.registry,)))
    evidence = (Evidence(f"code at SLASHING_MANAGER {manager}", "none"), outcome.evidence())
    if outcome.succeeded:
        return Finding(Defect.V1_5, Verdict.PRESENT, "the slashing manager is a key, and slashes by itself", evidence)
    staked = any(each.succeeded for each in before)
    failed = "its key could not slash" if staked else "nobody could stake as"
    why = f"there is no contract at SLASHING_MANAGER, and {failed} a new client"
    return Finding(Defect.V1_5, Verdict.UNKNOWN, why, evidence)


def _slash_by(
    staking: StakingProbes, manager: Address, caller: Address, role: str, instance: int
) -> tuple[Outcome, bool]:
    steps = [
        *staking.staking_steps(),
        Step(manager, _SLASH, ((CLIENT,), instance, staking.registry), by=caller, role=role),
        Step(staking.registry, "getIsSlashed(address)", (CLIENT,)),
    ]
    *_, outcome, mark = staking.simulation.play(steps, State(funded=(staking.registry,)))
    return outcome, outcome.succeeded and bool(mark.number)


def _slash_as_contract(
    simulation: Simulation, staking: StakingProbes, manager: Address, slasher: Address, instance: int
) -> Outcome | None:
    """A contract must keep its code: others ask it for verdicts. So the client's stake is written into the storage."""
    state = staking.unbonding_state(simulation.timestamp + 10**6, staking.stake_amount or 1)
    if state is None:
        return None
    step = Step(manager, _SLASH, ((CLIENT,), instance, staking.registry), role="the slasher contract")
    return simulation.call_as(slasher, step, state)
