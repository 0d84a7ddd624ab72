# pragma version 0.4.3
# SPDX-License-Identifier: Apache-2.0
"""
@title Signed actions
@license Apache-2.0
@author The FedBlocks developers
@notice What clients and aggregators put their names to, as EIP-712 hashes it, and whose signature counts. Of the two signatures
        that any holder of one can make only one is valid, so that what is committed to has one form.
"""

from . import headers


DOMAIN_TYPE: constant(bytes32) = keccak256(
    "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
)
DOMAIN_NAME: constant(bytes32) = keccak256("FedBlocks")
DOMAIN_VERSION: constant(bytes32) = keccak256("2")
COMMIT_UPDATE_TYPE: constant(bytes32) = keccak256(
    "CommitUpdate(uint256 instanceId,uint256 epoch,uint256 attempt,bytes32 baseModelRoot,bytes32 commitment)"
)
ACKNOWLEDGEMENT_TYPE: constant(bytes32) = keccak256("Acknowledgement(bytes32 actionHash)")
COMMITMENT: constant(bytes1) = 0x10
REVEALED: constant(bytes1) = 0x12

# The order of secp256k1's group (SEC 2, version 2.0, section 2.4.1), and half of it.
CURVE_ORDER: constant(uint256) = 115792089237316195423570985008687907852837564279074904382605163141518161494337
HALF_ORDER: constant(uint256) = CURVE_ORDER // 2


@internal
@pure
def _commitment(update_root: bytes32, samples: bytes32, salt: bytes32, client: address) -> bytes32:
    """
    @notice What a client commits to.
    @param update_root The root of its update
    @param samples How many samples it was trained on
    @param salt What hides it
    @param client The client
    @return The commitment
    """
    return keccak256(concat(COMMITMENT, update_root, samples, salt, convert(client, bytes32)))


@internal
@view
def _commit_hash(model_parameter_chain: address, header: headers.Header, commitment: bytes32) -> bytes32:
    """
    @notice What a client signs to commit to an update of an epoch.
    @param model_parameter_chain The contract for which it is signed
    @param header The epoch's header
    @param commitment The commitment
    @return The hash of the CommitUpdate
    """
    return self._action_hash(
        model_parameter_chain,
        keccak256(
            abi_encode(
                COMMIT_UPDATE_TYPE,
                header.instanceId,
                header.epoch,
                header.attempt,
                header.baseModelRoot,
                commitment,
            )
        ),
    )


@internal
@view
def _acknowledgement_hash(model_parameter_chain: address, commit_hash: bytes32) -> bytes32:
    """
    @notice What an aggregator signs when a commitment has been opened to it.
    @param model_parameter_chain The contract for which it is signed
    @param commit_hash The hash of the CommitUpdate
    @return The hash of the Acknowledgement
    """
    revealed: bytes32 = keccak256(concat(REVEALED, commit_hash))
    return self._action_hash(model_parameter_chain, keccak256(abi_encode(ACKNOWLEDGEMENT_TYPE, revealed)))


@internal
@view
def _is_signed_by(digest: bytes32, signature: Bytes[65], account: address) -> bool:
    """
    @notice Whether bytes are an account's signature of a hash; they may be any bytes.
    @param digest The hash
    @param signature r, s and v: v is 27 or 28, s in the lower half of the curve's order
    @param account The account
    @return Whether it is the account's
    """
    if len(signature) != 65:
        return False
    r: uint256 = convert(extract32(signature, 0), uint256)
    s: uint256 = convert(extract32(signature, 32), uint256)
    v: uint256 = convert(slice(signature, 64, 1), uint256)
    if (v != 27 and v != 28) or r == 0 or r >= CURVE_ORDER or s == 0 or s > HALF_ORDER:
        return False
    signer: address = ecrecover(digest, v, r, s)
    return signer != empty(address) and signer == account


@internal
@view
def _action_hash(model_parameter_chain: address, struct_hash: bytes32) -> bytes32:
    """
    @notice The EIP-712 hash of an action.
    @param model_parameter_chain The contract for which it is signed
    @param struct_hash The hash of its type and members
    @return What is signed
    """
    separator: bytes32 = keccak256(
        abi_encode(DOMAIN_TYPE, DOMAIN_NAME, DOMAIN_VERSION, chain.id, model_parameter_chain)
    )
    return keccak256(concat(0x1901, separator, struct_hash))
