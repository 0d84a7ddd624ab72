"""What was written for version 1 keeps working: its functions, getters and events are a subset of ours."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.contracts.world import ROOT

TREASURY: dict[str, Any] = {
    "constructor": "address",
    "functions": {"withdraw(uint256)": "nonpayable"},
    "views": {"ADMIN_ADDRESS()", "getAdminAddress()"},
    "events": {"Withdraw(uint256)", "Recieved(uint256)"},
}

V1: dict[str, dict[str, Any]] = {
    "StakingRegistry": {
        "constructor": "uint256,uint256,address,address",
        "functions": {
            "stake()": "payable",
            "unRegister()": "nonpayable",
            "withdrawStake()": "nonpayable",
            "slashStake(address)": "nonpayable",
        },
        "views": {
            "STAKE_AMOUNT()",
            "STAKING_PERIOD()",
            "SLASHING_MANAGER()",
            "SLASH_TREASURY_ADDRESS()",
            "clientStakes(address)",
            "isStaked(address)",
            "isSlashed(address)",
            "withdrawlTimelock(address)",
            "getClientStake(address)",
            "getStakingPeriod()",
            "getStakeAmount()",
            "getSlashTreasuryAddress()",
            "getSlashingManagerAddress()",
            "getWithdrawlTimelock(address)",
            "getIsSlashed(address)",
            "getIsStaked(address)",
        },
        "events": {
            "Stake(address indexed)",
            "Unregister(address indexed)",
            "WithdrawStake(address indexed)",
            "SlashStake(address indexed)",
        },
    },
    "SlashingManager": {
        "functions": {"slash(address[],uint256,address)": "nonpayable"},
        "views": {"SLASHER_ADDRESS()", "getSlasherAddress()"},
        "events": {"SlashClients(uint256 indexed)"},
    },
    "SlashTreasury": TREASURY,
    "RewardTreasury": TREASURY | {"views": TREASURY["views"] | {"getBalance()"}},
    "RewardManager": {
        "functions": {
            "newUserInstance(address[],uint256)": "nonpayable",
            "collectTrainingFees(uint256)": "payable",
        },
        "views": {
            "REWARD_TREASURY_ADDRESS()",
            "FEE_PER_EPOCH()",
            "PROTOCOL_FEE_PERCENTAGE()",
            "nonce()",
            "idToUserInstance(uint256)",
            "getRewardTreasuryAddress()",
            "getFeePerEpoch()",
            "getProtocolFeePercentage()",
            "getUserInstance(uint256)",
            "BASE_FEE()",
        },
        "events": {
            "NewUserInstance(uint256 indexed,uint256)",
            "CollectTrainingFees(uint256 indexed,uint256)",
        },
    },
}

# A user now pays when it orders; settling divides what was paid.
MOVED_PAYMENT = {"newUserInstance(address[],uint256)": "payable", "collectTrainingFees(uint256)": "nonpayable"}


def abi_of(name: str) -> list[dict[str, Any]]:
    artifact = json.loads((ROOT / "sdk" / "fedblocks" / "abi" / f"{name}.json").read_text(encoding="utf-8"))
    abi: list[dict[str, Any]] = artifact["abi"]
    return abi


def arguments(entry: dict[str, Any]) -> str:
    return ",".join(argument["type"] + (" indexed" if argument.get("indexed") else "") for argument in entry["inputs"])


def signatures(name: str, kind: str) -> dict[str, dict[str, Any]]:
    return {f"{entry['name']}({arguments(entry)})": entry for entry in abi_of(name) if entry["type"] == kind}


@pytest.mark.parametrize("name", sorted(V1))
def test_every_function_of_version_1_is_there(name: str) -> None:
    ours = signatures(name, "function")
    for signature, mutability in V1[name]["functions"].items():
        assert ours[signature]["stateMutability"] == MOVED_PAYMENT.get(signature, mutability)


@pytest.mark.parametrize("name", sorted(V1))
def test_every_view_of_version_1_is_there(name: str) -> None:
    ours = signatures(name, "function")
    for signature in V1[name]["views"]:
        assert ours[signature]["stateMutability"] == "view"


@pytest.mark.parametrize("name", sorted(V1))
def test_every_event_of_version_1_is_there(name: str) -> None:
    assert V1[name]["events"] <= signatures(name, "event").keys()


@pytest.mark.parametrize("name", ["SlashTreasury", "RewardTreasury", "StakingRegistry"])
def test_the_constructors_of_version_1_are_kept(name: str) -> None:
    """RewardManager and SlashingManager are told of more contracts than version 1 had."""
    assert [arguments(entry) for entry in abi_of(name) if entry["type"] == "constructor"] == [V1[name]["constructor"]]


@pytest.mark.parametrize("name", ["SlashTreasury", "RewardTreasury"])
def test_a_treasury_takes_plain_ether(name: str) -> None:
    """Version 1 had a `receive`, which Vyper calls a fallback."""
    assert [entry["stateMutability"] for entry in abi_of(name) if entry["type"] == "fallback"] == ["payable"]


def test_a_new_instances_number_is_returned() -> None:
    outputs = signatures("RewardManager", "function")["newUserInstance(address[],uint256)"]["outputs"]
    assert [output["type"] for output in outputs] == ["uint256"]
