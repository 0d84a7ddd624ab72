# pragma version 0.4.3
# SPDX-License-Identifier: Apache-2.0
"""
@title Disputes
@license Apache-2.0
@author The FedBlocks developers
@notice What all verifiers of fraud have in common: which chain they serve, which header is disputed, how it is overturned.
"""

from ..interfaces import IDisputes
from . import headers


# The numbers of the cases, as docs/proofs.md has them.
SUBMISSION: constant(uint256) = 1
PRODUCT: constant(uint256) = 2
COLUMN: constant(uint256) = 3
FIGURES: constant(uint256) = 4
VERDICT: constant(uint256) = 5
COHORT: constant(uint256) = 6
DELTA: constant(uint256) = 7
NEXT_MODEL: constant(uint256) = 8
LAST_UPDATE: constant(uint256) = 9
WITHHELD: constant(uint256) = 10
CENSORSHIP: constant(uint256) = 11
PADDING: constant(uint256) = 12


MODEL_PARAMETER_CHAIN: public(immutable(address))
_NAME: immutable(String[20])


@deploy
def __init__(name: String[20], modelParameterChain: address):
    """
    @param name The contract's name, for its reverts
    @param modelParameterChain Whose epochs it disputes
    """
    assert modelParameterChain.is_contract, concat(name, ": model parameter chain is not a contract")
    _NAME = name
    MODEL_PARAMETER_CHAIN = modelParameterChain


@internal
@view
def _disputed(header: headers.Header) -> IDisputes.Dispute:
    """
    @notice Make sure that a header is that of a pending epoch.
    @param header The header
    @return What the chain holds of its epoch
    """
    dispute: IDisputes.Dispute = staticcall IDisputes(MODEL_PARAMETER_CHAIN).getDispute(
        header.instanceId, header.epoch
    )
    assert dispute.headerHash == headers._hash(header), concat(
        _NAME, ": header is not a pending epoch's"
    )
    return dispute


@internal
@view
def _check_previous(header: headers.Header, previous: headers.Header):
    """
    @notice Make sure that a header is the one before another; nothing is looked at in epoch 1.
    @param header The header
    @param previous The one before it
    """
    if header.epoch > 1:
        assert header.previousHeaderHash == headers._hash(previous), concat(
            _NAME, ": previous header is not the one before"
        )


@internal
def _overturn(header: headers.Header, fault: bool, fraud_case: uint256):
    """
    @notice Have an epoch overturned for its fault.
    @param header The epoch's header
    @param fault Whether there is one
    @param fraud_case Which
    """
    assert fault, concat(_NAME, ": no fault")
    extcall IDisputes(MODEL_PARAMETER_CHAIN).overturnEpoch(
        header.instanceId, header.epoch, msg.sender, fraud_case
    )
