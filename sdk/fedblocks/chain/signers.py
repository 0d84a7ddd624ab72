"""Who signs: anything that has an address and can sign a transaction and an EIP-712 message.

A key never comes from an argument or an environment variable, where other processes and shell histories see it; it
comes from an encrypted key file whose passphrase lies in a file of its own, or, for development, from a key object.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from eth_account import Account
from eth_account.messages import encode_typed_data
from eth_account.signers.local import LocalAccount
from eth_keys.datatypes import PrivateKey

from fedblocks.exceptions import FedBlocksError
from fedblocks.types import Address


class KeyfileUnusable(FedBlocksError, OSError):
    """A key file, or the file with its passphrase, cannot be read or is not what it should be."""

    def __init__(self, path: Path, reason: str) -> None:
        self.path = path
        super().__init__(f"{path}: {reason}")


class WrongPassphrase(FedBlocksError, ValueError):
    """The passphrase does not open the key file."""

    def __init__(self, keyfile: Path, passphrase_file: Path) -> None:
        super().__init__(f"the passphrase in {passphrase_file} does not open {keyfile}")


@runtime_checkable
class Signer(Protocol):
    """What FedBlocks asks of an account: a local key, a hardware wallet, or ape's account behind an adapter."""

    @property
    def address(self) -> Address:
        """The account's address."""
        ...

    def sign_transaction(self, transaction: Mapping[str, Any]) -> bytes:
        """Sign a complete transaction and return it as the raw bytes that a node takes."""
        ...

    def sign_typed_data(self, full_message: dict[str, Any]) -> bytes:
        """Sign an EIP-712 message (with its types, primaryType, domain and message): r, s, v, 65 bytes."""
        ...


class LocalSigner:
    """A key in this process's memory."""

    def __init__(self, key: PrivateKey | LocalAccount) -> None:
        self._account: LocalAccount = key if isinstance(key, LocalAccount) else Account.from_key(key)

    @classmethod
    def from_keyfile(cls, keyfile: Path, passphrase_file: Path) -> LocalSigner:
        """Open an encrypted key file (Web3 Secret Storage, as geth and ape write it).

        Raises:
            KeyfileUnusable: if one of the files cannot be read, or the key file is none.
            WrongPassphrase: if the passphrase does not open it.
        """
        passphrase = _read(passphrase_file).rstrip("\r\n")
        try:
            content = json.loads(_read(keyfile))
        except json.JSONDecodeError as error:
            raise KeyfileUnusable(keyfile, "this is no key file: it is not JSON") from error
        try:
            key = Account.decrypt(content, passphrase)
        except ValueError as error:
            if "MAC mismatch" in str(error):
                raise WrongPassphrase(keyfile, passphrase_file) from None
            raise KeyfileUnusable(keyfile, f"this is no key file: {error}") from error
        except (KeyError, TypeError, NotImplementedError) as error:
            raise KeyfileUnusable(keyfile, "this is no key file that can be opened here") from error
        return cls(Account.from_key(key))

    @property
    def address(self) -> Address:
        """The account's address."""
        return self._account.address

    def sign_transaction(self, transaction: Mapping[str, Any]) -> bytes:
        """Sign a complete transaction and return its raw bytes."""
        return bytes(self._account.sign_transaction(dict(transaction)).raw_transaction)

    def sign_typed_data(self, full_message: dict[str, Any]) -> bytes:
        """Sign an EIP-712 message: r, s, v, 65 bytes."""
        return bytes(self._account.sign_message(encode_typed_data(full_message=full_message)).signature)

    def __repr__(self) -> str:
        return f"<LocalSigner {self.address}>"


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise KeyfileUnusable(path, getattr(error, "strerror", None) or "this is not a text file") from error
