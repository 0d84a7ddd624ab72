"""`fedblocks doctor` as it is typed."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from fedblocks.chain.node import Anvil
from fedblocks.cli.exit_codes import ExitCode
from fedblocks.cli.main import main
from fedblocks.contracts.v1 import V1_ARBITRUM
from fedblocks.deployments import Deployment
from fedblocks.doctor.simulation import scratch_address
from tests.doctor.test_patients import node_before


@dataclass(frozen=True)
class Run:
    """How `fedblocks` ended, and what it said where."""

    code: int
    stdout: str
    stderr: str


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Run]:
    """`fedblocks doctor`, within this process: starting another takes seconds."""

    def call(*arguments: str) -> Run:
        monkeypatch.setattr(sys, "argv", ["fedblocks", "doctor", *arguments])
        code = 0
        try:
            main()
        except SystemExit as end:
            code = int(end.code or 0)
        captured = capsys.readouterr()
        return Run(code, captured.out, captured.err)

    return call


def test_a_faulty_deployment_is_a_mismatch(run: Callable[..., Run], v1_node: Anvil) -> None:
    result = run("--network", v1_node.url, "--deployment", "v1")
    assert result.code == ExitCode.MISMATCH
    assert result.stdout.splitlines() == [f"V1-{number} present" for number in range(1, 8)]
    assert "IncorrectStakingAmount()" in result.stderr
    assert V1_ARBITRUM.address("RewardTreasury") in result.stderr


def test_a_sound_deployment_is_fine(
    run: Callable[..., Run], node: Anvil, deployment: Deployment, tmp_path: Path
) -> None:
    file = tmp_path / "deployment.json"
    deployment.save(file)
    result = run("--network", node.url, "--deployment", str(file))
    assert result.code == ExitCode.OK
    assert result.stdout.splitlines() == [f"V1-{number} absent" for number in range(1, 8)]
    assert "this version's build" in result.stderr


def test_the_report_is_data(run: Callable[..., Run], v1_node: Anvil) -> None:
    result = run("--network", v1_node.url, "--deployment", "v1", "--json")
    report = json.loads(result.stdout)
    assert report["chainId"] == 42161
    assert report["block"] == v1_node.connection.block_number()
    assert [each["name"] for each in report["contracts"]] == list(V1_ARBITRUM.contracts)
    first = report["findings"][0]
    assert (first["defect"], first["contract"], first["verdict"]) == ("V1-1", "StakingRegistry", "present")
    assert first["evidence"][0] == {"call": "stake() with 0.1 ETH", "returned": "refused: IncorrectStakingAmount()"}


def test_any_addresses_can_be_looked_at(run: Callable[..., Run], v1_node: Anvil) -> None:
    registry = V1_ARBITRUM.address("StakingRegistry")
    result = run("--network", v1_node.url, "--contract", f"StakingRegistry={registry.lower()}")
    assert result.code == ExitCode.MISMATCH
    assert "V1-6 unknown" in result.stdout


def test_an_address_without_code_is_missing(run: Callable[..., Run], v1_node: Anvil) -> None:
    result = run("--network", v1_node.url, "--contract", f"StakingRegistry={scratch_address('nowhere')}")
    assert result.code == ExitCode.MISSING
    assert "no code" in result.stderr


def test_a_question_without_an_answer_is_a_failure(run: Callable[..., Run], v1_node: Anvil) -> None:
    with node_before(v1_node.url, refuses=True) as url:
        result = run("--network", url, "--deployment", "v1")
    assert result.code == ExitCode.FAILED
    assert result.stdout.splitlines()[0] == "V1-1 unknown"
    assert "the node does not take state overrides" in result.stderr


def test_another_chain_is_named(run: Callable[..., Run], node: Anvil) -> None:
    result = run("--network", node.url, "--deployment", "v1")
    assert result.code == ExitCode.USAGE
    assert "chain 31337, but chain 42161" in result.stderr


def test_a_node_that_is_down_is_named(run: Callable[..., Run]) -> None:
    result = run("--network", "http://127.0.0.1:9", "--deployment", "v1")
    assert result.code == ExitCode.MISSING
    assert "no answer from the node at http://127.0.0.1:9" in result.stderr


@pytest.mark.parametrize(
    "arguments",
    [(), ("--contract", "StakingRegistry"), ("--contract", "Treasury=0x00")],
)
def test_what_to_look_at_must_be_said(run: Callable[..., Run], arguments: tuple[str, ...]) -> None:
    result = run("--network", "ethereum:local", *arguments)
    assert result.code == ExitCode.USAGE
