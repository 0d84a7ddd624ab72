"""FedBlocks: federated learning secured with proof of stake.

:class:`FedBlocks` is where to begin; it is loaded when it is first used, so that the pure parts of the package do not
pay for the chain's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fedblocks.client import FedBlocks

__all__ = ["FedBlocks"]


def __getattr__(name: str) -> Any:
    if name == "FedBlocks":
        from fedblocks.client import FedBlocks

        return FedBlocks
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
