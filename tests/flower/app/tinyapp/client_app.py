"""The client's side."""

import os
import time
from pathlib import Path

from flwr.app import Array, ArrayRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp

from fedblocks.engines.flower import fedblocks_mod
from tinyapp import task

app = ClientApp(mods=[fedblocks_mod])


@app.train()
def train(message: Message, context: Context) -> Message:
    partition, epoch = context.node_config["partition-id"], message.content["config"]["server-round"]
    _stall(partition, epoch)
    arrays = {name: array.numpy() for name, array in message.content["arrays"].items()}
    trained = task.train(arrays, partition, epoch)
    x, y = task.data_of(partition)
    metrics = MetricRecord({"num-examples": len(y), "train_accuracy": task.accuracy(trained, x, y)})
    record = ArrayRecord({name: Array(array) for name, array in trained.items()})
    return Message(RecordDict({"arrays": record, "metrics": metrics}), reply_to=message)


@app.evaluate()
def evaluate(message: Message, context: Context) -> Message:
    arrays = {name: array.numpy() for name, array in message.content["arrays"].items()}
    x, y = task.data_of(context.node_config["partition-id"])
    metrics = MetricRecord({"num-examples": len(y), "accuracy": task.accuracy(arrays, x, y)})
    return Message(RecordDict({"metrics": metrics}), reply_to=message)


def _stall(partition: int, epoch: int) -> None:
    """Say that training has begun and wait, where a test has asked for it, to be killed in the middle."""
    if folder := os.environ.get("TINYAPP_STALL"):
        asked = Path(folder) / f"{partition}-{epoch}"
        if asked.exists():
            asked.rename(asked.with_name(asked.name + ".begun"))
            time.sleep(600)
