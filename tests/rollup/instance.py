"""A sequencer on a real SQLite file and a real folder of blobs, and rounds for it."""

from pathlib import Path

from fedblocks.rollup.blobs import BlobStore
from fedblocks.rollup.sequencer import ExecutedEpoch, Sequencer, instance_key
from fedblocks.rollup.store import RollupStore
from tests.rollup.cohort import SmallCohort, signer

AGGREGATOR = signer(100)
USER = signer(101)


class StoredInstance:
    def __init__(self, folder: Path, cohort: SmallCohort | None = None) -> None:
        self.folder = folder
        self.cohort = cohort or SmallCohort()
        self.key = instance_key(self.cohort.context)
        self.database = folder / "rollup.sqlite"
        self.store = RollupStore(f"sqlite:///{self.database}")
        self.blobs = BlobStore(f"file://{folder / 'blobs'}")
        self.sequencer = Sequencer.create(
            self.cohort.context,
            self.cohort.model,
            self.store,
            self.blobs,
            AGGREGATOR,
            user=USER.address,
            aggregator=AGGREGATOR.address,
            max_epochs=10,
        )

    def round(self, seats=None):
        """What the cohort would send in the epoch under way: by seat, the signed commitment and what opens it."""
        seats = range(len(self.cohort.signers)) if seats is None else seats
        state, attempt = self.sequencer.state, self.sequencer.attempt
        return {seat: self.cohort.commit(state, seat, self.cohort.update(), attempt=attempt) for seat in seats}

    def run_epoch(self, seats=None, metric: int = 500_000) -> ExecutedEpoch:
        parts = self.round(seats)
        for action, signature, _ in parts.values():
            self.sequencer.accept_commit(action, signature)
        self.sequencer.close_commits()
        for _, _, reveal in parts.values():
            self.sequencer.accept_reveal(reveal)
        return self.sequencer.execute(lambda model: metric)

    def killed(self) -> Sequencer:
        """What a process that was started after a kill makes of what is on disk."""
        self.store.close()
        self.store = RollupStore(f"sqlite:///{self.database}")
        return Sequencer.resume(self.store, self.blobs, self.key, AGGREGATOR)
