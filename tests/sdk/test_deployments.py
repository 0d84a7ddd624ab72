"""The deployments file and the parameters in it: what is wrong is said, all of it, before anything is sent."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from fedblocks.deployments import (
    CONTRACTS,
    Deployment,
    DeploymentNotFound,
    InvalidParameters,
    MalformedDeployment,
    ProtocolParameters,
)
from fedblocks.types import Wei
from fedblocks.units import ether


def test_the_defaults_are_the_designs() -> None:
    parameters = ProtocolParameters()
    assert (parameters.stake_amount, parameters.base_fee, parameters.fee_per_epoch) == (
        ether("0.1"),
        ether("0.05"),
        ether("0.01"),
    )
    assert parameters.protocol_fee_percentage == 2_000_000
    assert parameters.challenger_share == 40_000_000
    assert (parameters.demand_deposit, parameters.answer_period) == (ether("0.002"), 43_200)
    assert (parameters.challenge_window, parameters.staking_period) == (2 * 86_400, 7 * 86_400)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"stake_amount": 0}, "stake_amount must not be zero"),
        ({"base_fee": -1}, "base_fee must be between 0"),
        ({"fee_per_epoch": 0.01}, "fee_per_epoch must be an integer, not 0.01"),
        ({"challenge_window": True}, "challenge_window must be an integer"),
        ({"aggregator_bond": 2**128}, "aggregator_bond must be between 0"),
        ({"protocol_fee_percentage": 10**8 + 1}, "more than 100 %"),
        ({"challenger_share": 5 * 10**7 + 1}, "more than 50 %"),
        ({"answer_period": 0}, "answer_period must not be zero"),
        ({"staking_period": 7 * 86_400 - 1}, r"staking_period \(604799 s\) must be at least"),
        ({"slash_treasury_admin": "0x" + "0" * 40}, "other than zero"),
        ({"reward_treasury_admin": "0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266"}, "checksummed"),
    ],
)
def test_a_parameter_that_cannot_be_is_refused(change: dict[str, Any], problem: str) -> None:
    with pytest.raises(InvalidParameters, match=problem):
        ProtocolParameters(**change)


def test_every_problem_is_named_at_once() -> None:
    with pytest.raises(InvalidParameters) as caught:
        ProtocolParameters(stake_amount=Wei(0), base_fee=Wei(0), staking_period=1)
    assert len(caught.value.problems) == 3


def test_the_bounds_themselves_are_allowed() -> None:
    edge = ProtocolParameters(staking_period=7 * 86_400, protocol_fee_percentage=10**8)
    held = 2 * (edge.challenge_window + edge.answer_period)
    assert edge.staking_period == edge.liveness_period + held + edge.slash_margin
    assert ProtocolParameters(protocol_fee_percentage=0).protocol_fee_percentage == 0


def test_a_deployment_comes_back_from_its_file(deployment: Deployment, tmp_path: Path) -> None:
    file = tmp_path / "new folder" / "deployment.json"
    deployment.save(file)
    assert Deployment.load(file) == deployment
    assert [path.name for path in file.parent.iterdir()] == ["deployment.json"]
    content = json.loads(file.read_text())
    assert content["contracts"]["StakingRegistry"]["address"] == deployment.address("StakingRegistry")


def test_a_deployment_cannot_be_changed(deployment: Deployment) -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        deployment.chain_id = 1  # type: ignore[misc]
    with pytest.raises(TypeError):
        deployment.contracts["StakingRegistry"] = deployment.contracts["RewardManager"]  # type: ignore[index]


def test_a_missing_file_says_how_to_write_one(tmp_path: Path) -> None:
    with pytest.raises(DeploymentNotFound, match="ape run deploy") as caught:
        Deployment.load(tmp_path / "absent.json")
    assert isinstance(caught.value, FileNotFoundError)


def damaged(content: dict[str, Any], how: str) -> str:
    match how:
        case "another format":
            content["format"] = "something-else"
        case "no chain":
            del content["chainId"]
        case "no contract":
            del content["contracts"]["RewardManager"]
        case "no address":
            content["contracts"]["RewardManager"]["address"] = "0x12"
        case "no hash":
            content["contracts"]["RewardManager"]["bytecodeHash"] = "0x12"
        case "unknown parameter":
            content["parameters"]["colour"] = "blue"
        case "impossible parameter":
            content["parameters"]["stake_amount"] = 0
        case "contracts are a list":
            content["contracts"] = [1, 2]
        case "a list":
            return json.dumps([content])
        case "cut off":
            return json.dumps(content)[:-20]
    return json.dumps(content)


@pytest.mark.parametrize(
    ("how", "problem"),
    [
        ("another format", "does not say that its format"),
        ("no chain", "'chainId' is missing"),
        ("no contract", "these contracts are missing: RewardManager"),
        ("no address", "'0x12' is not an address"),
        ("no hash", "'0x12' is not a hash"),
        ("unknown parameter", "colour"),
        ("impossible parameter", "stake_amount must not be zero"),
        ("contracts are a list", "not a usable deployments file"),
        ("a list", "does not say that its format"),
        ("cut off", "not JSON"),
    ],
)
def test_a_damaged_file_says_what_is_wrong(deployment: Deployment, tmp_path: Path, how: str, problem: str) -> None:
    file = tmp_path / "deployment.json"
    file.write_text(damaged(json.loads(deployment.to_json()), how))
    with pytest.raises(MalformedDeployment, match=problem) as caught:
        Deployment.load(file)
    assert str(file) in str(caught.value)


def test_a_folder_is_no_deployments_file(tmp_path: Path) -> None:
    with pytest.raises(MalformedDeployment):
        Deployment.load(tmp_path)


def test_the_contracts_are_in_the_order_of_their_deployment(deployment: Deployment) -> None:
    assert tuple(deployment.contracts) == CONTRACTS
    blocks = [contract.block for contract in deployment.contracts.values()]
    assert blocks == sorted(blocks)
    assert deployment.first_block == blocks[0]
