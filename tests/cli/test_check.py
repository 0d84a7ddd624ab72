"""`fedblocks check`: a deployment is what was built and meant, or the contract and the field are named."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click import Command

from fedblocks import FedBlocks
from fedblocks.chain.connection import NodeUnreachable
from fedblocks.chain.node import Anvil
from fedblocks.cli.check import check
from fedblocks.cli.exit_codes import ExitCode
from fedblocks.contracts.artifacts import load_artifact
from fedblocks.contracts.inspection import Status, inspect_deployment
from fedblocks.deployments import CONTRACTS, Deployment, DeploymentNotFound
from fedblocks.types import Hash32
from fedblocks.units import ether
from tests.anvil import DEPLOYER, STRANGER, Roles

Edit = Callable[[dict[str, Any]], None]


@pytest.fixture
def file(tmp_path: Path, deployment: Deployment) -> Path:
    path = tmp_path / "deployment.json"
    deployment.save(path)
    return path


@dataclasses.dataclass(frozen=True)
class Result:
    exit_code: int
    stdout: str
    stderr: str


def invoke(command: Command, *arguments: str) -> Result:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = command.main(list(arguments), standalone_mode=False)
    return Result(code or 0, out.getvalue(), err.getvalue())


def run(node: Anvil, file: Path, *arguments: str) -> Result:
    return invoke(check, "--network", node.url, "--deployment", str(file), *arguments)


def edit(file: Path, change: Edit) -> None:
    content = json.loads(file.read_text(encoding="utf-8"))
    change(content)
    file.write_text(json.dumps(content), encoding="utf-8")


def different(result: Result) -> set[tuple[str, str]]:
    findings = json.loads(result.stdout)["findings"]
    return {(each["contract"], each["field"]) for each in findings if each["status"] == "differs"}


def flip(node: Anvil, address: str, offset: int) -> None:
    """Change one byte of the code at an address; counted from its end when negative."""
    code = bytearray(node.connection.code(address))  # type: ignore[arg-type]
    code[offset] ^= 1
    node.connection.rpc("anvil_setCode", address, "0x" + code.hex())


def test_a_deployment_that_is_what_it_should_be_passes(node: Anvil, file: Path) -> None:
    result = run(node, file)
    assert result.exit_code == 0, result.stderr
    assert "0 differ" in result.stdout
    for name in CONTRACTS:
        assert name in result.stderr


def test_everything_that_is_fixed_is_looked_at(node: Anvil, file: Path, deployment: Deployment) -> None:
    result = run(node, file, "--json")
    content = json.loads(result.stdout)
    assert content["ok"] is True
    assert content["chainId"] == node.chain_id
    found = {(each["contract"], each["field"]): each for each in content["findings"]}
    assert found["deployment", "chainId"]["actual"] == "31337"
    for name in CONTRACTS:
        for field in ("bytecodeHash", "code", "transaction"):
            assert found[name, field]["status"] == "same"
        for item in load_artifact(name).immutables:
            assert found[name, item.name]["status"] == "same"
    assert found["StakingRegistry", "SLASHING_MANAGER"]["actual"] == deployment.address("SlashingManager")
    assert found["RewardManager", "_CLIENTS_FEE"]["actual"] == str(ether("0.0098"))
    assert found["RewardTreasury", "treasury._NAME"]["actual"] == "RewardTreasury"
    assert found["StakingRegistry", "staking period"]["status"] == "same"
    assert found["StakingRegistry", "balance"] == {
        "contract": "StakingRegistry",
        "field": "balance",
        "expected": "",
        "actual": "0 ether",
        "status": "info",
    }


@pytest.mark.parametrize("contract", CONTRACTS)
@pytest.mark.parametrize("offset", [0, 700, -1])
def test_one_other_byte_anywhere_in_the_code_is_found(
    node: Anvil, deployment: Deployment, file: Path, contract: str, offset: int
) -> None:
    flip(node, deployment.address(contract), offset)
    result = run(node, file, "--json")
    assert result.exit_code == ExitCode.MISMATCH
    assert (contract, "code") in different(result)
    assert {name for name, _ in different(result)} <= {contract, "StakingRegistry"}
    assert f"{contract}.code is " in result.stderr


def test_an_immutable_without_a_getter_is_compared_too(node: Anvil, deployment: Deployment, file: Path) -> None:
    flip(node, deployment.address("RewardManager"), -1)  # _CLIENTS_FEE is the last of its immutables
    assert different(run(node, file, "--json")) == {("RewardManager", "code"), ("RewardManager", "_CLIENTS_FEE")}


def test_an_address_without_code_is_named(node: Anvil, deployment: Deployment, file: Path) -> None:
    node.connection.rpc("anvil_setCode", deployment.address("SlashingManager"), "0x")
    result = run(node, file, "--json")
    assert result.exit_code == ExitCode.MISMATCH
    assert ("SlashingManager", "code") in different(result)
    assert "SlashingManager.code is no code" in result.stderr


@pytest.mark.parametrize("code", ["0x60006000fd", "0x00", "0xfe", "0x60206000f3", "0x5b600056"])
def test_whatever_lies_at_an_address_is_a_finding_and_no_failure(
    node: Anvil, deployment: Deployment, file: Path, code: str
) -> None:
    for name in CONTRACTS:
        node.connection.rpc("anvil_setCode", deployment.address(name), code)
    result = run(node, file, "--json")
    assert result.exit_code == ExitCode.MISMATCH, result.stderr
    assert {(name, "code") for name in CONTRACTS} <= different(result)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (lambda content: content["parameters"].update(stake_amount=1), ("StakingRegistry", "STAKE_AMOUNT")),
        (lambda content: content["parameters"].update(base_fee=1), ("RewardManager", "BASE_FEE")),
        (lambda content: content["parameters"].update(fee_per_epoch=1), ("RewardManager", "_CLIENTS_FEE")),
        (lambda content: content["parameters"].update(slash_margin=1), ("SlashingManager", "SLASH_MARGIN")),
        (
            lambda content: content["contracts"]["RewardManager"].update(bytecodeHash="0x" + "00" * 32),
            ("RewardManager", "bytecodeHash"),
        ),
        (
            lambda content: content["contracts"]["RewardManager"].update(block=999),
            ("RewardManager", "transaction"),
        ),
    ],
)
def test_a_deployments_file_that_says_something_else_is_found(
    node: Anvil, file: Path, change: Edit, field: tuple[str, str]
) -> None:
    edit(file, change)
    result = run(node, file, "--json")
    assert result.exit_code == ExitCode.MISMATCH
    assert field in different(result)
    assert ".".join(field) in result.stderr


def test_swapped_addresses_break_the_cross_references(node: Anvil, file: Path) -> None:
    def swap(content: dict[str, Any]) -> None:
        one, other = content["contracts"]["SlashTreasury"], content["contracts"]["RewardTreasury"]
        content["contracts"]["SlashTreasury"], content["contracts"]["RewardTreasury"] = other, one

    edit(file, swap)
    found = different(run(node, file, "--json"))
    assert {
        ("StakingRegistry", "SLASH_TREASURY_ADDRESS"),
        ("ModelParameterChain", "SLASH_TREASURY_ADDRESS"),
        ("RewardManager", "REWARD_TREASURY_ADDRESS"),
        ("SlashTreasury", "treasury._NAME"),
    } <= found


def test_another_chain_is_the_only_finding(file: Path) -> None:
    with Anvil(accounts=2, chain_id=421_614) as other:
        result = run(other, file, "--json")
    assert result.exit_code == ExitCode.MISMATCH
    assert different(result) == {("deployment", "chainId")}
    assert len(json.loads(result.stdout)["findings"]) == 1
    assert "deployment.chainId is 421614, but should be 31337" in result.stderr


def test_admins_and_balances_may_change(roles: Roles, file: Path) -> None:
    roles.deployer.slash_treasury.transfer_admin(roles.stranger.sender.address)  # type: ignore[arg-type]
    roles.stranger.slash_treasury.accept_admin()
    roles.deployer.reward_treasury.transfer_admin(roles.node.signer(STRANGER).address)
    roles.deployer.sender.transfer(roles.deployer.reward_treasury.address, ether(2))
    result = run(roles.node, file, "--json")
    assert result.exit_code == 0, result.stderr
    found = {(each["contract"], each["field"]): each for each in json.loads(result.stdout)["findings"]}
    stranger, deployer = roles.node.signer(STRANGER).address, roles.node.signer(DEPLOYER).address
    assert found["SlashTreasury", "admin"]["actual"] == stranger
    assert found["SlashTreasury", "admin"]["expected"] == f"{deployer} at first"
    assert found["SlashTreasury", "pending admin"]["actual"] == "nobody"
    assert found["RewardTreasury", "pending admin"]["actual"] == stranger
    assert found["RewardTreasury", "balance"]["actual"] == "2 ether"


def test_a_transaction_that_the_node_has_forgotten_is_no_difference(node: Anvil, deployment: Deployment) -> None:
    contracts = {
        name: dataclasses.replace(each, transaction_hash=Hash32(b"\7" * 32))
        for name, each in deployment.contracts.items()
    }
    inspection = inspect_deployment(node.connection, dataclasses.replace(deployment, contracts=contracts))
    assert inspection.ok
    unknown = [each for each in inspection.findings if each.field == "transaction"]
    assert {each.status for each in unknown} == {Status.INFO}


def test_a_file_of_before_there_were_code_hashes_is_still_checked(node: Anvil, file: Path) -> None:
    def strip(content: dict[str, Any]) -> None:
        del content["compiler"]
        for each in content["contracts"].values():
            del each["codeHash"]

    edit(file, strip)
    assert run(node, file).exit_code == 0


def test_a_missing_file_and_a_silent_node_are_no_mismatch(node: Anvil, file: Path, tmp_path: Path) -> None:
    with pytest.raises(DeploymentNotFound):
        run(node, tmp_path / "absent.json")
    with Anvil(accounts=1) as gone:
        pass
    with pytest.raises(NodeUnreachable):
        run(gone, file)


def test_the_command_is_registered() -> None:
    from fedblocks.cli.main import cli

    result = invoke(cli, "check", "--help")
    assert result.exit_code == 0
    assert "--deployment" in result.stdout


@pytest.mark.parametrize("sound", [True, False])
def test_the_program_ends_with_the_code_that_says_it(
    node: Anvil, file: Path, monkeypatch: pytest.MonkeyPatch, sound: bool
) -> None:
    from fedblocks.cli.main import main

    if not sound:
        edit(file, lambda content: content["parameters"].update(stake_amount=1))
    monkeypatch.setattr(sys, "argv", ["fedblocks", "check", "--network", node.url, "--deployment", str(file)])
    with pytest.raises(SystemExit) as ended:
        main()
    assert (ended.value.code or 0) == (ExitCode.OK if sound else ExitCode.MISMATCH)


def test_what_was_deployed_is_also_what_the_client_sees(roles: Roles, deployment: Deployment) -> None:
    assert isinstance(roles.user, FedBlocks)
    assert inspect_deployment(roles.user.connection, deployment).ok
