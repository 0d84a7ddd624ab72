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
class Immutable:
    """A value that the constructor appends to the runtime code."""

    name: str
    """Its name; a module's own carries the module's name and a dot."""
    type: str
    """Its Vyper type."""
    offset: int
    """Where it lies, in bytes after the end of the runtime code."""
    length: int


@dataclass(frozen=True)
class Artifact:
    """A compiled contract."""

    name: str
    abi: list[dict[str, Any]]
    bytecode: bytes
    """The creation code, without constructor arguments."""
    runtime: bytes
    """The code that stays on the chain, without the immutables that follow it there."""
    immutables: tuple[Immutable, ...]
    """What follows it, in this order and without gaps."""
    compiler: str
    """The compiler and its version, such as ``vyper 0.4.3+commit.bff19ea2``."""
    evm_version: str

    @property
    def constructor_inputs(self) -> list[dict[str, Any]]:
        """The ABI of the constructor's arguments."""
        return next((entry["inputs"] for entry in self.abi if entry["type"] == "constructor"), [])

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
    bytecode = bytes.fromhex(content["bytecode"].removeprefix("0x"))
    start = content["deployedBytecodeOffset"]
    return Artifact(
        name=contract,
        abi=content["abi"],
        bytecode=bytecode,
        runtime=bytecode[start : start + content["deployedBytecodeSize"]],
        immutables=tuple(Immutable(**entry) for entry in content["immutables"]),
        compiler=f"{content['compiler']['name']} {content['compiler']['version']}",
        evm_version=content["compiler"]["evmVersion"],
    )
