"""Answers demands for data all the time, in a thread of its own.

A demand that is not answered in time costs the bond, however busy the aggregator is with training; so this waits for
nothing else. It has its own view of the store, and only reads it.
"""

from __future__ import annotations

import threading
from types import TracebackType

from fedblocks.client import FedBlocks
from fedblocks.exceptions import FedBlocksError
from fedblocks.operating.mending import discard_damaged
from fedblocks.operating.talking import Talk
from fedblocks.rollup.blobs import BlobStore
from fedblocks.rollup.records import InstanceKey
from fedblocks.rollup.responder import Responder
from fedblocks.rollup.store import RollupStore


class Responding:
    """A responder's thread; it runs within a with statement.

    Args:
        fedblocks: connected with an account that signs.
        store_url, blobs: where the epochs are.
        key: the instance.
        seconds: between two looks at the chain.
        talk: told of answers, and of what keeps them from being given.
    """

    def __init__(
        self, fedblocks: FedBlocks, store_url: str, blobs: BlobStore, key: InstanceKey, seconds: float, talk: Talk
    ) -> None:
        self._store = RollupStore(store_url, read_only=True)
        self._responder = Responder(fedblocks.demands, self._store, blobs, key, fedblocks.deployment.first_block)
        self._blobs, self._seconds, self._talk, self._number = blobs, seconds, talk, key.instance_id
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"responder {self._number}", daemon=True)

    def __enter__(self) -> Responding:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join(30)
        self._store.close()

    def _run(self) -> None:
        while not self._over.is_set():
            self._look()
            self._over.wait(self._seconds)

    def _look(self) -> None:
        about = f"demands {self._number}"
        try:
            for answered in self._responder.poll():
                self._talk(
                    "demand answered",
                    instance=self._number,
                    epoch=answered.demand.epoch,
                    transaction=answered.receipt.transaction_hash,
                )
        except FedBlocksError as error:
            self._talk.once(about, "demands wait", "error", instance=self._number, why=error)
            discard_damaged(error, self._blobs, self._number, self._talk)
        except Exception as error:  # whatever it is, the bond hangs on the next look
            self._talk.once(about, "demands wait", "error", instance=self._number, why=repr(error))
