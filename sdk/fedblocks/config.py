"""Which network to talk to, as one object that is made once and passed in."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from fedblocks.exceptions import FedBlocksError

NETWORKS = {
    "local": "http://127.0.0.1:8545",
    "arbitrum": "https://arb1.arbitrum.io/rpc",
    "arbitrum-sepolia": "https://sepolia-rollup.arbitrum.io/rpc",
}
"""Public endpoints by name. They limit how much one may ask; a node of one's own does not."""


class UnknownNetwork(FedBlocksError, ValueError):
    """A network was named that is neither a URL nor a known name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"{name!r} is neither a URL nor one of {', '.join(NETWORKS)}")


def network_url(name: str) -> str:
    """The endpoint for a network's name; a URL is its own.

    Raises:
        UnknownNetwork: if it is neither.
    """
    if "://" in name:
        return name
    try:
        return NETWORKS[name]
    except KeyError:
        raise UnknownNetwork(name) from None


@dataclass(frozen=True, kw_only=True)
class NetworkConfig:
    """A node, and the deployment that is looked at through it."""

    url: str = field(repr=False)
    """The node's HTTP endpoint; it may hold an API key, so it is not shown."""
    deployment: Path
    """The deployments file. The chain that it names is the one that the node must serve."""
    timeout: float = 10.0
    """Seconds to wait for each answer of the node."""
