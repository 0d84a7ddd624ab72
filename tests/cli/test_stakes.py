"""A stake from its locking to its return, as it is typed; and everything that may refuse on the way."""

from __future__ import annotations

import json

import pytest

from fedblocks import FedBlocks
from fedblocks.chain.node import Anvil
from fedblocks.cli.exit_codes import ExitCode
from fedblocks.deployments import Deployment
from fedblocks.units import ether
from tests.anvil import FIRST_CLIENT, STRANGER
from tests.cli.conftest import PASSPHRASE, Home

SEND = ("--account", "alice", "--yes")


@pytest.fixture
def alice(home: Home, node: Anvil, deployment: Deployment) -> Home:
    """Somebody with an account, whose configuration names everything else."""
    home.account(node, FIRST_CLIENT, "alice")
    home.configure(node, deployment)
    return home


def test_a_stake_comes_back_after_its_period(alice: Home, node: Anvil, deployment: Deployment) -> None:
    key = ("--passphrase-file", alice.passphrase)
    staked = alice.run("stake", *SEND, *key, "--json")
    assert staked.code == ExitCode.OK, staked.stderr
    (sent,) = staked.json["transactions"]
    assert (sent["contract"], sent["function"], sent["value"]) == ("StakingRegistry", "stake", int(ether("0.1")))
    assert all(isinstance(sent[name], int) for name in ("value", "gas", "gasPrice", "maximumCost", "gasUsed", "fee"))
    assert sent["fee"] <= sent["maximumCost"] - sent["value"]
    assert sent["explorer"] is None

    left = alice.run("unstake", *SEND, *key)
    assert left.code == ExitCode.OK
    assert left.stdout.startswith("0x")
    assert len(left.stdout.strip()) == 66
    assert "in 7 d" in left.stderr

    early = alice.run("withdraw", *SEND, *key)
    assert early.code == ExitCode.REVERTED
    assert "0.1 ETH are unbonding, to be withdrawn in 7 d" in early.stderr
    assert "staking period has not passed" in early.stderr
    assert early.stdout == ""

    node.increase_time(deployment.parameters.staking_period + 1)
    stranger = node.signer(STRANGER).address
    before = node.connection.balance(stranger)
    paid = alice.run("withdraw", "--receiver", stranger, *SEND, *key)
    assert paid.code == ExitCode.OK
    assert node.connection.balance(stranger) - before == ether("0.1")
    assert alice.run("withdraw", *SEND, *key).code == ExitCode.REVERTED


def test_before_sending_everything_is_shown_and_asked(alice: Home, node: Anvil, deployment: Deployment) -> None:
    declined = alice.run("stake", "--account", "alice", typed="n\n")
    assert declined.code == ExitCode.NOT_SENT
    for text in ("StakingRegistry.stake", "value     0.1 ETH", "gwei each at most", "cost      0.1", "Send it?"):
        assert text in declined.stderr
    assert deployment.address("StakingRegistry") in declined.stderr
    assert declined.stdout == ""
    assert node.connection.balance(deployment.address("StakingRegistry")) == 0
    agreed = alice.run("stake", "--account", "alice", "--passphrase-file", alice.passphrase, typed="y\n")
    assert agreed.code == ExitCode.OK
    assert node.connection.balance(deployment.address("StakingRegistry")) == ether("0.1")


def test_a_dry_run_needs_no_passphrase_and_no_key(alice: Home, node: Anvil, deployment: Deployment) -> None:
    for account in ("alice", node.signer(FIRST_CLIENT).address):
        shown = alice.run("stake", "--account", account, "--dry-run", "--json")
        assert shown.code == ExitCode.OK, shown.stderr
        assert shown.json["dryRun"] is True
        assert [each["sent"] for each in shown.json["transactions"]] == [False]
        assert "nothing was sent" in shown.stderr
    assert node.connection.balance(deployment.address("StakingRegistry")) == 0


def test_without_a_terminal_nothing_is_asked_and_nothing_sent(alice: Home) -> None:
    unasked = alice.run("stake", "--account", "alice", "--passphrase-file", alice.passphrase)
    assert unasked.code == ExitCode.NOT_SENT
    assert "say --yes" in unasked.stderr
    unopened = alice.run("stake", *SEND)
    assert unopened.code == ExitCode.NOT_SENT
    assert "give --passphrase-file" in unopened.stderr


def test_a_wrong_passphrase_is_said_and_never_shown(alice: Home) -> None:
    wrong = alice.folder / "wrong"
    wrong.write_text("hunter2")
    refused = alice.run("stake", *SEND, "--passphrase-file", wrong)
    assert refused.code == ExitCode.ACCOUNT
    assert "does not open" in refused.stderr
    assert "hunter2" not in refused.stderr
    right = alice.run("stake", *SEND, "--passphrase-file", alice.passphrase)
    assert PASSPHRASE not in right.stdout + right.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("stake", "--account", "bob", "--yes"), ExitCode.ACCOUNT, "no account of ape's with that alias"),
        (("stake", "--yes"), ExitCode.ACCOUNT, "give --account"),
        (("stake", *SEND, "--network", "arbitrum:sepolia:http://127.0.0.1:9"), ExitCode.USAGE, "chain 31337"),
        (("stake", *SEND, "--network", "arbitrom"), ExitCode.USAGE, "arbitrum, ethereum"),
        (("stake", *SEND, "--network", "http://127.0.0.1:9"), ExitCode.MISSING, "no answer from the node"),
        (("stake", *SEND, "--deployment", "absent.json"), ExitCode.MISSING, "absent.json"),
        (("stake", *SEND, "--wait-for-fee"), ExitCode.USAGE, "needs --max-fee"),
        (("stake", *SEND, "--max-fee", "0"), ExitCode.USAGE, "gwei"),
        (("unstake", *SEND), ExitCode.REVERTED, "client is not staked"),
    ],
)
def test_each_refusal_has_its_code_and_says_what_to_do(
    alice: Home, arguments: tuple[str, ...], code: ExitCode, said: str
) -> None:
    ended = alice.run(*arguments)
    assert ended.code == code, ended.stderr
    assert said in ended.stderr
    assert ended.stdout == ""


def test_an_account_that_cannot_pay_is_told_what_it_needs(alice: Home, node: Anvil) -> None:
    node.connection.rpc("anvil_setBalance", node.signer(FIRST_CLIENT).address, hex(ether("0.05")))
    poor = alice.run("stake", *SEND)
    assert poor.code == ExitCode.FUNDS
    assert "but 0.1 are needed" in poor.stderr


def test_gas_above_the_limit_is_not_paid(alice: Home, node: Anvil, monkeypatch: pytest.MonkeyPatch) -> None:
    node.connection.rpc("anvil_setNextBlockBaseFeePerGas", hex(50 * 10**9))
    node.connection.rpc("anvil_mine")
    key = ("--passphrase-file", alice.passphrase)
    refused = alice.run("stake", *SEND, *key, "--max-fee", "2")
    assert refused.code == ExitCode.NOT_SENT
    assert "at most 2 were allowed" in refused.stderr

    looks: list[float] = []

    def cheaper(seconds: float) -> None:
        looks.append(seconds)
        node.connection.rpc("anvil_setNextBlockBaseFeePerGas", hex(10**9 // 2))
        node.connection.rpc("anvil_mine")

    monkeypatch.setattr("fedblocks.cli.sending.pause", cheaper)
    waited = alice.run("stake", *SEND, *key, "--max-fee", "2", "--wait-for-fee", "--json")
    assert waited.code == ExitCode.OK, waited.stderr
    assert len(looks) >= 1
    assert "waiting for 2; nothing is sent yet" in waited.stderr
    assert waited.json["transactions"][0]["gasPrice"] <= 2 * 10**9


def test_a_key_file_that_names_another_address_is_refused(alice: Home, node: Anvil) -> None:
    path = alice.folder / "ape" / "accounts" / "alice.json"
    content = json.loads(path.read_text())
    content["address"] = node.signer(STRANGER).address
    path.write_text(json.dumps(content))
    refused = alice.run("stake", *SEND, "--passphrase-file", alice.passphrase)
    assert refused.code == ExitCode.ACCOUNT
    assert "its key is that of" in refused.stderr


def test_following_goes_on_from_block_to_block_until_it_is_interrupted(
    alice: Home, node: Anvil, deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = FedBlocks.connect(node.url, deployment, signer=node.signer(FIRST_CLIENT))
    happening = iter([client.staking.stake, client.staking.unregister])

    def pause(_: float) -> None:
        """Something happens on the chain meanwhile, and in the end somebody has seen enough."""
        for action in happening:
            action()
            return
        raise KeyboardInterrupt

    monkeypatch.setattr("fedblocks.cli.index.pause", pause)
    ended = alice.run("index", "--follow", "--json")
    assert ended.code == ExitCode.INTERRUPTED
    assert alice.run("index", "--json").json["events"] == ended.json["events"] + 4
    assert ended.stderr.count("2 new events") == 2
    status = alice.run("status", "alice", "--no-update", "--json")
    assert status.json["client"]["state"] == "unbonding"
