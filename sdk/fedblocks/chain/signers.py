"""Who signs: anything that has an address and can sign a transaction and an EIP-712 message.

A key never comes from an argument or an environment variable, where other processes and shell histories see it; it
comes from an encrypted key file (ape's accounts are such files) whose passphrase lies in a file of its own or is asked
for, or, for development, from a key object.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from eth_account import Account
from eth_account.messages import encode_typed_data
from eth_account.signers.local import LocalAccount
from eth_keys.datatypes import PrivateKey
from eth_utils.address import is_hex_address, to_checksum_address

from fedblocks.exceptions import FedBlocksError
from fedblocks.types import Address


class KeyfileUnusable(FedBlocksError, OSError):
    """A key file, or the file with its passphrase, cannot be read or is not what it should be."""

    def __init__(self, path: Path, reason: str) -> None:
        self.path = path
        super().__init__(f"{path}: {reason}")


class WrongPassphrase(FedBlocksError, ValueError):
    """The passphrase does not open the key file."""

    def __init__(self, keyfile: Path, passphrase_file: Path | None = None) -> None:
        which = "the passphrase" if passphrase_file is None else f"the passphrase in {passphrase_file}"
        super().__init__(f"{which} does not open {keyfile}")


class UnknownAccount(FedBlocksError, LookupError):
    """An account was named that is neither one of ape's nor a key file."""

    def __init__(self, name: str, folder: Path) -> None:
        known = ", ".join(ape_aliases(folder)) or "none"
        super().__init__(f"there is no key file {name!r}, and no account of ape's with that alias in {folder}: {known}")


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
        try:
            return cls.unlock(keyfile, read_passphrase(passphrase_file))
        except WrongPassphrase:
            raise WrongPassphrase(keyfile, passphrase_file) from None

    @classmethod
    def unlock(cls, keyfile: Path, passphrase: str) -> LocalSigner:
        """Open an encrypted key file with a passphrase that is at hand; else as :meth:`from_keyfile`."""
        try:
            key = Account.decrypt(_read_keyfile(keyfile), passphrase)
        except ValueError as error:
            if "MAC mismatch" in str(error):
                raise WrongPassphrase(keyfile) from None
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


class KeyfileSigner:
    """A key file that is opened when something is signed, and not before.

    Its address stands in it in the clear, so that a transaction can be simulated and shown before anybody is asked for
    a passphrase.
    """

    def __init__(self, keyfile: Path, passphrase: Callable[[], str]) -> None:
        """Look at a key file.

        Args:
            keyfile: Which.
            passphrase: Asked once, when the key is needed first.

        Raises:
            KeyfileUnusable: if it is no key file.
            WrongPassphrase: if it had to be opened at once, because no address stands in it.
        """
        self._keyfile, self._passphrase = keyfile, passphrase
        self._opened: LocalSigner | None = None
        stated = keyfile_address(keyfile)
        self._address = self._open().address if stated is None else stated

    @property
    def address(self) -> Address:
        """The account's address."""
        return self._address

    def sign_transaction(self, transaction: Mapping[str, Any]) -> bytes:
        """Sign a complete transaction and return its raw bytes."""
        return self._open().sign_transaction(transaction)

    def sign_typed_data(self, full_message: dict[str, Any]) -> bytes:
        """Sign an EIP-712 message: r, s, v, 65 bytes."""
        return self._open().sign_typed_data(full_message)

    def _open(self) -> LocalSigner:
        if self._opened is None:
            opened = LocalSigner.unlock(self._keyfile, self._passphrase())
            if getattr(self, "_address", opened.address) != opened.address:
                raise KeyfileUnusable(
                    self._keyfile, f"it says that it is {self._address}, but its key is that of {opened.address}"
                )
            self._opened = opened
        return self._opened

    def __repr__(self) -> str:
        return f"<KeyfileSigner {self.address}>"


def ape_accounts_folder() -> Path:
    """Where ape keeps its accounts: ``$APE_DATA_FOLDER/accounts``, ``~/.ape/accounts`` by default."""
    data = os.environ.get("APE_DATA_FOLDER")
    return (Path(data).expanduser() if data else Path.home() / ".ape") / "accounts"


def ape_aliases(folder: Path | None = None) -> tuple[str, ...]:
    """The accounts that ape knows on this machine, by alias."""
    where = ape_accounts_folder() if folder is None else folder
    return tuple(sorted(path.stem for path in where.glob("*.json")))


def find_keyfile(name: str) -> Path:
    """The key file that an alias of ape's or a path stands for; a path wins.

    Raises:
        UnknownAccount: if there is neither.
    """
    path = Path(name).expanduser()
    if path.is_file():
        return path
    folder = ape_accounts_folder()
    # An alias is a name and not a way out of the folder.
    if path.name == name and (folder / f"{name}.json").is_file():
        return folder / f"{name}.json"
    raise UnknownAccount(name, folder)


def keyfile_address(keyfile: Path) -> Address | None:
    """Whose key a key file says that it holds; None if it does not say.

    Raises:
        KeyfileUnusable: if it cannot be read, or is no key file.
    """
    stated = _read_keyfile(keyfile).get("address")
    if not isinstance(stated, str) or not is_hex_address(stated):
        return None
    return to_checksum_address(stated)


def read_passphrase(path: Path) -> str:
    """The passphrase in a file, without the newline at its end.

    Raises:
        KeyfileUnusable: if it cannot be read.
    """
    return _read(path).rstrip("\r\n")


def _read_keyfile(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(_read(path))
    except json.JSONDecodeError as error:
        raise KeyfileUnusable(path, "this is no key file: it is not JSON") from error
    if not isinstance(content, dict):
        raise KeyfileUnusable(path, "this is no key file: it is not a JSON object")
    return content


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise KeyfileUnusable(path, getattr(error, "strerror", None) or "this is not a text file") from error
