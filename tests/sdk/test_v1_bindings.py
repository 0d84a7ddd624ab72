"""Version 1 through the SDK: its ABI, its addresses and its refusals."""

from __future__ import annotations

from typing import Any

import pytest
from eth_utils import keccak, to_checksum_address
from eth_utils.abi import abi_to_signature

from fedblocks.chain.events import own_fields, snake_case
from fedblocks.chain.reverts import ContractReverted, revert_of_data
from fedblocks.contracts.base import Contract
from fedblocks.contracts.reverts import BadArgument, NotAllowed, NotNow
from fedblocks.contracts.v1 import (
    V1_ARBITRUM,
    V1_CONTRACTS,
    RewardManagerV1,
    RewardTreasuryV1,
    SlashingManagerV1,
    SlashTreasuryV1,
    StakingRegistryV1,
    V1Deployment,
    reverts,
)
from tests.contracts.test_v1_abi import V1

CLASSES: tuple[type[Contract], ...] = (
    SlashTreasuryV1,
    RewardTreasuryV1,
    StakingRegistryV1,
    RewardManagerV1,
    SlashingManagerV1,
)

# The outputs of the first two are not among the facts; `user_instance_words` hands the second over undecoded.
# BASE_FEE was in an intermediate version only.
NOT_BOUND = {"idToUserInstance(uint256)", "getUserInstance(uint256)", "BASE_FEE()"}

ERRORS = {
    "StakingRegistry": {
        "IncorrectStakingAmount()",
        "ClientAlreadyStaked()",
        "ClientHasntStaked()",
        "TimelockHasntExpired()",
        "ClientHasntUnRegistered()",
        "NotSlashingManager()",
        "ClientHasBeenSlashed()",
    },
    "SlashingManager": {"NotSlasher()"},
    "SlashTreasury": {"NotAdmin()", "NotEnoughBalance()"},
    "RewardTreasury": {"NotAdmin()", "NotEnoughBalance()"},
    "RewardManager": {"NotEnoughFunds()"},
}


def entries(contract: type[Contract], kind: str) -> list[dict[str, Any]]:
    return [entry for entry in contract.artifact().abi if entry["type"] == kind]


def test_every_contract_of_version_1_has_a_class_and_an_address() -> None:
    assert tuple(contract.NAME for contract in CLASSES) == V1_CONTRACTS
    assert V1_ARBITRUM.chain_id == 42161
    assert V1_ARBITRUM.address("StakingRegistry") == to_checksum_address("0x3edc74f276ff9c476a5be63e3a5b20c616e84a43")
    with pytest.raises(ValueError, match="missing: SlashTreasury, RewardTreasury"):
        V1Deployment(chain_id=1, contracts={})


@pytest.mark.parametrize("contract", CLASSES, ids=lambda contract: contract.NAME)
def test_the_abi_is_what_is_known_of_version_1(contract: type[Contract]) -> None:
    known = V1[contract.NAME]
    functions = {abi_to_signature(entry): entry["stateMutability"] for entry in entries(contract, "function")}  # type: ignore[arg-type]
    expected = known["functions"] | dict.fromkeys(known["views"] - NOT_BOUND, "view")
    assert functions == expected
    events = {
        f"{entry['name']}({','.join(each['type'] + ' indexed' * each['indexed'] for each in entry['inputs'])})"
        for entry in entries(contract, "event")
    }
    assert events == known["events"]
    assert {abi_to_signature(entry) for entry in entries(contract, "error")} == ERRORS[contract.NAME]  # type: ignore[arg-type]


@pytest.mark.parametrize("contract", CLASSES, ids=lambda contract: contract.NAME)
def test_every_event_has_a_class_with_its_arguments(contract: type[Contract]) -> None:
    in_abi = {
        entry["name"]: [snake_case(each["name"]) for each in entry["inputs"]] for entry in entries(contract, "event")
    }
    assert {event.__name__: own_fields(event) for event in contract.EVENTS} == in_abi


@pytest.mark.parametrize("error", sorted(set().union(*ERRORS.values())))
def test_every_custom_error_is_an_exception_of_its_own(error: str) -> None:
    raised = revert_of_data(keccak(text=error)[:4])
    assert type(raised) is getattr(reverts, error.removesuffix("()"))
    assert isinstance(raised, BadArgument | NotAllowed | NotNow)
    assert raised.message == error
    assert type(raised).__doc__


def test_an_error_without_a_class_shows_its_bytes() -> None:
    raised = revert_of_data(bytes.fromhex("deadbeef"))
    assert type(raised) is ContractReverted
    assert raised.message == "error data 0xdeadbeef"
