"""What other libraries take for the updates of cohort.py, each in its own environment, alone in a process.

The values are those that FedBlocks gets, as float32, in the form in which the library likes them best: one tensor where
it takes one. Distances are worked out again outside the measurement and are printed with the times, for their ranking.
"""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from cohort import SCALE, Run, measure, stored_updates
from numpy.typing import NDArray


def floats(n: int, d: int) -> NDArray[np.float32]:
    """float32[n, d]: what the integers stand for."""
    result = np.empty((n, d), dtype=np.float32)
    for row, own in zip(result, stored_updates(n, d, epoch=2), strict=True):
        np.divide(own, np.float32(SCALE), out=row, dtype=np.float32)
    return result


def tolerated(n: int) -> int:
    return (n - 1) // 3


def _tensor(n: int, d: int) -> Any:
    import torch

    torch.set_num_threads(len(os.sched_getaffinity(0)))
    return torch.from_numpy(floats(n, d))


def torch_gram(n: int, d: int) -> tuple[Run, Callable[[], Any]]:
    tensor = _tensor(n, d)
    return lambda _: tensor @ tensor.T, lambda: _from_gram((tensor @ tensor.T).numpy())


def byzfl(n: int, d: int) -> tuple[Run, Callable[[], Any]]:
    from byzfl import Krum
    from byzfl.utils import torch_tools

    tensor, krum = _tensor(n, d), Krum(tolerated(n))
    return lambda _: krum(tensor), lambda: (torch_tools.cdist(tensor, tensor) ** 2).numpy()


def byzpy(n: int, d: int) -> tuple[Run, Callable[[], Any]]:
    from byzpy.aggregators.geometric_wise import krum as module

    tensor = _tensor(n, d)
    rows, krum = list(tensor), module.MultiKrum(f=tolerated(n), q=1)
    return lambda _: krum.aggregate(rows), lambda: module._pairwise_sq_dists(tensor).numpy()


def flwr(n: int, d: int) -> tuple[Run, Callable[[], Any]]:
    from flwr.app import Array, ArrayRecord
    from flwr.serverapp.strategy.multikrum import compute_distances

    records = [ArrayRecord({"update": Array(row)}) for row in floats(n, d)]
    return lambda _: compute_distances(records), lambda: compute_distances(records)


def multikrum(n: int, d: int) -> tuple[Run, None]:
    """Flower's whole aggregation of messages that have arrived, each with one serialised array and its samples."""
    from flwr.app import Array, ArrayRecord, Message, Metadata, MetricRecord, RecordDict
    from flwr.serverapp.strategy import MultiKrum

    logging.getLogger("flwr").setLevel(logging.ERROR)
    strategy = MultiKrum(num_malicious_nodes=tolerated(n), num_nodes_to_select=n - tolerated(n))
    messages = []
    for seat, update in enumerate(stored_updates(n, d, epoch=2)):
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

    return aggregate, None


def _from_gram(gram: NDArray[Any]) -> NDArray[Any]:
    norms = np.diagonal(gram)
    return norms[:, np.newaxis] + norms - 2 * gram


WORKERS: dict[str, Callable[[int, int], tuple[Run, Callable[[], Any] | None]]] = {
    "torch": torch_gram,
    "byzfl": byzfl,
    "byzpy": byzpy,
    "flwr": flwr,
    "multikrum": multikrum,
}


def main() -> None:
    method, (n, d, repeats) = sys.argv[2], (int(each) for each in sys.argv[3:6])
    run, distances = WORKERS[method](n, d)
    measure(run, repeats, said=lambda: {} if distances is None else {"distances": distances().tolist()})


if __name__ == "__main__":
    main()
