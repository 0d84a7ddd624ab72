# pragma version 0.4.3
# pragma evm-version cancun
# SPDX-License-Identifier: Apache-2.0
"""
@title Actor
@notice A contract in any of the protocol's roles, which takes ether kindly, not at all, or not as expected.
"""

flag ReceiverMood:
    KIND
    REFUSING
    BURNING
    CALLING_BACK


mood: ReceiverMood
target: address
calldata: Bytes[1024]
callbacks: public(uint256)
callbackSucceeded: public(bool)


@deploy
@payable
def __init__():
    self.mood = ReceiverMood.KIND


@external
@payable
def __default__():
    if self.mood == ReceiverMood.REFUSING:
        raise "Actor: no, thank you"
    if self.mood == ReceiverMood.BURNING:
        raise UNREACHABLE
    if self.mood == ReceiverMood.CALLING_BACK and self.callbacks == 0:
        self.callbacks += 1
        self.callbackSucceeded = raw_call(self.target, self.calldata, revert_on_failure=False)


@external
@payable
def act(target: address, data: Bytes[16384]):
    """
    @notice Call somebody as this contract, and pass on its revert.
    """
    raw_call(target, data, value=msg.value)


@external
def refuse():
    """
    @notice From now on, take no ether.
    """
    self.mood = ReceiverMood.REFUSING


@external
def burn():
    """
    @notice From now on, take no ether and use up all gas.
    """
    self.mood = ReceiverMood.BURNING


@external
def accept():
    """
    @notice From now on, take ether.
    """
    self.mood = ReceiverMood.KIND


@external
def callBack(target: address, data: Bytes[1024]):
    """
    @notice From now on, call somebody when ether arrives; only the first time.
    """
    self.mood = ReceiverMood.CALLING_BACK
    self.callbacks = 0
    self.target = target
    self.calldata = data


@external
@payable
def force(receiver: address):
    """
    @notice Force ether upon somebody who has no function to take it.
    """
    selfdestruct(receiver)
