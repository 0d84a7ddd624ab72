"""Signing: keys come from objects or encrypted files, and never show."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from eth_account import Account
from eth_account.messages import encode_typed_data
from eth_keys.datatypes import PrivateKey

from fedblocks.chain.signers import KeyfileUnusable, LocalSigner, Signer, WrongPassphrase

KEY = PrivateKey(b"\x11" * 32)

MESSAGE = {
    "types": {
        "EIP712Domain": [{"name": "name", "type": "string"}, {"name": "chainId", "type": "uint256"}],
        "Acknowledgement": [{"name": "actionHash", "type": "bytes32"}],
    },
    "primaryType": "Acknowledgement",
    "domain": {"name": "FedBlocks", "chainId": 31337},
    "message": {"actionHash": b"\x22" * 32},
}


@pytest.fixture
def keyfile(tmp_path: Path) -> Path:
    path = tmp_path / "key.json"
    path.write_text(json.dumps(Account.encrypt(KEY.to_bytes(), "open sesame", iterations=2)))
    return path


def passphrase(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "passphrase"
    path.write_text(text)
    return path


def test_a_local_signer_is_a_signer_and_signs_as_its_address() -> None:
    signer = LocalSigner(KEY)
    assert isinstance(signer, Signer)
    signature = signer.sign_typed_data(MESSAGE)
    assert len(signature) == 65
    signable = encode_typed_data(full_message=MESSAGE)
    assert Account.recover_message(signable, signature=signature) == signer.address


def test_a_signed_transaction_is_the_senders() -> None:
    signer = LocalSigner(KEY)
    raw = signer.sign_transaction({"nonce": 0, "gas": 21000, "gasPrice": 1, "to": signer.address, "chainId": 1})
    assert Account.recover_transaction(raw) == signer.address


def test_a_key_file_opens_with_its_passphrase_with_or_without_a_newline(tmp_path: Path, keyfile: Path) -> None:
    expected = LocalSigner(KEY).address
    assert LocalSigner.from_keyfile(keyfile, passphrase(tmp_path, "open sesame")).address == expected
    assert LocalSigner.from_keyfile(keyfile, passphrase(tmp_path, "open sesame\n")).address == expected


def test_a_wrong_passphrase_is_named_without_being_shown(tmp_path: Path, keyfile: Path) -> None:
    with pytest.raises(WrongPassphrase) as caught:
        LocalSigner.from_keyfile(keyfile, passphrase(tmp_path, "hunter2"))
    assert "hunter2" not in str(caught.value)


def test_files_that_are_missing_or_no_key_files_are_named(tmp_path: Path, keyfile: Path) -> None:
    secret = passphrase(tmp_path, "open sesame")
    with pytest.raises(KeyfileUnusable, match=r"absent\.json"):
        LocalSigner.from_keyfile(tmp_path / "absent.json", secret)
    with pytest.raises(KeyfileUnusable, match="nothing"):
        LocalSigner.from_keyfile(keyfile, tmp_path / "nothing")
    for content in ("not json", "{}", "[]", '{"version": 9}', '{"version": 3, "crypto": {}}'):
        (tmp_path / "odd.json").write_text(content)
        with pytest.raises(KeyfileUnusable, match="no key file"):
            LocalSigner.from_keyfile(tmp_path / "odd.json", secret)


def test_a_key_never_shows() -> None:
    signer = LocalSigner(KEY)
    for text in (repr(signer), str(signer), f"{signer!r:>100}"):
        assert "11" * 8 not in text
        assert signer.address in text
