"""The engine: the two exchanges of an epoch over Flower's grid.

A node of Flower's has a number and no account. Which client it is follows from the signature of its commitment, and
from nothing that it says of itself; an answer that no client of the cohort has signed is of nobody. A client that does
not answer in time is absent from the epoch: its seat stays empty and nothing else happens to it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from logging import INFO, WARNING

from flwr.app import Message, MessageType, RecordDict
from flwr.common.logger import log
from flwr.serverapp import Grid

from fedblocks.engines.flower import wire
from fedblocks.engines.flower.wire import AppModel
from fedblocks.exceptions import FedBlocksError
from fedblocks.rollup.actions import Reveal, recover_signer, update_commitment
from fedblocks.rollup.entries import commit_entry
from fedblocks.rollup.lists import SeatList, entries
from fedblocks.rollup.stf import Commit
from fedblocks.training.client import CommitRound, RoundTask, SignedCommit
from fedblocks.types import Address, Seat

_POLL_SECONDS = 0.5


class NobodyAnswered(FedBlocksError, TimeoutError):
    """No client has committed to an epoch; nothing was closed, and the epoch can be asked for again."""

    def __init__(self, epoch: int, absent: Mapping[Address, str]) -> None:
        reasons = "; ".join(f"{client}: {why}" for client, why in absent.items())
        super().__init__(f"no client has committed to epoch {epoch}, run it again when they are there ({reasons})")
        self.epoch, self.absent = epoch, dict(absent)


Ask = Callable[[RoundTask], Iterable[Message]]
"""The messages with which an epoch's training is asked for, as a strategy of Flower's makes them."""


class FlowerEngine:
    """Reaches the clients of one instance through Flower.

    Args:
        grid: of the ServerApp.
        ask: makes the messages of a round; their arrays are replaced by the base model as integers.
        arrays_key: under which name the strategy puts the arrays.
        model: how the app knows it.
        commits: the commitments that the sequencer has accepted, by seat.
        timeout: seconds to wait for answers in each exchange.
    """

    def __init__(
        self,
        grid: Grid,
        ask: Ask,
        *,
        arrays_key: str,
        model: AppModel,
        commits: Callable[[], Mapping[Seat, Commit]],
        timeout: float,
    ) -> None:
        self._grid, self._ask, self._arrays_key = grid, ask, arrays_key
        self._model, self._commits, self._timeout = model, commits, timeout
        self._clients: dict[int, Address] = {}
        self._nodes: dict[Address, list[int]] = {}
        self.replies: list[Message] = []
        """The answers to the last request to commit that came from clients of the cohort."""

    def commit(self, task: RoundTask, clients: Sequence[Address]) -> CommitRound:
        """Ask clients to train and to commit; whoever has not answered in time, or not usably, is absent.

        Raises:
            NobodyAnswered: if none has: a round without commitments must not be closed on chain.
        """
        requests = [message for message in self._ask(task) if self._concerns(message.metadata.dst_node_id, clients)]
        self._fill(requests, task)
        absent: dict[Address, str] = {}
        commits: dict[Address, SignedCommit] = {}
        self._nodes = {}
        self.replies = []

        def take(reply: Message) -> None:
            node = reply.metadata.src_node_id
            try:
                commit = self._read_commit(reply, task)
                if commit.client not in clients:
                    raise wire.Malformed(f"it is signed by {commit.client}, who is not asked in this epoch")
            except FedBlocksError as error:
                log(WARNING, "FedBlocks: the answer of node %s is not used: %s", node, error)
                if node in self._clients:
                    absent[self._clients[node]] = str(error)
                return
            self._clients[node] = commit.client
            # Of two commitments with one key the first counts; whoever holds what opens it may reveal.
            if commits.setdefault(commit.client, commit) is commit:
                self.replies.append(reply)
            self._nodes.setdefault(commit.client, []).append(node)

        self._exchange(requests, take, lambda: len(commits) < len(clients))
        for client in clients:
            if client not in commits:
                absent.setdefault(client, f"no node has answered for it within {self._timeout:g} seconds")
        if not commits:
            raise NobodyAnswered(task.epoch, absent)
        ordered = [commits[client] for client in clients if client in commits]
        log(INFO, "FedBlocks: %s of %s clients have committed to epoch %s", len(ordered), len(clients), task.epoch)
        return CommitRound(ordered, {client: why for client, why in absent.items() if client not in commits})

    def reveal(self, task: RoundTask, clients: Sequence[Address]) -> list[Reveal]:
        """Ask those who have committed to reveal; who does not answer in time is left out."""
        content = wire.reveal_request(task, self._entries(task))
        asked = [node for client in clients for node in self._nodes.get(client, ())]
        requests = [Message(content, node, MessageType.TRAIN) for node in asked]
        reveals: dict[Address, Reveal] = {}

        def take(reply: Message) -> None:
            try:
                client, reveal = self._opened(reply, task, clients)
            except FedBlocksError as error:
                node = reply.metadata.src_node_id
                log(WARNING, "FedBlocks: %s has not revealed: %s", self._clients.get(node, f"node {node}"), error)
                return
            reveals.setdefault(client, reveal)

        self._exchange(requests, take, lambda: len(reveals) < len(clients))
        for client in clients:
            if client not in reveals:
                log(WARNING, "FedBlocks: %s committed to epoch %s and did not reveal", client, task.epoch)
        return [reveals[client] for client in clients if client in reveals]

    def _concerns(self, node: int, clients: Sequence[Address]) -> bool:
        """Whether a node is asked: everybody is whose client is not known yet."""
        return self._clients.get(node) is None or self._clients[node] in clients

    def _fill(self, requests: Sequence[Message], task: RoundTask) -> None:
        # Messages that share a content share it afterwards too, so that Flower stores the model once.
        contents: dict[int, RecordDict] = {}
        for message in requests:
            theirs = message.content
            if id(theirs) not in contents:
                rest = RecordDict({name: each for name, each in theirs.items() if name != self._arrays_key})
                contents[id(theirs)] = wire.commit_request(task, self._model, rest)
            message.content = contents[id(theirs)]

    def _read_commit(self, reply: Message, task: RoundTask) -> SignedCommit:
        action, signature = wire.read_commit(_content(reply))
        under_way = (task.context.instance_id, task.epoch, task.attempt, task.base_root)
        if (action.instance_id, action.epoch, action.attempt, action.base_model_root) != under_way:
            raise wire.Malformed(f"it is for epoch {action.epoch}, attempt {action.attempt}, or for another model")
        return SignedCommit(recover_signer(action, task.context.domain, signature), action, signature)

    def _entries(self, task: RoundTask) -> bytes:
        commits = self._commits()
        contents: list[bytes | None] = [None] * len(task.context.cohort)
        for seat, commit in commits.items():
            contents[seat] = commit_entry(seat, task.context.cohort[seat], commit.commitment, commit.signature)
        return entries(contents, SeatList.COMMITS)

    def _opened(self, reply: Message, task: RoundTask, clients: Sequence[Address]) -> tuple[Address, Reveal]:
        """Whose commitment a reveal opens: no node is believed to be the one that has committed."""
        context, commits = task.context, self._commits()
        first = self._clients.get(reply.metadata.src_node_id)
        candidates = sorted(clients, key=lambda client: client != first)
        reveal = wire.read_reveal(_content(reply), context, candidates[0])
        for client in candidates:
            seat = context.seat_of(client)
            commitment = update_commitment(reveal.update_root, reveal.samples, reveal.salt, client)
            if seat in commits and commits[seat].commitment == commitment:
                return client, replace(reveal, seat=seat)
        raise wire.Malformed("it opens no commitment of this epoch")

    def _exchange(
        self, requests: Sequence[Message], take: Callable[[Message], None], missing: Callable[[], bool]
    ) -> None:
        """Send, and take what comes back until nothing is missing, all have answered, or the time is up.

        A SuperNode that was restarted comes back under another number; so whoever appears meanwhile is asked too.

        Args:
            requests: what is sent first.
            take: is given each answer.
            missing: whether anything still is.
        """
        if not requests:
            return
        content = requests[0].content
        asked = {message.metadata.dst_node_id for message in requests}
        waiting = self._push(requests)
        deadline = time.monotonic() + self._timeout
        while waiting and time.monotonic() < deadline:
            for reply in list(self._grid.pull_messages(waiting)):
                waiting.discard(reply.metadata.reply_to_message_id)
                take(reply)
            if not missing():
                return
            late = [node for node in self._grid.get_node_ids() if node not in asked and node not in self._clients]
            asked.update(late)
            waiting |= self._push([Message(content, node, MessageType.TRAIN) for node in late])
            if waiting:
                time.sleep(_POLL_SECONDS)

    def _push(self, requests: Sequence[Message]) -> set[str]:
        if not requests:
            return set()
        # An empty number stands for a node that has gone since it was chosen.
        return {number for number in self._grid.push_messages(requests) if number}


def _content(reply: Message) -> RecordDict:
    if reply.has_error():
        raise wire.Malformed(f"it is an error: {reply.error.reason}")
    return reply.content
