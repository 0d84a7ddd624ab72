"""The strategy: what a ServerApp calls instead of FedAvg.

It is started like any other strategy of Flower's and gives the same result. In between it is the aggregator of an
instance: an epoch's commitments are closed on chain before anyone is asked for an update, the epoch is executed in
integers, published, and posted. Federated evaluation, sampling of nodes for it and the averaging of metrics are
FedAvg's.

    >>> strategy = FedBlocksStrategy("aggregator.toml")  # doctest: +SKIP
    >>> result = strategy.start(grid, initial_arrays, evaluate_fn=global_evaluate)  # doctest: +SKIP
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from logging import INFO, WARNING
from pathlib import Path
from typing import Any

from flwr.app import ArrayRecord, ConfigRecord, Message, MetricRecord
from flwr.common.logger import log
from flwr.serverapp import Grid
from flwr.serverapp.strategy import FedAvg, Result

from fedblocks.aggregation.fixed_point import Int32Array
from fedblocks.aggregation.rules import Rules
from fedblocks.engines.flower.aggregator import Aggregator
from fedblocks.engines.flower.closing import Logged, close_instance
from fedblocks.engines.flower.engine import FlowerEngine
from fedblocks.engines.flower.settings import AggregatorSettings
from fedblocks.engines.flower.wire import AppModel
from fedblocks.exceptions import FedBlocksError
from fedblocks.training.aggregator import AggregatorLoop, EpochReport
from fedblocks.types import EpochNumber
from fedblocks.units import PARTS_PER_MILLION

EvaluateFn = Callable[[int, ArrayRecord], MetricRecord | None]
"""Takes the round and the global model, gives what was measured; as Flower has it."""

_ROUNDING = 1e-6
"""A float that stands for k/n is off by less than this in parts per million, and k/n itself, for n below a million, is
no nearer to the next whole one: so rounding down gives what integers would."""


class NothingMeasured(FedBlocksError, ValueError):
    """The function that evaluates the global model is missing, or gives no accuracy from 0 to 1."""

    def __init__(self, why: str) -> None:
        super().__init__(f"an epoch's header states the model's accuracy, but {why}")


class FedBlocksStrategy(FedAvg):  # type: ignore[misc]  # flwr is not where mypy runs
    """Runs an instance of FedBlocks over Flower.

    Args:
        settings: the aggregator's, or the path of their TOML file.
        rules: by what updates are judged; the instance has their hash on chain. The default ones when left out.
        accuracy_key: the metric of the server's evaluation that goes into the header, from 0 to 1.
        on_epoch: called with each epoch that was posted.
        options: FedAvg's, such as ``fraction_evaluate`` and ``min_available_nodes``. Every client of the cohort is
            asked to train in every epoch, so ``fraction_train`` is not among them.
    """

    def __init__(
        self,
        settings: AggregatorSettings | Path | str,
        *,
        rules: Rules | None = None,
        accuracy_key: str = "accuracy",
        on_epoch: Callable[[EpochReport], None] | None = None,
        **options: Any,
    ) -> None:
        if "fraction_train" in options:
            raise TypeError("fraction_train is not for FedBlocks: whoever has a seat is asked in every epoch")
        super().__init__(**options)
        self.settings = (
            settings if isinstance(settings, AggregatorSettings) else AggregatorSettings.load(Path(settings))
        )
        self.rules, self.accuracy_key, self.on_epoch = rules, accuracy_key, on_epoch
        self._arrays: ArrayRecord | None = None

    def summary(self) -> None:
        """Log what this strategy was configured with."""
        log(INFO, "\t├──> FedBlocks: instance %s on %s", self.settings.instance, self.settings.deployment)
        super().summary()

    def configure_train(
        self, server_round: int, arrays: ArrayRecord, config: ConfigRecord, grid: Grid
    ) -> Iterable[Message]:
        """The messages of an epoch, one to each connected node; a node without a seat in the cohort declines."""
        # All messages of an epoch are of one configuration; the next epoch's must not be the same object.
        messages: Iterable[Message] = super().configure_train(
            server_round, arrays, ConfigRecord(dict(config.items())), grid
        )
        return messages

    def aggregate_train(
        self, server_round: int, replies: Iterable[Message]
    ) -> tuple[ArrayRecord | None, MetricRecord | None]:
        """The model that the epoch has come to, and the mean of what the apps measured.

        The model is not made of the replies, which hold no update, but of what was revealed: the state transition
        function has done it already.
        """
        contents = [reply.content for reply in replies if reply.has_content()]
        metrics = None
        try:
            metrics = self.train_metrics_aggr_fn(contents, self.weighted_by_key) if contents else None
        except (KeyError, TypeError, ValueError, ArithmeticError, StopIteration) as error:
            # Metrics are what clients say; whatever one of them says must not stop an epoch.
            log(WARNING, "FedBlocks: the metrics of round %s cannot be averaged: %r", server_round, error)
        return self._arrays, metrics

    def start(
        self,
        grid: Grid,
        initial_arrays: ArrayRecord,
        num_rounds: int = 3,
        timeout: float = 3600,
        train_config: ConfigRecord | None = None,
        evaluate_config: ConfigRecord | None = None,
        evaluate_fn: EvaluateFn | None = None,
    ) -> Result:
        """Run epochs until the job's accuracy is reached, or `num_rounds` or the paid ones are used up.

        Called again, in another process if need be, it goes on after the last epoch that was executed. With ``settle``
        in the aggregator's settings it makes epochs final when they are due, and when nothing is left to train stays
        until the job is settled and the bond is back.

        Args:
            grid: of the ServerApp.
            initial_arrays: the model that the instance was opened with.
            num_rounds: the last epoch to run, counted from the instance's first.
            timeout: seconds to wait for clients, in each of an epoch's two exchanges.
            train_config, evaluate_config: for the apps, as in every strategy.
            evaluate_fn: measures the global model.

        Raises:
            NothingMeasured: if there is no such function, or it gives no accuracy.
            NotOpenYet, NotTheAggregator, NoBond, OtherRules, WrongGenesisModel: if the chain does not agree.
        """
        if evaluate_fn is None:
            raise NothingMeasured("there is no evaluate_fn")
        self.summary()
        model = AppModel.of(initial_arrays)
        told = Logged()
        aggregator = Aggregator.open(self.settings, model.vector(initial_arrays), self.rules, told)
        try:
            run = _Run(self, grid, model, aggregator, timeout, train_config, evaluate_config, evaluate_fn)
            run.play(num_rounds)
            if self.settings.settle and aggregator.is_trained:
                aggregator.sequencer.finish()
                close_instance(aggregator, told, max(1, self.settings.chain_seconds))
            return run.result
        finally:
            aggregator.close()


class _Run:
    """One call of :meth:`FedBlocksStrategy.start`."""

    def __init__(
        self,
        strategy: FedBlocksStrategy,
        grid: Grid,
        model: AppModel,
        aggregator: Aggregator,
        timeout: float,
        train_config: ConfigRecord | None,
        evaluate_config: ConfigRecord | None,
        evaluate_fn: EvaluateFn,
    ) -> None:
        self.strategy, self.grid, self.model, self.aggregator = strategy, grid, model, aggregator
        self.timeout, self.evaluate_fn = timeout, evaluate_fn
        self.evaluate_config = evaluate_config or ConfigRecord()
        self.result = Result(arrays=model.arrays(aggregator.sequencer.state.model))
        self.engine = FlowerEngine(
            grid,
            lambda task: strategy.configure_train(
                task.epoch, model.arrays(task.base), train_config or ConfigRecord(), grid
            ),
            arrays_key=strategy.arrayrecord_key,
            model=model,
            commits=lambda: aggregator.sequencer.commits,
            timeout=timeout,
        )

    def play(self, num_rounds: int) -> None:
        aggregator = self.aggregator
        if aggregator.is_trained:
            return
        loop = AggregatorLoop(
            aggregator.sequencer,
            aggregator.submitter,
            self.engine,
            self._measure,
            is_staked=aggregator.duties.is_staked,
            target_ppm=aggregator.job.target_accuracy_ppm,
            maximum_epochs=min(num_rounds, aggregator.maximum_epochs),
            responder=aggregator.responder,
        )
        for report in loop.run():
            self._posted(report)
            if self.strategy.settings.settle:
                aggregator.duties.finalize(aggregator.submitter)

    def _measure(self, vector: Int32Array) -> int:
        """The accuracy of a model in parts per million, rounded down."""
        epoch = EpochNumber(self.aggregator.sequencer.state.epoch + 1)
        arrays = self.model.arrays(vector)
        metrics = self.evaluate_fn(epoch, arrays)
        accuracy = _accuracy(metrics, self.strategy.accuracy_key)
        self.strategy._arrays = self.result.arrays = arrays
        if metrics is not None:
            self.result.evaluate_metrics_serverapp[epoch] = metrics
        return math.floor(accuracy * PARTS_PER_MILLION + _ROUNDING)

    def _posted(self, report: EpochReport) -> None:
        strategy, result, epoch = self.strategy, self.result, report.header.epoch
        log(INFO, "FedBlocks: epoch %s is posted, 0x%s, %s ppm", epoch, report.header.hash().hex(), report.accuracy_ppm)
        for client, why in report.refused.items():
            log(WARNING, "FedBlocks: %s is absent from epoch %s: %s", client, epoch, why)
        if strategy.on_epoch:
            strategy.on_epoch(report)
        _, trained = strategy.aggregate_train(epoch, self.engine.replies)
        if trained is not None:
            result.train_metrics_clientapp[epoch] = trained
        requests = strategy.configure_evaluate(epoch, result.arrays, self.evaluate_config, self.grid)
        replies = self.grid.send_and_receive(requests, timeout=self.timeout) if requests else []
        evaluated = strategy.aggregate_evaluate(epoch, replies)
        if evaluated is not None:
            result.evaluate_metrics_clientapp[epoch] = evaluated


def _accuracy(metrics: Mapping[str, Any] | None, key: str) -> float:
    value = None if metrics is None else metrics.get(key)
    if not isinstance(value, int | float) or not 0 <= value <= 1:
        raise NothingMeasured(f"the metric {key} of evaluate_fn is {value!r}; it must be from 0 to 1")
    return float(value)
