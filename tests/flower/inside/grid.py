"""A grid without a network: nodes are apps of this process, messages pass through Flower's own serialisation.

Faults of a network are made here that cannot be made with real processes at a wanted moment: a node that comes back
under another number between two messages, a node that answers nonsense.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from flwr.app import Array, ArrayRecord, Context, Error, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp
from flwr.common.serde import recorddict_from_proto, recorddict_to_proto
from flwr.serverapp import Grid
from flwr.supercore.run import Run
from flwr.supercore.task_identity import TaskIdentity

from fedblocks.engines.flower import fedblocks_mod, wire
from tests.flower.app.tinyapp import task

Answer = Callable[[Message, Context], Message]


def tiny_app(*, mods=(fedblocks_mod,), trained: list[int] | None = None, change=lambda content: content) -> ClientApp:
    """The tiny app; it notes whom it has trained, and `change` may spoil what its training function returns."""
    app = ClientApp(mods=list(mods))

    @app.train()
    def train(message: Message, context: Context) -> Message:
        partition, epoch = context.node_config["partition-id"], message.content["config"]["server-round"]
        if trained is not None:
            trained.append(partition)
        arrays = {name: array.numpy() for name, array in message.content["arrays"].items()}
        assert list(arrays) == list(task.initial())
        result = task.train(arrays, partition, epoch)
        record = ArrayRecord({name: Array(array) for name, array in result.items()})
        metrics = MetricRecord({"num-examples": task.SAMPLES, "train_loss": 0.5})
        return Message(change(RecordDict({"arrays": record, "metrics": metrics})), reply_to=message)

    @app.evaluate()
    def evaluate(message: Message, context: Context) -> Message:
        return Message(RecordDict({"metrics": MetricRecord({"num-examples": 1, "seen": 7})}), reply_to=message)

    return app


@dataclass
class Node:
    """A node: what answers, and its configuration."""

    answer: Answer
    config: dict[str, str | int]

    @classmethod
    def of(cls, settings: Path, partition: int, answer: Answer | None = None) -> Node:
        return cls(answer or tiny_app(), {"partition-id": partition, "num-partitions": 4, "fedblocks": str(settings)})


@dataclass
class DirectGrid(Grid):
    """Nodes by number; `before` is called with each phase of an epoch before its messages are sent."""

    nodes: dict[int, Node]
    before: Callable[[str | None], None] = lambda phase: None
    replies: list[Message] = field(default_factory=list)
    """All that came back, in order."""
    _waiting: dict[str, Message] = field(default_factory=dict)
    _count: int = 0

    def __post_init__(self) -> None:
        TaskIdentity.run_id, TaskIdentity.node_id, TaskIdentity.task_id = 1, 1, 1

    def set_run(self, run: Run) -> None:
        raise NotImplementedError

    @property
    def run(self) -> Run:
        return Run.create_empty(1)

    def create_message(self, content, message_type, dst_node_id, group_id, ttl=None):
        return Message(content, dst_node_id, message_type, group_id=group_id, ttl=ttl)

    def get_node_ids(self) -> Iterable[int]:
        return list(self.nodes)

    def push_messages(self, messages: Iterable[Message]) -> Iterable[str]:
        messages = list(messages)
        if messages:
            record = messages[0].content.config_records.get(wire.RECORD)
            self.before(None if record is None else str(record["phase"]))
        numbers = []
        for message in messages:
            self._count += 1
            number = str(self._count)
            numbers.append(number)
            message.metadata.__dict__["_message_id"] = number
            if message.metadata.dst_node_id in self.nodes:
                self._waiting[number] = self._deliver(message)
                self.replies.append(self._waiting[number])
        return numbers

    def pull_messages(self, message_ids: Iterable[str]) -> Iterable[Message]:
        return [self._waiting.pop(number) for number in list(message_ids) if number in self._waiting]

    def send_and_receive(self, messages: Iterable[Message], *, timeout: float | None = None) -> Iterable[Message]:
        return self.pull_messages(self.push_messages(messages))

    def _deliver(self, message: Message) -> Message:
        node = self.nodes[message.metadata.dst_node_id]
        context = Context(1, message.metadata.dst_node_id, node.config, RecordDict(), {})
        sent = Message(content=_carried(message.content), metadata=message.metadata)
        try:
            reply = node.answer(sent, context)
        except Exception as error:  # as Flower does with an app
            return Message(Error(2, repr(error)), reply_to=sent)
        return reply if reply.has_error() else Message(_carried(reply.content), reply_to=sent)


def _carried(content: RecordDict) -> RecordDict:
    return recorddict_from_proto(recorddict_to_proto(content))
