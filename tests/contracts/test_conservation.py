"""Every wei comes out again, and to whom it belongs, in one whole life; tests/contracts/fuzz plays all others."""

from __future__ import annotations

from typing import Any

from tests.contracts.world import (
    AGGREGATOR_BOND,
    BASE_FEE,
    CLIENTS_FEE,
    FEE_PER_EPOCH,
    LIVENESS_PERIOD,
    STAKE_AMOUNT,
    STAKING_PERIOD,
    Protocol,
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
