"""Fixtures that every folder of tests may use."""

from tests.anvil import anvil, deployment, node, roles, staked

__all__ = ["anvil", "deployment", "node", "roles", "staked"]
