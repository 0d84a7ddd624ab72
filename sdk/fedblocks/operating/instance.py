"""An aggregator's work in one instance, from its bond to its bond: epochs, finality, settlement.

The process may be killed anywhere in between. Whatever goes wrong on the way that time can heal (a node or a database
that is away, a full disk, gas that is too dear) leads to the same place as a kill: the instance is opened again, from
what is stored and what is on chain.
"""

from __future__ import annotations

import time

from fedblocks.chain.signers import Signer
from fedblocks.client import FedBlocks
from fedblocks.engines.intake import IntakeEngine, Patience, publish_commits
from fedblocks.operating.config import AggregatorConfig, InstanceConfig
from fedblocks.operating.mending import discard_damaged
from fedblocks.operating.opening import Opened, deposit_bond, open_instance
from fedblocks.operating.responding import Responding
from fedblocks.operating.talking import Stopping, Talk
from fedblocks.rollup.blobs import BlobStore
from fedblocks.rollup.duties import HEALED_BY_TIME, LOST, ChainDuties
from fedblocks.rollup.progress import Phase
from fedblocks.training.aggregator import AggregatorLoop, EpochReport
from fedblocks.types import InstanceId

LONGEST_PAUSE = 60.0


class _Over(Exception):
    """The instance was stopped while an epoch was waiting for commitments."""


class InstanceRun:
    """One instance.

    Args:
        config: the aggregator's.
        wanted: which instance, and how.
        fedblocks: connected with the aggregator's account and its outbox.
        signer: the account.
        talk: told of what happens.
        stopping: whether to go on.
    """

    def __init__(
        self,
        config: AggregatorConfig,
        wanted: InstanceConfig,
        fedblocks: FedBlocks,
        signer: Signer,
        talk: Talk,
        stopping: Stopping,
    ) -> None:
        self._config, self._wanted, self._fedblocks, self._signer = config, wanted, fedblocks, signer
        self._talk, self._stopping = talk, stopping
        self.number = InstanceId(wanted.instance)
        self._duties = ChainDuties(
            fedblocks.chain,
            fedblocks.rewards,
            fedblocks.staking,
            fedblocks.slashing,
            signer.address,
            self.number,
            talk,
        )

    def run(self) -> None:
        """Work until the instance is settled.

        Raises:
            Stopped: if the process is to stop.
            FedBlocksError: what no time heals: another aggregator, no bond, a store that does not replay.
        """
        pause = self._config.poll_seconds
        while True:
            began = time.monotonic()
            try:
                self._work()
                return
            except HEALED_BY_TIME as error:
                if time.monotonic() - began > 2 * pause:
                    pause = self._config.poll_seconds  # it worked for a while: this is something new
                name, level = type(error).__name__, "error" if isinstance(error, LOST) else "warning"
                self._talk.once(f"run {self.number}", "waiting", level, instance=self.number, kind=name, why=error)
                discard_damaged(error, BlobStore(self._config.data), self.number, self._talk)
            self._stopping.rest(pause)
            pause = min(LONGEST_PAUSE, 2 * pause)

    def _work(self) -> None:
        if self._duties.is_closed:
            self._close()
            return
        deposit_bond(self._fedblocks, self._signer, self.number, self._duties.head(), wanted=self._config.deposit_bond)
        head = self._duties.head()
        with open_instance(self._config, self._wanted, self._fedblocks, self._signer, head) as opened:
            self._talk("opened", instance=self.number, epoch=opened.sequencer.next_epoch, d=opened.context.d)
            with Responding(
                self._fedblocks,
                self._config.store,
                opened.blobs,
                opened.key,
                self._config.chain_seconds,
                self._talk,
            ):
                self._train(opened)
                self._wait_until_closed(opened)
        self._close()

    def _train(self, opened: Opened) -> None:
        loop = self._loop(opened)
        try:
            while not self._is_trained(opened):
                self._tell(loop.run_epoch())
        except _Over:
            pass
        opened.sequencer.finish()

    def _is_trained(self, opened: Opened) -> bool:
        """Whether no further epoch is wanted, or allowed."""
        done = opened.sequencer.state.epoch
        if done >= opened.maximum_epochs:
            return True
        last = opened.store.get_epoch(opened.key, done) if done else None
        if last is not None and last.header.metric >= opened.job.target_accuracy_ppm:
            return True
        return self._duties.is_stopped and not self._duties.is_held_to_an_epoch

    def _loop(self, opened: Opened) -> AggregatorLoop:
        config = self._config
        look = self._stopping.every(config.chain_seconds, lambda: self._look(opened))

        def rest() -> None:
            look()
            self._stopping.rest(config.poll_seconds)

        engine = IntakeEngine(
            opened.store,
            Patience(config.commit_seconds, config.reveal_seconds, config.minimum_commits),
            is_staked=self._duties.is_staked,
            rest=rest,
        )
        return AggregatorLoop(
            opened.sequencer,
            opened.submitter,
            engine,
            opened.evaluate,
            is_staked=self._duties.is_staked,
            target_ppm=opened.job.target_accuracy_ppm,
            maximum_epochs=opened.maximum_epochs,
            on_closed=lambda _: self._closed(opened),
        )

    def _closed(self, opened: Opened) -> None:
        root = publish_commits(opened.blobs, opened.sequencer)
        self._talk(
            "commitments closed",
            instance=self.number,
            epoch=opened.sequencer.next_epoch,
            count=len(opened.sequencer.commits),
            root=root,
        )

    def _look(self, opened: Opened) -> None:
        """What is due while clients are waited for."""
        opened.store.renew_writer(opened.key)
        self._duties.finalize(opened.submitter)
        if self._config.slash:
            self._duties.slash()
        if opened.sequencer.phase is Phase.OPEN and self._duties.is_stopped:
            raise _Over

    def _wait_until_closed(self, opened: Opened) -> None:
        while True:
            opened.store.renew_writer(opened.key)
            self._duties.finalize(opened.submitter)
            if self._duties.is_closed:
                return
            if self._config.slash:
                self._duties.slash()
            self._duties.stop_when_silent()
            self._talk.once(f"closing {self.number}", "waiting to close", "info", instance=self.number)
            self._stopping.rest(self._config.chain_seconds)

    def _close(self) -> None:
        if self._config.slash:
            self._duties.slash()
        if self._config.settle:
            self._duties.settle()
        if self._config.withdraw_bond:
            self._duties.withdraw_bond()
        self._talk("finished", instance=self.number)

    def _tell(self, report: EpochReport) -> None:
        header = report.header
        self._talk(
            "posted",
            instance=self.number,
            epoch=header.epoch,
            attempt=header.attempt,
            accuracy_ppm=header.metric,
            header=header.hash(),
            participants=header.participants.bit_count(),
            excluded=header.excluded.bit_count(),
            transaction=report.posting.transaction_hash if report.posting else None,
        )
        for client, why in report.refused.items():
            self._talk("absent", "warning", instance=self.number, epoch=header.epoch, client=client, why=why)
