"""Plays the protocol on a scripted chain: who calls what, and which events follow.

A :class:`Storyteller` has one method for each call that people make, and keeps as little of the contracts' state as it
takes to say in the events what the contracts would say: bonds, attempts, cohorts, shares. Each method is one
transaction; blocks are ended by the one who tells the story.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from fedblocks.chain.events import ChainEvent
from fedblocks.contracts.data_demands import (
    DataDemanded,
    DemandAnswered,
    DemandFailed,
    DepositCredited,
    DepositReturned,
    Opening,
    Withdrawn,
)
from fedblocks.contracts.model_parameter_chain import (
    AggregatorNamed,
    BondDeposited,
    BondSlashed,
    BondWithdrawn,
    ChallengeRewardClaimed,
    ClientSlashable,
    CommitsClosed,
    EpochFinalized,
    EpochOverturned,
    EpochSubmitted,
    InstanceConfigured,
    InstanceOpened,
    InstanceStopped,
    PostedHeader,
)
from fedblocks.contracts.reward_manager import (
    CollectTrainingFees,
    FeesSettled,
    InstanceFunded,
    NewUserInstance,
    RefundWithdrawn,
    RewardClaimed,
    RewardCredited,
    RewardForfeited,
)
from fedblocks.contracts.slashing_manager import ClientSlashed, SlashClients
from fedblocks.contracts.staking_registry import (
    SlashStake,
    Stake,
    StakeLocked,
    StakeReturned,
    StakeSlashed,
    UnbondingStarted,
    Unregister,
    WithdrawStake,
)
from fedblocks.contracts.treasury import Recieved, Withdraw
from fedblocks.rollup.header import Header
from fedblocks.seats import SlashReason, bitmap_of, pack_reasons, seats_of, unpack_reasons
from fedblocks.types import ZERO_ADDRESS, Address, EpochNumber, Hash32, InstanceId, Seat, Timestamp, Wei
from fedblocks.units import SHARE_SCALE
from tests.telling.scripted import NOWHERE, ScriptedChain, hash_of

E = TypeVar("E", bound=ChainEvent)


def event(cls: type[E], **arguments: Any) -> E:
    """An event that is nowhere yet."""
    return cls(**NOWHERE, **arguments)


NOTHING = Wei(0)
NEVER = Timestamp(0)


@dataclass
class ToldEpoch:
    """An epoch as it stands on the scripted chain."""

    header: PostedHeader
    header_hash: Hash32
    aggregator: Address
    posted_at: Timestamp


@dataclass
class ToldInstance:
    """An instance as it stands on the scripted chain."""

    user: Address
    cohort: Sequence[Address]
    number_of_epochs: int
    escrow: Wei
    aggregator: Address = ZERO_ADDRESS
    attempt: int = 0
    genesis_root: Hash32 = field(default_factory=lambda: Hash32(bytes(32)))
    epochs: list[ToldEpoch] = field(default_factory=list)
    finalized: int = 0
    final_reasons: int = 0
    bonds: dict[Address, Wei] = field(default_factory=dict)
    rewards: dict[Address, Wei] = field(default_factory=dict)
    refund: Wei = NOTHING
    settled: bool = False
    stopped: bool = False


@dataclass
class ToldStake:
    """A client's stake on the scripted chain."""

    active: Wei = NOTHING
    unbonding: Wei = NOTHING
    withdrawable_at: Timestamp = NEVER
    slashed: Wei = NOTHING
    returned: Wei = NOTHING


class Storyteller:
    """The protocol's calls, on a scripted chain of version 2."""

    def __init__(self, chain: ScriptedChain) -> None:
        if chain.subject.parameters is None:
            raise ValueError("only version 2 has a story; this subject has no parameters")
        self.chain = chain
        self.parameters = chain.subject.parameters
        self.stakes: dict[Address, ToldStake] = {}
        self.instances: dict[InstanceId, ToldInstance] = {}
        self.credits: dict[Address, Wei] = {}
        self.treasuries: dict[str, Wei] = {"SlashTreasury": Wei(0), "RewardTreasury": Wei(0)}
        self.deposits: dict[Address, Wei] = {}
        self._demands: dict[int, Address] = {}

    # -- stakes --

    def stake(self, client: Address) -> Hash32:
        """A client stakes."""
        amount = self.parameters.stake_amount
        own = self.stakes.setdefault(client, ToldStake())
        own.active = Wei(own.active + amount)
        return self.chain.transaction(
            ("StakingRegistry", event(Stake, client=client)),
            ("StakingRegistry", event(StakeLocked, client=client, amount=amount)),
        )

    def unregister(self, client: Address) -> Hash32:
        """A client leaves; all it has begins to unbond."""
        own = self.stakes[client]
        own.unbonding, own.active = Wei(own.unbonding + own.active), Wei(0)
        own.withdrawable_at = Timestamp(self.chain.timestamp + self.parameters.staking_period)
        started = event(UnbondingStarted, client=client, amount=own.unbonding, withdrawable_at=own.withdrawable_at)
        return self.chain.transaction(
            ("StakingRegistry", event(Unregister, client=client)), ("StakingRegistry", started)
        )

    def withdraw(self, client: Address) -> Hash32:
        """A client takes out what was unbonding."""
        own = self.stakes[client]
        amount, own.unbonding = own.unbonding, Wei(0)
        own.returned = Wei(own.returned + amount)
        return self.chain.transaction(
            ("StakingRegistry", event(WithdrawStake, client=client)),
            ("StakingRegistry", event(StakeReturned, client=client, amount=amount)),
        )

    def slash(self, instance_id: InstanceId, *clients: Address, missing: Wei = NOTHING) -> Hash32:
        """Anybody executes final verdicts; `missing` is what a lying registry keeps back from the treasury."""
        said: list[tuple[str, ChainEvent]] = []
        for client in clients:
            own = self.stakes[client]
            amount = Wei(own.active + own.unbonding)
            own.active = own.unbonding = Wei(0)
            own.slashed = Wei(own.slashed + amount)
            epoch, reason = self._verdict(instance_id, client)
            said += [
                ("StakingRegistry", event(SlashStake, client=client)),
                ("StakingRegistry", event(StakeSlashed, client=client, amount=amount)),
                self._received("SlashTreasury", Wei(amount - missing)),
                (
                    "SlashingManager",
                    event(
                        ClientSlashed,
                        client=client,
                        instance_id=instance_id,
                        epoch=epoch,
                        reason=reason,
                        amount=amount,
                    ),
                ),
            ]
        return self.chain.transaction(*said, ("SlashingManager", event(SlashClients, instance_id=instance_id)))

    # -- instances --

    def open_instance(
        self, user: Address, cohort: Sequence[Address], number_of_epochs: int, aggregator: Address | None = None
    ) -> InstanceId:
        """A user orders a training; without an aggregator it is configured later."""
        instance_id = InstanceId(len(self.instances) + 1)
        escrow = Wei(number_of_epochs * self.parameters.fee_per_epoch)
        self.instances[instance_id] = ToldInstance(user, tuple(cohort), number_of_epochs, escrow)
        funded = event(
            InstanceFunded,
            instance_id=instance_id,
            user=user,
            base_fee=self.parameters.base_fee,
            escrow=escrow,
            clients=tuple(cohort),
        )
        opened = event(
            InstanceOpened,
            instance_id=instance_id,
            user=user,
            cohort_size=len(cohort),
            number_of_epochs=number_of_epochs,
        )
        said: list[tuple[str, ChainEvent]] = [
            (
                "RewardManager",
                event(NewUserInstance, instance_id=instance_id, number_of_epochs=number_of_epochs),
            ),
            ("RewardManager", funded),
            ("ModelParameterChain", opened),
        ]
        if aggregator is not None:
            said += self._configured(instance_id, aggregator)
        self.chain.transaction(*said, self._received("RewardTreasury", self.parameters.base_fee))
        return instance_id

    def configure(self, instance_id: InstanceId, aggregator: Address) -> Hash32:
        """A user says what is trained, and by whom."""
        return self.chain.transaction(*self._configured(instance_id, aggregator))

    def name_aggregator(self, instance_id: InstanceId, aggregator: Address) -> Hash32:
        """A user puts another aggregator in the place of one."""
        told = self.instances[instance_id]
        previous, told.aggregator = told.aggregator, aggregator
        told.attempt += 1
        return self.chain.transaction(("ModelParameterChain", self._named(instance_id, previous)))

    def bond(self, instance_id: InstanceId) -> Hash32:
        """The aggregator accepts."""
        told = self.instances[instance_id]
        told.bonds[told.aggregator] = self.parameters.aggregator_bond
        deposited = event(
            BondDeposited,
            instance_id=instance_id,
            aggregator=told.aggregator,
            amount=self.parameters.aggregator_bond,
        )
        return self.chain.transaction(("ModelParameterChain", deposited))

    def withdraw_bond(self, instance_id: InstanceId, aggregator: Address) -> Hash32:
        """An aggregator takes its bond back."""
        withdrawn = event(
            BondWithdrawn,
            instance_id=instance_id,
            aggregator=aggregator,
            receiver=aggregator,
            amount=self.instances[instance_id].bonds.pop(aggregator),
        )
        return self.chain.transaction(("ModelParameterChain", withdrawn))

    def stop(self, instance_id: InstanceId, caller: Address | None = None) -> Hash32:
        """An instance is ended early."""
        told = self.instances[instance_id]
        told.stopped = True
        stopped = event(
            InstanceStopped,
            instance_id=instance_id,
            caller=caller or told.user,
            posted_epochs=len(told.epochs),
            finalized_epochs=told.finalized,
        )
        return self.chain.transaction(("ModelParameterChain", stopped))

    # -- epochs --

    def close_commits(self, instance_id: InstanceId) -> Hash32:
        """The aggregator closes the commitments of the next epoch."""
        told = self.instances[instance_id]
        epoch = EpochNumber(len(told.epochs) + 1)
        closed = event(
            CommitsClosed,
            instance_id=instance_id,
            epoch=epoch,
            attempt=told.attempt,
            commits_root=hash_of("commits", instance_id, epoch, told.attempt),
        )
        return self.chain.transaction(("ModelParameterChain", closed))

    def post_epoch(
        self,
        instance_id: InstanceId,
        *,
        metric: int,
        participants: Sequence[int] | None = None,
        excluded: Sequence[int] = (),
        verdicts: Mapping[int, SlashReason] | None = None,
        data_locator: Hash32 | None = None,
    ) -> Hash32:
        """The aggregator posts the next epoch; returns the hash of its header.

        Args:
            instance_id: The instance.
            metric: The accuracy in millionths.
            participants: The seats; all that are not condemned when left out.
            excluded: The seats left out of the pay; those with a verdict are added.
            verdicts: Whom this epoch condemns.
            data_locator: Where its published data are.
        """
        told = self.instances[instance_id]
        epoch = EpochNumber(len(told.epochs) + 1)
        before = told.epochs[-1] if told.epochs else None
        reasons = before.header.slash_reasons if before is not None else 0
        condemned = unpack_reasons(reasons)
        new = dict(verdicts or {})
        seats = [seat for seat in range(len(told.cohort)) if seat not in condemned]
        header = PostedHeader(
            instance_id=instance_id,
            epoch=epoch,
            attempt=told.attempt,
            previous_header_hash=before.header_hash if before is not None else hash_of("genesis", instance_id),
            commits_root=hash_of("commits", instance_id, epoch, told.attempt),
            submissions_root=hash_of("submissions", instance_id, epoch, told.attempt),
            gram_root=hash_of("gram", instance_id, epoch, told.attempt),
            stats_root=hash_of("stats", instance_id, epoch, told.attempt),
            base_model_root=before.header.next_model_root if before is not None else told.genesis_root,
            delta_root=hash_of("delta", instance_id, epoch, told.attempt),
            next_model_root=hash_of("model", instance_id, epoch, told.attempt),
            participants=bitmap_of(seats if participants is None else participants),
            excluded=bitmap_of([*excluded, *new]),
            slash_reasons=reasons | pack_reasons(new),
            carried_root=hash_of("carried", instance_id, epoch, told.attempt),
            metric=metric,
            data_locator=data_locator or hash_of("manifest", instance_id, epoch, told.attempt),
        )
        header_hash = Header.from_tuple(header.as_tuple()).hash()
        told.epochs.append(ToldEpoch(header, header_hash, told.aggregator, self.chain.timestamp))
        submitted = event(
            EpochSubmitted,
            instance_id=instance_id,
            epoch=epoch,
            aggregator=told.aggregator,
            header_hash=header_hash,
            finalizable_at=Timestamp(self.chain.timestamp + self.parameters.challenge_window + 1),
            header=header,
        )
        self.chain.transaction(("ModelParameterChain", submitted))
        return header_hash

    def overturn(self, instance_id: InstanceId, epoch: int, challenger: Address, fraud_case: int) -> Hash32:
        """A verifier has seen a fault in an epoch: it is gone, and all after it."""
        return self.chain.transaction(*self._overturned(instance_id, epoch, challenger, fraud_case))

    def finalize(self, instance_id: InstanceId) -> Hash32:
        """The next epoch becomes final."""
        told = self.instances[instance_id]
        final = told.epochs[told.finalized]
        told.finalized += 1
        said: list[tuple[str, ChainEvent]] = [
            (
                "ModelParameterChain",
                event(
                    EpochFinalized,
                    instance_id=instance_id,
                    epoch=final.header.epoch,
                    header_hash=final.header_hash,
                    participants=final.header.participants,
                    excluded=final.header.excluded,
                ),
            )
        ]
        for seat, reason in unpack_reasons(final.header.slash_reasons ^ told.final_reasons).items():
            slashable = event(
                ClientSlashable,
                instance_id=instance_id,
                client=told.cohort[seat],
                epoch=final.header.epoch,
                reason=reason,
            )
            said.append(("ModelParameterChain", slashable))
        told.final_reasons = final.header.slash_reasons
        return self.chain.transaction(*said)

    def claim_challenge(self, challenger: Address) -> Hash32:
        """A challenger is paid."""
        claimed = event(
            ChallengeRewardClaimed, challenger=challenger, receiver=challenger, amount=self.credits.pop(challenger)
        )
        return self.chain.transaction(("ModelParameterChain", claimed))

    # -- demands --

    def demand(self, instance_id: InstanceId, epoch: int, demander: Address, kind: int = 5, seat: int = 0) -> int:
        """Somebody demands a position of a pending epoch; returns the demand's number."""
        posted = self.instances[instance_id].epochs[epoch - 1]
        demand_id = int.from_bytes(hash_of("demand", posted.header_hash.hex(), kind, seat), "big")
        demanded = event(
            DataDemanded,
            demand_id=demand_id,
            instance_id=instance_id,
            epoch=EpochNumber(epoch),
            header_hash=posted.header_hash,
            demander=demander,
            kind=kind,
            seat=seat,
            index=0,
            deadline=Timestamp(self.chain.timestamp + self.parameters.answer_period),
        )
        self._demands[demand_id] = demander
        self.chain.transaction(("DataDemands", demanded))
        return demand_id

    def answer(self, demand_id: int, header_hash: Hash32, answerer: Address) -> Hash32:
        """Somebody opens what was demanded, and has the deposit."""
        opening = Opening(index=0, column_root=Hash32(bytes(32)), rows_root=Hash32(bytes(32)), proof=())
        answered = event(
            DemandAnswered,
            demand_id=demand_id,
            header_hash=header_hash,
            answerer=answerer,
            list=b"list",
            submission=b"",
            opening=opening,
            content=b"content",
            proof=(),
        )
        return self.chain.transaction(
            ("DataDemands", answered), self._deposit(DepositCredited, demand_id, answerer=answerer)
        )

    def fail_demand(self, demand_id: int, instance_id: InstanceId, epoch: int) -> Hash32:
        """Nobody opened it in time: the epoch is overturned for its demander."""
        demander = self._demands[demand_id]
        return self.chain.transaction(
            ("DataDemands", event(DemandFailed, demand_id=demand_id, demander=demander)),
            self._deposit(DepositReturned, demand_id, demander=demander),
            *self._overturned(instance_id, epoch, demander, 10),
        )

    def reclaim(self, demand_id: int) -> Hash32:
        """A demand whose epoch is gone for another reason gives its deposit back."""
        return self.chain.transaction(self._deposit(DepositReturned, demand_id, demander=self._demands[demand_id]))

    def withdraw_deposits(self, account: Address) -> Hash32:
        """Credited deposits are paid out."""
        paid = event(Withdrawn, account=account, receiver=account, amount=self.deposits.pop(account))
        return self.chain.transaction(("DataDemands", paid))

    # -- money --

    def settle(self, instance_id: InstanceId) -> Hash32:
        """A closed instance's escrow is divided, as RewardManager divides it."""
        told, fee = self.instances[instance_id], self.parameters.fee_per_epoch
        told.settled = True
        epochs: dict[Seat, int] = {}
        shares: dict[Seat, int] = {}
        for final in told.epochs[: told.finalized]:
            accepted = seats_of(final.header.participants & ~final.header.excluded)
            for seat in accepted:
                epochs[seat] = epochs.get(seat, 0) + 1
                shares[seat] = shares.get(seat, 0) + self.chain.subject.clients_fee // len(accepted)
        condemned = unpack_reasons(told.final_reasons)
        said: list[tuple[str, ChainEvent]] = []
        for seat in sorted(seat for seat in shares if seat not in condemned):
            told.rewards[told.cohort[seat]] = Wei(shares[seat])
            credited = event(
                RewardCredited,
                instance_id=instance_id,
                client=told.cohort[seat],
                epochs=epochs[seat],
                amount=Wei(shares[seat]),
            )
            said.append(("RewardManager", credited))
        clients_total = Wei(sum(told.rewards.values()))
        protocol_total = Wei(told.finalized * fee - clients_total)
        told.refund = Wei(told.escrow - told.finalized * fee)
        collected = event(CollectTrainingFees, instance_id=instance_id, number_of_epochs=told.finalized)
        settled = event(
            FeesSettled,
            instance_id=instance_id,
            billed_epochs=told.finalized,
            clients_total=clients_total,
            protocol_total=protocol_total,
            refund=told.refund,
        )
        said += [("RewardManager", collected), ("RewardManager", settled)]
        if protocol_total:
            said.append(self._received("RewardTreasury", protocol_total))
        return self.chain.transaction(*said)

    def claim(self, instance_id: InstanceId, client: Address) -> Hash32:
        """A client is paid."""
        claimed = event(
            RewardClaimed,
            instance_id=instance_id,
            client=client,
            receiver=client,
            amount=self.instances[instance_id].rewards.pop(client),
        )
        return self.chain.transaction(("RewardManager", claimed))

    def forfeit(self, instance_id: InstanceId, client: Address) -> Hash32:
        """A slashed client's credit goes to the treasury."""
        amount = self.instances[instance_id].rewards.pop(client)
        forfeited = event(RewardForfeited, instance_id=instance_id, client=client, amount=amount)
        return self.chain.transaction(("RewardManager", forfeited), self._received("RewardTreasury", amount))

    def withdraw_refund(self, instance_id: InstanceId) -> Hash32:
        """A user gets back what was not billed."""
        told = self.instances[instance_id]
        amount, told.refund = told.refund, Wei(0)
        withdrawn = event(RefundWithdrawn, instance_id=instance_id, user=told.user, receiver=told.user, amount=amount)
        return self.chain.transaction(("RewardManager", withdrawn))

    def withdraw_treasury(self, name: str, amount: Wei) -> Hash32:
        """A treasury's admin takes something out."""
        self.treasuries[name] = Wei(self.treasuries[name] - amount)
        return self.chain.transaction((name, event(Withdraw, amount=amount)))

    # -- what several calls have in common --

    def _received(self, name: str, amount: Wei) -> tuple[str, ChainEvent]:
        self.treasuries[name] = Wei(self.treasuries[name] + amount)
        return name, event(Recieved, amount=amount)

    def _deposit(self, cls: type[ChainEvent], demand_id: int, **whom: Address) -> tuple[str, ChainEvent]:
        (account,) = whom.values()
        self.deposits[account] = Wei(self.deposits.get(account, 0) + self.parameters.demand_deposit)
        return "DataDemands", event(cls, demand_id=demand_id, amount=self.parameters.demand_deposit, **whom)

    def _verdict(self, instance_id: InstanceId, client: Address) -> tuple[EpochNumber, SlashReason]:
        told = self.instances[instance_id]
        seat = told.cohort.index(client)
        for each in told.epochs[: told.finalized]:
            if reason := each.header.slash_reasons >> (4 * seat) & 0xF:
                return each.header.epoch, SlashReason(reason)
        raise ValueError(f"{client} is not finally slashable in instance {instance_id}")

    def _configured(self, instance_id: InstanceId, aggregator: Address) -> list[tuple[str, ChainEvent]]:
        told = self.instances[instance_id]
        told.aggregator = aggregator
        told.genesis_root = hash_of("genesis model", instance_id)
        configured = event(
            InstanceConfigured,
            instance_id=instance_id,
            genesis_model_root=told.genesis_root,
            d=101_770,
            rules_hash=hash_of("rules"),
            genesis_hash=hash_of("genesis", instance_id),
        )
        return [
            ("ModelParameterChain", configured),
            ("ModelParameterChain", self._named(instance_id, ZERO_ADDRESS)),
        ]

    def _named(self, instance_id: InstanceId, previous: Address) -> AggregatorNamed:
        told = self.instances[instance_id]
        return event(
            AggregatorNamed,
            instance_id=instance_id,
            aggregator=told.aggregator,
            previous_aggregator=previous,
            attempt=told.attempt,
        )

    def _overturned(
        self, instance_id: InstanceId, epoch: int, challenger: Address, fraud_case: int
    ) -> list[tuple[str, ChainEvent]]:
        told = self.instances[instance_id]
        wrong = told.epochs[epoch - 1]
        del told.epochs[epoch - 1 :]
        told.attempt += 1
        overturned = event(
            EpochOverturned,
            instance_id=instance_id,
            epoch=EpochNumber(epoch),
            challenger=challenger,
            fraud_case=fraud_case,
            aggregator=wrong.aggregator,
            header_hash=wrong.header_hash,
            attempt=told.attempt,
        )
        said: list[tuple[str, ChainEvent]] = [("ModelParameterChain", overturned)]
        if bond := told.bonds.pop(wrong.aggregator, Wei(0)):
            reward = Wei(bond * self.parameters.challenger_share // SHARE_SCALE)
            self.credits[challenger] = Wei(self.credits.get(challenger, 0) + reward)
            slashed = event(
                BondSlashed,
                instance_id=instance_id,
                aggregator=wrong.aggregator,
                challenger=challenger,
                reward=reward,
                amount=bond,
            )
            said += [("ModelParameterChain", slashed), self._received("SlashTreasury", Wei(bond - reward))]
        return said
