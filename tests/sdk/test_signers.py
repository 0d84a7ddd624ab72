"""Signing: keys come from objects or encrypted files, and never show."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from eth_account import Account
from eth_account.messages import encode_typed_data
from eth_keys.datatypes import PrivateKey

from fedblocks.chain.signers import (
    KeyfileSigner,
    KeyfileUnusable,
    LocalSigner,
    Signer,
    UnknownAccount,
    WrongPassphrase,
    ape_accounts_folder,
    ape_aliases,
    find_keyfile,
)

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


def test_a_key_file_is_opened_when_something_is_signed_and_only_once(keyfile: Path) -> None:
    asked: list[str] = []

    def passphrase() -> str:
        asked.append("once")
        return "open sesame"

    signer = KeyfileSigner(keyfile, passphrase)
    assert isinstance(signer, Signer)
    assert signer.address == LocalSigner(KEY).address
    assert asked == []
    assert signer.sign_typed_data(MESSAGE) == LocalSigner(KEY).sign_typed_data(MESSAGE)
    transaction = {"nonce": 0, "gas": 21000, "gasPrice": 1, "to": signer.address, "chainId": 1}
    assert Account.recover_transaction(signer.sign_transaction(transaction)) == signer.address
    assert asked == ["once"]


def test_a_key_file_without_an_address_is_opened_at_once(keyfile: Path) -> None:
    content = json.loads(keyfile.read_text())
    del content["address"]
    keyfile.write_text(json.dumps(content))
    assert KeyfileSigner(keyfile, lambda: "open sesame").address == LocalSigner(KEY).address
    with pytest.raises(WrongPassphrase):
        KeyfileSigner(keyfile, lambda: "hunter2")


def test_an_account_is_a_path_or_an_alias_of_apes_and_never_a_way_out_of_its_folder(
    tmp_path: Path, keyfile: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    accounts = tmp_path / "ape" / "accounts"
    accounts.mkdir(parents=True)
    monkeypatch.setenv("APE_DATA_FOLDER", str(tmp_path / "ape"))
    monkeypatch.chdir(accounts)
    (accounts / "alice.json").write_text(keyfile.read_text())
    (tmp_path / "ape" / "outside.json").write_text(keyfile.read_text())
    assert find_keyfile("alice") == accounts / "alice.json"
    assert find_keyfile(str(keyfile)) == keyfile
    assert ape_aliases() == ("alice",)
    for name in ("bob", "../outside", str(tmp_path / "absent")):
        with pytest.raises(UnknownAccount, match="alice"):
            find_keyfile(name)
    monkeypatch.delenv("APE_DATA_FOLDER")
    assert ape_accounts_folder() == Path.home() / ".ape" / "accounts"


def test_a_key_never_shows() -> None:
    signer = LocalSigner(KEY)
    for text in (repr(signer), str(signer), f"{signer!r:>100}"):
        assert "11" * 8 not in text
        assert signer.address in text
