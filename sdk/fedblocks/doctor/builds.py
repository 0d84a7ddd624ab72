"""What lies at an address: a build of ours, a stranger's code, a proxy, or nothing."""

from __future__ import annotations

import re

from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

from fedblocks.chain.connection import Block, Connection
from fedblocks.contracts.artifacts import ArtifactMissing, load_artifact
from fedblocks.doctor.report import ContractFacts
from fedblocks.types import Address

# EIP-1967: keccak of a name, less one, so that no variable can lie there.
_IMPLEMENTATION = int.from_bytes(keccak(text="eip1967.proxy.implementation"), "big") - 1
_BEACON = int.from_bytes(keccak(text="eip1967.proxy.beacon"), "big") - 1
# EIP-1167, as it was specified and with PUSH0.
_CLONE_PUSH0 = re.compile(rb"^\x36\x5f\x5f\x37\x5f\x5f\x36\x5f\x73(.{20})\x5a\xf4", re.DOTALL)
_CLONE_PLAIN = re.compile(rb"^\x36\x3d\x3d\x37\x3d\x3d\x3d\x36\x3d\x73(.{20})\x5a\xf4", re.DOTALL)
# EIP-7702: an account that lends itself a contract's code.
_DELEGATION = re.compile(rb"^\xef\x01\x00(.{20})$", re.DOTALL)


def is_known_build(contract: str, code: bytes) -> bool:
    """Whether code on the chain is what this version of FedBlocks deploys, whatever its parameters."""
    try:
        artifact = load_artifact(contract)
    except ArtifactMissing:
        return False
    runtime = artifact.runtime
    appended = sum(each.length for each in artifact.immutables)
    return bool(runtime) and len(code) == len(runtime) + appended and code.startswith(runtime)


def find_proxy(connection: Connection, address: Address, code: bytes, block: Block = "latest") -> str | None:
    """How an address hands calls on to other code, and to where; None when it is not known to do so."""
    for pattern, name in ((_CLONE_PLAIN, "EIP-1167"), (_CLONE_PUSH0, "EIP-1167"), (_DELEGATION, "EIP-7702")):
        if match := pattern.match(code):
            return f"{name} to {to_checksum_address(match[1])}"
    for slot, name in ((_IMPLEMENTATION, "EIP-1967 to"), (_BEACON, "EIP-1967 beacon at")):
        with connection.asking():
            word = connection.web3.eth.get_storage_at(address, slot, block)  # type: ignore[arg-type]
        if any(word):
            return f"{name} {to_checksum_address(bytes(word).rjust(32, bytes(1))[-20:])}"
    return None


def facts_of(connection: Connection, name: str, address: Address, block: Block = "latest") -> ContractFacts:
    """What lies at an address."""
    code = connection.code(address, block)
    return ContractFacts(
        name=name,
        address=address,
        code_size=len(code),
        code_hash="0x" + keccak(code).hex(),
        known_build=is_known_build(name, code),
        proxy=find_proxy(connection, address, code, block) if code else None,
    )
