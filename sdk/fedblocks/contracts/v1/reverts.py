"""Why version 1's contracts refuse: one class for each custom error.

The kinds are those of :mod:`fedblocks.contracts.reverts`. What an error is called and when it was raised differ:
where its name and the behaviour disagree, the docstring says what happened.
"""

from __future__ import annotations

from fedblocks.contracts.reverts import BadArgument, NotAllowed, NotNow


class IncorrectStakingAmount(BadArgument):
    """Version 1 raised this when *exactly* the stake amount was sent (V1-1), or when credit was left over (V1-3)."""

    error = "IncorrectStakingAmount()"


class ClientAlreadyStaked(NotNow):
    """The client is staked, and stakes once."""

    error = "ClientAlreadyStaked()"


class ClientHasntStaked(NotNow):
    """The client is not staked."""

    error = "ClientHasntStaked()"


class TimelockHasntExpired(NotNow):
    """Version 1 raised this when the timelock *had* expired (V1-2)."""

    error = "TimelockHasntExpired()"


class ClientHasntUnRegistered(NotNow):
    """The client must unregister before it can withdraw."""

    error = "ClientHasntUnRegistered()"


class NotSlashingManager(NotAllowed):
    """Only the SlashingManager may take stakes."""

    error = "NotSlashingManager()"


class ClientHasBeenSlashed(NotAllowed):
    """The client was slashed."""

    error = "ClientHasBeenSlashed()"


class NotSlasher(NotAllowed):
    """Only the slasher's key may slash."""

    error = "NotSlasher()"


class NotAdmin(NotAllowed):
    """Only the treasury's admin may withdraw."""

    error = "NotAdmin()"


class NotEnoughBalance(BadArgument):
    """The treasury holds less than was to be withdrawn."""

    error = "NotEnoughBalance()"


class NotEnoughFunds(BadArgument):
    """Less was sent than the instance's epochs cost."""

    error = "NotEnoughFunds()"
