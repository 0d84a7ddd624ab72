"""A client's process: takes part in every instance in which its account has a seat, for as long as it runs.

It believes its own node about the chain, and the aggregator's service about nothing that can be checked. What is
refused is said once, and looked at again: a service that lied may be repaired, and a node that lagged catches up.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cached_property, partial
from pathlib import Path

from pydantic import ValidationError

from fedblocks.chain.connection import Block, Connection, NodeRefused, NodeUnreachable
from fedblocks.chain.outbox import Outbox
from fedblocks.chain.outbox_records import DoneByOthers
from fedblocks.chain.signers import Signer
from fedblocks.chain.transactions import TransactionSender
from fedblocks.client import FedBlocks
from fedblocks.config import redact
from fedblocks.deployments import Deployment
from fedblocks.engines.client_chain import ClientChain, NotYetOnChain
from fedblocks.engines.notebook import Notebook
from fedblocks.exceptions import FedBlocksError
from fedblocks.operating.config import ClientConfig
from fedblocks.operating.holding import hold_folder
from fedblocks.operating.joining import join
from fedblocks.operating.local_data import Samples, training_data
from fedblocks.operating.records import Records
from fedblocks.operating.seats import SeatFinder
from fedblocks.operating.taking_part import TakingPart
from fedblocks.operating.talking import Stopped, Stopping, Talk
from fedblocks.service.client import MpsClient, NodeAway, NodeProblem
from fedblocks.training.profile import profile_of, sign_profile
from fedblocks.types import InstanceId, Timestamp, Wei

FOLLOW_EVERY = 5
"""How many polls pass between two looks for new seats, and at what became of epochs."""


class ClientProcess:
    """One client.

    Args:
        config: what its operator has decided.
        signer: its account.
        talk: told of what happens.
        stopping: whether to go on.
    """

    def __init__(self, config: ClientConfig, signer: Signer, talk: Talk, stopping: Stopping) -> None:
        self._config, self._signer, self._talk, self._stopping = config, signer, talk, stopping
        deployment = Deployment.load(config.chain.deployment)
        connection = Connection.open(config.chain.url, chain_id=deployment.chain_id, timeout=config.chain.timeout)
        self.fedblocks = FedBlocks(connection, deployment, TransactionSender(connection, address=signer.address))
        self.fedblocks.check()
        self._chain = ClientChain(connection, deployment, config.chain.confirmations, patience=0)
        self._service = MpsClient(config.service, sleep=stopping.rest)
        self._folder = hold_folder(config.state)
        self._notebook = Notebook(config.state, signer.address)
        self._records = Records(config.state / signer.address.lower() / "records")
        self._seats = SeatFinder(self.fedblocks.rewards, signer.address, config.state / "seats.json")
        self._parts: dict[InstanceId, TakingPart] = {}
        self._wanted: set[InstanceId] = set()
        self._done: set[InstanceId] = set()
        self._published = not config.publish_profile
        seconds = FOLLOW_EVERY * config.poll_seconds
        self._look = stopping.every(seconds, lambda: self._guarded("seats", self._look_for_seats))
        self._follow = stopping.every(seconds, self._follow_all)

    @cached_property
    def data(self) -> Samples:
        """The client's data; read when they are first needed."""
        return training_data(self._config.data)

    def run(self, *, until_done: bool = False) -> None:
        """Take part until told to stop.

        Args:
            until_done: end as well when every instance with a seat is closed, and there is one.
        """
        self._talk(
            "started", client=self._signer.address, service=redact(self._config.service), samples=len(self.data.y)
        )
        try:
            while not (until_done and self._is_done):
                if not self.turn():
                    self._stopping.rest(self._config.poll_seconds)
        except Stopped:
            self._talk("stopping")
        finally:
            self.close()

    def turn(self) -> bool:
        """Look at everything once; whether there was anything to do."""
        self._guarded("profile", self._publish)
        self._look()
        # A list first: every instance gets its turn, whatever another one had to do.
        busy = [self._guarded(f"round {number}", part.step) for number, part in list(self._parts.items())]
        self._follow()
        return any(busy)

    def close(self) -> None:
        """Let another process have the folder of state."""
        self._service.close()
        self._folder.close()

    @property
    def _is_done(self) -> bool:
        return bool(self._wanted) and self._wanted <= self._done

    def _look_for_seats(self) -> bool:
        for number in self._seats.look(self._block()):
            if self._config.instances and number not in self._config.instances:
                continue
            self._wanted.add(number)
            if number not in self._parts and number not in self._done:
                self._guarded(f"instance {number}", partial(self._join, number))
        return False

    def _join(self, number: InstanceId) -> bool:
        if self._is_over(number) and not any(True for _ in self._records.unsettled(self._chain.place(number))):
            self._done.add(number)
            return False
        if self.fedblocks.chain.instance(number, self._block()).d == 0:
            return False  # its user has not said yet what it trains
        joined = join(
            self._config,
            self._service,
            self._chain,
            self._signer,
            self.data,
            self._notebook.secret(),
            number,
        )
        self._parts[number] = TakingPart(
            joined,
            self._service,
            self.fedblocks,
            self._chain,
            self._notebook,
            self._records,
            self._talk,
            self._block,
        )
        self._talk("joined", instance=number, seat=joined.context.seat_of(self._signer.address), job=joined.job.hash())
        return True

    def _follow_all(self) -> None:
        for number, part in list(self._parts.items()):
            self._guarded(f"update {number}", part.bring_again)
            self._guarded(f"outcome {number}", part.follow)
            self._guarded(f"reward {number}", partial(self._wind_up, number))

    def _wind_up(self, number: InstanceId) -> bool:
        """Get paid, if that is wanted, and be done with an instance that is closed."""
        if not self._is_over(number):
            return False
        if any(True for _ in self._records.unsettled(self._parts[number].context)):
            return False
        self._done.add(number)
        del self._parts[number]
        self._talk("finished", instance=number)
        return True

    def _is_over(self, number: InstanceId) -> bool:
        """Whether there is nothing more to do in an instance; claims what is to be claimed."""
        block = self._block()
        if not self.fedblocks.chain.is_closed(number, block):
            return False
        if not self._config.claim_rewards:
            return True
        owed = self._owed(number, block)
        if owed is None:
            return False
        if owed:
            self._claim(number)
        elif self._outbox.is_file():
            # The claim was mined, and this process or its disk failed before that was written down.
            with self._sending() as outbox:
                return not outbox.settle(timeout=self._config.chain.timeout)
        return True

    @property
    def _outbox(self) -> Path:
        return self._config.state / "outbox.sqlite"

    def _sending(self) -> Outbox:
        url = f"sqlite:///{self._outbox.absolute()}"
        return Outbox.open(url, self.fedblocks.connection, self._signer, wait=20)

    def _claim(self, number: InstanceId) -> None:
        address, connection = self._signer.address, self.fedblocks.connection
        with self._sending() as outbox:
            acting = FedBlocks(
                connection, self.fedblocks.deployment, TransactionSender(connection, self._signer, outbox=outbox)
            )
            meaning = f"claimReward/{connection.chain_id}/{acting.rewards.address}/{number}/{address}"
            try:
                with acting.sender.meaning(meaning, lambda: self._is_paid(number)):
                    receipt = acting.rewards.claim_reward(number)
            except DoneByOthers:
                return
        self._talk("reward claimed", instance=number, transaction=receipt.transaction_hash)

    def _is_paid(self, number: InstanceId) -> bool:
        """Whether the reward was paid out; a node that is behind shows none before the settlement either."""
        return self._owed(number, self._block()) == 0

    def _owed(self, number: InstanceId, block: Block) -> Wei | None:
        """What can be claimed, in wei; None before the settlement.

        One block's number may stand for two states: a node that makes the next block may answer with what is in it
        already, and one that changes to another branch has another block of that number. A reward that was read after
        the settlement *and* before it says nothing; between two looks that find it settled, it is the settlement's.
        """
        rewards = self.fedblocks.rewards
        if not rewards.user_instance(number, block).settled:
            return None
        owed = rewards.reward(number, self._signer.address, block)
        return owed if owed or rewards.user_instance(number, block).settled else None

    def _publish(self) -> bool:
        if self._published:
            return False
        connection, settlement = self.fedblocks.connection, self.fedblocks.chain.address
        profile = profile_of(
            self.data.y,
            self.data.shape,
            client=self._signer.address,
            domain=self.data.domain,
            modality=self.data.modality,
            issued_at=Timestamp(int(time.time())),
        )
        signed = sign_profile(profile, self._signer, chain_id=connection.chain_id, settlement=settlement)
        self._service.publish_profile(connection.chain_id, settlement, signed)
        self._published = True
        self._talk("profile published", samples=profile.samples)
        return True

    def _guarded(self, about: str, do: Callable[[], bool]) -> bool:
        """Do something; what keeps it from being done is said once, and it is tried again later."""
        try:
            return do()
        except NotYetOnChain:
            return False
        except NodeProblem as problem:
            # An aggregator may open its instance later than its user did.
            early = problem.kind in ("unknown-instance", "foreign-deployment")
            what, level = ("waiting", "info") if early else ("refused", "error")
            self._talk.once(about, what, level, about=about, kind=problem.kind, why=problem)
        except (NodeUnreachable, NodeRefused, NodeAway) as error:
            self._talk.once(about, "waiting", about=about, why=error)
        except FedBlocksError as error:
            self._talk.once(about, "refused", "error", about=about, kind=type(error).__name__, why=error)
        except ValidationError as error:
            why = f"the service's answer is not understood ({error.error_count()} fields of {error.title})"
            self._talk.once(about, "refused", "error", about=about, why=why)
        except OSError as error:
            # A full disk, above all: nothing was promised that is not written down.
            self._talk.once(about, "disk", "error", about=about, why=error.strerror or error)
        return False

    def _block(self) -> Block:
        # A number, never "latest": behind one address there may be several nodes, and the next one to be asked may be
        # behind the last one. It then has no such block, rather than another answer.
        return max(0, self.fedblocks.connection.block_number() - self._config.chain.confirmations)
