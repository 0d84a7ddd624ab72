"""An aggregator that lies: it loses its bond, nobody honest loses anything, and the training goes on."""

import json

import pytest

from fedblocks.demo.dishonesty import DISHONESTY, UnknownDishonesty, find_dishonesty
from fedblocks.rollup.fraud.cases import Challenge, FraudCase
from fedblocks.seats import SlashReason
from fedblocks.types import Seat
from tests.e2e.conftest import fedblocks
from tests.rollup.epochs import Epoch, honest_transitions

SMALL = (
    *("--data", "digits", "--clients", "5", "--attackers", "", "--target", "0.8", "--epochs", "9"),
    *("--local-steps", "10"),
)

CASES = {
    "frame": FraudCase.VERDICT,
    "starve": FraudCase.COHORT,
    "favour": FraudCase.VERDICT,
    "backdoor": FraudCase.DELTA,
    "product": FraudCase.PRODUCT,
    "steal": FraudCase.SUBMISSION,
}


@pytest.fixture(scope="module")
def honest():
    """The second epoch of a small cohort."""
    return list(honest_transitions(2))[1]


@pytest.mark.parametrize("name", CASES)
def test_every_lie_is_found_by_its_case(honest, name):
    epoch, transition = honest
    lied = DISHONESTY[name].lie(epoch.before, transition, Seat(2))
    header = lied.seal(epoch.context, epoch.before, 500_000, bytes(32))
    found = Epoch(epoch.context, epoch.before, epoch.previous, header, lied.data).look()
    assert isinstance(found, Challenge)
    assert found.case is CASES[name]


def test_framing_would_have_taken_the_stake(honest):
    epoch, transition = honest
    lied = DISHONESTY["frame"].lie(epoch.before, transition, Seat(2))
    header = lied.seal(epoch.context, epoch.before, 500_000, bytes(32))
    assert header.slash_reasons == SlashReason.NOISE << 8
    assert header.excluded >> 2 & 1


def test_every_kind_is_known_and_another_is_refused():
    assert set(DISHONESTY) == {*CASES, "withhold"}
    with pytest.raises(UnknownDishonesty, match="known are frame, starve"):
        find_dishonesty("kind")


def test_the_demo_shows_it_being_overturned(tmp_path):
    ended = fedblocks("demo", *SMALL, "--dishonest-aggregator", "frame", "--json", folder=tmp_path)
    assert ended.returncode == 0, ended.stderr
    result = json.loads(ended.stdout)
    (overturned,) = result["overturned"]
    assert (overturned["epoch"], overturned["case"]) == (2, "VERDICT")
    bond, reward = int(overturned["bondWei"]), int(overturned["rewardWei"])
    assert reward == bond * 40 // 100
    entries = {entry["holder"]: int(entry["netWei"]) for entry in result["ledger"]}
    assert entries["aggregator"] == -bond
    assert entries["watcher"] == reward
    assert entries["SlashTreasury"] == bond - reward
    assert entries["successor"] == entries["DataDemands"] == entries["ModelParameterChain"] == 0
    assert all(int(client["stakeWei"]) == 10**17 for client in result["clients"])
    assert [epoch["epoch"] for epoch in result["epochs"]] == list(range(1, len(result["epochs"]) + 1))
    assert result["watchedEpochs"] == len(result["epochs"])
    assert "the user names another aggregator, who goes on from epoch 1 in attempt" in ended.stderr
    replayed = fedblocks("replay", folder=tmp_path)
    assert replayed.returncode == 0, replayed.stderr


def test_the_kinds_are_listed():
    listed = fedblocks("demo", "--dishonest-aggregator", "list", folder=None)
    assert listed.returncode == 0
    for name in DISHONESTY:
        assert name in listed.stdout
