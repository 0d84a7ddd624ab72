"""SlashTreasury and RewardTreasury: the same module under two names."""

from __future__ import annotations

from typing import Any

import boa
import pytest

from tests.contracts.world import ZERO, balance, deployer_of, events, mock


@pytest.fixture(params=["SlashTreasury", "RewardTreasury"])
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def treasury(name: str, admin: Any, stranger: Any) -> Any:
    """A treasury with a thousand wei."""
    contract = deployer_of(name).deploy(admin)
    boa.env.raw_call(contract.address, sender=stranger, value=1_000)
    return contract


def test_a_treasury_begins_with_its_admin(name: str, admin: Any) -> None:
    treasury = deployer_of(name).deploy(admin)
    assert events(treasury, "AdminTransferred") == [{"previousAdmin": ZERO, "newAdmin": admin}]
    assert treasury.ADMIN_ADDRESS() == treasury.getAdminAddress() == admin
    assert treasury.pendingAdmin() == ZERO
    assert treasury.getBalance() == 0


def test_a_treasury_needs_an_admin(name: str) -> None:
    with boa.reverts(f"{name}: admin is the zero address"):
        deployer_of(name).deploy(ZERO)


def test_anybody_may_pay_in(treasury: Any, stranger: Any) -> None:
    treasury.__default__(sender=stranger, value=5)
    assert events(treasury, "Recieved") == [{"amount": 5}]
    assert treasury.getBalance() == 1_005


def test_the_admin_withdraws(treasury: Any, admin: Any) -> None:
    before = balance(admin)
    treasury.withdraw(400, sender=admin)
    assert events(treasury, "Withdraw") == [{"amount": 400}]
    assert balance(admin) == before + 400
    assert treasury.getBalance() == 600


def test_nobody_else_withdraws(treasury: Any, name: str, stranger: Any) -> None:
    with boa.reverts(f"{name}: caller is not the admin"):
        treasury.withdraw(1, sender=stranger)


def test_no_more_is_withdrawn_than_there_is(treasury: Any, name: str, admin: Any) -> None:
    with boa.reverts(f"{name}: not enough balance"):
        treasury.withdraw(1_001, sender=admin)


def test_an_admin_that_refuses_ether_hands_over_and_loses_nothing(name: str, stranger: Any) -> None:
    actor = mock("Actor")
    treasury = deployer_of(name).deploy(actor.address)
    boa.env.raw_call(treasury.address, sender=stranger, value=7)
    actor.refuse()
    with boa.reverts(f"{name}: admin refused the payment"):
        actor.act(treasury.address, treasury.withdraw.prepare_calldata(7))
    assert treasury.getBalance() == 7
    actor.act(treasury.address, treasury.transferAdmin.prepare_calldata(stranger))
    treasury.acceptAdmin(sender=stranger)
    treasury.withdraw(7, sender=stranger)
    assert treasury.getBalance() == 0


def test_an_admin_hands_over_in_two_steps(treasury: Any, admin: Any, stranger: Any) -> None:
    treasury.transferAdmin(stranger, sender=admin)
    assert events(treasury, "AdminTransferStarted") == [{"admin": admin, "pendingAdmin": stranger}]
    assert treasury.ADMIN_ADDRESS() == admin, "an offer changes nothing"
    assert treasury.pendingAdmin() == stranger

    treasury.acceptAdmin(sender=stranger)
    assert events(treasury, "AdminTransferred") == [{"previousAdmin": admin, "newAdmin": stranger}]
    assert treasury.ADMIN_ADDRESS() == stranger
    assert treasury.pendingAdmin() == ZERO
    treasury.withdraw(1, sender=stranger)


def test_who_has_handed_over_is_admin_no_more(treasury: Any, name: str, admin: Any, stranger: Any) -> None:
    treasury.transferAdmin(stranger, sender=admin)
    treasury.acceptAdmin(sender=stranger)
    with boa.reverts(f"{name}: caller is not the admin"):
        treasury.withdraw(1, sender=admin)


def test_only_the_admin_hands_over(treasury: Any, name: str, stranger: Any) -> None:
    with boa.reverts(f"{name}: caller is not the admin"):
        treasury.transferAdmin(stranger, sender=stranger)


def test_only_who_was_named_accepts(treasury: Any, name: str, admin: Any, stranger: Any, user: Any) -> None:
    treasury.transferAdmin(stranger, sender=admin)
    for caller in (user, admin):
        with boa.reverts(f"{name}: caller is not the pending admin"):
            treasury.acceptAdmin(sender=caller)


def test_an_offer_can_be_withdrawn(treasury: Any, name: str, admin: Any, stranger: Any) -> None:
    treasury.transferAdmin(stranger, sender=admin)
    treasury.transferAdmin(ZERO, sender=admin)
    with boa.reverts(f"{name}: caller is not the pending admin"):
        treasury.acceptAdmin(sender=stranger)
