"""The contract that acts for the doctor, and the search for a client's storage."""

from __future__ import annotations

import pytest

from fedblocks.chain.node import Anvil
from fedblocks.contracts.v1 import V1_ARBITRUM
from fedblocks.deployments import Deployment
from fedblocks.doctor.layout import find_slot
from fedblocks.doctor.simulation import CLIENT, Simulation, State, Step, encode_call, scratch_address
from scripts import export_abi


def test_the_exported_code_is_what_the_source_compiles_to(capsys: pytest.CaptureFixture[str]) -> None:
    probes = ["--contracts", str(export_abi.CONTRACTS / "probes"), "--out", str(export_abi.ARTIFACTS / "probes")]
    assert export_abi.main(["--check", *probes]) == 0, capsys.readouterr().err


def test_a_scene_is_played_to_its_end_whatever_is_refused(node: Anvil, deployment: Deployment) -> None:
    simulation, registry = Simulation(node.connection), deployment.address("StakingRegistry")
    wrong, right, credit = simulation.play(
        [
            Step(registry, "stake()", value=1),
            Step(registry, "stake()", value=10**17),
            Step(registry, "getClientStake(address)", (CLIENT,)),
        ]
    )
    assert (wrong.succeeded, wrong.refusal) == (False, "StakingRegistry: incorrect stake amount")
    assert (right.succeeded, right.number) == (True, None)
    assert credit.number == 10**17
    assert simulation.read(registry, "getClientStake(address)", CLIENT) == 0
    assert not simulation.has_code(CLIENT)


def test_another_may_act_in_a_scene(node: Anvil, deployment: Deployment) -> None:
    registry, other = deployment.address("StakingRegistry"), scratch_address("another")
    staked, mine, its = Simulation(node.connection).play(
        [
            Step(registry, "stake()", value=10**17, by=other, role="another"),
            Step(registry, "getIsStaked(address)", (CLIENT,)),
            Step(registry, "getIsStaked(address)", (other,)),
        ]
    )
    assert str(staked.step) == "stake() with 0.1 ETH by another"
    assert (staked.succeeded, mine.number, its.number) == (True, 0, 1)


def test_a_clients_slots_are_found_and_nothing_else_is(node: Anvil, deployment: Deployment) -> None:
    simulation, registry = Simulation(node.connection), deployment.address("StakingRegistry")
    timelock = find_slot(simulation, registry, ("noSuchGetter(address)", "withdrawlTimelock(address)"), CLIENT)
    credit = find_slot(simulation, registry, ("clientStakes(address)",), CLIENT)
    assert None not in (timelock, credit)
    assert timelock != credit
    assert find_slot(simulation, registry, ("noSuchGetter(address)",), CLIENT) is None
    state = State(storage={registry: {timelock or 0: 77}})
    (seen,) = simulation.play([Step(registry, "getWithdrawlTimelock(address)", (CLIENT,))], state)
    assert seen.number == 77


def test_a_getter_that_is_not_there_reads_as_nothing(v1_node: Anvil) -> None:
    simulation, registry = Simulation(v1_node.connection), V1_ARBITRUM.address("StakingRegistry")
    assert simulation.read(registry, "BASE_FEE()") is None
    assert simulation.read_address(registry, "SLASHING_MANAGER()") == V1_ARBITRUM.address("SlashingManager")


def test_calls_are_encoded_by_their_signature() -> None:
    assert encode_call("stake()").hex() == "3a4b66f1"
    assert len(encode_call("run((address,uint256,bytes)[])", [[(CLIENT, 1, b"")]])) == 4 + 32 * 7
    assert len(encode_call("slash(address[],uint256,address)", [[CLIENT], 1, CLIENT])) == 4 + 32 * 5
