"""The typed classes and the contracts' ABI say the same."""

from __future__ import annotations

import re
import typing
from pathlib import Path
from typing import Any

import pytest

from fedblocks.chain.events import ChainEvent, own_fields, snake_case
from fedblocks.chain.reverts import ContractReverted, known_reasons
from fedblocks.contracts.artifacts import ArtifactMissing, load_artifact
from fedblocks.contracts.base import Contract
from fedblocks.contracts.data_demands import DataDemands, Demand, Opening
from fedblocks.contracts.model_parameter_chain import Dispute, EpochRecord, Instance, ModelParameterChain, PostedHeader
from fedblocks.contracts.reward_manager import RewardManager, UserInstance
from fedblocks.contracts.slashing_manager import SlashingManager
from fedblocks.contracts.staking_registry import StakingRegistry
from fedblocks.contracts.treasury import RewardTreasury, SlashTreasury
from fedblocks.contracts.verifiers import SubmissionVerifier, VectorVerifier, VerdictVerifier
from fedblocks.deployments import CONTRACTS
from fedblocks.exceptions import FedBlocksError

CLASSES: tuple[type[Contract], ...] = (
    SlashTreasury,
    RewardTreasury,
    StakingRegistry,
    RewardManager,
    ModelParameterChain,
    SubmissionVerifier,
    VectorVerifier,
    VerdictVerifier,
    DataDemands,
    SlashingManager,
)
SOURCES = Path(__file__).parents[2] / "contracts"


def names(entries: list[dict[str, Any]]) -> list[str]:
    return [snake_case(entry["name"]) for entry in entries]


def function(contract: type[Contract], name: str) -> dict[str, Any]:
    return next(entry for entry in contract.artifact().abi if entry.get("name") == name)


def test_every_contract_has_a_class() -> None:
    assert tuple(contract.NAME for contract in CLASSES) == CONTRACTS


@pytest.mark.parametrize("contract", CLASSES)
def test_every_event_has_a_class_with_its_arguments(contract: type[Contract]) -> None:
    in_abi = {entry["name"]: names(entry["inputs"]) for entry in contract.artifact().abi if entry["type"] == "event"}
    typed = {event.__name__: own_fields(event) for event in contract.EVENTS}
    assert typed == in_abi


@pytest.mark.parametrize("event", sorted({event for contract in CLASSES for event in contract.EVENTS}, key=str))
def test_every_event_says_what_it_means_and_types_its_arguments(event: type[ChainEvent]) -> None:
    assert event.__doc__
    assert not event.__doc__.startswith(event.__name__)
    assert set(own_fields(event)) <= typing.get_type_hints(event).keys()


@pytest.mark.parametrize(
    ("contract", "view", "struct"),
    [
        (RewardManager, "getUserInstance", UserInstance),
        (ModelParameterChain, "getInstance", Instance),
        (ModelParameterChain, "getEpoch", EpochRecord),
        (ModelParameterChain, "getDispute", Dispute),
        (DataDemands, "demands", Demand),
    ],
)
def test_every_struct_has_the_contracts_fields_in_order(contract: type[Contract], view: str, struct: type) -> None:
    assert own_fields(struct) == names(function(contract, view)["outputs"][0]["components"])


def test_a_header_has_the_contracts_words_in_order() -> None:
    assert own_fields(PostedHeader) == names(function(ModelParameterChain, "submitEpoch")["inputs"][0]["components"])


@pytest.mark.parametrize("challenge", ["challengeProduct", "challengeColumn", "challengeDelta"])
def test_an_opening_has_the_contracts_words_in_order(challenge: str) -> None:
    (opening,) = [entry for entry in function(VectorVerifier, challenge)["inputs"] if entry["name"] == "at"]
    assert own_fields(Opening) == names(opening["components"])


# Modules that are several contracts build their strings of the contract's name and a shared ending.
SHARED = {
    "treasury": ("SlashTreasury", "RewardTreasury"),
    "disputes": ("SubmissionVerifier", "VectorVerifier", "VerdictVerifier", "DataDemands"),
}
# DataDemands opens and does not judge.
JUDGES_ONLY = {": no fault", ": previous header is not the one before"}


def strings_in_sources() -> set[str]:
    """Every revert string."""
    found = set()
    for source in SOURCES.rglob("*.vy"):
        if "mocks" in source.parts:
            continue
        text = source.read_text(encoding="utf-8")
        found |= set(re.findall(rf'"((?:{"|".join(CONTRACTS)}): [^"]+)"', text))
        for ending in re.findall(r'concat\(\s*\w+, "(: [^"]+)"\s*\)', text):
            found |= {
                f"{contract}{ending}"
                for contract in SHARED[source.stem]
                if not (contract == "DataDemands" and ending in JUDGES_ONLY)
            }
    return found


def test_every_revert_string_has_a_class_and_every_class_a_string() -> None:
    assert set(known_reasons()) == strings_in_sources()


def test_every_refusal_in_the_sources_is_a_string_that_the_test_sees() -> None:
    for source in SOURCES.rglob("*.vy"):
        text = re.sub(r"#[^\n]*", "", source.read_text(encoding="utf-8"))
        text = re.sub(r'"""[\s\S]*?"""', "", text)
        refusals = len(re.findall(r"^\s*(?:assert|raise)\b", text, re.MULTILINE))
        assert refusals == len(re.findall(r'"(?:\w*): [^"]+"', text)), source.name


@pytest.mark.parametrize("cls", sorted(set(known_reasons().values()), key=str))
def test_every_refusal_is_one_of_the_three_kinds_and_explains_itself(cls: type[ContractReverted]) -> None:
    assert issubclass(cls, FedBlocksError)
    assert issubclass(cls, ValueError | PermissionError | RuntimeError)
    assert cls.__doc__
    assert cls.__doc__.endswith(".")


def test_a_contract_that_was_not_built_is_named() -> None:
    with pytest.raises(ArtifactMissing, match="make abi"):
        load_artifact("NoSuchContract")
