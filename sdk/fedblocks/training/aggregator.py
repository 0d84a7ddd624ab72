"""The aggregator's loop: one epoch after the other, until the model is good enough or the epochs are used up.

An engine knows how to reach the clients (in this process, over Flower, over HTTP); the loop knows the order of things:
ask for commitments, close them on chain, only then ask for the updates, execute, publish, post. Verdicts become final
a challenge window later and are then carried out by whoever comes first, here by the aggregator itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Protocol

from fedblocks.aggregation.verdicts import Judgement
from fedblocks.chain.events import LogsIncomplete
from fedblocks.chain.transactions import Receipt
from fedblocks.rollup.actions import Reveal
from fedblocks.rollup.admission import ActionRefused
from fedblocks.rollup.header import Header
from fedblocks.rollup.responder import Responder
from fedblocks.rollup.sequencer import Evaluate, Sequencer
from fedblocks.rollup.submitter import Submitter
from fedblocks.training.client import CommitRound, RoundTask
from fedblocks.types import Address


class Engine(Protocol):
    """How the aggregator reaches its clients."""

    def commit(self, task: RoundTask, clients: Sequence[Address]) -> CommitRound:
        """Ask clients to train and commit; who does not answer is absent."""
        ...

    def reveal(self, task: RoundTask, clients: Sequence[Address]) -> list[Reveal]:
        """Ask those who committed to reveal."""
        ...


@dataclass(frozen=True, eq=False)
class EpochReport:
    """What an epoch came to.

    Attributes:
        header: as it was posted.
        judgement: figures and verdicts.
        closing: the receipt of the commitments' root; None if it was on chain already.
        posting: the receipt of the header; None if it was on chain already.
        refused: by client, why it counts as absent: it sent nothing, or nothing that could be accepted.
    """

    header: Header
    judgement: Judgement
    closing: Receipt | None
    posting: Receipt | None
    refused: Mapping[Address, str]

    @property
    def accuracy_ppm(self) -> int:
        return self.header.metric


@contextmanager
def _noting(refused: dict[Address, str], client: Address) -> Iterator[None]:
    """One client's mistake is that client's absence, and nobody else's business."""
    try:
        yield
    except ActionRefused as error:
        refused[client] = str(error)


class AggregatorLoop:
    """Runs the epochs of one instance.

    Args:
        sequencer: the instance's micro-rollup.
        submitter: posts to the chain.
        engine: reaches the clients.
        evaluate: measures the global model.
        is_staked: whether a client has an active stake; who has none could not be slashed, and takes no part.
        target_ppm: the accuracy at which to stop.
        maximum_epochs: how many epochs were paid for.
        responder: answers demands for data after every epoch; whoever goes without one has to answer them otherwise.
        on_closed: called when no commitment is admitted any more, before the chain is told so.
    """

    def __init__(
        self,
        sequencer: Sequencer,
        submitter: Submitter,
        engine: Engine,
        evaluate: Evaluate,
        *,
        is_staked: Callable[[Address], bool],
        target_ppm: int,
        maximum_epochs: int,
        responder: Responder | None = None,
        on_closed: Callable[[RoundTask], None] | None = None,
    ) -> None:
        self.sequencer, self.submitter = sequencer, submitter
        self._engine, self._evaluate, self._is_staked = engine, evaluate, is_staked
        self._target, self._maximum, self._responder = target_ppm, maximum_epochs, responder
        self._on_closed = on_closed

    def run(self) -> Iterator[EpochReport]:
        """Run epochs until the target is reached or none is left; yields each when it has been posted."""
        while self.sequencer.state.epoch < self._maximum:
            report = self.run_epoch()
            yield report
            if report.accuracy_ppm >= self._target:
                return

    def run_epoch(self) -> EpochReport:
        """Run the next epoch from commitments to the posted header."""
        sequencer, state = self.sequencer, self.sequencer.state
        context = sequencer.context
        clients = [client for seat, client in enumerate(context.cohort) if seat not in state.slashable]
        task = RoundTask(
            context=context,
            epoch=sequencer.next_epoch,
            attempt=sequencer.attempt,
            base=state.model,
            base_root=state.model_root,
            last_delta=state.last_delta,
        )
        answer = self._engine.commit(task, clients)
        refused: dict[Address, str] = dict(answer.absent)
        for commit in answer.commits:
            with _noting(refused, commit.client):
                sequencer.accept_commit(commit.action, commit.signature)
        # Stakes are asked for last, right before the commitments are closed on chain: from then on the unbonding period
        # covers the verdict.
        root = sequencer.close_commits(self._is_staked)
        counted = {context.cohort[seat] for seat in sequencer.commits}
        for commit in answer.commits:
            if commit.client not in counted:
                refused.setdefault(commit.client, "has no active stake")
        if self._on_closed is not None:
            self._on_closed(task)
        closing = self.submitter.close_commits(task.epoch, task.attempt, root)
        committed = [context.cohort[seat] for seat in sorted(sequencer.commits)]
        for reveal in self._engine.reveal(task, committed):
            with _noting(refused, context.cohort[reveal.seat]):
                sequencer.accept_reveal(reveal)
        executed = sequencer.execute(self._evaluate)
        posting = self.submitter.submit(executed.header)
        if self._responder is not None:
            # The epoch is posted, whatever a node that is behind leaves out of its logs: the next poll reads it again.
            with suppress(LogsIncomplete):
                self._responder.poll()
        return EpochReport(executed.header, executed.transition.judgement, closing, posting, refused)
