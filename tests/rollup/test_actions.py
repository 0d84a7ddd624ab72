"""Actions hash and sign as EIP-712 says, and only one signature of the right account is accepted."""

import json
from typing import Any

import numpy as np
import pytest
from eth_account import Account
from eth_account.messages import encode_typed_data
from eth_keys.backends import CoinCurveECCBackend, NativeECCBackend
from eth_keys.datatypes import PrivateKey, Signature
from eth_keys.exceptions import BadSignature
from eth_utils import keccak
from hypothesis import given, settings
from hypothesis import strategies as st

from fedblocks.rollup.actions import (
    CURVE_ORDER,
    Acknowledgement,
    Action,
    CommitUpdate,
    DataProfile,
    MalformedSignature,
    Reveal,
    WrongSigner,
    action_hash,
    check_signature,
    recover_signer,
    sign_action,
    signing_domain,
    typed_data,
    update_commitment,
)
from fedblocks.rollup.vectors import vector_root

CLIENT = Account.from_key(b"\x01" * 32)
OTHER = Account.from_key(b"\x02" * 32)
CONTRACT = "0x00000000000000000000000000000000000000c5"
DOMAIN = signing_domain(42161, CONTRACT)
COMMIT = CommitUpdate(3, 2, 1, b"\xaa" * 32, b"\xbb" * 32)  # type: ignore[arg-type]
PROFILE = DataProfile(CLIENT.address, "fashion", "image", "1x28x28", "0-9", 5_000, 1_790_000_000)
ACKNOWLEDGEMENT = Acknowledgement(b"\xcc" * 32)  # type: ignore[arg-type]
ACTIONS: list[Action] = [COMMIT, PROFILE, ACKNOWLEDGEMENT]


class WalletOf:
    """What a wallet does with the message it is shown."""

    def __init__(self, account: Any) -> None:
        self.account = account

    def sign_typed_data(self, full_message: dict[str, Any]) -> bytes:
        message = encode_typed_data(full_message=json.loads(json.dumps(full_message)))
        return bytes(self.account.sign_message(message).signature)


def word(value: int) -> bytes:
    return value.to_bytes(32, "big")


def eip712(type_text: str, members: bytes, chain_id: int = 42161, contract: str = CONTRACT) -> bytes:
    """EIP-712 by hand."""
    domain_type = "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
    separator = keccak(
        keccak(text=domain_type)
        + keccak(text="FedBlocks")
        + keccak(text="2")
        + word(chain_id)
        + word(int(contract, 16))
    )
    return keccak(b"\x19\x01" + separator + keccak(keccak(text=type_text) + members))


def test_the_hash_of_a_commit_is_eip_712_of_the_protocols_type() -> None:
    type_text = (
        "CommitUpdate(uint256 instanceId,uint256 epoch,uint256 attempt,bytes32 baseModelRoot,bytes32 commitment)"
    )
    members = word(3) + word(2) + word(1) + b"\xaa" * 32 + b"\xbb" * 32
    assert action_hash(COMMIT, DOMAIN) == eip712(type_text, members)


def test_the_hash_of_an_acknowledgement_is_eip_712_of_the_protocols_type() -> None:
    assert action_hash(ACKNOWLEDGEMENT, DOMAIN) == eip712("Acknowledgement(bytes32 actionHash)", b"\xcc" * 32)


def test_the_hash_of_a_profile_is_eip_712_of_the_protocols_type() -> None:
    type_text = (
        "DataProfile(address client,string domain,string modality,string inputShape,string labels,"
        "uint256 samples,uint256 issuedAt)"
    )
    members = (
        word(int(CLIENT.address, 16))
        + keccak(text="fashion")
        + keccak(text="image")
        + keccak(text="1x28x28")
        + keccak(text="0-9")
        + word(5_000)
        + word(1_790_000_000)
    )
    assert action_hash(PROFILE, DOMAIN) == eip712(type_text, members)


@pytest.mark.parametrize("action", ACTIONS, ids=lambda action: type(action).__name__)
def test_a_signed_action_names_its_signer(action: Action) -> None:
    signature = sign_action(action, DOMAIN, WalletOf(CLIENT))
    assert recover_signer(action, DOMAIN, signature) == CLIENT.address
    check_signature(action, DOMAIN, signature, CLIENT.address)


@pytest.mark.parametrize("action", ACTIONS, ids=lambda action: type(action).__name__)
def test_another_accounts_signature_is_refused_with_both_addresses(action: Action) -> None:
    signature = sign_action(action, DOMAIN, WalletOf(OTHER))
    with pytest.raises(WrongSigner) as caught:
        check_signature(action, DOMAIN, signature, CLIENT.address)
    assert (caught.value.expected, caught.value.actual, caught.value.action) == (
        CLIENT.address,
        OTHER.address,
        action,
    )
    assert f"{type(action).__name__} must be signed by {CLIENT.address}" in str(caught.value)


def test_a_signature_counts_for_one_chain_one_contract_and_one_action() -> None:
    signature = sign_action(COMMIT, DOMAIN, WalletOf(CLIENT))
    for domain in (signing_domain(42162, CONTRACT), signing_domain(42161, OTHER.address)):
        with pytest.raises(WrongSigner):
            check_signature(COMMIT, domain, signature, CLIENT.address)
    repeated = CommitUpdate(3, 2, 2, COMMIT.base_model_root, COMMIT.commitment)  # type: ignore[arg-type]
    with pytest.raises(WrongSigner):
        check_signature(repeated, DOMAIN, signature, CLIENT.address)


@pytest.mark.parametrize("size", [0, 64, 66, 130])
def test_a_signature_of_another_length_is_refused(size: int) -> None:
    with pytest.raises(MalformedSignature, match=f"must be 65 bytes, got {size}"):
        recover_signer(COMMIT, DOMAIN, b"\x1b" * size)


@pytest.mark.parametrize("v", [0, 1, 26, 29, 255])
def test_a_recovery_byte_that_is_not_27_or_28_is_refused(v: int) -> None:
    signature = sign_action(COMMIT, DOMAIN, WalletOf(CLIENT))[:64] + bytes([v])
    with pytest.raises(MalformedSignature, match=f"v must be 27 or 28, got {v}"):
        recover_signer(COMMIT, DOMAIN, signature)


def test_the_mirrored_signature_is_refused() -> None:
    signature = sign_action(COMMIT, DOMAIN, WalletOf(CLIENT))
    s = CURVE_ORDER - int.from_bytes(signature[32:64], "big")
    mirrored = signature[:32] + word(s) + bytes([55 - signature[64]])
    with pytest.raises(MalformedSignature, match="lower half"):
        recover_signer(COMMIT, DOMAIN, mirrored)


@pytest.mark.parametrize(("r", "s"), [(0, 1), (1, 0), (CURVE_ORDER, 1), (1, CURVE_ORDER), (2**256 - 1, 1)])
def test_numbers_outside_the_curve_are_refused(r: int, s: int) -> None:
    with pytest.raises(MalformedSignature, match="order of the curve"):
        recover_signer(COMMIT, DOMAIN, word(r) + word(s) + b"\x1b")


def test_a_number_that_is_no_curve_point_is_refused() -> None:
    with pytest.raises(MalformedSignature, match="no key"):
        recover_signer(COMMIT, DOMAIN, word(5) + word(1) + b"\x1b")  # x = 5 is not on secp256k1


@settings(max_examples=30, deadline=None)
@given(signature=st.binary(max_size=70))
def test_no_bytes_do_worse_than_being_refused(signature: bytes) -> None:
    with pytest.raises((MalformedSignature, WrongSigner)):
        check_signature(COMMIT, DOMAIN, signature, CLIENT.address)


def test_a_message_is_plain_json_for_wallets() -> None:
    message = typed_data(COMMIT, DOMAIN)
    assert json.loads(json.dumps(message)) == message
    assert message["message"]["baseModelRoot"] == "0x" + "aa" * 32


def test_a_commitment_is_the_tag_root_samples_salt_and_client() -> None:
    root, salt = b"\x0a" * 32, b"\x0b" * 32
    expected = keccak(b"\x10" + root + word(77) + salt + word(int(CLIENT.address, 16)))
    assert update_commitment(root, 77, salt, CLIENT.address) == expected  # type: ignore[arg-type]


def test_a_reveal_opens_only_the_commitment_of_its_own_client() -> None:
    update = np.arange(-500, 500, dtype=np.int16)
    reveal = Reveal(4, update, 120, b"\x05" * 32)  # type: ignore[arg-type]
    assert reveal.update is update
    expected = update_commitment(vector_root(update), 120, reveal.salt, CLIENT.address)
    assert reveal.commitment(CLIENT.address) == expected
    assert reveal.commitment(OTHER.address) != expected


def test_a_commitment_with_wrong_sizes_or_samples_is_refused() -> None:
    with pytest.raises(ValueError, match="got 31 and 32"):
        update_commitment(bytes(31), 1, bytes(32), CLIENT.address)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="-1 is not in"):
        update_commitment(bytes(32), -1, bytes(32), CLIENT.address)  # type: ignore[arg-type]


NATIVE, FAST = NativeECCBackend(), CoinCurveECCBackend()


def _recovered(backend, digest, vrs):
    try:
        return backend.ecdsa_recover(digest, Signature(vrs=vrs, backend=backend)).to_bytes()
    except BadSignature:
        return None


@given(
    digest=st.binary(min_size=32, max_size=32),
    r=st.integers(1, CURVE_ORDER - 1) | st.integers(1, 50) | st.integers(CURVE_ORDER - 50, CURVE_ORDER - 1),
    s=st.integers(1, CURVE_ORDER // 2) | st.integers(1, 50),
    v=st.integers(0, 1),
)
@settings(max_examples=60, deadline=None)
def test_the_fast_library_recovers_whom_python_recovers_and_nobody_else(digest, r, s, v):
    assert _recovered(FAST, digest, (v, r, s)) == _recovered(NATIVE, digest, (v, r, s))


@given(key=st.integers(1, CURVE_ORDER - 1), digest=st.binary(min_size=32, max_size=32))
@settings(max_examples=20, deadline=None)
def test_the_fast_library_signs_as_python_does(key, digest):
    signatures = [
        backend.ecdsa_sign(digest, PrivateKey(key.to_bytes(32, "big"), backend=backend)).to_bytes()
        for backend in (NATIVE, FAST)
    ]
    assert signatures[0] == signatures[1]
