"""An instance through the SDK, from the user's payment to the last refund."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fedblocks.contracts import model_parameter_chain as mpc
from fedblocks.contracts import reward_manager as rewards
from fedblocks.contracts.model_parameter_chain import PostedHeader, Verdict
from fedblocks.contracts.reverts import (
    AggregatorAtWork,
    AlreadyConfigured,
    AlreadySettled,
    BondMissing,
    ChallengeWindowOpen,
    ClientHasTwoSeats,
    ClientIsSlashed,
    ClientNotStaked,
    CohortTooSmall,
    CommitsNotClosed,
    ConfigurationIncomplete,
    HeaderDoesNotChain,
    IncorrectBond,
    IncorrectInstanceValue,
    InstanceNotClosed,
    NobodyAccepted,
    NoEpochs,
    NoRefundToWithdraw,
    NoRewardToClaim,
    NoSuchInstance,
    NotFinallySlashable,
    NothingToSlash,
    NotTheAggregator,
    NotTheUser,
    OnlyUserMayStop,
    SeatOutsideCohort,
    StillTheAggregator,
    TooManyEpochs,
    WrongCommitsRoot,
    WrongRegistry,
)
from fedblocks.contracts.slashing_manager import ClientSlashed, SlashClients
from fedblocks.contracts.staking_registry import StakeSlashed
from fedblocks.contracts.treasury import Recieved
from fedblocks.seats import SlashReason, bitmap_of, pack_reasons
from fedblocks.types import Bitmap, EpochNumber, Hash32, InstanceId, Seat, Wei
from fedblocks.units import ether
from tests.anvil import Roles

WINDOW = 2 * 86_400
FEE = ether("0.01")
CLIENTS_PART = FEE * 98 // 100


def word(number: int) -> Hash32:
    return Hash32(number.to_bytes(32, "big"))


MODEL, RULES = word(0xA0), word(0xB0)
NOBODY, ALL = bitmap_of([]), bitmap_of(range(6))


def opened(staked: Roles, epochs: int = 2) -> InstanceId:
    """An instance that is configured and bonded."""
    receipt = staked.user.rewards.new_configured_instance(
        staked.cohort,
        epochs,
        aggregator=staked.aggregator.sender.address or staked.cohort[0],
        genesis_model_root=MODEL,
        d=1000,
        rules_hash=RULES,
    )
    number = receipt.one(rewards.NewUserInstance).instance_id
    staked.aggregator.chain.deposit_bond(number)
    return number


def header(
    roles: Roles, number: InstanceId, participants: Bitmap, excluded: Bitmap = NOBODY, slash_reasons: int = 0
) -> PostedHeader:
    """The header of the next epoch, as the chain wants it."""
    state = roles.user.chain.instance(number)
    epoch = EpochNumber(state.posted_epochs + 1)
    return PostedHeader(
        instance_id=number,
        epoch=epoch,
        attempt=state.attempt,
        previous_header_hash=state.last_header_hash,
        commits_root=word(0x100 + epoch),
        submissions_root=word(1),
        gram_root=word(2),
        stats_root=word(3),
        base_model_root=state.last_model_root,
        delta_root=word(4),
        next_model_root=word(0x200 + epoch),
        participants=participants,
        excluded=excluded,
        slash_reasons=slash_reasons,
        carried_root=word(5),
        metric=812_300,
        data_locator=word(6),
    )


def post(
    roles: Roles, number: InstanceId, participants: Bitmap, excluded: Bitmap = NOBODY, slash_reasons: int = 0
) -> PostedHeader:
    head = header(roles, number, participants, excluded, slash_reasons)
    roles.aggregator.chain.close_commits(number, head.epoch, head.attempt, head.commits_root)
    roles.aggregator.chain.submit_epoch(head)
    return head


def test_an_instance_runs_from_payment_to_refund(staked: Roles) -> None:
    """Two of three epochs are trained; seat 5 is slashed in the second; the user stops and everybody is paid."""
    roles, chain = staked, staked.user.chain
    treasury_before = roles.user.reward_treasury.balance()
    opening = roles.user.rewards.new_user_instance(roles.cohort, 3)
    number = opening.one(rewards.NewUserInstance).instance_id
    funded = opening.one(rewards.InstanceFunded)
    assert (funded.base_fee, funded.escrow, list(funded.clients)) == (ether("0.05"), 3 * FEE, roles.cohort)
    assert opening.one(mpc.InstanceOpened).cohort_size == 6
    assert opening.one(Recieved).amount == ether("0.05")
    assert roles.user.rewards.instance_count() == number
    assert roles.user.rewards.cohort(number) == tuple(roles.cohort)
    assert roles.user.rewards.client(number, Seat(3)) == roles.cohort[3]
    kept = roles.user.rewards.user_instance(number)
    assert (kept.user, kept.number_of_epochs, kept.escrow, kept.settled) == (funded.user, 3, 3 * FEE, False)

    aggregator = roles.aggregator.sender.address
    assert aggregator is not None
    configured = chain.configure_instance(
        number, aggregator=aggregator, genesis_model_root=MODEL, d=1000, rules_hash=RULES
    )
    state = chain.instance(number)
    assert state.last_header_hash == configured.one(mpc.InstanceConfigured).genesis_hash
    assert (state.aggregator, state.d, state.last_model_root, state.rules_hash) == (aggregator, 1000, MODEL, RULES)
    assert roles.aggregator.chain.deposit_bond(number).one(mpc.BondDeposited).amount == ether(1)
    assert chain.bond(number, aggregator) == ether(1)

    first = header(roles, number, ALL, bitmap_of([4]))
    closing = roles.aggregator.chain.close_commits(number, first.epoch, first.attempt, first.commits_root)
    assert closing.one(mpc.CommitsClosed).commits_root == first.commits_root
    posting = roles.aggregator.chain.submit_epoch(first)
    posted = posting.one(mpc.EpochSubmitted)
    assert posted.header == first
    assert posted.finalizable_at == roles.node.connection.block(posting.block).timestamp + WINDOW + 1
    assert chain.instance(number).last_header_hash == posted.header_hash
    record = chain.epoch(number, EpochNumber(1))
    assert (record.header_hash, record.is_posted, record.finalized) == (posted.header_hash, True, False)
    assert not chain.epoch(number, EpochNumber(2)).is_posted

    reasons = pack_reasons({5: SlashReason.REPLAY})
    post(roles, number, ALL, bitmap_of([5]), reasons)
    assert chain.instance(number).slashable == {Seat(5): SlashReason.REPLAY}
    assert chain.instance(number).finally_slashable == {}
    culprit = roles.cohort[5]
    with pytest.raises(NotFinallySlashable):
        roles.stranger.slashing.slash([culprit], number)
    with pytest.raises(ChallengeWindowOpen):
        roles.stranger.chain.finalize_epoch(number, EpochNumber(1))

    roles.node.increase_time(WINDOW + 1)
    final = roles.stranger.chain.finalize_epoch(number, EpochNumber(1)).one(mpc.EpochFinalized)
    assert (final.participants, final.excluded) == (ALL, bitmap_of([4]))
    assert chain.verdict(number, culprit) is None
    verdict = roles.stranger.chain.finalize_epoch(number, EpochNumber(2)).one(mpc.ClientSlashable)
    assert (verdict.client, verdict.epoch, verdict.reason) == (culprit, 2, SlashReason.REPLAY)
    assert chain.verdict(number, culprit) == Verdict(epoch=EpochNumber(2), reason=SlashReason.REPLAY)
    assert chain.is_finally_slashable(number, culprit)
    assert chain.epoch(number, EpochNumber(2)).finalized

    slash_before = roles.user.slash_treasury.balance()
    slashed = roles.stranger.slashing.slash([culprit], number)
    told = slashed.one(ClientSlashed)
    assert (told.client, told.instance_id, told.epoch, told.reason) == (culprit, number, 2, SlashReason.REPLAY)
    assert slashed.one(SlashClients).instance_id == number
    assert slashed.one(StakeSlashed).amount == told.amount == ether("0.1")
    assert roles.user.slash_treasury.balance() - slash_before == told.amount
    assert roles.user.staking.is_slashed(culprit)
    with pytest.raises(NothingToSlash):
        roles.stranger.slashing.slash([culprit], number)
    with pytest.raises(ClientIsSlashed):
        roles.clients[5].staking.stake()

    with pytest.raises(InstanceNotClosed):
        roles.stranger.rewards.collect_training_fees(number)
    stopped = roles.user.chain.stop_instance(number).one(mpc.InstanceStopped)
    assert (stopped.posted_epochs, stopped.finalized_epochs) == (2, 2)
    assert chain.is_closed(number)
    settlement = chain.settlement(number)
    assert (settlement.closed, settlement.slash_reasons) == (True, reasons)
    assert settlement.accepted == (bitmap_of([0, 1, 2, 3, 5]), bitmap_of([0, 1, 2, 3, 4]))

    share = CLIENTS_PART // 5
    settled = roles.stranger.rewards.collect_training_fees(number)
    bill = settled.one(rewards.FeesSettled)
    assert bill.billed_epochs == settled.one(rewards.CollectTrainingFees).number_of_epochs == 2
    assert bill.clients_total == 9 * share  # seat 4 sat out the first epoch, and seat 5 forfeits its first
    assert bill.clients_total + bill.protocol_total == 2 * FEE
    assert bill.refund == FEE
    credited = {event.client: event.amount for event in settled.all(rewards.RewardCredited)}
    assert credited == {**dict.fromkeys(roles.cohort[:4], 2 * share), roles.cohort[4]: share}
    with pytest.raises(AlreadySettled):
        roles.stranger.rewards.collect_training_fees(number)

    for client, amount in zip(roles.clients[:5], [2 * share] * 4 + [share], strict=True):
        address = client.sender.address
        assert address is not None
        assert client.rewards.reward(number, address) == amount
        before = roles.node.connection.balance(address)
        paid = client.rewards.claim_reward(number)
        assert paid.one(rewards.RewardClaimed).amount == amount
        assert roles.node.connection.balance(address) == before + amount - paid.fee
    with pytest.raises(NoRewardToClaim):
        roles.clients[0].rewards.claim_reward(number)
    with pytest.raises(ClientIsSlashed):
        roles.clients[5].rewards.claim_reward(number)
    with pytest.raises(NotTheUser):
        roles.stranger.rewards.withdraw_refund(number)
    refunded = roles.user.rewards.withdraw_refund(number).one(rewards.RefundWithdrawn)
    assert (refunded.amount, refunded.receiver) == (FEE, funded.user)
    with pytest.raises(NoRefundToWithdraw):
        roles.user.rewards.withdraw_refund(number)
    returned = roles.aggregator.chain.withdraw_bond(number).one(mpc.BondWithdrawn)
    assert (returned.amount, returned.receiver) == (ether(1), aggregator)

    assert roles.user.rewards.balance() == 0
    assert roles.user.chain.balance() == 0
    assert roles.user.reward_treasury.balance() - treasury_before == ether("0.05") + bill.protocol_total


def test_a_slashed_clients_credit_elsewhere_is_forfeited(staked: Roles) -> None:
    roles, culprit = staked, staked.cohort[5]
    honest, caught = opened(roles, 1), opened(roles, 1)
    post(roles, honest, ALL)
    post(roles, caught, ALL, bitmap_of([5]), pack_reasons({5: SlashReason.ZERO}))
    roles.node.increase_time(WINDOW + 1)
    for number in (honest, caught):
        roles.stranger.chain.finalize_epoch(number, EpochNumber(1))
        roles.stranger.rewards.collect_training_fees(number)
    roles.stranger.slashing.slash([culprit], caught)
    lost = roles.stranger.rewards.forfeit_reward(honest, culprit).one(rewards.RewardForfeited)
    assert (lost.client, lost.amount) == (culprit, CLIENTS_PART // 6)
    assert roles.user.rewards.reward(honest, culprit) == 0


def test_the_user_names_another_aggregator_when_the_first_is_silent(staked: Roles) -> None:
    roles, number = staked, opened(staked)
    other = roles.stranger.sender.address
    assert other is not None
    with pytest.raises(AggregatorAtWork):
        roles.user.chain.name_aggregator(number, other)
    with pytest.raises(NotTheUser):
        roles.stranger.chain.name_aggregator(number, other)
    roles.node.increase_time(WINDOW + 1)
    named = roles.user.chain.name_aggregator(number, other).one(mpc.AggregatorNamed)
    assert (named.aggregator, named.previous_aggregator, named.attempt) == (other, roles.aggregator.sender.address, 1)
    assert roles.aggregator.chain.withdraw_bond(number).one(mpc.BondWithdrawn).amount == ether(1)
    with pytest.raises(BondMissing):
        roles.stranger.chain.close_commits(number, EpochNumber(1), 1, word(1))


def test_anyone_stops_what_nobody_runs_any_more(staked: Roles) -> None:
    number = opened(staked)
    with pytest.raises(OnlyUserMayStop):
        staked.stranger.chain.stop_instance(number)
    staked.node.increase_time(WINDOW + 1)
    staked.stranger.chain.stop_instance(number)
    assert staked.user.chain.is_closed(number)


def test_a_cohort_that_cannot_be_is_refused(staked: Roles) -> None:
    manager, cohort = staked.user.rewards, staked.cohort
    with pytest.raises(ClientHasTwoSeats):
        manager.new_user_instance([*cohort, cohort[0]], 1)
    stranger = staked.stranger.sender.address
    assert stranger is not None
    with pytest.raises(ClientNotStaked):
        manager.new_user_instance([*cohort, stranger], 1)
    with pytest.raises(CohortTooSmall):
        manager.new_user_instance(cohort[:3], 1)
    with pytest.raises(NoEpochs):
        manager.new_user_instance(cohort, 0)
    with pytest.raises(TooManyEpochs):
        manager.new_user_instance(cohort, 1025)
    for off_by_one in (-1, 1):
        with pytest.raises(IncorrectInstanceValue):
            manager.new_user_instance(cohort, 1, Wei(manager.price(1) + off_by_one))


def test_a_configuration_that_cannot_be_is_refused(staked: Roles) -> None:
    number = staked.user.rewards.new_user_instance(staked.cohort, 1).one(rewards.NewUserInstance).instance_id
    aggregator = staked.cohort[0]
    with pytest.raises(NotTheUser):
        staked.stranger.chain.configure_instance(
            number, aggregator=aggregator, genesis_model_root=MODEL, d=1, rules_hash=RULES
        )
    with pytest.raises(ConfigurationIncomplete):
        staked.user.chain.configure_instance(
            number, aggregator=aggregator, genesis_model_root=MODEL, d=0, rules_hash=RULES
        )
    with pytest.raises(NoSuchInstance):
        staked.user.chain.configure_instance(
            InstanceId(number + 1), aggregator=aggregator, genesis_model_root=MODEL, d=1, rules_hash=RULES
        )
    staked.user.chain.configure_instance(number, aggregator=aggregator, genesis_model_root=MODEL, d=1, rules_hash=RULES)
    with pytest.raises(AlreadyConfigured):
        staked.user.chain.configure_instance(
            number, aggregator=aggregator, genesis_model_root=MODEL, d=1, rules_hash=RULES
        )
    with pytest.raises(IncorrectBond):
        staked.clients[0].chain.deposit_bond(number, ether("0.5"))


def test_a_header_that_does_not_fit_is_refused(staked: Roles) -> None:
    number = opened(staked)
    chain, good = staked.aggregator.chain, header(staked, number, ALL)
    with pytest.raises(CommitsNotClosed):
        chain.submit_epoch(good)
    with pytest.raises(NotTheAggregator):
        staked.stranger.chain.close_commits(number, good.epoch, good.attempt, good.commits_root)
    chain.close_commits(number, good.epoch, good.attempt, good.commits_root)
    with pytest.raises(HeaderDoesNotChain):
        chain.submit_epoch(replace(good, previous_header_hash=word(1)))
    with pytest.raises(WrongCommitsRoot):
        chain.submit_epoch(replace(good, commits_root=word(1)))
    with pytest.raises(SeatOutsideCohort):
        chain.submit_epoch(replace(good, participants=bitmap_of([0, 6])))
    with pytest.raises(NobodyAccepted):
        chain.submit_epoch(replace(good, excluded=ALL))
    with pytest.raises(StillTheAggregator):
        chain.withdraw_bond(number)
    chain.submit_epoch(good)


def test_a_slash_on_another_registry_is_refused(staked: Roles) -> None:
    with pytest.raises(WrongRegistry):
        staked.stranger.slashing.slash([staked.cohort[0]], InstanceId(1), staked.cohort[1])


def test_all_contracts_events_come_in_the_chains_order(staked: Roles) -> None:
    number = opened(staked)
    events = staked.user.events()
    places = [(event.block, event.log_index) for event in events]
    assert places == sorted(places)
    assert {type(event) for event in events} >= {mpc.InstanceConfigured, rewards.InstanceFunded, Recieved}
    assert [event.instance_id for event in events if isinstance(event, mpc.BondDeposited)] == [number]
