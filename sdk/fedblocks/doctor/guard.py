"""The guard that FedBlocks gives to registries: nobody stakes in what fails the probes.

A deployment whose every contract is a build of ours is not probed: its code is known. Others are probed once for each
connection and code; what the probes could not clear counts as unsafe, since nothing is lost by not staking.
"""

from __future__ import annotations

from threading import Lock
from weakref import WeakKeyDictionary

from eth_utils.crypto import keccak

from fedblocks.chain.connection import Connection
from fedblocks.contracts.guard import UnsafeDeployment
from fedblocks.doctor.builds import find_proxy, is_known_build
from fedblocks.doctor.examine import examine_staking
from fedblocks.doctor.report import Finding, Verdict
from fedblocks.doctor.simulation import Simulation
from fedblocks.types import Address

_Key = tuple[Address, bytes, str | None]

_seen: WeakKeyDictionary[Connection, dict[_Key, tuple[Finding, ...]]] = WeakKeyDictionary()
_lock = Lock()


def refuse_unsafe(connection: Connection, registry: Address) -> None:
    """Raise UnsafeDeployment unless every defect that can cost a stake is known to be absent."""
    code = connection.code(registry)
    key = (registry, keccak(code), find_proxy(connection, registry, code) if code else None)
    with _lock:
        known = _seen.setdefault(connection, {})
        findings = known.get(key)
    if findings is None:
        findings = () if is_own_deployment(connection, registry) else examine_staking(connection, registry)
        with _lock:
            known[key] = findings
    present = [each.defect.number for each in findings if each.verdict is Verdict.PRESENT]
    unclear = [each.defect.number for each in findings if each.verdict is Verdict.UNKNOWN]
    if present or unclear:
        raise UnsafeDeployment(registry, present, unclear)


def is_own_deployment(connection: Connection, registry: Address) -> bool:
    """Whether a registry and all that its stakes hang on are builds of ours that name each other.

    Known code alone is not enough: whoever deploys chooses the parameters, and may go round the constructors' checks.
    """
    simulation = Simulation(connection)
    slashing = simulation.read_address(registry, "SLASHING_MANAGER()")
    chain = None if slashing is None else simulation.read_address(slashing, "MODEL_PARAMETER_CHAIN()")
    rewards = None if chain is None else simulation.read_address(chain, "REWARD_MANAGER()")
    treasury = simulation.read_address(registry, "SLASH_TREASURY_ADDRESS()")
    if slashing is None or chain is None or rewards is None or treasury is None:
        return False
    return (
        simulation.read_address(slashing, "STAKING_REGISTRY()") == registry
        and simulation.read_address(rewards, "MODEL_PARAMETER_CHAIN()") == chain
        and simulation.read_address(rewards, "STAKING_REGISTRY()") == registry
        and all(
            is_known_build(name, connection.code(address, simulation.block))
            for name, address in (
                ("StakingRegistry", registry),
                ("SlashingManager", slashing),
                ("ModelParameterChain", chain),
                ("RewardManager", rewards),
                ("SlashTreasury", treasury),
            )
        )
    )
