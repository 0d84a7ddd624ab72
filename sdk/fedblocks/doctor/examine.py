"""The examination: which contracts a deployment has, what lies there, and one finding for each defect."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from fedblocks.chain.connection import Connection, NodeRefused
from fedblocks.doctor.builds import facts_of
from fedblocks.doctor.report import STAKING_DEFECTS, ContractFacts, Defect, Finding, Report, unknown
from fedblocks.doctor.rewards import RewardProbes
from fedblocks.doctor.simulation import Simulation
from fedblocks.doctor.slashing import arbitrary_slash
from fedblocks.doctor.staking import StakingProbes
from fedblocks.types import Address

Probe = tuple[Defect, Callable[[], Finding]]


def examine(connection: Connection, contracts: Mapping[str, Address], block: int | None = None) -> Report:
    """Probe a deployment for V1-1 to V1-7. Nothing is sent, and no account is needed.

    Args:
        connection: The node.
        contracts: Addresses by ABI name, of either version. Of a contract that is not named, nothing can be said.
        block: The block to look at; the newest when left out.

    Raises:
        NodeUnreachable: if the node stops answering. What the node refuses is a finding: unknown, and why.
    """
    simulation = Simulation(connection, block)
    facts = {name: facts_of(connection, name, address, simulation.block) for name, address in contracts.items()}
    notes = [
        f"{each.name} is a proxy ({each.proxy}): its code may be another tomorrow"
        for each in facts.values()
        if each.proxy
    ]
    unable = simulation.why_unable()
    findings: list[Finding] = []

    registry = facts.get("StakingRegistry")
    staking = None
    if unable is None and registry is not None and registry.code_size:
        staking = StakingProbes(simulation, registry.address)
    findings += _findings(STAKING_DEFECTS, _why_not("StakingRegistry", registry, unable), _staking_probes(staking))
    notes += _managers_differ(staking, facts.get("SlashingManager"))

    manager = facts.get("RewardManager")
    rewards = None
    if unable is None and manager is not None and manager.code_size:
        rewards = RewardProbes(simulation, manager.address, staking)
    findings += _findings(
        (Defect.V1_6, Defect.V1_7),
        _why_not("RewardManager", manager, unable),
        [] if rewards is None else [(Defect.V1_6, rewards.orders), (Defect.V1_7, rewards.pay)],
    )
    return Report(
        node=connection.url,
        chain_id=connection.chain_id,
        block=simulation.block,
        contracts=tuple(facts.values()),
        findings=tuple(findings),
        notes=tuple(notes),
    )


def examine_staking(connection: Connection, registry: Address) -> tuple[Finding, ...]:
    """Probe a registry, and whoever may slash in it, for what can cost a staker its stake: V1-1 to V1-5."""
    simulation = Simulation(connection)
    facts = facts_of(connection, "StakingRegistry", registry, simulation.block)
    why = _why_not("StakingRegistry", facts, simulation.why_unable())
    probes = [] if why else _staking_probes(StakingProbes(simulation, registry))
    return tuple(_findings(STAKING_DEFECTS, why, probes))


def _staking_probes(staking: StakingProbes | None) -> list[Probe]:
    if staking is None:
        return []
    return [
        (Defect.V1_1, staking.exact_stake),
        (Defect.V1_2, staking.timelock),
        (Defect.V1_3, staking.coming_back),
        (Defect.V1_4, staking.empty_slash),
        (Defect.V1_5, lambda: arbitrary_slash(staking.simulation, staking)),
    ]


def _findings(defects: Sequence[Defect], why_not: str | None, probes: Sequence[Probe]) -> list[Finding]:
    if why_not is not None:
        return list(unknown(defects, why_not))
    found = []
    for defect, probe in probes:
        try:
            found.append(probe())
        except NodeRefused as error:
            found += unknown((defect,), f"the node refused a simulated call: {error.message}")
    return found


def _why_not(name: str, facts: ContractFacts | None, unable: str | None) -> str | None:
    if facts is None:
        return f"no address was given for {name}"
    if not facts.code_size:
        return f"there is no code at {facts.address}"
    return unable


def _managers_differ(staking: StakingProbes | None, listed: ContractFacts | None) -> list[str]:
    if staking is None or listed is None or staking.slashing_manager in (None, listed.address):
        return []
    return [f"the registry's SLASHING_MANAGER is {staking.slashing_manager}, not {listed.address}: that one was probed"]
