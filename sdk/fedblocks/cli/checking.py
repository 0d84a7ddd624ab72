"""Whether what a configuration names is there: looked at on this machine only, no node is asked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from fedblocks.chain.signers import find_keyfile
from fedblocks.cli.options import V1
from fedblocks.cli.settings import Settings
from fedblocks.config import parse_network
from fedblocks.deployments import Deployment
from fedblocks.exceptions import FedBlocksError


def problems_of(settings: Settings) -> list[str]:
    """Everything that is wrong, one sentence each."""
    tables = {"defaults": settings.defaults, **{f"profiles.{name}": each for name, each in settings.profiles.items()}}
    return [f"{table}.{problem}" for table, values in tables.items() for problem in _problems(values)]


def _problems(values: Mapping[str, Any]) -> Iterator[str]:
    network = deployment = None
    try:
        network = parse_network(values["network"]) if "network" in values else None
    except FedBlocksError as error:
        yield f"network: {error}"
    try:
        if values.get("deployment", V1) != V1:
            deployment = Deployment.load(Path(values["deployment"]).expanduser())
    except FedBlocksError as error:
        yield f"deployment: {error}"
    if network and deployment and network.chain_id not in (None, deployment.chain_id):
        yield f"deployment: it is on chain {deployment.chain_id}, but {network.name} is chain {network.chain_id}"
    try:
        if "account" in values:
            find_keyfile(values["account"])
    except FedBlocksError as error:
        yield f"account: {error}"
