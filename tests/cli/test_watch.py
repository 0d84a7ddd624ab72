"""`fedblocks watch`: what it says, what it sends, how it ends."""

import contextlib
import io
import json
from dataclasses import replace

import pytest
from eth_account import Account

from fedblocks.cli.connecting import NobodyToAsk
from fedblocks.cli.exit_codes import ExitCode
from fedblocks.cli.main import cli
from fedblocks.cli.watch import GenesisUnusable
from fedblocks.rollup.sequencer import Sequencer
from tests.anvil import STRANGER
from tests.rollup.epochs import changed
from tests.rollup.running import Running, open_instance


class Liar(Sequencer):
    """Puts another delta in the place of the mean."""

    def _transition(self, submissions):
        honest = super()._transition(submissions)
        return replace(honest, data=replace(honest.data, delta=changed(honest.data.delta, 3)))


@pytest.fixture
def lying(staked, tmp_path) -> Running:
    running = open_instance(staked, tmp_path, Liar)
    running.submitter.submit(running.executed().header)
    return running


@pytest.fixture
def honest(staked, tmp_path) -> Running:
    running = open_instance(staked, tmp_path)
    running.submitter.submit(running.executed().header)
    return running


def watch(running: Running, tmp_path, *arguments: str):
    """Run the command once; what it printed on stdout, as objects, and how it ended."""
    deployment = tmp_path / "deployment.json"
    running.roles.user.deployment.save(deployment)
    command = [
        *("watch", "--network", running.roles.node.url, "--deployment", str(deployment)),
        *("--data", running.blobs.url, "--once", "--json"),
        *arguments,
    ]
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = cli.main(command, standalone_mode=False)
    return [json.loads(line) for line in out.getvalue().splitlines()], code or 0, err.getvalue()


@pytest.fixture
def key(lying, tmp_path) -> tuple[str, ...]:
    """A key file of the stranger's."""
    keyfile, passphrase = tmp_path / "key.json", tmp_path / "passphrase"
    private = lying.roles.node.signer(STRANGER)._account.key
    keyfile.write_text(json.dumps(Account.encrypt(private, "open", kdf="pbkdf2", iterations=2)))
    passphrase.write_text("open\n")
    return "--account", str(keyfile), "--passphrase-file", str(passphrase), "--journal", str(tmp_path / "journal")


def test_right_epochs_end_with_zero(honest, tmp_path):
    said, code, _ = watch(honest, tmp_path)
    assert [each["what"] for each in said] == ["right"]
    assert code == 0


def test_without_a_key_it_says_what_is_wrong_and_sends_nothing(lying, tmp_path):
    said, code, talk = watch(lying, tmp_path)
    assert [(each["what"], each["instanceId"], each["epoch"]) for each in said] == [("fault", 1, 1)]
    assert "chunk 0 of the global delta is not the mean" in said[0]["text"]
    assert code == ExitCode.MISMATCH
    assert "read-only" in talk
    assert lying.posted == 1


def test_with_a_key_it_challenges_and_collects(lying, tmp_path, key):
    said, code, _ = watch(lying, tmp_path, *key)
    assert [each["what"] for each in said] == ["fault", "challenged", "collected"]
    assert said[1]["transaction"].startswith("0x")
    assert code == ExitCode.MISMATCH
    assert lying.posted == 0
    said, code, _ = watch(lying, tmp_path, *key)
    assert [each["what"] for each in said] == ["overturned"]


def test_a_passphrase_that_nobody_can_be_asked_for_is_named(lying, tmp_path, key, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("open\n"))
    with pytest.raises(NobodyToAsk, match="give --passphrase-file"):
        watch(lying, tmp_path, *key[:2], *key[4:])
    assert lying.posted == 1


def test_a_genesis_model_that_is_none_is_named(honest, tmp_path):
    with pytest.raises(GenesisUnusable, match="--genesis first: this is not INSTANCE=FILE"):
        watch(honest, tmp_path, "--genesis", "first")
