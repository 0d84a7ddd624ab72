"""The chain's fixtures, for the tests in which the rollup meets it."""

from tests.anvil import anvil, deployment, node, roles, staked

__all__ = ["anvil", "deployment", "node", "roles", "staked"]
