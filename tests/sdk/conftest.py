"""Every test of the SDK runs against a real node."""

from tests.anvil import anvil, deployment, node, roles, staked

__all__ = ["anvil", "deployment", "node", "roles", "staked"]
