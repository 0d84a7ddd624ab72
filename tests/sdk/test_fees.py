"""Fees: what is offered is enough, a replacement is enough more, and no ceiling is ever exceeded."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedblocks.chain.fees import (
    BadFeePolicy,
    FeePolicy,
    Market,
    Offer,
    TooExpensive,
    first_offer,
    next_offer,
)
from fedblocks.types import Wei

GAS = 100_000
prices = st.integers(0, 10**13)


def market(base_fee: int | None, tip: int) -> Market:
    return Market(None if base_fee is None else Wei(base_fee), Wei(tip))


def test_the_first_offer_stays_valid_while_the_base_fee_doubles() -> None:
    assert first_offer(FeePolicy(), market(10, 3), GAS, 0) == Offer(Wei(23), Wei(3))


def test_a_chain_without_base_fee_gets_one_price() -> None:
    assert first_offer(FeePolicy(), market(None, 7), GAS, 0) == Offer(Wei(7), None)
    assert next_offer(FeePolicy(), market(None, 7), Offer(Wei(80), None), GAS, 0) == Offer(Wei(90), None)


@given(base=prices, tip=prices, price=prices, last_tip=prices, step=st.integers(125, 3000))
def test_a_replacement_raises_both_prices_by_the_step_and_follows_the_market(
    base: int, tip: int, price: int, last_tip: int, step: int
) -> None:
    last = Offer(Wei(max(price, last_tip)), Wei(last_tip))
    offer = next_offer(FeePolicy(step=step), market(base, tip), last, GAS, 0)
    assert isinstance(offer, Offer)
    assert offer.tip is not None
    assert offer.price * 1000 >= last.price * (1000 + step)
    assert offer.tip * 1000 >= last_tip * (1000 + step)
    assert offer.price > last.price
    assert offer.tip > last_tip
    assert offer.price >= offer.tip >= tip
    assert offer.price >= base + offer.tip


@given(base=prices, tip=prices, spent=prices, ceiling=st.integers(1, 10**13), factor=st.integers(0, 20))
def test_no_ceiling_is_exceeded_and_what_is_offered_gets_mined(
    base: int, tip: int, spent: int, ceiling: int, factor: int
) -> None:
    policy = FeePolicy(
        max_price=Wei(ceiling), max_fee=Wei(ceiling * GAS), max_daily_fee=Wei(ceiling * GAS * max(1, factor))
    )
    offer = first_offer(policy, market(base, tip), GAS, spent * GAS)
    if isinstance(offer, TooExpensive):
        assert base + tip > min(ceiling, max(0, ceiling * max(1, factor) - spent))
        assert "waits" in offer.reason
    else:
        assert base + tip <= offer.price <= ceiling
        assert offer.price * GAS + spent * GAS <= ceiling * GAS * max(1, factor)


def test_a_replacement_that_would_exceed_a_ceiling_waits() -> None:
    policy = FeePolicy(max_price=Wei(100))
    waits = next_offer(policy, market(10, 1), Offer(Wei(95), Wei(1)), GAS, 0)
    assert isinstance(waits, TooExpensive)
    assert "ceiling of 100 wei for a unit of gas" in waits.reason
    assert next_offer(policy, market(10, 1), Offer(Wei(80), Wei(1)), GAS, 0) == Offer(Wei(90), Wei(2))


@pytest.mark.parametrize(
    ("setting", "value"), [("step", 100), ("replace_after", 0.0), ("max_price", Wei(0)), ("max_daily_fee", Wei(-1))]
)
def test_a_setting_that_makes_no_sense_is_refused(setting: str, value: int) -> None:
    with pytest.raises(BadFeePolicy, match=setting):
        FeePolicy(**{setting: value})  # type: ignore[arg-type]
