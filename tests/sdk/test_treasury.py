"""The treasuries through the SDK: only the admin withdraws, and it hands over in two steps."""

from __future__ import annotations

import pytest

from fedblocks.contracts.reverts import NotEnoughBalance, NotTheAdmin, NotThePendingAdmin
from fedblocks.contracts.treasury import AdminTransferred, AdminTransferStarted, Recieved, Withdraw
from fedblocks.units import ether
from tests.anvil import Roles


@pytest.mark.parametrize("name", ["slash_treasury", "reward_treasury"])
def test_the_admin_withdraws_what_came_in_and_nobody_else(roles: Roles, name: str) -> None:
    treasury, foreign = getattr(roles.deployer, name), getattr(roles.stranger, name)
    assert treasury.admin() == roles.deployer.sender.address
    assert foreign.deposit(ether(2)).one(Recieved).amount == ether(2)
    with pytest.raises(NotTheAdmin):
        foreign.withdraw(ether(1))
    with pytest.raises(NotEnoughBalance):
        treasury.withdraw(ether(3))
    assert treasury.withdraw(ether(2)).one(Withdraw).amount == ether(2)
    assert treasury.balance() == 0


def test_a_treasury_is_handed_over_in_two_steps(roles: Roles) -> None:
    old, new = roles.deployer.sender.address, roles.stranger.sender.address
    assert old is not None
    assert new is not None
    treasury = roles.deployer.slash_treasury
    assert treasury.pending_admin() is None
    started = treasury.transfer_admin(new).one(AdminTransferStarted)
    assert (started.admin, started.pending_admin, treasury.pending_admin()) == (old, new, new)
    with pytest.raises(NotThePendingAdmin):
        roles.user.slash_treasury.accept_admin()
    done = roles.stranger.slash_treasury.accept_admin().one(AdminTransferred)
    assert (done.previous_admin, done.new_admin, treasury.admin()) == (old, new, new)
    with pytest.raises(NotTheAdmin):
        treasury.withdraw(ether(0))
