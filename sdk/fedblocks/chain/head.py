"""The newest block that is known of: what is read of it is no older than what was read before."""

from __future__ import annotations

import threading

from fedblocks.chain.connection import Connection
from fedblocks.types import BlockNumber


class Head:
    """Asks for the newest block, and never goes back.

    Behind one address there may be several nodes, of which one is behind. It then refuses to read a block that another
    one has named, instead of saying what was; and what it names itself is not newer.

    Args:
        connection: to the node.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection, self._lock, self._newest = connection, threading.Lock(), BlockNumber(0)

    def __call__(self) -> BlockNumber:
        """Its number.

        Raises:
            NodeUnreachable, NodeRefused: if the node does not say.
        """
        named = self._connection.block_number()
        with self._lock:
            self._newest = max(self._newest, named)
            return self._newest
