"""Money flows add up to the wei, or the page says what does not."""

from dataclasses import replace

import pytest

from fedblocks.monitor.views import InstanceState
from fedblocks.report.ledger import ledgers_of
from fedblocks.types import Wei
from tests.monitor.published_run import published_run
from tests.report.given import BASE_FEE, BOND, FEE, STAKE, given, train


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory):
    return given(train(tmp_path_factory.mktemp("run")))


def ledgers(snapshot, **changes):
    arguments = {
        "instance": snapshot.the_instance,
        "rewards": snapshot.the_rewards,
        "slashes": snapshot.the_slashes,
        "bonds": snapshot.the_bonds,
        "challenges": snapshot.the_challenges,
    }
    return ledgers_of(**arguments | changes)


def ends(ledger):
    """By place: what enters less what leaves."""
    found: dict[str, int] = {}
    for flow in ledger.flows:
        found[flow.source] = found.get(flow.source, 0) - flow.amount
        found[flow.target] = found.get(flow.target, 0) + flow.amount
    return {name: amount for name, amount in found.items() if amount}


def test_all_that_was_paid_ends_somewhere(snapshot):
    fees, stakes, bonds = ledgers(snapshot)
    assert all(each.adds_up for each in (fees, stakes, bonds))
    paid = ends(fees)
    assert paid.pop("user") == -(BASE_FEE + 10 * FEE)
    assert sum(paid.values()) == BASE_FEE + 10 * FEE
    assert set(paid) == {"RewardTreasury", "clients, claimed", "clients, to be claimed", "user, withdrawn"}
    assert ends(stakes)["SlashTreasury"] == 3 * STAKE
    assert ends(bonds) == {
        "aggregators": -2 * BOND,
        "aggregators, returned": BOND,
        "challengers": BOND // 2,
        "SlashTreasury": BOND // 2,
    }


def test_an_instance_that_is_not_settled_holds_its_escrow(snapshot):
    running = replace(snapshot.the_instance, state=InstanceState.TRAINING, refunded=Wei(0))
    fees = ledgers(snapshot, instance=running, rewards=())[0]
    assert ends(fees)["held until it is settled"] == 10 * FEE
    assert fees.adds_up
    assert not ledgers(snapshot, instance=running)[0].adds_up, "rewards before settling"


@pytest.mark.parametrize(
    ("index", "change"),
    [
        (0, lambda s: {"instance": replace(s.the_instance, refund=Wei(1))}),
        (0, lambda s: {"rewards": s.the_rewards[1:]}),
        (1, lambda s: {"slashes": (replace(s.the_slashes[0], received=Wei(STAKE - 1)), *s.the_slashes[1:])}),
        (1, lambda s: {"slashes": (replace(s.the_slashes[0], received=None), *s.the_slashes[1:])}),
        (2, lambda s: {"challenges": ()}),
    ],
)
def test_what_does_not_add_up_is_found(snapshot, index, change):
    found = ledgers(snapshot, **change(snapshot))
    assert [each.adds_up for each in found] == [number != index for number in range(3)]


def test_money_that_never_was_is_not_drawn(tmp_path):
    run = published_run(tmp_path, 1, n=4, d=300)
    assert [each.title for each in ledgers_of(run.instance, (), (), (), ())] == ["What the user paid"]
