"""What the ape scripts share: ape's accounts as signers of the SDK, and errors as sentences.

ape brings the network, the accounts and the passphrases; what is sent is decided by the SDK, in the same code that the
demo runs.
"""

from __future__ import annotations

import functools
import os
import re
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import ape
import click
from ape.api import AccountAPI, ProviderAPI
from eth_account.messages import encode_typed_data
from eth_utils.address import to_checksum_address

from fedblocks.chain.connection import Connection
from fedblocks.chain.node import AnvilMissing, find_anvil
from fedblocks.exceptions import FedBlocksError
from fedblocks.types import Address

Command = TypeVar("Command", bound=Callable[..., Any])


class SigningDeclined(FedBlocksError, PermissionError):
    """The account's owner did not sign."""

    def __init__(self, address: Address) -> None:
        super().__init__(f"{address} did not sign, so nothing was sent")


class ApeSigner:
    """An account of ape's (a key file, a hardware wallet, a test account) as a signer of the SDK."""

    def __init__(self, account: AccountAPI) -> None:
        self._account = account

    @property
    def address(self) -> Address:
        """The account's address."""
        return to_checksum_address(self._account.address)

    def sign_transaction(self, transaction: Mapping[str, Any]) -> bytes:
        """Sign a complete transaction; ape may ask its owner first."""
        ecosystem = self._account.provider.network.ecosystem
        signed = self._account.sign_transaction(ecosystem.create_transaction(**transaction))
        if signed is None:
            raise SigningDeclined(self.address)
        return bytes(signed.serialize_transaction())

    def sign_typed_data(self, full_message: dict[str, Any]) -> bytes:
        """Sign an EIP-712 message; ape may ask its owner first."""
        signature = self._account.sign_message(encode_typed_data(full_message=full_message))
        if signature is None:
            raise SigningDeclined(self.address)
        return bytes(signature.encode_rsv())


def connect(provider: ProviderAPI) -> Connection:
    """The SDK's connection to the node that ape is connected to."""
    uri = getattr(provider, "http_uri", None)
    if not uri:
        raise click.UsageError("this provider has no HTTP endpoint; choose another with --network")
    return Connection.open(str(uri), chain_id=provider.chain_id, timeout=30)


def choose_account(provider: ProviderAPI, alias: str | None) -> ApeSigner:
    """The account that was asked for; on a development chain, the first test account when none was."""
    if alias is not None:
        if _looks_like_a_secret(alias):
            raise click.UsageError(
                "--account takes the alias of an account (`ape accounts list`), never a key or a phrase. What was typed"
                " is in the shell's history now, and every process on this machine could see it: use that key no more"
            )
        if alias not in ape.accounts.aliases:
            raise click.UsageError(f"ape knows no account {alias!r}; `ape accounts list` shows them")
        return ApeSigner(ape.accounts.load(alias))
    if provider.network.is_dev:
        return ApeSigner(ape.accounts.test_accounts[0])
    raise click.UsageError(f"{provider.network_choice} is no development chain: name the account with --account")


def _looks_like_a_secret(alias: str) -> bool:
    return len(alias.split()) >= 12 or re.fullmatch(r"(0x)?[0-9a-fA-F]{64}", alias.strip()) is not None


def errors_as_sentences(command: Command) -> Command:
    """Show what FedBlocks raises on purpose as one sentence, without a traceback."""

    @functools.wraps(command)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        try:
            return command(*args, **kwargs)
        except FedBlocksError as error:
            raise click.ClickException(str(error)) from error

    return wrapped  # type: ignore[return-value]


def default_deployment_file(provider: ProviderAPI) -> Path:
    """Where a network's deployments file lies: a development chain's is not worth keeping."""
    network = provider.network
    folder = Path(".build", "deployments") if network.is_dev else Path("deployments")
    return folder / f"{network.ecosystem.name}-{network.name}.json"


def _offer_anvil() -> None:
    # ape-foundry looks on PATH only; in a checkout anvil lies in node_modules.
    if shutil.which("anvil") is None:
        try:
            folder = find_anvil().parent
        except AnvilMissing:
            return  # another provider may be meant; ape-foundry itself says what is missing
        os.environ["PATH"] = os.pathsep.join([os.environ.get("PATH", ""), str(folder)])


# ape reads a script before it connects.
_offer_anvil()
