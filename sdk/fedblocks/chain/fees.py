"""What a transaction offers for its gas, and how far that may go.

Since EIP-1559 a transaction names two prices for a unit of gas: the most that it pays in all, and the tip within it. A
block asks for its base fee and takes the tip on top, so that an offer of twice the base fee stays valid for a while and
costs nothing more. A transaction that waits too long is replaced by one with the same nonce; nodes take the new one
only if it raises both prices, by a tenth or an eighth, depending on the node. Older chains have one plain price.
"""

from __future__ import annotations

from dataclasses import dataclass

from fedblocks.exceptions import FedBlocksError
from fedblocks.types import Wei


@dataclass(frozen=True)
class Offer:
    """What a transaction offers for a unit of gas."""

    price: Wei
    """The most that is paid."""
    tip: Wei | None
    """The tip within it; None on a chain with plain gas prices."""


@dataclass(frozen=True)
class Market:
    """What a node says that gas costs now."""

    base_fee: Wei | None
    """None on a chain with plain gas prices."""
    tip: Wei
    """The tip that is usual; on a chain with plain gas prices the price."""

    @property
    def asked(self) -> Wei:
        """The least price at which the next block would take a transaction."""
        return Wei((self.base_fee or 0) + self.tip)

    @property
    def offer(self) -> Offer:
        """What to offer now."""
        if self.base_fee is None:
            return Offer(self.tip, None)
        # Twice the base fee stays valid through six full blocks; only what a block asks for is paid.
        return Offer(Wei(2 * self.base_fee + self.tip), self.tip)


class BadFeePolicy(FedBlocksError, ValueError):
    """A setting of the fees makes no sense."""

    def __init__(self, name: str, value: object, rule: str) -> None:
        super().__init__(f"{name} is {value}, but it must be {rule}")


@dataclass(frozen=True)
class FeePolicy:
    """How much may be paid, and when to offer more. Whatever exceeds a ceiling waits until the price has fallen.

    Attributes:
        replace_after: seconds after which a transaction that is not mined is replaced by one that offers more.
        step: by how many thousandths both prices rise then, at the least.
        max_price: the most for a unit of gas.
        max_fee: the most for one transaction's gas.
        max_daily_fee: the most for the gas of all transactions of the account in 24 hours.
    """

    replace_after: float = 60.0
    step: int = 125
    max_price: Wei | None = None
    max_fee: Wei | None = None
    max_daily_fee: Wei | None = None

    def __post_init__(self) -> None:
        if self.step < 125:
            raise BadFeePolicy("step", self.step, "at least 125 thousandths, or nodes refuse the replacement")
        if self.replace_after <= 0:
            raise BadFeePolicy("replace_after", self.replace_after, "more than 0 seconds")
        for name in ("max_price", "max_fee", "max_daily_fee"):
            value = getattr(self, name)
            if value is not None and value <= 0:
                raise BadFeePolicy(name, value, "more than 0 wei, or left out")


@dataclass(frozen=True)
class TooExpensive:
    """Why nothing can be offered now."""

    reason: str


def first_offer(policy: FeePolicy, market: Market, gas: int, spent_today: int) -> Offer | TooExpensive:
    """What to offer for a new transaction.

    Args:
        policy: what may be paid.
        market: what gas costs now.
        gas: the transaction's gas limit.
        spent_today: what the account has paid, or may still have to pay, for gas in 24 hours, without this transaction.
    """
    return _within(policy, market.offer, market.asked, gas, spent_today)


def next_offer(policy: FeePolicy, market: Market, last: Offer, gas: int, spent_today: int) -> Offer | TooExpensive:
    """What to offer for a replacement: enough more than the last one to be taken, and enough for the market of now."""
    if market.base_fee is None or last.tip is None:
        needed = Wei(max(market.tip, _raised(last.price, policy.step)))
        return _within(policy, Offer(needed, None), needed, gas, spent_today)
    tip = max(market.tip, _raised(last.tip, policy.step))
    least = max(_raised(last.price, policy.step), market.base_fee + tip)
    return _within(policy, Offer(Wei(max(least, 2 * market.base_fee + tip)), Wei(tip)), least, gas, spent_today)


def _raised(price: int, step: int) -> int:
    # Rounded up, and by one at the least: a tip of nothing must rise too.
    return max(price + 1, -(-price * (1000 + step) // 1000))


def _within(policy: FeePolicy, offer: Offer, least: int, gas: int, spent_today: int) -> Offer | TooExpensive:
    """The offer, cut to the ceilings as long as it stays worth something: at `least` it still gets mined."""
    ceilings: list[tuple[int, str]] = []
    if policy.max_price is not None:
        ceilings.append((policy.max_price, f"the ceiling of {policy.max_price} wei for a unit of gas"))
    if policy.max_fee is not None:
        ceilings.append((policy.max_fee // gas, f"the ceiling of {policy.max_fee} wei for the gas of a transaction"))
    if policy.max_daily_fee is not None:
        left = max(0, policy.max_daily_fee - spent_today)
        ceilings.append(
            (left // gas, f"what is left of the ceiling of {policy.max_daily_fee} wei for the gas of 24 hours ({left})")
        )
    price = int(offer.price)
    for ceiling, name in ceilings:
        if least > ceiling:
            return TooExpensive(f"{gas} gas at {least} wei is needed, which is over {name}; it waits for a lower price")
        price = min(price, ceiling)
    tip = None if offer.tip is None else Wei(min(offer.tip, price))
    return Offer(Wei(price), tip)
