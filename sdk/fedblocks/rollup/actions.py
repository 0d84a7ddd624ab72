"""Signed actions: what clients and the sequencer put their names to.

A micro-rollup takes in *actions*, structured messages with a schema that a wallet can show (EIP-712) and a signature
that names the sender. An epoch knows two: a client first *commits* to its update, signed, without showing it; when all
commitments are on chain it *reveals* the update, which needs no signature, because only who made the commitment can
open it. The sequencer answers with a signed *acknowledgement*, with which a client can prove that it was left out. A
*data profile* says what data a client has, so that jobs find it.

The signing domain holds the chain and the ModelParameterChain contract, so that nothing signed for one deployment
counts in another. A signature is 65 bytes: r ‖ s ‖ v, v being 27 or 28, and s in the lower half of the curve's order:
of the two signatures that any holder of one can make, only one is valid, so that a commit's leaf cannot be made again
with the other.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from eth_account.messages import encode_typed_data
from eth_keys.datatypes import Signature
from eth_keys.exceptions import BadSignature
from eth_utils.address import to_canonical_address, to_checksum_address
from numpy.typing import NDArray

from fedblocks.exceptions import FedBlocksError
from fedblocks.rollup.header import encode_word
from fedblocks.rollup.keccak import keccak256
from fedblocks.rollup.merkle import UPDATE_COMMITMENT_TAG
from fedblocks.rollup.vectors import VectorKind, roots_of_subtrees, subtree_roots
from fedblocks.types import Address, EpochNumber, Hash32, InstanceId, Seat

DOMAIN_NAME = "FedBlocks"
DOMAIN_VERSION = "2"

SIGNATURE_SIZE = 65
CURVE_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
"""The order of secp256k1's group (SEC 2, version 2.0, section 2.4.1)."""


@dataclass(frozen=True)
class SigningDomain:
    """Where signatures count: on one chain, for one ModelParameterChain contract."""

    chain_id: int
    verifying_contract: Address


@dataclass(frozen=True)
class CommitUpdate:
    """A client commits to an update that it has trained from a base model. Signed by the client."""

    instance_id: InstanceId = field(metadata={"abi": "uint256 instanceId"})
    epoch: EpochNumber = field(metadata={"abi": "uint256 epoch"})
    attempt: int = field(metadata={"abi": "uint256 attempt"})
    base_model_root: Hash32 = field(metadata={"abi": "bytes32 baseModelRoot"})
    commitment: Hash32 = field(metadata={"abi": "bytes32 commitment"})


@dataclass(frozen=True)
class Acknowledgement:
    """The sequencer has stored the action with this EIP-712 hash. Signed by the sequencer."""

    action_hash: Hash32 = field(metadata={"abi": "bytes32 actionHash"})


@dataclass(frozen=True)
class DataProfile:
    """What data a client offers to train with. Signed by the client."""

    client: Address = field(metadata={"abi": "address client"})
    domain: str = field(metadata={"abi": "string domain"})
    modality: str = field(metadata={"abi": "string modality"})
    input_shape: str = field(metadata={"abi": "string inputShape"})
    labels: str = field(metadata={"abi": "string labels"})
    samples: int = field(metadata={"abi": "uint256 samples"})
    issued_at: int = field(metadata={"abi": "uint256 issuedAt"})
    """Seconds since 1970; the latest profile of a client counts."""


Action = CommitUpdate | Acknowledgement | DataProfile
"""What is signed."""


@dataclass(frozen=True, eq=False)
class Reveal:
    """A client opens its commitment. The update is held by reference and never copied.

    Attributes:
        seat: the client's seat in the cohort.
        update: int16[d], the trained model minus the base model, fixed point.
        samples: how many samples it was trained on, the update's weight; 0 to 2^256 - 1.
        salt: 32 random bytes, without which nobody could guess the update from the commitment.
    """

    seat: Seat
    update: NDArray[np.int16]
    samples: int
    salt: Hash32

    @cached_property
    def subtrees(self) -> NDArray[np.uint8]:
        """uint8[leaves, 32], the roots of the update's leaf subtrees."""
        roots: NDArray[np.uint8] = subtree_roots(self.update[np.newaxis])[0]
        return roots

    @cached_property
    def update_root(self) -> Hash32:
        """The update's Merkle root."""
        return roots_of_subtrees(self.subtrees[np.newaxis], VectorKind.UPDATE)[0]

    def commitment(self, client: Address) -> Hash32:
        """The commitment that this opens, if it was the client's."""
        return update_commitment(self.update_root, self.samples, self.salt, client)


class TypedDataSigner(Protocol):
    """Whatever can sign an EIP-712 message: :class:`fedblocks.chain.signers.LocalSigner` or a hardware wallet."""

    def sign_typed_data(self, full_message: dict[str, Any]) -> bytes:
        """Sign the message (types, primaryType, domain, message): 65 bytes, r ‖ s ‖ v."""
        ...


class MalformedSignature(FedBlocksError, ValueError):
    """The bytes are not a signature in the one form that is accepted: 65 bytes, v 27 or 28, low s, a curve point."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"malformed signature: {reason}")
        self.reason = reason


class WrongSigner(FedBlocksError, ValueError):
    """The action was signed by another key than the one it needs, or the signature belongs to another action."""

    def __init__(self, expected: Address, actual: Address, action: Action) -> None:
        super().__init__(
            f"{type(action).__name__} must be signed by {expected}, but this signature is {actual}'s, or was made for "
            f"another action, chain or contract: {action}"
        )
        self.expected, self.actual, self.action = expected, actual, action


def signing_domain(chain_id: int, verifying_contract: str) -> SigningDomain:
    """The domain of one deployment; verifying_contract is its ModelParameterChain."""
    return SigningDomain(chain_id, to_checksum_address(verifying_contract))


def typed_data(action: Action, domain: SigningDomain) -> dict[str, Any]:
    """The complete EIP-712 message of an action, in the JSON that wallets take (eth_signTypedData_v4)."""
    members = {f.name: f.metadata["abi"].split() for f in fields(action)}
    return {
        "types": {
            "EIP712Domain": [
                {"name": "name", "type": "string"},
                {"name": "version", "type": "string"},
                {"name": "chainId", "type": "uint256"},
                {"name": "verifyingContract", "type": "address"},
            ],
            type(action).__name__: [{"name": name, "type": kind} for kind, name in members.values()],
        },
        "primaryType": type(action).__name__,
        "domain": {
            "name": DOMAIN_NAME,
            "version": DOMAIN_VERSION,
            "chainId": domain.chain_id,
            "verifyingContract": domain.verifying_contract,
        },
        "message": {
            members[name][1]: "0x" + value.hex() if isinstance(value, bytes) else value
            for name, value in asdict(action).items()
        },
    }


def action_hash(action: Action, domain: SigningDomain) -> Hash32:
    """The EIP-712 hash that is signed: keccak(1901 ‖ domain separator ‖ keccak(type hash ‖ encoded members))."""
    message = encode_typed_data(full_message=typed_data(action, domain))
    return keccak256(b"\x19" + message.version + message.header + message.body)


def recover_signer(action: Action, domain: SigningDomain, signature: bytes) -> Address:
    """Whose signature it is.

    Raises:
        MalformedSignature: if it is not 65 bytes, v is not 27 or 28, r or s is out of range, s is in the upper half,
            or no key could have made it.
    """
    if len(signature) != SIGNATURE_SIZE:
        raise MalformedSignature(f"must be {SIGNATURE_SIZE} bytes, got {len(signature)}")
    r, s, v = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:64], "big"), signature[64]
    if v not in (27, 28):
        raise MalformedSignature(f"v must be 27 or 28, got {v}")
    if not 0 < r < CURVE_ORDER or not 0 < s < CURVE_ORDER:
        raise MalformedSignature("r and s must be between 0 and the order of the curve")
    if s > CURVE_ORDER // 2:
        raise MalformedSignature("s must be in the lower half of the curve's order (EIP-2)")
    try:
        key = Signature(vrs=(v - 27, r, s)).recover_public_key_from_msg_hash(action_hash(action, domain))
    except BadSignature as error:
        raise MalformedSignature("no key could have made it") from error
    return Address(key.to_checksum_address())


def check_signature(action: Action, domain: SigningDomain, signature: bytes, expected: Address) -> None:
    """Make sure that the expected account has signed the action.

    Raises:
        MalformedSignature: as :func:`recover_signer`.
        WrongSigner: if another account has signed, or the signature is for something else.
    """
    actual = recover_signer(action, domain, signature)
    if actual != expected:
        raise WrongSigner(expected, actual, action)


def sign_action(action: Action, domain: SigningDomain, signer: TypedDataSigner) -> bytes:
    """The signer's signature of the action, 65 bytes."""
    return signer.sign_typed_data(typed_data(action, domain))


def update_commitment(update_root: Hash32, samples: int, salt: Hash32, client: Address) -> Hash32:
    """Hides an update until it is revealed, and binds it to its client.

    keccak(0x10 ‖ update root ‖ samples ‖ salt ‖ client), 32 bytes each but the tag.

    Raises:
        ValueError: if root or salt are not 32 bytes or samples is not in 0..2^256 - 1.
    """
    if len(update_root) != 32 or len(salt) != 32:
        raise ValueError(f"update root and salt are 32 bytes, got {len(update_root)} and {len(salt)}")
    return keccak256(
        bytes([UPDATE_COMMITMENT_TAG])
        + update_root
        + encode_word(samples)
        + salt
        + bytes(12)
        + to_canonical_address(client)
    )
