"""A slash is held against the balances of a real chain, before and after."""

from dataclasses import replace

import pytest

from fedblocks.contracts.slashing_manager import ClientSlashed
from fedblocks.monitor.money import check_slash_money
from fedblocks.monitor.views import Place, SlashView
from fedblocks.seats import SlashReason, bitmap_of, pack_reasons
from fedblocks.types import EpochNumber, InstanceId, Wei
from tests.anvil import Roles
from tests.sdk.test_instances import ALL, WINDOW, opened, post


@pytest.fixture
def slash(staked: Roles) -> SlashView:
    """Seat 5 is condemned, and its stake is taken."""
    number = opened(staked)
    post(staked, number, ALL, bitmap_of([5]), pack_reasons({5: SlashReason.REPLAY}))
    staked.node.increase_time(WINDOW + 1)
    staked.stranger.chain.finalize_epoch(number, EpochNumber(1))
    receipt = staked.stranger.slashing.slash([staked.cohort[5]], number)
    told = receipt.one(ClientSlashed)
    return SlashView(
        client=told.client,
        amount=told.amount,
        received=told.amount,
        instance_id=InstanceId(number),
        epoch=told.epoch,
        seat=5,
        reason=told.reason,
        header_hash=None,
        attempt=None,
        aggregator=None,
        posted=None,
        finalized=None,
        slashed=Place(
            block=receipt.block,
            timestamp=staked.node.connection.block(receipt.block).timestamp,
            transaction_hash=receipt.transaction_hash,
            log_index=told.log_index,
        ),
    )


def test_what_was_taken_is_what_the_balances_lost_and_gained(staked, slash):
    check = check_slash_money(staked.user, slash)
    assert check.agrees
    assert [(each.after - each.before, each.expected) for each in check.changes] == [
        (-slash.amount, -slash.amount),
        (-slash.amount, -slash.amount),
        (slash.amount, slash.amount),
    ]
    assert check.changes[0].before == slash.amount
    assert check.changes[0].after == 0


def test_an_amount_that_is_not_the_treasurys_does_not_agree(staked, slash):
    assert not check_slash_money(staked.user, replace(slash, received=Wei(slash.amount - 1))).agrees
    less = Wei(slash.amount - 1)
    assert not check_slash_money(staked.user, replace(slash, amount=less)).agrees
    assert not check_slash_money(staked.user, replace(slash, amount=less, received=less)).agrees


def test_ether_that_moves_without_an_event_is_seen(staked, slash):
    """Somebody sets the treasury's balance in the block of the slash: no event says so."""
    treasury = staked.user.slash_treasury.address
    staked.node.connection.rpc("anvil_setBalance", treasury, hex(10**20))
    # The node's newest state is the one of the newest block: the one of the slash.
    check = check_slash_money(staked.user, slash)
    assert not check.agrees
    assert [each.agrees for each in check.changes] == [True, True, False]
    assert "but it is" in check.changes[2].sentence
