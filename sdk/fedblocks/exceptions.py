"""What can go wrong, one class each.

Everything that FedBlocks raises on purpose descends from :class:`FedBlocksError`. A leaf also inherits the builtin
that it is a kind of, so that ``except ValueError`` keeps working, and its constructor takes the data of the failure
and writes the sentence itself: what was wrong, with what value, and what to do.

Reverts of the contracts are in :mod:`fedblocks.contracts.reverts`, beside the classes that raise them.
"""

from __future__ import annotations


class FedBlocksError(Exception):
    """The base of everything that FedBlocks raises on purpose."""
