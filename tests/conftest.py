"""Fixtures that every folder of tests may use."""

from tests.anvil import anvil, deployment, node, roles, staked
from tests.postgres import any_database, postgres_server, postgres_url

__all__ = ["anvil", "any_database", "deployment", "node", "postgres_server", "postgres_url", "roles", "staked"]
