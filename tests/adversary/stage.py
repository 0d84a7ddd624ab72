"""The real chain: the protocol, an aggregator, clients whose keys are known, and every move that they can make."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

import boa
from boa import BoaError
from eth.codecs.abi.exceptions import EncodeError

from fedblocks.aggregation.rules import Rules
from fedblocks.chain.signers import LocalSigner
from fedblocks.rollup.fraud.cases import Answer, Challenge, Demand
from fedblocks.rollup.header import Header, rules_hash
from fedblocks.types import MAX_COHORT
from tests.contracts import world
from tests.rollup.cohort import signer

AGGREGATOR, SUCCESSOR = signer(1000), signer(1001)
VERIFIERS = ("SubmissionVerifier", "VectorVerifier", "VerdictVerifier", "DataDemands")
Words = tuple[Any, ...]


@cache
def client_signer(seat: int) -> LocalSigner:
    return signer(seat)


class Refused(Exception):
    """The chain did not take a call; the reason is that of the revert."""


def called(function: Any, *arguments: Any, **options: Any) -> Any:
    """Call a contract.

    Raises:
        Refused: if it reverts, or nobody could even send it.
    """
    try:
        return function(*arguments, **options)
    except BoaError as error:
        raise Refused(reason_of(error)) from error
    except EncodeError as error:
        raise Refused(str(error)) from error


def refusal(function: Any, *arguments: Any) -> str | None:
    """Why a call is refused; None when it is not."""
    try:
        function(*arguments)
    except Refused as refused:
        return str(refused)
    return None


def reason_of(error: BoaError) -> str:
    """A revert's string; empty where there is none."""
    return str(error.stack_trace.last_frame.pretty_vm_reason).strip("'")


@dataclass
class Stage:
    """One deployment.

    Attributes:
        protocol: the contracts.
        user: who orders every instance.
        challenger: who watches.
    """

    protocol: world.Protocol
    user: Any
    challenger: Any

    @classmethod
    def build(cls) -> Stage:
        protocol = world.Protocol.deploy(world.account("deployer"), world.account("admin", 0))
        for aggregator in (AGGREGATOR, SUCCESSOR):
            boa.env.set_balance(aggregator.address, 1_000_000 * world.ETHER)
        for seat in range(MAX_COHORT):
            client = client_signer(seat).address
            boa.env.set_balance(client, 10 * world.ETHER)
            protocol.stake(client)
        return cls(protocol, world.account("user"), world.account("challenger"))

    @property
    def chain_id(self) -> int:
        return int(boa.env.evm.patch.chain_id)

    @property
    def settlement(self) -> Any:
        return self.protocol.chain.address

    @property
    def holdings(self) -> int:
        """All ether in the contracts."""
        return sum(world.balance(getattr(self.protocol, name)) for name in self.protocol.__dataclass_fields__)

    def open(self, cohort: Sequence[Any], epochs: int, genesis_root: bytes, d: int, rules: Rules) -> Instance:
        """An instance with a bonded aggregator."""
        configuration = (AGGREGATOR.address, genesis_root, d, rules_hash(rules.words()))
        number = self.protocol.order(self.user, cohort, epochs, *configuration)
        instance = Instance(self, number, tuple(cohort))
        instance.bond(AGGREGATOR.address)
        return instance

    def verifier(self, name: str) -> Any:
        """A verifier by its contract's name."""
        return dict(zip(VERIFIERS, self.protocol.verifiers, strict=True))[name]

    def challenge(self, challenge: Challenge, sender: Any = None) -> None:
        called(
            getattr(self.verifier(challenge.contract), challenge.function),
            *challenge.arguments,
            sender=sender or self.challenger,
        )

    def is_taken(self, challenge: Challenge) -> bool:
        """Whether a challenge would overturn an epoch, without the search for why not, which takes long."""
        verifier = self.verifier(challenge.contract)
        try:
            data = getattr(verifier, challenge.function).prepare_calldata(*challenge.arguments)
        except EncodeError:
            return False
        computation = boa.env.execute_code(to_address=verifier.address, data=data, simulate=True)
        return not computation.is_error

    def demand(self, header: Header, demand: Demand) -> int:
        demands = self.protocol.demands
        return int(
            called(
                demands.demand,
                header.as_tuple(),
                *demand.position,
                sender=self.challenger,
                value=world.DEMAND_DEPOSIT,
            )
        )

    def answer(self, number: int, header: Header, demand: Demand, answer: Answer, sender: Any) -> None:
        opening = (demand.index, answer.column_root, answer.rows_root, list(answer.leaf_proof))
        called(
            self.protocol.demands.answer,
            number,
            header.as_tuple(),
            answer.entries,
            answer.submission,
            opening,
            answer.content,
            list(answer.proof),
            sender=sender,
        )

    def settle(self, *accounts: Any) -> None:
        """Pay out every deposit and reward that is credited to some accounts."""
        for account in accounts:
            if self.protocol.demands.credits(account):
                self.protocol.demands.withdraw(sender=account)
            if self.protocol.chain.challengeRewards(account):
                self.protocol.chain.claimChallengeReward(sender=account)

    def fail(self, number: int) -> None:
        called(self.protocol.demands.failDemand, number, sender=self.challenger)


@dataclass(frozen=True)
class Instance:
    """An instance on the stage's chain."""

    stage: Stage
    number: int
    cohort: tuple[Any, ...]

    @property
    def chain(self) -> Any:
        return self.stage.protocol.chain

    @property
    def state(self) -> Any:
        return self.chain.getInstance(self.number)

    def bond(self, aggregator: Any) -> None:
        called(self.chain.depositBond, self.number, sender=aggregator, value=world.AGGREGATOR_BOND)

    def close(self, commits_root: bytes, aggregator: Any) -> None:
        """Close the commits of the next epoch under the instance's attempt."""
        state = self.state
        called(
            self.chain.closeCommits,
            self.number,
            state.postedEpochs + 1,
            state.attempt,
            commits_root,
            sender=aggregator,
        )

    def post(self, words: Words, aggregator: Any) -> None:
        called(self.chain.submitEpoch, words, sender=aggregator)

    def header_hash(self, epoch: int) -> bytes:
        """Of the pending epoch; zeros when it is not pending."""
        return bytes(self.chain.getDispute(self.number, epoch).headerHash)


@contextmanager
def rehearsal() -> Iterator[None]:
    """What is done within leaves no trace."""
    with boa.env.anchor():
        yield
