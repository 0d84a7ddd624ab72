"""The demo's watcher: works every epoch out again, and overturns what does not follow."""

from __future__ import annotations

from fedblocks.contracts.model_parameter_chain import BondSlashed, EpochOverturned
from fedblocks.demo.network import Stage
from fedblocks.demo.outcome import Overturned
from fedblocks.rollup.blobs import BlobStore
from fedblocks.rollup.fraud.cases import FraudCase
from fedblocks.rollup.watcher import Happening, Report, Watcher
from fedblocks.training.jobs import Job
from fedblocks.types import Wei


class DemoWatcher:
    """Looks at every epoch as soon as it is posted.

    Args:
        stage: the chain, with the watcher's account.
        job: what is trained.
        blobs: where the aggregator publishes.
    """

    def __init__(self, stage: Stage, job: Job, blobs: BlobStore) -> None:
        self._stage = stage
        self._reports: list[Report] = []
        self._watcher = Watcher(
            stage.watcher.watched,
            blobs,
            stage.watcher.deployment.first_block,
            report=self._reports.append,
            genesis={job.instance_id: job.genesis},
        )

    @property
    def right(self) -> int:
        """How many epochs were found right."""
        return sum(report.what is Happening.RIGHT for report in self._reports)

    def look(self) -> tuple[list[Report], Overturned | None]:
        """What is found, and the epoch that was overturned, if one was."""
        before = len(self._reports)
        self._watcher.poll()
        if any(report.what is Happening.DEMANDED for report in self._reports[before:]):
            # Nobody answers: the aggregator of this demo withholds what it has.
            self._stage.node.increase_time(self._stage.user.demands.answer_period() + 1)
            self._watcher.poll()
        reports = self._reports[before:]
        proofs = [report for report in reports if report.what is Happening.CHALLENGED]
        return reports, self._overturned(proofs[0], reports) if proofs else None

    def _overturned(self, proof: Report, reports: list[Report]) -> Overturned:
        assert proof.transaction is not None, "it was sent"
        connection = self._stage.watcher.connection
        receipt = connection.web3.eth.get_transaction_receipt(proof.transaction)  # type: ignore[arg-type]
        events = connection.events.decode(receipt["logs"])
        overturned = next(event for event in events if isinstance(event, EpochOverturned))
        bond = next(event for event in events if isinstance(event, BondSlashed))
        faults = [report.text for report in reports if report.what in (Happening.FAULT, Happening.MISSING)]
        return Overturned(
            epoch=overturned.epoch,
            case=FraudCase(overturned.fraud_case),
            found=faults[0].partition(": ")[2] or faults[0],
            transaction=proof.transaction,
            gas=int(receipt["gasUsed"]),
            bond=Wei(bond.amount),
            reward=Wei(bond.reward),
        )
