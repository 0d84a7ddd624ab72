"""The client's side."""

from flwr.app import Array, ArrayRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp

from digitsapp import task
from fedblocks.engines.flower import fedblocks_mod

app = ClientApp(mods=[fedblocks_mod])


@app.train()
def train(message: Message, context: Context) -> Message:
    partition, epoch = context.node_config["partition-id"], message.content["config"]["server-round"]
    x, y = task.load(partition)
    arrays = {name: array.numpy() for name, array in message.content["arrays"].items()}
    trained = task.train(arrays, x, y, [context.run_config["seed"], 1 + partition, epoch])
    record = ArrayRecord({name: Array(array) for name, array in trained.items()})
    metrics = MetricRecord({"num-examples": len(y), "train_accuracy": task.accuracy(trained, x, y)})
    return Message(RecordDict({"arrays": record, "metrics": metrics}), reply_to=message)
