"""Who looks at a registry before ether is staked in it.

Stake in a faulty registry may be lost for ever: version 1's could be emptied by anyone, and paid nobody who waited as
long as it asked. So nothing is staked in a registry that nobody has looked at. Who looks is given to the registry's
class when it is made; :class:`~fedblocks.client.FedBlocks` and :class:`~fedblocks.v1.FedBlocksV1` give it
:mod:`fedblocks.doctor`'s probes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from fedblocks.chain.connection import Connection
from fedblocks.exceptions import FedBlocksError
from fedblocks.types import Address


class StakingGuard(Protocol):
    """Looks at a registry."""

    def __call__(self, connection: Connection, registry: Address) -> None:
        """Raise UnsafeDeployment unless the registry is safe to stake in."""
        ...


class UnsafeDeployment(FedBlocksError, PermissionError):
    """A registry has defects that can cost a staker its ether, or could not be cleared of them; nothing was sent."""

    def __init__(self, registry: Address, defects: Sequence[str], unknown: Sequence[str] = ()) -> None:
        self.registry = registry
        self.defects = tuple(defects)
        """The defects that were seen, such as ``"V1-1"``."""
        self.unknown = tuple(unknown)
        """The defects that may be there: the probes could not tell."""
        found = [f"it has {', '.join(self.defects)}"] if self.defects else []
        found += [f"it could not be cleared of {', '.join(self.unknown)}"] if self.unknown else []
        super().__init__(
            f"the registry at {registry} is not safe to stake in: {'; '.join(found)}. `fedblocks doctor` shows "
            "the evidence; accept_defects=True stakes all the same"
        )


class UncheckedDeployment(FedBlocksError, PermissionError):
    """Nobody looks at this registry before ether is staked in it; nothing was sent."""

    def __init__(self, registry: Address) -> None:
        self.registry = registry
        super().__init__(
            f"nobody has looked whether the registry at {registry} is safe to stake in: come by "
            "FedBlocks.connect, which does, or give accept_defects=True"
        )


def require_safe(guard: StakingGuard | None, connection: Connection, registry: Address) -> None:
    """Raise UnsafeDeployment or UncheckedDeployment unless the guard finds the registry safe."""
    if guard is None:
        raise UncheckedDeployment(registry)
    guard(connection, registry)
