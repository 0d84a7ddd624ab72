"""The published faults are faults to the contracts too, in their own case, and nothing but that is proved by them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boa
import pytest
from eth.exceptions import Revert
from eth_keys.datatypes import PrivateKey
from eth_utils.crypto import keccak

from tests.contracts.world import MOCKS, deployer_of
from tests.vectors.reader import number, raw, word
from tests.vectors.test_vectors_json import calldata, load

VERIFIERS = ["SubmissionVerifier", "VectorVerifier", "VerdictVerifier"]
CASES = {fault["name"]: fault for fault in load("faults")["faults"] if fault["contract"] in VERIFIERS}


@pytest.fixture(scope="module", autouse=True)
def chain_id() -> Iterator[None]:
    """The vectors' signatures count on one chain, and for one contract there."""
    before = boa.env.evm.patch.chain_id
    boa.env.evm.patch.chain_id = number(load("epoch")["instance"]["chainId"])
    yield
    boa.env.evm.patch.chain_id = before


@pytest.fixture(scope="module")
def disputed(chain_id: None) -> Any:
    return deployer_of("DisputedChain", MOCKS).deploy(override_address=load("epoch")["instance"]["settlement"])


@pytest.fixture(scope="module")
def verifiers(disputed: Any) -> dict[str, Any]:
    return {name: deployer_of(name).deploy(disputed.address) for name in VERIFIERS}


def header_hash(values: list[str]) -> bytes:
    words = [raw(value) if value.startswith("0x") else word(number(value)) for value in values]
    return keccak(keccak(b"FedBlocks.Header.v2") + b"".join(words))


def hold(disputed: Any, header: list[str]) -> None:
    """Make an epoch of the vectors' instance the pending one."""
    instance = load("epoch")["instance"]
    aggregator = PrivateKey(raw(load("faults")["aggregatorPrivateKey"])).public_key.to_checksum_address()
    cohort, d, rules = instance["cohort"], number(instance["d"]), raw(instance["rulesHash"])
    disputed.hold((header_hash(header), aggregator, len(cohort), d, rules), cohort)


@pytest.mark.parametrize("name", CASES)
def test_a_published_fault_overturns_its_epoch(disputed: Any, verifiers: dict[str, Any], name: str) -> None:
    fault = CASES[name]
    hold(disputed, fault["arguments"][0])
    boa.env.raw_call(verifiers[fault["contract"]].address, data=calldata(fault))
    assert disputed.overturned() == number(fault["case"])


def test_every_case_but_that_of_withheld_data_is_proved_here() -> None:
    assert set(CASES) == set(load("faults")["cases"]) - {"WITHHELD"}


@pytest.mark.parametrize("name", CASES)
def test_a_published_fault_of_an_epoch_that_is_not_pending_overturns_nothing(
    disputed: Any, verifiers: dict[str, Any], name: str
) -> None:
    fault = CASES[name]
    header = list(fault["arguments"][0])
    hold(disputed, [*header[:-1], "0x" + "13" * 32])
    with pytest.raises(Revert, match=f"{fault['contract']}: header is not a pending epoch's"):
        boa.env.raw_call(verifiers[fault["contract"]].address, data=calldata(fault))
    assert disputed.overturned() == 0
