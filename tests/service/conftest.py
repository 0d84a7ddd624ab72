"""One instance behind HTTP: the executor here, the node in a thread, and what they share on disk."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from fedblocks.service.client import MpsClient
from fedblocks.service.settings import ServiceSettings
from tests.rollup.instance import StoredInstance
from tests.service.running import ThreadedNode

SETTINGS = ServiceSettings(
    idle_seconds=1.0, header_seconds=1.0, reads_per_second=1e6, writes_per_second=1e6, write_burst=1000
)


@pytest.fixture
def instance(tmp_path: Path) -> StoredInstance:
    """An instance whose executor is in this process."""
    return StoredInstance(tmp_path)


@pytest.fixture
def node(instance: StoredInstance) -> Iterator[ThreadedNode]:
    """A node that takes its actions, beside the executor."""
    with ThreadedNode(f"sqlite:///{instance.database}", instance.blobs, SETTINGS) as node:
        yield node


@pytest.fixture(scope="module")
def standing_instance(tmp_path_factory: pytest.TempPathFactory) -> StoredInstance:
    """An instance for tests that change nothing in it."""
    return StoredInstance(tmp_path_factory.mktemp("standing"))


@pytest.fixture(scope="module")
def standing_node(standing_instance: StoredInstance) -> Iterator[ThreadedNode]:
    """A node for them; making one takes longer than asking it."""
    with ThreadedNode(f"sqlite:///{standing_instance.database}", standing_instance.blobs, SETTINGS) as node:
        yield node


@pytest.fixture
def client(node: ThreadedNode) -> Iterator[MpsClient]:
    """A connection to the node that does not wait long."""
    with MpsClient(node.url, tries=2, pause=0.01) as client:
        yield client
