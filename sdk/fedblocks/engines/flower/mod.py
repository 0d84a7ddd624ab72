"""The mod: what turns a Flower client into a FedBlocks client, around the app's own training function.

Asked to commit, it checks the task against the chain, hands the base model to the app as tensors, takes what the app
returns, quantises the difference, writes it down and answers with a signed commitment. The tensors themselves stay
where they are, and so does every other array that the app returns. Asked to reveal, it looks at the chain, and answers
with the update only if the client's commitment is among those that are closed there.

Asked the same again, after a restart of either side, it answers the same: it does not train twice.
"""

from __future__ import annotations

from functools import lru_cache
from logging import INFO, WARNING

import numpy as np
from flwr.app import Context, Error, Message, MessageType, RecordDict
from flwr.clientapp.typing import ClientAppCallable
from flwr.common.constant import ErrorCode
from flwr.common.logger import log

from fedblocks.aggregation.fixed_point import Int32Array
from fedblocks.engines.client_chain import ClientChain
from fedblocks.engines.flower import wire
from fedblocks.engines.flower.settings import ClientSettings
from fedblocks.engines.flower.wire import AppModel, Malformed, Phase, Request
from fedblocks.engines.notebook import Notebook, Page
from fedblocks.exceptions import FedBlocksError
from fedblocks.rollup.state import InstanceContext
from fedblocks.rollup.vectors import vector_root
from fedblocks.training.client import FederatedClient, NothingCommitted, RoundTask
from fedblocks.training.update import LocalUpdate

ARRAYS = "arrays"
"""The name under which the app finds the model's tensors, as in Flower's own strategies."""

SAMPLES = "num-examples"
"""The metric with which an app says how many samples it has, as in Flower's own strategies."""


class NotFedBlocks(FedBlocksError, PermissionError):
    """A server asks for training without FedBlocks' strategy: it would get updates that nobody has committed to."""

    def __init__(self) -> None:
        super().__init__("this client trains for a FedBlocks strategy only; the server has another one")


class AppFailed(FedBlocksError, RuntimeError):
    """The app's own function did not return what an update can be made of."""

    def __init__(self, why: str) -> None:
        super().__init__(f"the app's training function {why}")


def fedblocks_mod(message: Message, context: Context, call_next: ClientAppCallable) -> Message:
    """Make training an epoch of FedBlocks; ``ClientApp(mods=[fedblocks_mod])``.

    The app's function for ``train`` finds the model under ``arrays`` and its configuration under ``config``, and
    returns the trained tensors under the same names, with a metric ``num-examples``, as it does for Flower's FedAvg.
    Other messages, such as those to evaluate, pass unchanged.
    """
    if message.metadata.message_type.partition(".")[0] != MessageType.TRAIN:
        return call_next(message, context)
    try:
        request = wire.request_of(message.content)
        if request is None:
            raise NotFedBlocks
        client = _client(ClientSettings.of_node(context.node_config))
        content = client.answer(request, message, context, call_next)
    except FedBlocksError as error:
        # The sentence is for the aggregator too; it never holds more than hashes, numbers and addresses.
        log(WARNING, "FedBlocks: %s", error)
        return Message(Error(ErrorCode.MOD_FAILED_PRECONDITION, str(error)), reply_to=message)
    return Message(content, reply_to=message)


class _Client:
    """A client that this process acts for."""

    def __init__(self, settings: ClientSettings) -> None:
        self._signer = settings.signer()
        self._notebook = Notebook(settings.state, self._signer.address)
        self._chain = ClientChain.open(settings)

    def answer(self, request: Request, message: Message, context: Context, call_next: ClientAppCallable) -> RecordDict:
        self._chain.check_place(request.chain_id, request.settlement)
        if request.phase is Phase.REVEAL:
            return self._reveal(request)
        instance = self._chain.context(request.instance_id, request.rules)
        instance.seat_of(self._signer.address)
        page = self._notebook.read(instance, request.epoch, request.attempt)
        if page is None:
            page = self._commit(instance, request, message, context, call_next)
        log(INFO, "FedBlocks: committed to epoch %s of instance %s", request.epoch, request.instance_id)
        return wire.commit_reply(page)

    def _commit(
        self,
        instance: InstanceContext,
        request: Request,
        message: Message,
        context: Context,
        call_next: ClientAppCallable,
    ) -> Page:
        model = wire.app_model(message.content, request)
        if model.layout.d != instance.d:
            raise Malformed(f"its layout has {model.layout.d} values, the instance's model has {instance.d}")
        base = wire.base_model(message.content, instance.d)
        root = vector_root(base)
        self._chain.check_task(instance, request.epoch, request.attempt, root)
        task = RoundTask(instance, request.epoch, request.attempt, base, root, np.zeros(0, dtype=np.int16))
        app = _App(model, message, context, call_next)
        client = FederatedClient(self._signer, app, self._notebook.secret())
        trained = client.train(task)
        commit = client.commit(task, trained.update, trained.samples)
        return self._notebook.write(instance, Page(commit, client.reveal(task), app.metrics))

    def _reveal(self, request: Request) -> RecordDict:
        instance = self._chain.place(request.instance_id)
        page = self._notebook.read(instance, request.epoch, request.attempt)
        if page is None:
            raise NothingCommitted(self._signer.address, request.epoch, request.attempt)
        self._chain.check_closed(instance, page.commit, request.entries)
        log(INFO, "FedBlocks: revealed epoch %s of instance %s", request.epoch, request.instance_id)
        return wire.reveal_reply(page.reveal)


@lru_cache(maxsize=64)
def _client(settings: ClientSettings) -> _Client:
    # A simulation has many clients in one process and many messages for each.
    return _Client(settings)


class _App:
    """The app's own training function, as a trainer of FedBlocks."""

    def __init__(self, model: AppModel, message: Message, context: Context, call_next: ClientAppCallable) -> None:
        self._model, self._message, self._context, self._call_next = model, message, context, call_next
        self.metrics: dict[str, int | float] = {}

    def train(self, base: Int32Array, epoch: int) -> LocalUpdate:
        """Have the app train from the base model."""
        message = self._message
        message.content = wire.app_content(message.content, self._model.arrays(base), ARRAYS)
        reply = self._call_next(message, self._context)
        if reply.has_error():
            raise AppFailed(f"answered with an error: {reply.error.reason}")
        records = reply.content
        if len(records.array_records) != 1 or len(records.metric_records) != 1:
            raise AppFailed("must return one ArrayRecord and one MetricRecord, as for FedAvg")
        (arrays,), (metrics,) = records.array_records.values(), records.metric_records.values()
        self.metrics = {name: value for name, value in metrics.items() if isinstance(value, int | float)}
        samples = self.metrics.get(SAMPLES, 0)
        if not float(samples).is_integer() or samples < 1:
            raise AppFailed(f"must return a metric {SAMPLES}, an integer of at least 1, not {samples}")
        layout = self._model.layout
        trained = {tensor.name: arrays[tensor.name].numpy() for tensor in layout.tensors if tensor.name in arrays}
        return LocalUpdate(layout.update(trained, base), int(samples), float(self.metrics.get("train_loss", 0)), 0)
