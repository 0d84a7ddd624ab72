"""Every wei that goes in comes out, and to whom it belongs, on every way through an instance."""

from __future__ import annotations

from typing import Any

import boa
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.contracts.world import (
    AGGREGATOR_BOND,
    BASE_FEE,
    CHALLENGE_WINDOW,
    CLIENTS_FEE,
    FEE_PER_EPOCH,
    LIVENESS_PERIOD,
    STAKE_AMOUNT,
    STAKING_PERIOD,
    Protocol,
    account,
    balance,
    reasons,
    wait,
)


def test_a_whole_life_adds_up_to_the_wei(
    protocol: Protocol, user: Any, crowd: list[Any], aggregator: Any, successor: Any
) -> None:
    """Ten clients, two aggregators, two cheats, one early stop; at the end the contracts hold nothing."""
    clients = crowd[:10]
    bystanders = crowd[10:]
    everybody = [user, aggregator, successor, *clients]
    before = {who: balance(who) for who in everybody}
    chain, rewards, registry = protocol.chain, protocol.rewards, protocol.registry

    run = protocol.run(user, clients, 6, aggregator)
    run.train()
    run.train(participants=0b1111111110, excluded=0b0000000010, slash_reasons=reasons((1, 2)))
    run.close()
    wait(LIVENESS_PERIOD + 1)
    chain.nameAggregator(run.instance, successor, sender=user)
    chain.depositBond(run.instance, sender=successor, value=AGGREGATOR_BOND)
    run.aggregator, run.attempt = successor, 1
    run.train(participants=0b0011111101, slash_reasons=reasons((1, 2)))
    run.train(participants=0b1111111101, excluded=0b1000000000, slash_reasons=reasons((1, 2), (9, 1)))
    run.finalize_all()
    run.close()
    run.stop()
    run.post(participants=0b0111111101, excluded=0b0000000100)
    run.finalize_all()
    chain.withdrawBond(run.instance, sender=aggregator)
    chain.withdrawBond(run.instance, sender=successor)
    protocol.slashing.slash([clients[1], clients[9]], run.instance, registry.address)
    run.settle()

    shares = [CLIENTS_FEE // count for count in (10, 8, 7, 8, 7)]
    missed = {0: 1, 2: 4, 3: None, 4: None, 5: None, 6: None, 7: None, 8: 2}
    earned = {
        seat: sum(share for epoch, share in enumerate(shares) if epoch != absent) for seat, absent in missed.items()
    }
    # Seats 1 and 9 trained too; what they would have had is the protocol's.
    for seat, amount in earned.items():
        rewards.claimReward(run.instance, sender=clients[seat])
        assert balance(clients[seat]) == before[clients[seat]] + amount
    rewards.withdrawRefund(run.instance, sender=user)

    income = BASE_FEE + 5 * FEE_PER_EPOCH - sum(earned.values())
    assert balance(user) == before[user] - BASE_FEE - 5 * FEE_PER_EPOCH
    assert balance(aggregator) == before[aggregator]
    assert balance(successor) == before[successor]
    assert balance(protocol.reward_treasury) == income
    assert balance(protocol.slash_treasury) == 2 * STAKE_AMOUNT
    assert balance(rewards) == balance(chain) == 0
    assert balance(registry) == STAKE_AMOUNT * (len(bystanders) + 8)

    honest = [client for seat, client in enumerate(crowd) if seat not in (1, 9)]
    for client in honest:
        registry.unRegister(sender=client)
    wait(STAKING_PERIOD)
    for client in honest:
        registry.withdrawStake(sender=client)
    assert balance(registry) == 0


class Life(RuleBasedStateMachine):
    """The protocol beside plain Python books: in any order of events, every contract holds exactly what it owes."""

    def __init__(self) -> None:
        super().__init__()
        self.world = boa.env.anchor()
        self.world.__enter__()

    def teardown(self) -> None:
        self.world.__exit__(None, None, None)

    @initialize()
    def begin(self) -> None:
        self.protocol = Protocol.deploy(account("deployer"), account("admin"))
        self.user, self.aggregators = account("user"), [account("aggregator"), account("successor")]
        self.clients = [account(f"client {seat}") for seat in range(6)]
        for client in self.clients:
            self.protocol.stake(client)
        self.run = self.protocol.run(self.user, self.clients, 4, self.aggregators[0])
        self.closed_at: int | None = None
        self.active = dict.fromkeys(self.clients, STAKE_AMOUNT)
        self.unbonding = dict.fromkeys(self.clients, (0, 0))
        self.bonds = {self.aggregators[0]: AGGREGATOR_BOND}
        self.slashed: set[Any] = set()
        self.owed: dict[Any, int] = {self.user: 4 * FEE_PER_EPOCH}
        self.income = BASE_FEE
        self.stopped = self.settled = False

    @property
    def chain(self) -> Any:
        return self.protocol.chain

    @property
    def clock(self) -> int:
        return int(boa.env.timestamp)

    @property
    def postable(self) -> bool:
        return self.closed_at is not None and self.clock <= self.closed_at + LIVENESS_PERIOD

    @property
    def bonded(self) -> bool:
        return self.bonds.get(self.run.aggregator, 0) != 0

    @rule(seconds=st.sampled_from([1, CHALLENGE_WINDOW, LIVENESS_PERIOD // 2, LIVENESS_PERIOD + 1]))
    def time_passes(self, seconds: int) -> None:
        wait(seconds)

    @precondition(lambda self: not self.stopped and len(self.run.headers) < 4 and self.bonded and not self.postable)
    @rule()
    def commits_are_closed(self) -> None:
        if self.closed_at is not None:
            self.run.attempt += 1
        self.run.close()
        self.closed_at = self.clock

    @precondition(lambda self: self.postable)
    @rule(bits=st.integers(0, 2**12 - 1), cheat=st.booleans())
    def an_epoch_is_posted(self, bits: int, cheat: bool) -> None:
        carried = self.run.headers[-1].slash_reasons if self.run.headers else 0
        honest = [seat for seat in range(6) if not carried >> (4 * seat) & 15]
        participants = sum(1 << seat for seat in honest if bits >> seat & 1) | 1 << honest[0]
        excluded = participants & (bits >> 6) & ~(1 << honest[0])
        if cheat and excluded:
            carried |= 1 << (4 * (excluded.bit_length() - 1))
        self.run.post(participants=participants, excluded=excluded, slash_reasons=carried)
        self.closed_at = None

    @precondition(lambda self: self.run.finalized < len(self.run.headers))
    @rule()
    def an_epoch_becomes_final(self) -> None:
        self.run.finalize()

    @precondition(lambda self: not self.stopped and len(self.run.headers) < 4 and not self.postable)
    @rule()
    def a_silent_aggregator_is_replaced(self) -> None:
        wait(LIVENESS_PERIOD + 1)
        other = self.aggregators[self.run.aggregator == self.aggregators[0]]
        self.chain.nameAggregator(self.run.instance, other, sender=self.user)
        self.run.aggregator, self.closed_at = other, None
        self.run.attempt += 1
        if not self.bonded:
            self.chain.depositBond(self.run.instance, sender=other, value=AGGREGATOR_BOND)
            self.bonds[other] = AGGREGATOR_BOND

    @precondition(lambda self: not self.stopped and self.run.finalized < 4)
    @rule()
    def the_user_stops(self) -> None:
        self.run.stop()
        self.stopped = True

    @rule(who=st.integers(0, 1))
    def a_bond_is_withdrawn_if_it_can_be(self, who: int) -> None:
        aggregator = self.aggregators[who]
        try:
            self.chain.withdrawBond(self.run.instance, sender=aggregator)
        except boa.BoaError:
            return
        assert self.bonds.pop(aggregator, 0) == AGGREGATOR_BOND

    @precondition(lambda self: not self.settled)
    @rule()
    def the_instance_is_settled_if_it_can_be(self) -> None:
        pending = self.run.finalized < len(self.run.headers)
        closed = self.run.finalized == 4 or (self.stopped and not pending and not self.postable)
        assert self.chain.isClosed(self.run.instance) == closed
        if not closed:
            return
        self.run.settle()
        self.settled = True
        final = self.run.headers[: self.run.finalized]
        slashable = final[-1].slash_reasons if final else 0
        self.owed = {self.user: (4 - len(final)) * FEE_PER_EPOCH}
        for seat, client in enumerate(self.clients):
            shares = [
                CLIENTS_FEE // (header.participants & ~header.excluded).bit_count()
                for header in final
                if (header.participants & ~header.excluded) >> seat & 1
            ]
            self.owed[client] = 0 if slashable >> (4 * seat) & 15 else sum(shares)
        self.income += 4 * FEE_PER_EPOCH - sum(self.owed.values())

    @precondition(lambda self: self.settled)
    @rule(seat=st.integers(0, 5))
    def a_reward_is_claimed(self, seat: int) -> None:
        client = self.clients[seat]
        if self.owed[client] and client not in self.slashed:
            before = balance(client)
            self.protocol.rewards.claimReward(self.run.instance, sender=client)
            assert balance(client) == before + self.owed[client]
            self.owed[client] = 0

    @precondition(lambda self: self.settled and self.owed[self.user])
    @rule()
    def the_refund_is_withdrawn(self) -> None:
        before = balance(self.user)
        self.protocol.rewards.withdrawRefund(self.run.instance, sender=self.user)
        assert balance(self.user) == before + self.owed[self.user]
        self.owed[self.user] = 0

    @rule(seat=st.integers(0, 5))
    def a_verdict_is_executed(self, seat: int) -> None:
        client = self.clients[seat]
        at_stake = self.active[client] + self.unbonding[client][0]
        if not at_stake or not self.chain.isFinallySlashable(self.run.instance, client):
            return
        before = balance(self.protocol.slash_treasury)
        self.protocol.slashing.slash([client], self.run.instance, self.protocol.registry.address)
        assert balance(self.protocol.slash_treasury) == before + at_stake
        self.active[client], self.unbonding[client] = 0, (0, 0)
        self.slashed.add(client)

    @rule(seat=st.integers(0, 5))
    def a_client_comes_or_goes(self, seat: int) -> None:
        client = self.clients[seat]
        registry = self.protocol.registry
        amount, unlocked_at = self.unbonding[client]
        if client in self.slashed:
            with boa.reverts("StakingRegistry: client has been slashed"):
                self.protocol.stake(client)
        elif self.active[client]:
            registry.unRegister(sender=client)
            self.unbonding[client] = (amount + self.active[client], self.clock + STAKING_PERIOD)
            self.active[client] = 0
        elif amount and self.clock >= unlocked_at:
            registry.withdrawStake(sender=client)
            self.unbonding[client] = (0, 0)
        else:
            self.protocol.stake(client)
            self.active[client] = STAKE_AMOUNT

    @invariant()
    def every_contract_holds_what_it_owes(self) -> None:
        if not hasattr(self, "owed"):
            return
        stakes = sum(self.active.values()) + sum(amount for amount, _ in self.unbonding.values())
        assert balance(self.protocol.registry) == stakes
        assert balance(self.chain) == sum(self.bonds.values())
        assert balance(self.protocol.rewards) == sum(self.owed.values())
        assert balance(self.protocol.reward_treasury) == self.income


TestLife = Life.TestCase
TestLife.settings = settings(
    max_examples=15,
    stateful_step_count=30,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
