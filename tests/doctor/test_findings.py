"""Each defect is found where it is, and not where it is not."""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path

import pytest
from vyper.cli.vyper_compile import compile_files

from fedblocks.chain.node import Anvil
from fedblocks.contracts.artifacts import load_artifact
from fedblocks.contracts.v1 import V1_ARBITRUM
from fedblocks.deployments import Deployment
from fedblocks.doctor import Defect, Report, Verdict, examine
from fedblocks.types import Address
from tests.fork.build_state import put_stand_ins

CONTRACTS = Path(__file__).parents[2] / "contracts"


def addresses(deployment: Deployment) -> dict[str, Address]:
    return {name: deployment.address(name) for name in deployment.contracts}


def of(report: Report, verdict: Verdict) -> set[str]:
    return {each.defect.number for each in report.with_verdict(verdict)}


ALL = {defect.number for defect in Defect}


def test_version_1_has_them_all(v1_node: Anvil) -> None:
    report = examine(v1_node.connection, V1_ARBITRUM.contracts)
    assert of(report, Verdict.PRESENT) == ALL
    assert [each.defect for each in report.findings] == list(Defect)
    assert not any(each.known_build for each in report.contracts)
    for each in report.findings:
        assert each.evidence, each.defect


def test_version_2_has_none(node: Anvil, deployment: Deployment) -> None:
    report = examine(node.connection, addresses(deployment))
    assert of(report, Verdict.ABSENT) == ALL, report.findings
    assert all(each.known_build for each in report.contracts)
    assert report.notes == ()


def test_looking_changes_nothing_and_needs_no_account(v1_node: Anvil) -> None:
    before = v1_node.connection.block()
    examine(v1_node.connection, V1_ARBITRUM.contracts)
    assert v1_node.connection.block() == before
    assert v1_node.connection.rpc("txpool_status") == {"pending": "0x0", "queued": "0x0"}


CURES = {
    "V1-1": ("StakingRegistry", "if msg.value == STAKE_AMOUNT:", "if msg.value != STAKE_AMOUNT:"),
    "V1-2": ("StakingRegistry", "block.timestamp >= self.withdrawl", "block.timestamp < self.withdrawl"),
    "V1-3": ("StakingRegistry", "if self.clientStakes[msg.sender] != STAKE_AMOUNT:", "if False:"),
    "V1-4": (
        "StakingRegistry",
        "if not self.isStaked[client] and block.timestamp > self.withdrawlTimelock[client]:",
        "if self.clientStakes[client] == 0:",
    ),
    "V1-5": ("SlashingManager", "if msg.sender != SLASHER_ADDRESS:", "if msg.sender != self:"),
}


@pytest.mark.parametrize("number", sorted(CURES))
def test_a_defect_that_was_cured_is_absent_and_the_others_stay(v1_node: Anvil, number: str) -> None:
    contract, old, new = CURES[number]
    put_stand_ins(v1_node, {contract: (old, new)})
    report = examine(v1_node.connection, V1_ARBITRUM.contracts)
    assert of(report, Verdict.ABSENT) == {number}, report.findings
    assert of(report, Verdict.PRESENT) == ALL - {number}


RELAPSES = [
    ("V1-1", "StakingRegistry", "assert msg.value == STAKE_AMOUNT", "assert msg.value <= STAKE_AMOUNT"),
    ("V1-2", "StakingRegistry", "assert block.timestamp >= self.", "assert block.timestamp < self."),
    ("V1-2", "StakingRegistry", "assert block.timestamp >= self.", "assert block.timestamp != self."),
    ("V1-4", "StakingRegistry", "assert amount != 0, \"StakingRegistry: client has", "assert amount == amount, \"Sta"),
    ("V1-3", "StakingRegistry", "assert not self.isStaked[msg.sender]", "assert self.clientStakes[msg.sender] == 0"),
    ("V1-5", "SlashingManager", "assert reason != 0", "assert reason == 0"),
    ("V1-6", "RewardManager", "assert msg.value == BASE_FEE + escrow", "assert msg.value <= BASE_FEE + escrow"),
    ("V1-6", "RewardManager", "assert not self._seen[instance_id][client]", "assert not self._seen[0][client]"),
    ("V1-6", "RewardManager", ".isStaked(client), ", ".isStaked(client) or True, "),
    ("V1-7", "RewardManager", "assert not instance.settled", "assert True"),
    ("V1-7", "RewardManager", "self.rewards[instanceId][client] = amounts[seat]", "send(client, amounts[seat])"),
    (
        "V1-7",
        "RewardManager",
        "@external\ndef collectTrainingFees",
        "@external\n@payable\ndef collectTrainingFees",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("number", "contract", "old", "new"), RELAPSES)
def test_a_defect_that_came_back_is_present_and_nothing_else_is(
    node: Anvil, deployment: Deployment, tmp_path: Path, number: str, contract: str, old: str, new: str
) -> None:
    """The contract of version 2 with one thing spoilt in its source takes the place of the good one."""
    shutil.copytree(CONTRACTS, tmp_path / "contracts")
    source = tmp_path / "contracts" / f"{contract}.vy"
    text = source.read_text(encoding="utf-8")
    assert old in text
    source.write_text(text.replace(old, new, 1), encoding="utf-8")
    with contextlib.chdir(tmp_path):
        (output,) = compile_files([f"contracts/{contract}.vy"], ["bytecode_runtime"], ["."], False).values()
    address = deployment.address(contract)
    immutables = node.connection.code(address)[len(load_artifact(contract).runtime) :]
    node.connection.rpc("anvil_setCode", address, output["bytecode_runtime"] + immutables.hex())
    report = examine(node.connection, addresses(deployment))
    assert of(report, Verdict.PRESENT) == {number}, report.findings
    assert not next(each for each in report.contracts if each.name == contract).known_build


def test_a_key_in_the_slashing_managers_place_is_found(node: Anvil, deployment: Deployment) -> None:
    node.connection.rpc("anvil_setCode", deployment.address("SlashingManager"), "0x")
    report = examine(node.connection, addresses(deployment))
    finding = next(each for each in report.findings if each.defect is Defect.V1_5)
    assert finding.verdict is Verdict.PRESENT
    assert "is a key" in finding.why


def test_a_registry_that_refuses_everybody_is_unknown_and_not_absent(v1_node: Anvil) -> None:
    put_stand_ins(v1_node, {"StakingRegistry": ("if msg.value == STAKE_AMOUNT:", "if msg.sender != self:")})
    report = examine(v1_node.connection, V1_ARBITRUM.contracts)
    assert {"V1-1", "V1-3", "V1-5"} <= of(report, Verdict.UNKNOWN)
    finding = report.findings[0]
    assert finding.why == "it accepts no amount at all from a new client"
