"""Which network to talk to, as one object that is made once and passed in."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class NetworkConfig:
    """A node, and the deployment that is looked at through it."""

    url: str = field(repr=False)
    """The node's HTTP endpoint; it may hold an API key, so it is not shown."""
    deployment: Path
    """The deployments file. The chain that it names is the one that the node must serve."""
    timeout: float = 10.0
    """Seconds to wait for each answer of the node."""
