"""Flower's MultiKrum on the updates of cohort.py, in its own environment and process: what commitments.py compares to.

The messages hold what arrived over the network: each update as one serialised float32 array, and its samples.
"""

from __future__ import annotations

import logging
import sys
import time

import numpy as np
from cohort import SCALE, measure, updates
from flwr.app import Array, ArrayRecord, Message, Metadata, MetricRecord, RecordDict
from flwr.serverapp.strategy import MultiKrum


def main(n: int, d: int, repeats: int) -> None:
    logging.getLogger("flwr").setLevel(logging.ERROR)
    tolerated = (n - 1) // 3
    strategy = MultiKrum(num_malicious_nodes=tolerated, num_nodes_to_select=n - tolerated)
    messages = []
    for seat, update in enumerate(updates(n, d, epoch=2)):
        content = RecordDict(
            {
                "arrays": ArrayRecord({"update": Array(update.astype(np.float32) / np.float32(SCALE))}),
                "metrics": MetricRecord({"num-examples": 100}),
            }
        )
        metadata = Metadata(
            run_id=1,
            message_id=f"reply-{seat}",
            src_node_id=1 + seat,
            dst_node_id=0,
            reply_to_message_id=f"task-{seat}",
            group_id="",
            created_at=time.time(),
            ttl=3600.0,
            message_type="train",
        )
        messages.append(Message(content, metadata=metadata))

    def aggregate(_: int) -> None:
        arrays, _metrics = strategy.aggregate_train(2, messages)
        assert arrays is not None
        assert len(arrays["update"].data) > 4 * d

    measure(aggregate, repeats)


if __name__ == "__main__":
    main(*(int(each) for each in sys.argv[1:4]))
