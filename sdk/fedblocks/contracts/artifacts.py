"""The contracts' ABI and code, as the build has exported them into the package."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from eth_utils.crypto import keccak

from fedblocks.exceptions import FedBlocksError
from fedblocks.types import Hash32


class ArtifactMissing(FedBlocksError, FileNotFoundError):
    """The ABI of a contract is not in the package: it was not built, or not installed with it."""

    def __init__(self, contract: str) -> None:
        super().__init__(f"the ABI of {contract} is not in the package; `make abi` exports it")


@dataclass(frozen=True)
class Artifact:
    """A compiled contract."""

    name: str
    abi: list[dict[str, Any]]
    bytecode: bytes
    """The creation code, without constructor arguments."""

    @property
    def bytecode_hash(self) -> Hash32:
        """Which build this is."""
        return Hash32(keccak(self.bytecode))


@cache
def load_artifact(contract: str) -> Artifact:
    """The artefact of a contract, by its ABI name."""
    file = resources.files("fedblocks") / "abi" / f"{contract}.json"
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ArtifactMissing(contract) from error
    return Artifact(name=contract, abi=content["abi"], bytecode=bytes.fromhex(content["bytecode"].removeprefix("0x")))
