"""What the reading commands print of the story that the index's tests tell: no node is asked."""

from __future__ import annotations

from pathlib import Path

import pytest

from fedblocks.cli.exit_codes import ExitCode
from fedblocks.deployments import CONTRACTS, DeployedContract, Deployment, ProtocolParameters
from fedblocks.monitor.views import ClientState
from fedblocks.types import ZERO_HASH, BlockNumber
from fedblocks.units import ether
from tests.cli.conftest import Ended, Home
from tests.monitor.story import BOB, CLIENTS, FIRST, NINA, OTTO, RUNNING, USER, WATCHER, indexed_story
from tests.telling.scripted import address_of

STAKE = int(ether("0.1"))


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The indexed story and the deployments file that it belongs to."""
    folder = tmp_path_factory.mktemp("story")
    contract = {"block": BlockNumber(1), "transaction_hash": ZERO_HASH, "bytecode_hash": ZERO_HASH}
    Deployment(
        chain_id=31337,
        deployer=address_of("deployer"),
        parameters=ProtocolParameters(),
        contracts={name: DeployedContract(address=address_of(name), **contract) for name in CONTRACTS},  # type: ignore[arg-type]
    ).save(folder / "deployment.json")
    indexed_story(folder).close()
    return folder


@pytest.fixture
def read(home: Home, told: Path) -> Home:
    lines = [
        "[defaults]",
        f'deployment = "{told / "deployment.json"}"',
        f'database = "sqlite:///{told / "index.db"}"',
        'network = "ethereum:local:http://127.0.0.1:9"',  # nobody is there
    ]
    (home.folder / "config.toml").write_text("\n".join(lines))
    return home


def ok(ended: Ended) -> Ended:
    assert ended.code == ExitCode.OK, ended.stderr
    return ended


def test_stake_pending_and_earned_are_shown_apart(read: Home) -> None:
    client = ok(read.run("status", CLIENTS[0], "--no-update", "--json")).json["client"]
    for name in ("active", "unbonding", "pending", "credited", "claimed", "claimable"):
        assert isinstance(client[name], int), name
    assert client["state"] == ClientState.STAKED
    assert client["active"] == STAKE
    assert client["credited"] == client["claimed"] > 0
    assert client["claimable"] == 0
    assert client["pending"] > 0
    words = ok(read.run("status", CLIENTS[0], "--no-update"))
    assert {line.split()[0] for line in words.stdout.splitlines()} >= {
        "stake",
        "unbonding",
        "pending",
        "earned",
        "claimable",
    }
    assert "as of block" in words.stderr


def test_who_is_leaving_sees_when_and_who_has_left_sees_that(read: Home) -> None:
    leaving = ok(read.run("status", OTTO, "--no-update", "--json")).json["client"]
    assert leaving["unbonding"] == STAKE
    assert 0 < leaving["withdrawableInSeconds"] < 7 * 86_400
    assert "to be withdrawn in 6 d" in read.run("status", OTTO, "--no-update").stdout
    gone = ok(read.run("status", NINA, "--no-update", "--json")).json["client"]
    assert (gone["state"], gone["returned"], gone["withdrawableInSeconds"]) == ("withdrawn", STAKE, None)


def test_users_aggregators_and_challengers_have_a_status_too(read: Home) -> None:
    user = ok(read.run("status", USER, "--no-update", "--json")).json
    assert user["client"] is None
    assert [each["instanceId"] for each in user["instances"]] == [FIRST, RUNNING]
    bonds = ok(read.run("status", BOB, "--no-update", "--json")).json["bonds"]
    assert {each["instanceId"]: each["held"] > 0 for each in bonds}[RUNNING] is True
    watcher = ok(read.run("status", WATCHER, "--no-update", "--json")).json["challenger"]
    assert watcher["overturned"] == 1
    assert "1 epochs overturned" in read.run("status", WATCHER, "--no-update").stdout
    nobody = ok(read.run("status", address_of("nobody"), "--no-update"))
    assert "has had no part" in nobody.stdout


def test_the_whole_deployment_is_a_few_numbers(read: Home) -> None:
    totals = ok(read.run("status", "--no-update", "--json")).json
    assert totals["totals"]["slashes"] == 2
    assert totals["totals"]["slashed"] == 2 * STAKE
    assert {each["name"] for each in totals["treasuries"]} == {"SlashTreasury", "RewardTreasury"}
    words = ok(read.run("status", "--no-update"))
    assert "2, 0.2 ETH taken" in words.stdout
    severities = [line.split(":")[0] for line in words.stderr.splitlines()]
    said = [each for each in severities if each in ("info", "warning", "critical")]
    assert [each["severity"] for each in totals["alerts"]] == said


def test_slashes_are_listed_with_reason_amount_and_transaction(read: Home) -> None:
    listed = ok(read.run("slash", "list", "--no-update", "--json")).json
    assert [(each["client"], each["reason"], each["amount"]) for each in listed] == [
        (CLIENTS[3], "duplicate", STAKE),
        (CLIENTS[5], "zero", STAKE),
    ]
    assert all(each["amount"] == each["received"] for each in listed)
    only = ok(read.run("slash", "list", "--client", CLIENTS[3].lower(), "--no-update"))
    assert len(only.stdout.splitlines()) == 2
    assert listed[0]["slashed"]["transactionHash"] in only.stdout
    assert ok(read.run("slash", "list", "--instance", RUNNING, "--no-update", "--json")).json == []


def test_jobs_are_listed_and_one_is_shown_with_its_next_step(read: Home) -> None:
    jobs = ok(read.run("job", "list", "--no-update", "--json")).json
    assert [each["state"] for each in jobs] == ["settled", "training", "complete", "funded"]
    mine = ok(read.run("job", "list", "--user", USER, "--no-update")).stdout.splitlines()
    assert len(mine) == 3
    shown = ok(read.run("job", "show", FIRST, "--no-update", "--json")).json
    assert shown["escrow"] == shown["clientsTotal"] + shown["protocolTotal"] + shown["refund"]
    assert sum(each["credited"] for each in shown["rewards"]) <= shown["clientsTotal"]
    words = ok(read.run("job", "show", RUNNING, "--no-update")).stdout
    assert "`fedblocks finalize 2` makes 1 epochs final" in words
    assert CLIENTS[4] in words
    assert "`fedblocks job settle 3`" in read.run("job", "show", 3, "--no-update").stdout
    assert "`fedblocks bond deposit 4`" in read.run("job", "show", 4, "--no-update").stdout


def test_epochs_show_how_far_each_is_confirmed(read: Home) -> None:
    epochs = ok(read.run("epochs", RUNNING, "--no-update", "--json")).json
    assert [each["state"] for each in epochs] == ["final", "finalizable", "posted"]
    assert [each["accuracyPpm"] for each in epochs] == [310_000, 455_000, 520_000]
    words = ok(read.run("epochs", FIRST, "--no-update")).stdout
    assert "overturned" in words
    assert "3 duplicate" in words
    assert "0-5" in words
    assert " in 1 d " in read.run("epochs", RUNNING, "--no-update").stdout


@pytest.mark.parametrize("command", ["epochs", "job show"])
def test_an_instance_that_is_not_there_is_missing(read: Home, command: str) -> None:
    ended = read.run(*command.split(), 99, "--no-update")
    assert ended.code == ExitCode.MISSING
    assert "there is no instance 99; there are 4" in ended.stderr
    assert ended.stdout == ""


def test_without_a_node_updating_fails_and_reading_does_not(read: Home) -> None:
    assert read.run("job", "list").code == ExitCode.MISSING
    ok(read.run("job", "list", "--no-update"))


def test_an_index_that_is_not_there_is_not_made_by_looking(read: Home) -> None:
    ended = read.run("job", "list", "--no-update", "--database", f"sqlite:///{read.folder / 'none.db'}")
    assert ended.code == ExitCode.MISSING
    assert not (read.folder / "none.db").exists()


def test_a_slash_is_explained_under_both_names(read: Home) -> None:
    transaction = ok(read.run("slash", "list", "--no-update", "--json")).json[0]["slashed"]["transactionHash"]
    one = read.run("explain", "slash", transaction, "--no-update")
    other = read.run("slash", "explain", transaction, "--no-update")
    assert one.code == ExitCode.OK, one.stderr
    assert one.stdout == other.stdout
    assert CLIENTS[3] in one.stdout


def test_plain_tables_are_aligned_and_without_colours(read: Home) -> None:
    lines = ok(read.run("job", "list", "--no-update")).stdout.splitlines()
    assert "\x1b" not in "".join(lines)
    state = lines[0].index("state")
    assert all(line[state - 2 : state] == "  " and line[state] != " " for line in lines)
