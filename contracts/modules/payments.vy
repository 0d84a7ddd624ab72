# pragma version 0.4.3
# SPDX-License-Identifier: Apache-2.0
"""
@title Payments
@license Apache-2.0
@author The FedBlocks developers
@notice The one way in which ether leaves a contract of this protocol.
"""


@internal
def _send(receiver: address, amount: uint256) -> bool:
    """
    @notice Send ether and say whether it was taken.
    @dev Everything that the receiver returns is left where it is: copying it would let the receiver burn the caller's
         gas. The caller settles its own books first, since the receiver may call back.
    @param receiver Who is paid
    @param amount How much, in wei
    @return Whether the receiver took it
    """
    return raw_call(receiver, b"", value=amount, revert_on_failure=False)
