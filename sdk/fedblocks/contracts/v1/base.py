"""What version 1's classes share: its ABI, which was written down and not compiled, and its custom errors."""

from __future__ import annotations

import json
from functools import cache
from importlib import resources

from fedblocks.contracts.artifacts import Artifact, ArtifactMissing
from fedblocks.contracts.base import Contract
from fedblocks.contracts.v1 import reverts as _reverts  # noqa: F401  (gives every custom error its class)


@cache
def load_v1_artifact(contract: str) -> Artifact:
    """The ABI of a contract of version 1; nobody here has its code."""
    file = resources.files("fedblocks") / "abi" / "v1" / f"{contract}.json"
    try:
        abi = json.loads(file.read_text(encoding="utf-8"))["abi"]
    except FileNotFoundError as error:
        raise ArtifactMissing(f"v1 {contract}") from error
    return Artifact(name=contract, abi=abi, bytecode=b"", runtime=b"", immutables=(), compiler="", evm_version="")


class V1Contract(Contract):
    """A contract of version 1 at an address."""

    @classmethod
    def artifact(cls) -> Artifact:
        """The contract's ABI."""
        return load_v1_artifact(cls.NAME)
