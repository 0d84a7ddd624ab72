"""An aggregator's process: one key, one outbox, and every instance that its operator has written down.

Actions come in through nodes (``fedblocks node``), which share the store with this process and may be many, on other
machines. This process executes, and it alone sends transactions. Each instance runs in a thread of its own: one that
waits for its clients must not let another one's deadline pass.
"""

from __future__ import annotations

import threading

import torch

from fedblocks.chain.connection import Connection
from fedblocks.chain.fees import FeePolicy
from fedblocks.chain.outbox import Outbox
from fedblocks.chain.outbox_records import Progress, Step
from fedblocks.chain.outbox_steps import OutboxSettings
from fedblocks.chain.signers import Signer
from fedblocks.chain.transactions import TransactionSender
from fedblocks.client import FedBlocks
from fedblocks.deployments import Deployment
from fedblocks.operating.config import AggregatorConfig
from fedblocks.operating.instance import InstanceRun
from fedblocks.operating.talking import Stopped, Stopping, Talk
from fedblocks.types import Wei

GWEI = 10**9
TAKE_OVER_SECONDS = 30.0
"""How long to wait for a former self on another machine to be given up for dead."""

_TOLD = {Step.NODE_LOST: "warning", Step.DATABASE_LOST: "warning", Step.REFUSED: "error"}


class AggregatorProcess:
    """One aggregator.

    Args:
        config: what its operator has decided.
        signer: its account.
        talk: told of what happens.
        stopping: whether to go on.
    """

    def __init__(self, config: AggregatorConfig, signer: Signer, talk: Talk, stopping: Stopping) -> None:
        self._config, self._signer, self._talk, self._stopping = config, signer, talk, stopping
        self._failures: list[Exception] = []

    def run(self) -> None:
        """Run all instances until they are settled, or until told to stop.

        Raises:
            LeaseTaken: if another process sends for the account.
            FedBlocksError: the first instance's error that no time heals, when the others have ended.
        """
        config = self._config
        torch.set_num_threads(config.threads)
        deployment = Deployment.load(config.chain.deployment)
        connection = Connection.open(config.chain.url, chain_id=deployment.chain_id, timeout=config.chain.timeout)
        with Outbox.open(
            config.outbox or config.store,
            connection,
            self._signer,
            self._settings(),
            self._heard,
            wait=TAKE_OVER_SECONDS,
        ) as outbox:
            sender = TransactionSender(connection, self._signer, outbox=outbox)
            fedblocks = FedBlocks(connection, deployment, sender)
            fedblocks.check()
            self._talk(
                "started", aggregator=self._signer.address, instances=[each.instance for each in config.instance]
            )
            outbox.settle(timeout=config.chain.timeout)
            self._run_all(fedblocks)
        if self._failures:
            raise self._failures[0]

    def _run_all(self, fedblocks: FedBlocks) -> None:
        runs = [
            InstanceRun(self._config, wanted, fedblocks, self._signer, self._talk, self._stopping)
            for wanted in self._config.instance
        ]
        threads = [threading.Thread(target=self._run_one, args=(run,), name=f"instance {run.number}") for run in runs]
        for thread in threads:
            thread.start()
        for thread in threads:
            # A signal is handled between two looks, and not while one waits for ever.
            while thread.is_alive():
                thread.join(0.2)
        if self._stopping.asked:
            self._talk("stopping")

    def _run_one(self, run: InstanceRun) -> None:
        try:
            run.run()
        except Stopped:
            pass
        except Exception as error:
            self._failures.append(error)
            self._talk("failed", "error", instance=run.number, kind=type(error).__name__, why=error)

    def _settings(self) -> OutboxSettings:
        price = self._config.max_fee_gwei
        fees = FeePolicy() if price is None else FeePolicy(max_price=Wei(int(price * GWEI)))
        return OutboxSettings(fees=fees, confirmations=self._config.chain.confirmations)

    def _heard(self, progress: Progress) -> None:
        level = _TOLD.get(progress.step)
        if level is not None:
            self._talk.once(
                f"sending {progress.meaning}", "sending", level, meaning=progress.meaning, why=progress.text
            )
