"""The demo from the command line: what it shows a person, and what it leaves for machines."""

import json
import shutil
from pathlib import Path

import pytest

from fedblocks.client import FedBlocks
from fedblocks.deployments import Deployment
from fedblocks.rollup.blobs import BlobStore
from fedblocks.rollup.records import Level
from fedblocks.rollup.store import RollupStore
from tests.e2e.conftest import Played, fedblocks, play


def clients(played: Played, attack: str | None):
    return [client for client in played.result["clients"] if client["attack"] == attack]


def test_the_target_is_reached_and_the_money_adds_up_to_the_wei(played):
    assert played.result["targetReached"]
    assert played.result["accuracyPpm"] >= 930_000
    assert played.result["moneyConserved"]
    assert sum(int(entry["netWei"]) for entry in played.result["ledger"]) == 0


def test_every_attacker_is_slashed_for_what_it_did_and_no_honest_client_is(played):
    assert [client["slashed"] for client in clients(played, "free-rider")] == ["ZERO"]
    assert [client["slashed"] for client in clients(played, "sign-flip")] == ["RESPONSE"]
    assert played.result["honestSlashed"] == 0
    assert all(client["asExpected"] for client in played.result["clients"])


def test_honest_clients_keep_their_stake_and_are_paid_and_attackers_are_not(played):
    for client in clients(played, None):
        assert int(client["stakeWei"]) == 10**17
        assert int(client["rewardWei"]) > 0
    for client in clients(played, "sign-flip") + clients(played, "free-rider"):
        assert (client["stakeWei"], client["rewardWei"], client["epochsPaid"]) == ("0", "0", 0)


def test_every_wei_of_the_user_is_a_fee_a_reward_or_a_refund(played):
    epochs = len(played.result["epochs"])
    paid, refunded = int(played.result["userPaidWei"]), int(played.result["userRefundedWei"])
    assert paid == 5 * 10**16 + 8 * 10**16
    assert refunded == (8 - epochs) * 10**16
    entries = {entry["holder"]: int(entry["netWei"]) for entry in played.result["ledger"]}
    rewards = sum(int(client["rewardWei"]) for client in played.result["clients"])
    assert entries["user"] == refunded - paid
    assert entries["RewardTreasury"] + rewards == paid - refunded
    assert entries["SlashTreasury"] == 2 * 10**17
    assert entries["RewardManager"] == entries["ModelParameterChain"] == entries["aggregator"] == 0


def test_it_shows_a_person_what_happens(played):
    for text in (
        "12 clients have staked 0.1 ETH each",
        "10 of 12 have the data",
        "✗ free-rider: slashable, zero",
        "− sign-flip: left out,",
        "is final: sign-flip loses 0.1 ETH (response)",
        "the money adds up to the wei",
        "honest clients slashed: 0",
    ):
        assert text in played.output


def test_it_writes_a_plot_and_a_deployments_file(played):
    assert (played.folder / "demo.png").read_bytes().startswith(b"\x89PNG")
    deployment = Deployment.load(played.folder / "deployment.json")
    assert {str(address) for address in played.result["contracts"].values()} == {
        str(each.address) for each in deployment.contracts.values()
    }


def test_every_epoch_of_the_store_is_final(played):
    with RollupStore(f"sqlite:///{played.folder / 'rollup.sqlite'}", read_only=True) as store:
        (instance,) = store.list_instances()
        epochs = store.epochs(instance.key)
        assert [epoch.level for epoch in epochs] == [Level.FINAL] * len(played.result["epochs"])
        assert ["0x" + epoch.header_hash.hex() for epoch in epochs] == [
            epoch["headerHash"] for epoch in played.result["epochs"]
        ]


def test_replay_recomputes_every_header(played):
    ended = fedblocks("replay", "--store", str(played.folder), "--json", folder=played.folder)
    assert ended.returncode == 0, ended.stderr
    assert json.loads(ended.stdout) == {"1": [epoch["headerHash"] for epoch in played.result["epochs"]]}


def test_replay_names_the_epoch_and_the_client_of_one_changed_byte(played, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(played.folder, copy)
    with RollupStore(f"sqlite:///{copy / 'rollup.sqlite'}", read_only=True) as store:
        (instance,) = store.list_instances()
        record = next(each for each in store.actions(instance.key, 2, 0) if each.update_blob)
    blob = Path("/", BlobStore(f"file://{copy / 'blobs'}").path_of(record.update_blob))
    content = bytearray(blob.read_bytes())
    content[len(content) // 2] ^= 1
    blob.write_bytes(content)
    ended = fedblocks("replay", "--store", str(copy), folder=tmp_path)
    assert ended.returncode == 4
    assert f"epoch 2, client {record.client}" in ended.stderr


def test_the_same_seed_gives_the_same_headers_and_another_seed_others(played, tmp_path):
    again = play(tmp_path)
    assert again.result["epochs"] == played.result["epochs"]
    other = fedblocks(
        *("demo", "--data", "digits", "--clients", "6", "--attackers", "", "--epochs", "1"),
        *("--target", "0.1", "--seed", "1", "--output", "other", "--json"),
        folder=tmp_path,
    )
    assert json.loads(other.stdout)["epochs"][0]["headerHash"] != played.result["epochs"][0]["headerHash"]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("demo", "--clients", "3"), 2, "--clients is 3; it must be from 4 to 64"),
        (("demo", "--attackers", "nonsense"), 2, "nonsense"),
        (("demo", "--target", "1.5"), 2, "--target is 1.5; it must be above 0 and at most 1"),
        (("demo", "--epochs", "0"), 2, "--epochs is 0; it must be from 1 to 1024"),
        (("demo", "--data", "imagenet"), 2, "imagenet"),
        (("replay", "--store", "nowhere"), 3, "no store at"),
    ],
)
def test_bad_input_is_one_line_with_what_was_wrong_and_an_exit_code(arguments, code, message, tmp_path):
    ended = fedblocks(*arguments, folder=tmp_path)
    assert ended.returncode == code, ended.stderr
    assert message in ended.stderr
    assert "Traceback" not in ended.stderr
    assert list(tmp_path.iterdir()) == []


def test_the_demo_without_an_evm_node_says_how_to_get_one(tmp_path, monkeypatch):
    from click.testing import CliRunner

    from fedblocks.chain import node
    from fedblocks.cli.main import cli

    def missing():
        raise node.AnvilMissing

    monkeypatch.setattr(node, "find_anvil", missing)
    result = CliRunner().invoke(cli, ["demo", "--output", str(tmp_path / "run"), "--data", "digits"])
    assert isinstance(result.exception, node.AnvilMissing)
    assert "npm" in str(result.exception)


def test_what_the_demo_left_can_be_read_with_the_sdk(played):
    with pytest.raises(ConnectionError):
        # The node is gone with the demo; the deployments file still says where everything was.
        FedBlocks.connect("http://127.0.0.1:9", played.folder / "deployment.json")
