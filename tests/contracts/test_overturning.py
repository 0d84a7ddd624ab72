"""What follows a proven fault: the epoch and all after it are gone, its aggregator's bond too, and work goes on."""

from __future__ import annotations

from typing import Any

import boa
import pytest
from eth_utils import keccak

from tests.contracts.world import (
    AGGREGATOR_BOND,
    ANSWER_PERIOD,
    CHALLENGE_REWARD,
    CHALLENGE_WINDOW,
    CHALLENGER_SHARE,
    FEE_PER_EPOCH,
    GENESIS_ROOT,
    LIVENESS_PERIOD,
    NO_HASH,
    PARAMETERS,
    RULES_HASH,
    ZERO,
    Protocol,
    Run,
    balance,
    deployer_of,
    events,
    gas_of,
    mock,
    now,
    reasons,
    wait,
)

NOTHING = (NO_HASH, ZERO, 0, 0, 0, 0, NO_HASH, NO_HASH, 0, False)
NO_DISPUTE = (NO_HASH, ZERO, 0, 0, NO_HASH)


@pytest.fixture
def watcher(stranger: Any) -> Any:
    """Who shows the faults."""
    return stranger


def deposit_anew(run: Run) -> None:
    """Have the aggregator accept the job again, after it has lost its bond."""
    run.chain.depositBond(run.instance, sender=run.aggregator, value=AGGREGATOR_BOND)


def replace_aggregator(run: Run, successor: Any) -> Any:
    """Put another in the silent aggregator's place; the one before is returned."""
    before = run.aggregator
    wait(LIVENESS_PERIOD + 1)
    run.chain.nameAggregator(run.instance, successor, sender=run.user)
    run.aggregator, run.attempt = successor, run.attempt + 1
    run.chain.depositBond(run.instance, sender=successor, value=AGGREGATOR_BOND)
    return before


# What can be disputed


def test_a_pending_epoch_can_be_disputed(run: Run, chain: Any) -> None:
    for epoch in (1, 2):
        header = run.train()
        dispute = chain.getDispute(run.instance, epoch)
        assert tuple(dispute) == (header.hash, run.aggregator, 5, PARAMETERS, RULES_HASH)


def test_what_is_not_posted_or_is_final_cannot_be_disputed(run: Run, chain: Any) -> None:
    run.train()
    run.close()
    for instance, epoch in ((run.instance, 0), (run.instance, 2), (run.instance, 2**256 - 1), (run.instance + 1, 1)):
        assert tuple(chain.getDispute(instance, epoch)) == NO_DISPUTE
    run.finalize()
    assert tuple(chain.getDispute(run.instance, 1)) == NO_DISPUTE


# Overturning


def test_an_overturned_epoch_and_all_after_it_are_gone(run: Run, chain: Any, watcher: Any) -> None:
    first = run.train(excluded=0b1, slash_reasons=reasons((0, 6)))
    posted_at = now()
    second = run.train(participants=0b11110, excluded=0b10, slash_reasons=reasons((0, 6), (1, 2)))
    run.train(participants=0b11100)
    wait(5)

    run.overturn(2, watcher, fraud_case=7)

    assert events(chain, "EpochOverturned") == [
        {
            "instanceId": run.instance,
            "epoch": 2,
            "challenger": watcher,
            "fraudCase": 7,
            "aggregator": run.aggregator,
            "headerHash": second.hash,
            "attempt": 1,
        }
    ]
    instance = chain.getInstance(run.instance)
    assert (instance.postedEpochs, instance.finalizedEpochs, instance.attempt) == (1, 0, 1)
    assert (instance.lastHeaderHash, instance.lastModelRoot) == (first.hash, first.next_model_root)
    assert instance.slashReasons == first.slash_reasons
    assert instance.lastActivity == now()
    assert instance.lastProgress == posted_at
    assert chain.getEpoch(run.instance, 1).headerHash == first.hash
    for epoch in (2, 3):
        assert tuple(chain.getEpoch(run.instance, epoch)) == NOTHING
        assert tuple(chain.getDispute(run.instance, epoch)) == NO_DISPUTE


def test_an_overturned_first_epoch_leaves_the_genesis(run: Run, chain: Any, watcher: Any) -> None:
    before = chain.getInstance(run.instance)
    run.train(excluded=0b1, slash_reasons=reasons((0, 6)))

    run.overturn(1, watcher)

    after = chain.getInstance(run.instance)
    assert after.lastHeaderHash == before.lastHeaderHash == run.genesis_hash
    assert after.lastModelRoot == GENESIS_ROOT
    assert after.slashReasons == after.postedEpochs == 0


def test_epochs_that_are_final_stay(run: Run, chain: Any, watcher: Any) -> None:
    run.train(excluded=0b1, slash_reasons=reasons((0, 6)))
    run.finalize()
    run.train(participants=0b11110, excluded=0b10, slash_reasons=reasons((0, 6), (1, 2)))

    run.overturn(2, watcher)

    assert chain.getEpoch(run.instance, 1).finalized
    assert chain.getInstance(run.instance).finalSlashReasons == reasons((0, 6))
    assert chain.isFinallySlashable(run.instance, run.clients[0])
    with boa.reverts("ModelParameterChain: epoch is not pending"):
        run.overturn(1, watcher)


def test_who_was_condemned_by_an_overturned_epoch_is_free(run: Run, protocol: Protocol, watcher: Any) -> None:
    run.train(excluded=0b1, slash_reasons=reasons((0, 6)))
    run.overturn(1, watcher)
    deposit_anew(run)

    run.train()
    run.finalize()

    assert not protocol.chain.isFinallySlashable(run.instance, run.clients[0])
    with boa.reverts("SlashingManager: client is not finally slashable"):
        protocol.slashing.slash([run.clients[0]], run.instance, protocol.registry.address)


@pytest.mark.parametrize("which", range(4))
def test_each_verifier_overturns(run: Run, chain: Any, protocol: Protocol, watcher: Any, which: int) -> None:
    run.train()
    chain.overturnEpoch(run.instance, 1, watcher, 1, sender=protocol.verifiers[which].address)
    assert chain.getInstance(run.instance).postedEpochs == 0


def test_nobody_else_overturns(run: Run, chain: Any, protocol: Protocol, watcher: Any) -> None:
    run.train()
    for caller in (watcher, run.user, run.aggregator, protocol.rewards.address, protocol.slashing.address):
        with boa.reverts("ModelParameterChain: caller is not a verifier"):
            chain.overturnEpoch(run.instance, 1, watcher, 1, sender=caller)


@pytest.mark.parametrize("epoch", [0, 2, 2**256 - 1])
def test_only_a_pending_epoch_is_overturned(run: Run, epoch: int, watcher: Any) -> None:
    run.train()
    run.close()
    with boa.reverts("ModelParameterChain: epoch is not pending"):
        run.overturn(epoch, watcher)


def test_an_epoch_is_overturned_once(run: Run, watcher: Any) -> None:
    run.train()
    run.overturn(1, watcher)
    with boa.reverts("ModelParameterChain: epoch is not pending"):
        run.overturn(1, watcher)


def test_overturning_costs_the_same_however_many_epochs_are_pending(
    protocol: Protocol, user: Any, clients: list[Any], aggregator: Any, watcher: Any
) -> None:
    gas = set()
    for epochs in (2, 20):
        run = protocol.run(user, clients, epochs, aggregator)
        for _ in range(epochs):
            run.train()
        with boa.env.anchor():
            run.overturn(2, watcher)
            gas.add(gas_of(protocol.chain))
    assert len(gas) == 1
    assert gas.pop() < 120_000


# Commits


def test_commits_closed_upon_an_overturned_epoch_are_void(run: Run, chain: Any, watcher: Any) -> None:
    run.train()
    run.close()
    assert chain.getEpoch(run.instance, 2).commitsClosedAt == now()

    run.overturn(1, watcher)
    deposit_anew(run)

    for epoch in (1, 2):
        assert tuple(chain.getEpoch(run.instance, epoch)) == NOTHING
    with boa.reverts("ModelParameterChain: commits are not closed"):
        run.post()
    run.train()
    assert tuple(chain.getEpoch(run.instance, 2)) == NOTHING, "they were made under the attempt before"
    with boa.reverts("ModelParameterChain: commits are not closed"):
        run.post()


def test_an_epoch_is_posted_anew_under_the_next_attempt(run: Run, chain: Any, watcher: Any) -> None:
    run.train()
    run.train()
    run.overturn(1, watcher)
    deposit_anew(run)

    run.attempt = 0
    with boa.reverts("ModelParameterChain: attempt is not the current one"):
        run.close()
    run.attempt = 1
    wait(3)
    run.close()
    record = chain.getEpoch(run.instance, 1)
    assert (record.headerHash, record.commitsRoot, record.commitsClosedAt) == (NO_HASH, run.commits_root(1), now())
    header = run.post(excluded=0b100)

    assert tuple(chain.getEpoch(run.instance, 1)) == (
        header.hash,
        run.aggregator,
        now(),
        header.participants,
        0b100,
        0,
        header.next_model_root,
        header.commits_root,
        now(),
        False,
    )
    assert chain.getInstance(run.instance).lastProgress == now()
    run.train()
    run.train()
    run.finalize_all()
    assert chain.getSettlement(run.instance) == (True, 0, [0b11011, 0b11111, 0b11111])
    assert chain.getEpoch(run.instance, 1).commitsClosedAt != 0


def test_a_posted_epoch_keeps_the_moment_of_its_commits_when_the_attempt_rises(run: Run, chain: Any) -> None:
    run.train()
    closed_at = now()
    run.close()
    wait(LIVENESS_PERIOD + 1)
    run.attempt = 1
    run.close()
    assert chain.getEpoch(run.instance, 1).commitsClosedAt == closed_at
    assert chain.getEpoch(run.instance, 2).commitsClosedAt == now()


def test_an_epoch_is_overturned_again_after_it_was_posted_anew(run: Run, chain: Any, watcher: Any) -> None:
    for attempt in range(3):
        assert chain.getInstance(run.instance).attempt == attempt
        run.train()
        run.overturn(1, watcher)
        assert chain.bonds(run.instance, run.aggregator) == 0
        deposit_anew(run)
    assert chain.challengeRewards(watcher) == 3 * CHALLENGE_REWARD
    run.train()
    run.finalize()


# Bonds


def test_the_bond_is_divided_between_challenger_and_treasury(
    run: Run, chain: Any, protocol: Protocol, watcher: Any
) -> None:
    run.train()
    treasury, held = balance(protocol.slash_treasury), balance(chain)

    run.overturn(1, watcher)

    assert events(chain, "BondSlashed") == [
        {
            "instanceId": run.instance,
            "aggregator": run.aggregator,
            "challenger": watcher,
            "reward": CHALLENGE_REWARD,
            "amount": AGGREGATOR_BOND,
        }
    ]
    assert CHALLENGE_REWARD == AGGREGATOR_BOND * CHALLENGER_SHARE // 10**8
    assert chain.bonds(run.instance, run.aggregator) == 0
    assert chain.challengeRewards(watcher) == CHALLENGE_REWARD
    assert balance(protocol.slash_treasury) == treasury + AGGREGATOR_BOND - CHALLENGE_REWARD
    assert balance(chain) == held - AGGREGATOR_BOND + CHALLENGE_REWARD


def test_a_bond_is_taken_once(run: Run, chain: Any, protocol: Protocol, watcher: Any) -> None:
    run.train()
    run.train()
    run.overturn(2, watcher)
    treasury = balance(protocol.slash_treasury)

    run.overturn(1, watcher)

    assert len(events(chain, "EpochOverturned")) == 1
    assert events(chain, "BondSlashed") == []
    assert chain.challengeRewards(watcher) == CHALLENGE_REWARD
    assert balance(protocol.slash_treasury) == treasury


def test_the_bond_of_another_instance_is_not_touched(
    run: Run, chain: Any, protocol: Protocol, watcher: Any, aggregator: Any
) -> None:
    other = protocol.run(run.user, run.clients, 1, aggregator)
    run.train()
    run.overturn(1, watcher)
    assert chain.bonds(other.instance, aggregator) == AGGREGATOR_BOND


def test_the_challenger_claims_its_reward(run: Run, chain: Any, watcher: Any) -> None:
    run.train()
    run.overturn(1, watcher)
    before = balance(watcher)

    chain.claimChallengeReward(sender=watcher)

    assert events(chain, "ChallengeRewardClaimed") == [
        {"challenger": watcher, "receiver": watcher, "amount": CHALLENGE_REWARD}
    ]
    assert balance(watcher) == before + CHALLENGE_REWARD
    assert chain.challengeRewards(watcher) == balance(chain) == 0
    with boa.reverts("ModelParameterChain: no reward to claim"):
        chain.claimChallengeReward(sender=watcher)


def test_the_challenger_has_its_reward_sent_elsewhere(run: Run, chain: Any, watcher: Any, newcomer: Any) -> None:
    run.train()
    run.overturn(1, watcher)
    before = balance(newcomer)
    with boa.reverts("ModelParameterChain: receiver is the zero address"):
        chain.claimChallengeReward(ZERO, sender=watcher)
    chain.claimChallengeReward(newcomer, sender=watcher)
    assert events(chain, "ChallengeRewardClaimed")[0]["receiver"] == newcomer
    assert balance(newcomer) == before + CHALLENGE_REWARD


def test_a_reward_that_is_refused_stays_credited(run: Run, chain: Any, watcher: Any) -> None:
    refusing = mock("Actor")
    refusing.refuse()
    run.train()
    run.overturn(1, watcher)
    with boa.reverts("ModelParameterChain: receiver refused the payment"):
        chain.claimChallengeReward(refusing.address, sender=watcher)
    assert chain.challengeRewards(watcher) == CHALLENGE_REWARD


def test_a_challenger_that_calls_back_is_paid_once(run: Run, chain: Any, protocol: Protocol) -> None:
    challenger = mock("Actor")
    run.train()
    run.overturn(1, challenger.address)
    # So that there would be something to steal.
    other = protocol.run(run.user, run.clients, 1, run.aggregator)
    claim = chain.claimChallengeReward.prepare_calldata()
    challenger.callBack(chain.address, claim)

    challenger.act(chain.address, claim)

    assert challenger.callbacks() == 1
    assert not challenger.callbackSucceeded()
    assert balance(challenger) == CHALLENGE_REWARD
    assert balance(chain) == chain.bonds(other.instance, run.aggregator) == AGGREGATOR_BOND


def test_a_treasury_that_refuses_keeps_the_epoch(deployer: Any, admin: Any, user: Any, aggregator: Any) -> None:
    """No treasury of this protocol does; another could be named at deployment."""
    treasury = mock("Actor")
    protocol = Protocol.deploy(deployer, admin, registrySlashTreasury=treasury.address)
    clients = [boa.env.generate_address(f"client {seat}") for seat in range(4)]
    for client in clients:
        boa.env.set_balance(client, 10**18)
        protocol.stake(client)
    run = protocol.run(user, clients, 1, aggregator)
    run.train()
    treasury.refuse()
    with boa.reverts("ModelParameterChain: slash treasury refused the payment"):
        run.overturn(1, user)
    treasury.accept()
    run.overturn(1, user)
    assert balance(treasury) == AGGREGATOR_BOND - CHALLENGE_REWARD


# Who goes on


def test_the_aggregator_posts_nothing_before_it_has_deposited_anew(run: Run, chain: Any, watcher: Any) -> None:
    run.train()
    run.overturn(1, watcher)
    with boa.reverts("ModelParameterChain: bond is missing"):
        run.close()
    with boa.reverts("ModelParameterChain: no bond to withdraw"):
        chain.withdrawBond(run.instance, sender=run.aggregator)
    deposit_anew(run)
    run.train()


def test_the_user_replaces_the_aggregator_at_once(run: Run, chain: Any, watcher: Any, successor: Any) -> None:
    for _ in range(3):
        run.train()
    run.overturn(3, watcher)
    chain.nameAggregator(run.instance, successor, sender=run.user)
    assert chain.getInstance(run.instance).attempt == 2
    run.aggregator, run.attempt = successor, 2
    chain.depositBond(run.instance, sender=successor, value=AGGREGATOR_BOND)
    run.train()
    run.finalize_all()
    assert chain.isClosed(run.instance)


def test_who_built_on_a_false_epoch_keeps_its_bond_and_goes_on(
    run: Run, chain: Any, watcher: Any, successor: Any
) -> None:
    run.train()
    culprit = replace_aggregator(run, successor)
    run.train()

    run.overturn(1, watcher)

    assert chain.bonds(run.instance, culprit) == 0
    assert chain.bonds(run.instance, successor) == AGGREGATOR_BOND
    assert chain.getInstance(run.instance).aggregator == successor
    run.train()
    run.finalize()
    assert chain.getEpoch(run.instance, 1).aggregator == successor


def test_a_former_aggregator_whose_last_epochs_are_gone_is_free(
    run: Run, chain: Any, watcher: Any, successor: Any, newcomer: Any
) -> None:
    run.train()
    replace_aggregator(run, successor)
    run.train()
    innocent = replace_aggregator(run, newcomer)
    with boa.reverts("ModelParameterChain: an epoch of the caller's is not final"):
        chain.withdrawBond(run.instance, sender=innocent)

    run.overturn(1, watcher)

    chain.withdrawBond(run.instance, sender=innocent)
    assert chain.bonds(run.instance, innocent) == 0


def test_a_former_aggregator_is_held_by_its_epochs_before_the_overturned_one(
    run: Run, chain: Any, watcher: Any, successor: Any
) -> None:
    run.train()
    run.train()
    run.overturn(2, watcher)
    deposit_anew(run)
    former = replace_aggregator(run, successor)
    with boa.reverts("ModelParameterChain: an epoch of the caller's is not final"):
        chain.withdrawBond(run.instance, sender=former)
    run.finalize()
    chain.withdrawBond(run.instance, sender=former)


# How an instance ends


def test_a_stopped_instance_whose_pending_epoch_is_overturned_is_closed(
    run: Run, chain: Any, watcher: Any, successor: Any
) -> None:
    run.train()
    run.close()
    run.stop()
    assert not chain.isClosed(run.instance)

    run.overturn(1, watcher)

    assert chain.isClosed(run.instance), "commits of the attempt before are not waited for"
    with boa.reverts("ModelParameterChain: instance is stopped"):
        deposit_anew(run)
    with boa.reverts("ModelParameterChain: instance is stopped"):
        chain.nameAggregator(run.instance, successor, sender=run.user)
    run.settle()
    assert run.refund == 3 * FEE_PER_EPOCH


def test_a_stopped_instance_takes_no_epoch_after_an_overturned_one(
    run: Run, chain: Any, watcher: Any, successor: Any
) -> None:
    """Its aggregator is innocent, and has a bond."""
    run.train()
    run.train()
    replace_aggregator(run, successor)
    run.close()
    run.stop()
    run.overturn(2, watcher)
    with boa.reverts("ModelParameterChain: commits are not closed"):
        run.post()
    with boa.reverts("ModelParameterChain: instance is stopped"):
        run.close()
    assert not chain.isClosed(run.instance), "the first epoch is pending"
    run.finalize()
    chain.withdrawBond(run.instance, sender=successor)
    run.settle()
    assert run.refund == 2 * FEE_PER_EPOCH


def test_an_instance_all_of_whose_epochs_were_posted_goes_on_after_an_overturned_one(
    run: Run, chain: Any, watcher: Any
) -> None:
    for _ in range(3):
        run.train()
    run.finalize()
    run.overturn(2, watcher)
    assert not chain.isClosed(run.instance)
    deposit_anew(run)
    run.train()
    run.train()
    run.finalize_all()
    assert chain.isClosed(run.instance)
    chain.withdrawBond(run.instance, sender=run.aggregator)


def test_an_overturned_epoch_is_a_sign_of_life_and_no_progress(run: Run, chain: Any, watcher: Any) -> None:
    run.train()
    wait(2 * LIVENESS_PERIOD)
    run.overturn(1, watcher)
    wait(2 * LIVENESS_PERIOD)
    with boa.reverts("ModelParameterChain: only the user may stop it yet"):
        chain.stopInstance(run.instance, sender=watcher)
    wait(1)
    chain.stopInstance(run.instance, sender=watcher)
    assert chain.isClosed(run.instance)


# Data on demand


def test_an_epoch_is_not_final_while_data_are_demanded(run: Run, chain: Any, protocol: Protocol, watcher: Any) -> None:
    header = run.train()
    demand = run.demand(header, watcher)
    wait(CHALLENGE_WINDOW + ANSWER_PERIOD + 1)
    with boa.reverts("ModelParameterChain: data are demanded"):
        chain.finalizeEpoch(run.instance, 1)

    protocol.demands.failDemand(demand)

    assert events(protocol.demands, "EpochOverturned")[0]["fraudCase"] == 10
    assert chain.challengeRewards(watcher) == CHALLENGE_REWARD
    assert chain.getInstance(run.instance).postedEpochs == 0


def test_an_epoch_is_final_when_its_answer_has_been_there_for_a_period(
    run: Run, chain: Any, protocol: Protocol, watcher: Any
) -> None:
    commits = bytes(32 * 5)
    root = keccak(b"\x06" + commits)
    chain.closeCommits(run.instance, 1, 0, root, sender=run.aggregator)
    header = run.post(commits_root=root)
    wait(CHALLENGE_WINDOW - 10)
    demand = run.demand(header, watcher)
    wait(15)
    protocol.demands.answer(demand, header.words, b"", b"", (0, NO_HASH, NO_HASH, []), commits, [], sender=watcher)
    wait(ANSWER_PERIOD)
    with boa.reverts("ModelParameterChain: data are demanded"):
        chain.finalizeEpoch(run.instance, 1)
    wait(1)
    chain.finalizeEpoch(run.instance, 1)
    assert chain.getEpoch(run.instance, 1).finalized


def test_the_chain_names_its_verifiers(protocol: Protocol, chain: Any) -> None:
    named = (chain.SUBMISSION_VERIFIER(), chain.VECTOR_VERIFIER(), chain.VERDICT_VERIFIER(), chain.DATA_DEMANDS())
    assert named == tuple(verifier.address for verifier in protocol.verifiers)
    assert chain.CHALLENGER_SHARE() == CHALLENGER_SHARE


def test_a_contract_that_only_looks_like_a_verifier_overturns_nothing(run: Run, protocol: Protocol) -> None:
    impostor = deployer_of("SubmissionVerifier").deploy(protocol.chain.address)
    run.train()
    with boa.reverts("ModelParameterChain: caller is not a verifier"):
        protocol.chain.overturnEpoch(run.instance, 1, run.user, 1, sender=impostor.address)
