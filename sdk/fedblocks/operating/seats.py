"""Where a client has a seat: read from the chain, which alone decides it, and remembered so that it is read once."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from fedblocks.chain.connection import Block
from fedblocks.contracts.reward_manager import RewardManager
from fedblocks.storage.files import replace_file
from fedblocks.types import Address, InstanceId


class SeatFinder:
    """Goes through the cohorts of all instances, from where it stopped the last time.

    Args:
        rewards: the contract that instances are opened at.
        client: whose seats.
        path: where it is remembered how far this was.
    """

    def __init__(self, rewards: RewardManager, client: Address, path: Path) -> None:
        self._rewards, self._client, self._path = rewards, client, path
        self._place = f"{rewards.connection.chain_id}-{rewards.address}-{client}"
        self._seen, self._found = self._remembered()

    def look(self, block: Block = "latest") -> Sequence[InstanceId]:
        """The instances in which the client has a seat, by number."""
        newest = self._rewards.instance_count(block)
        if newest > self._seen:
            for number in range(self._seen + 1, newest + 1):
                if self._client in self._rewards.cohort(InstanceId(number), block):
                    self._found.append(number)
            self._seen = newest
            content = {"place": self._place, "seen": self._seen, "found": self._found}
            replace_file(self._path, json.dumps(content).encode(), private=True)
        return [InstanceId(number) for number in self._found]

    def _remembered(self) -> tuple[int, list[int]]:
        try:
            content = json.loads(self._path.read_bytes())
            if content["place"] == self._place:
                return int(content["seen"]), [int(each) for each in content["found"]]
        except (OSError, ValueError, KeyError, TypeError):
            pass  # it is only a memory: what is lost is read again
        return 0, []
