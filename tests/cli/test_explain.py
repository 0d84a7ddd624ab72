"""`fedblocks explain` and `fedblocks report`: what a person and a program are told, and how it ends."""

from functools import partial

import pytest

from fedblocks.contracts.slashing_manager import ClientSlashed
from fedblocks.deployments import CONTRACTS, DeployedContract, Deployment
from fedblocks.monitor.published import read_scores
from fedblocks.seats import SlashReason, bitmap_of, pack_reasons
from fedblocks.types import BlockNumber, EpochNumber, Wei
from tests.monitor.trained_story import COHORT, indexed, tell, train
from tests.sdk.test_instances import ALL, WINDOW, opened, post
from tests.telling.scripted import address_of


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return train(tmp_path_factory.mktemp("run"))


class Given:
    """An index of a trained run, and the options that name it."""

    def __init__(self, run, folder, *, data: bool, missing: int = 0) -> None:
        self.run, self.folder = run, folder
        teller = tell(run, missing=Wei(missing))
        monitor = indexed(teller, folder, partial(read_scores, run.blobs) if data else None)
        with monitor, monitor.snapshot() as snapshot:
            self.slashes = snapshot.slashes()
        contract = partial(
            DeployedContract, block=BlockNumber(1), transaction_hash=bytes(32), bytecode_hash=bytes(32), code_hash=None
        )
        Deployment(
            chain_id=31337,
            deployer=address_of("deployer"),
            parameters=teller.parameters,
            contracts={name: contract(address=address_of(name)) for name in CONTRACTS},
        ).save(folder / "deployment.json")

    @property
    def options(self):
        return (
            *("--deployment", self.folder / "deployment.json"),
            *("--database", f"sqlite:///{self.folder / 'index.db'}"),
            "--no-update",
        )

    @property
    def transaction(self) -> str:
        return "0x" + self.slashes[0].slashed.transaction_hash.hex()


@pytest.fixture(scope="module")
def given(run, tmp_path_factory) -> Given:
    return Given(run, tmp_path_factory.mktemp("index"), data=True)


def test_a_transaction_is_explained_for_every_client_that_it_slashed(home, given):
    ended = home.run("explain", "slash", given.transaction, *given.options)
    assert ended.code == 0, ended.stderr
    assert ended.stdout.count("lost its stake of 0.1 ETH") == 3
    assert ended.stdout.count("How to verify it yourself") == 3
    for name in ("(replay, as seat 10)", "(response, as seat 11)", "(noise, as seat 12)"):
        assert name in " ".join(ended.stdout.split())


def test_one_client_is_picked_and_both_names_of_the_command_are_one(home, given):
    picked = ("--client", COHORT[12], *given.options)
    one = home.run("explain", "slash", given.transaction, *picked)
    assert one.stdout.count("lost its stake") == 1
    assert COHORT[12] in one.stdout
    assert home.run("slash", "explain", given.transaction, *picked).stdout == one.stdout
    brief = home.run("explain", "slash", given.transaction, "--no-formulas", *picked)
    assert "**2" in one.stdout
    assert "**2" not in brief.stdout


def test_programs_get_the_same_in_integers(home, given):
    told = home.run("explain", "slash", given.transaction, "--json", *given.options).json
    by_seat = {each["slash"]["seat"]: each for each in told}
    assert set(by_seat) == {10, 11, 12}
    assert by_seat[10]["slash"]["amount"] == 10**17
    assert by_seat[10]["slash"]["reason"] == "replay"
    assert by_seat[10]["measure"]["triggered"] is True
    assert [each["run"] for each in by_seat[12]["run"]] == [1, 2, 3]
    assert by_seat[10]["agrees"] is None, "no node was asked"


def test_without_published_data_it_says_what_to_pass_and_reads_them_when_passed(home, run, tmp_path):
    bare = Given(run, tmp_path, data=False)
    picked = (bare.transaction, "--client", COHORT[10], *bare.options)
    without = home.run("explain", "slash", *picked)
    assert without.code == 0
    assert "Give --data URL" in " ".join(without.stdout.split())
    with_data = home.run("explain", "slash", *picked, "--data", run.blobs.url)
    assert "above 0.999999" in " ".join(with_data.stdout.split())


def test_a_transaction_that_took_nothing_is_said(home, given):
    ended = home.run("explain", "slash", "0x" + "00" * 32, *given.options)
    assert ended.code == 3
    assert "no stake was taken in transaction 0x00" in ended.stderr
    ended = home.run("explain", "slash", given.transaction, "--client", COHORT[0], *given.options)
    assert ended.code == 3
    assert f"no stake of {COHORT[0]} was taken" in ended.stderr
    assert home.run("explain", "slash", "0x12", *given.options).code == 2


def test_an_epoch_is_a_table_of_seats_and_measures_with_signs(home, given):
    ended = home.run("explain", "epoch", 1, 2, *given.options)
    assert ended.code == 0, ended.stderr
    rows = ended.stdout.splitlines()
    assert len(rows) == 1 + 13
    condemned = next(row for row in rows if COHORT[10] in row)
    assert "slashed" in condemned
    assert "1!" in condemned
    assert "replay" in condemned.split()[-1]
    content = home.run("explain", "epoch", 1, 2, "--json", *given.options).json
    assert len(content["seats"]) == 13
    assert content["faults"] == []


def test_one_seat_of_an_epoch_is_told_rule_by_rule(home, given):
    ended = home.run("explain", "epoch", 1, 2, "--seat", 10, *given.options)
    assert "\n! replay: Its cosine with its own last update" in ended.stdout
    assert ended.stdout.count("\n    ") >= 20
    assert home.run("explain", "epoch", 1, 5, "--seat", 10, *given.options).code == 2


def test_an_epoch_that_is_not_there_or_not_published_is_said(home, run, given, tmp_path):
    assert "epoch 9 of instance 1 was not posted" in home.run("explain", "epoch", 1, 9, *given.options).stderr
    bare = Given(run, tmp_path, data=False)
    ended = home.run("explain", "epoch", 1, 2, *bare.options)
    assert ended.code == 3
    assert "--data URL" in ended.stderr
    ended = home.run("explain", "epoch", 1, 2, *bare.options, "--data", f"file://{tmp_path / 'empty'}")
    assert ended.code == 3
    assert f"is not in file://{tmp_path / 'empty'}" in ended.stderr


def test_a_report_is_a_file_and_always_the_same(home, given, tmp_path):
    path = tmp_path / "report.html"
    ended = home.run("report", 1, "--output", path, "--target", 0.5, *given.options)
    assert (ended.code, ended.stdout) == (0, f"{path}\n"), ended.stderr
    page = path.read_bytes()
    assert b"target 50.00 %" in page
    assert home.run("report", 1, "--output", path, "--target", 0.5, "--json", *given.options).json == {
        "instanceId": 1,
        "path": str(path),
        "bytes": len(page),
        "unread": [],
        "faults": [],
        "unbalanced": [],
    }
    assert path.read_bytes() == page
    assert home.run("report", 1, "--output", "-", "--target", 0.5, *given.options).stdout.encode() == page


def test_a_report_of_money_that_does_not_add_up_is_written_and_ends_with_4(home, run, tmp_path):
    lying = Given(run, tmp_path, data=False, missing=5)
    ended = home.run("report", 1, "--output", tmp_path / "report.html", *lying.options)
    assert ended.code == 4
    assert "Stakes that were taken: does not add up" in ended.stderr
    assert "15 wei are not accounted for" in (tmp_path / "report.html").read_text()


def test_a_report_that_cannot_be_made_says_why(home, given, tmp_path):
    assert home.run("report", 7, *given.options).code == 3
    ended = home.run("report", 1, "--output", tmp_path / "nowhere" / "report.html", *given.options)
    assert "cannot be written" in ended.stderr
    assert ended.code != 0


def test_a_slash_is_held_against_the_balances_of_the_node(home, staked, deployment):
    number = opened(staked)
    post(staked, number, ALL, bitmap_of([5]), pack_reasons({5: SlashReason.REPLAY}))
    staked.node.increase_time(WINDOW + 1)
    staked.stranger.chain.finalize_epoch(number, EpochNumber(1))
    receipt = staked.stranger.slashing.slash([staked.cohort[5]], number)
    home.configure(staked.node, deployment)
    transaction = "0x" + receipt.transaction_hash.hex()
    ended = home.run("explain", "slash", transaction)
    assert ended.code == 0, ended.stderr
    assert "Slash and change of balances are equal." in ended.stdout
    told = home.run("explain", "slash", transaction, "--json").json
    assert told[0]["agrees"] is True
    assert told[0]["slash"]["amount"] == receipt.one(ClientSlashed).amount
    staked.node.connection.rpc("anvil_setBalance", staked.user.slash_treasury.address, "0x0")
    ended = home.run("explain", "slash", transaction)
    assert ended.code == 4
    assert "! Slash and change of balances differ." in ended.stdout
