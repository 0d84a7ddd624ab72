# pragma version 0.4.3
# pragma evm-version london
# SPDX-License-Identifier: Apache-2.0
"""
@title Prober
@license Apache-2.0
@author The FedBlocks developers
@notice What `fedblocks doctor` puts at addresses within a single `eth_call`, so that somebody can stake, leave and withdraw
        there without a transaction. It is never deployed.
@dev A node replaces the code of an address for one simulated call ("state override"); nothing of it stays. It may be asked
     about an old block, so this is compiled for an old machine.
"""


struct Step:
    target: address
    amount: uint256
    data: Bytes[4096]


struct Outcome:
    succeeded: bool
    data: Bytes[2048]


MAX_STEPS: constant(uint256) = 24
# The four seats of the cohort that the probes order, all accepted.
WHOLE_COHORT: constant(uint256) = 15


# A probe sets it from outside, in slot 1; Vyper keeps slot 0 for its locks.
_refusing: bool


@external
@payable
def __default__():
    """
    @notice Take ether, or refuse it, like a client of either kind. Any other function does nothing.
    """
    assert not self._refusing or msg.value == 0, "Prober: refused"


@external
@payable
def run(steps: DynArray[Step, MAX_STEPS]) -> DynArray[Outcome, MAX_STEPS]:
    """
    @notice Call others as this address, one after the other; a refusal is written down and the next one called.
    @param steps Whom to call with what
    @return What each has answered
    """
    outcomes: DynArray[Outcome, MAX_STEPS] = []
    for step: Step in steps:
        succeeded: bool = False
        data: Bytes[2048] = b""
        succeeded, data = raw_call(
            step.target, step.data, max_outsize=2048, value=step.amount, revert_on_failure=False
        )
        outcomes.append(Outcome(succeeded=succeeded, data=data))
    return outcomes


@external
@view
def etherOf(holder: address) -> uint256:
    """
    @notice What an address holds at this step.
    @param holder An address
    @return Its balance, in wei
    """
    return holder.balance


@external
@view
def getSettlement(instanceId: uint256) -> (bool, uint256, DynArray[uint256, 1]):
    """
    @notice In the place of a ModelParameterChain: every instance is closed, nobody is slashable, and the whole cohort trained
            one epoch.
    @param instanceId An instance
    @return Whether it is closed, its slash reasons, the accepted seats of its epochs
    """
    return True, 0, [WHOLE_COHORT]
