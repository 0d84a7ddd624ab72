"""Everybody leaves: whatever has happened, everything that is owed can be withdrawn without anybody's goodwill."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import boa

from tests.contracts.world import CHALLENGE_WINDOW, LIVENESS_PERIOD, STAKING_PERIOD, Protocol, balance, wait

Send = Callable[..., str | None]


def everybody_leaves(protocol: Protocol, everybody: list[str], stranger: str, haven: str, send: Send) -> dict[str, int]:
    """Wind the protocol up and say what each contract still holds.

    Users and aggregators are taken to have vanished: a stranger ends every instance. Whoever is owed something has it
    sent to `haven`, an account that takes ether. `send(sender, contract, function, *arguments)` makes a call and gives
    the reason when it reverts.
    """
    chain, rewards, registry = protocol.chain, protocol.rewards, protocol.registry

    def must(sender: str, contract: Any, function: str, *arguments: Any) -> None:
        reason = send(sender, contract, function, *arguments)
        assert reason is None, f"{function} is blocked: {reason}"

    with boa.env.anchor():
        wait(4 * LIVENESS_PERIOD + CHALLENGE_WINDOW + 1)
        for number in range(1, rewards.nonce() + 1):
            instance = chain.getInstance(number)
            for epoch in range(instance.finalizedEpochs, instance.postedEpochs):
                must(stranger, chain, "finalizeEpoch", number, epoch + 1)
            if not chain.isClosed(number):
                must(stranger, chain, "stopInstance", number)
            order = rewards.getUserInstance(number)
            if not order.settled:
                must(stranger, rewards, "collectTrainingFees", number)
            if rewards.refunds(number):
                must(str(order.user), rewards, "withdrawRefund", number, haven)
            for client in order.clients:
                if rewards.rewards(number, client):
                    if registry.isSlashed(client):
                        must(stranger, rewards, "forfeitReward", number, str(client))
                    else:
                        must(str(client), rewards, "claimReward", number, haven)
            for aggregator in everybody:
                if chain.bonds(number, aggregator):
                    must(aggregator, chain, "withdrawBond", number, haven)
        for challenger in everybody:
            if chain.challengeRewards(challenger):
                must(challenger, chain, "claimChallengeReward", haven)
        for client in everybody:
            if registry.isStaked(client):
                must(client, registry, "unRegister")
        wait(STAKING_PERIOD)
        for client in everybody:
            if registry.clientStakes(client):
                must(client, registry, "withdrawStake", haven)
        return {str(contract.address): balance(contract) for contract in (registry, rewards, chain)}
