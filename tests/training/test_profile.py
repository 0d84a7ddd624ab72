from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from eth_account import Account
from hypothesis import given, settings
from hypothesis import strategies as st

from fedblocks.chain.signers import LocalSigner
from fedblocks.rollup.actions import DataProfile
from fedblocks.training.profile import (
    ForgedProfile,
    InvalidProfile,
    SignedProfile,
    check_profile,
    labels_of,
    profile_of,
    shape_of,
    sign_profile,
)
from fedblocks.types import Address, Timestamp

ALICE = LocalSigner(Account.from_key(b"\x01" * 32))
MALLORY = LocalSigner(Account.from_key(b"\x02" * 32))
SETTLEMENT = Address("0x" + "11" * 20)
HERE = {"chain_id": 31337, "settlement": SETTLEMENT}


def profile(labels: list[int] | None = None, shape: tuple[int, ...] = (1, 28, 28)) -> DataProfile:
    return profile_of(
        np.array([3, 0, 3, 9] if labels is None else labels, dtype=np.int64),
        shape,
        client=ALICE.address,
        domain="fashion",
        modality="image",
        issued_at=Timestamp(1_700_000_000),
    )


def test_a_profile_is_computed_from_the_data() -> None:
    computed = profile()
    assert (computed.client, computed.domain, computed.modality) == (ALICE.address, "fashion", "image")
    assert (computed.input_shape, computed.labels, computed.samples) == ("1x28x28", "0,3,9", 4)


@settings(max_examples=50, deadline=None)
@given(
    labels=st.lists(st.integers(0, 65_535), min_size=1, max_size=30),
    shape=st.lists(st.integers(1, 2**30), min_size=1, max_size=8),
)
def test_shape_and_classes_are_read_back_as_they_were(labels: list[int], shape: list[int]) -> None:
    computed = profile(labels, tuple(shape))
    assert shape_of(computed) == tuple(shape)
    assert labels_of(computed) == tuple(sorted(set(labels)))


@pytest.mark.parametrize("shape", ["", "1x", "x1", "01x2", "1X2", "1 x2", "0x1", "-1", "1x٢", "1\n", "1x" * 8 + "1"])
def test_a_shape_written_otherwise_is_refused(shape: str) -> None:
    with pytest.raises(InvalidProfile, match="input_shape"):
        check_profile(replace(profile(), input_shape=shape))


@pytest.mark.parametrize("labels", ["", "0,", ",1", "3,0", "1,1", "0, 1", "00", "01", "65536", "-1", "a", "0\n"])
def test_classes_written_otherwise_are_refused(labels: str) -> None:
    with pytest.raises(InvalidProfile, match="labels"):
        check_profile(replace(profile(), labels=labels))


@pytest.mark.parametrize(
    "change",
    [
        {"domain": ""},
        {"domain": "Fashion"},
        {"modality": "image "},
        {"modality": "i" * 65},
        {"samples": 2},
        {"samples": 2**63},
        {"client": ALICE.address.lower()},
        {"client": "alice"},
        {"issued_at": -1},
        {"issued_at": 2**63},
    ],
    ids=str,
)
def test_a_field_out_of_range_is_refused_by_name(change: dict[str, object]) -> None:
    with pytest.raises(InvalidProfile, match=next(iter(change))):
        check_profile(replace(profile(), **change))


def test_no_data_have_no_profile() -> None:
    with pytest.raises(InvalidProfile, match="samples are none"):
        profile([])


def test_a_signed_profile_is_its_clients() -> None:
    signed = sign_profile(profile(), ALICE, **HERE)
    assert len(signed.signature) == 65
    signed.verify(**HERE)


def test_nobody_can_sign_for_another() -> None:
    with pytest.raises(ForgedProfile, match=ALICE.address):
        sign_profile(profile(), MALLORY, **HERE)


@pytest.mark.parametrize(
    "change",
    [
        {"domain": "faces"},
        {"modality": "text"},
        {"input_shape": "1x28x29"},
        {"labels": "0,3,8"},
        {"samples": 5},
        {"issued_at": 1_700_000_001},
        {"client": MALLORY.address},
    ],
    ids=str,
)
def test_a_profile_that_was_changed_after_signing_is_refused(change: dict[str, object]) -> None:
    signed = sign_profile(profile(), ALICE, **HERE)
    with pytest.raises(ForgedProfile):
        replace(signed, profile=replace(signed.profile, **change)).verify(**HERE)


def test_a_signature_for_another_chain_or_deployment_is_refused() -> None:
    signed = sign_profile(profile(), ALICE, **HERE)
    for chain_id, settlement in ((1, SETTLEMENT), (31337, Address("0x" + "22" * 20))):
        with pytest.raises(ForgedProfile):
            signed.verify(chain_id, settlement)


@pytest.mark.parametrize("signature", [b"", bytes(65), b"\xff" * 65, bytes(64), bytes(66)], ids=len)
def test_bytes_that_are_no_signature_are_refused(signature: bytes) -> None:
    with pytest.raises(ForgedProfile):
        SignedProfile(profile(), signature).verify(**HERE)
