"""Configuration files: what is accepted, what is refused with which words, and the example."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from eth_account import Account

from fedblocks.chain.signers import WrongPassphrase
from fedblocks.operating.config import AccountConfig, AggregatorConfig, ClientConfig
from fedblocks.operating.toml import InvalidConfig, example, load

CLIENT = """
service = "http://127.0.0.1:8700"
state = "state"
[chain]
network = "http://user:api-key@127.0.0.1:8545"
deployment = "deployment.json"
[account]
keyfile = "key.json"
passphrase_file = "secrets/passphrase"
[data]
dataset = "digits"
"""

AGGREGATOR = """
store = "postgresql://fedblocks:database-password@db/fedblocks"
data = "file:///srv/blobs"
[chain]
network = "arbitrum:sepolia"
deployment = "/etc/fedblocks/deployment.json"
[account]
alias = "aggregator"
passphrase_file = "passphrase"
[[instance]]
instance = 7
job = "job-7.json"
evaluation = { file = "test.npz" }
[[instance]]
instance = 8
job = "job-8.json"
maximum_epochs = 3
[instance.evaluation]
dataset = "digits"
"""


@pytest.fixture
def written(tmp_path):
    def write(text: str) -> Path:
        path = tmp_path / "config.toml"
        path.write_text(text)
        return path

    return write


def test_paths_are_relative_to_the_file(written, tmp_path, monkeypatch):
    monkeypatch.chdir("/")
    config = load(ClientConfig, written(CLIENT))
    assert config.state == tmp_path / "state"
    assert config.account.passphrase_file == tmp_path / "secrets" / "passphrase"
    assert (config.poll_seconds, config.instances, config.chain.confirmations) == (2.0, (), 0)


def test_an_aggregator_has_several_instances(written, tmp_path):
    config = load(AggregatorConfig, written(AGGREGATOR))
    assert [each.instance for each in config.instance] == [7, 8]
    assert config.instance[1].maximum_epochs == 3
    assert config.instance[0].evaluation.file == tmp_path / "test.npz"
    assert config.chain.deployment == Path("/etc/fedblocks/deployment.json")


@pytest.mark.parametrize(
    ("before", "after", "says"),
    [
        ("service =", "servise =", "servise: is unknown; did you mean service?"),
        ("[data]", "[data]\nseeds = 3", "data.seeds: is unknown; did you mean seed?"),
        ("[data]", "[dta]", "dta: is unknown; did you mean data?"),
        ('service = "http://127.0.0.1:8700"', "", "service: is missing: The aggregator's node"),
        ('keyfile = "key.json"', "keyfile = 5", "account.keyfile: must be a path, not 5"),
        ('state = "state"', 'state = "state"\npoll_seconds = "2"', "poll_seconds: must be a number, not '2'"),
        ('state = "state"', 'state = "state"\nclaim_rewards = 1', "claim_rewards: must be true or false, not 1"),
        ('state = "state"', 'state = "state"\npoll_seconds = 0', "poll_seconds: must be at least 0.01, not 0"),
        ('state = "state"', 'state = "state"\ninstances = 3', "instances: must be a list, not 3"),
        ('state = "state"', 'state = "state"\ninstances = [3, 0]', "instances[1]: must be at least 1, not 0"),
        ('dataset = "digits"', "", "data: give either file or dataset"),
        ('dataset = "digits"', 'dataset = "digits"\npart = 1', "data: part must be below parts, 1, and is 1"),
        ('dataset = "digits"', 'file = "x.npz"', "data: domain must be given with a file"),
        ("[account]", '[account]\nalias = "alice"', "account: give either keyfile or alias"),
        (
            "[account]",
            '[account]\npassphrase = "hunter2"',
            "account.passphrase: is unknown; did you mean passphrase_file?",
        ),
        ("service =", "service = =", "is not TOML"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_what_was_meant(written, before, after, says):
    assert before in CLIENT
    with pytest.raises(InvalidConfig) as caught:
        load(ClientConfig, written(CLIENT.replace(before, after, 1)))
    assert says in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(InvalidConfig, match=r"absent\.toml: cannot be read: No such file"):
        load(ClientConfig, tmp_path / "absent.toml")


@pytest.mark.parametrize("cls", [ClientConfig, AggregatorConfig])
def test_the_example_explains_every_field_and_can_be_loaded(written, cls):
    text = example(cls, "a title")
    # Of fields of which one of two is to be given, the example shows both as comments.
    text = re.sub(r"^# ((?:keyfile|dataset) = )", r"\1", text, flags=re.MULTILINE)
    config = load(cls, written(text))
    assert config.chain.network == "arbitrum:sepolia"
    everything = re.sub(r"^# (\w+ = .+)$", r"\1", example(cls, "a title"), flags=re.MULTILINE)
    everything = re.sub(r"^(?:alias|file) = .*$", "", everything, flags=re.MULTILINE)
    load(cls, written(everything))
    for line in text.splitlines():
        assert len(line) <= 120


def test_what_may_hold_a_password_is_not_shown(written):
    assert "api-key" not in repr(load(ClientConfig, written(CLIENT)))
    assert "database-password" not in repr(load(AggregatorConfig, written(AGGREGATOR)))


def test_an_account_is_opened_with_the_passphrase_of_its_file(tmp_path):
    account = Account.create()
    keyfile, passphrase = tmp_path / "key.json", tmp_path / "passphrase"
    keyfile.write_text(json.dumps(Account.encrypt(account.key, "right", kdf="pbkdf2", iterations=1)))
    passphrase.write_text("right\n")
    config = AccountConfig(keyfile=keyfile, passphrase_file=passphrase)
    assert config.open().address == account.address
    passphrase.write_text("wrong\n")
    with pytest.raises(WrongPassphrase):
        config.open()


def test_the_files_in_the_documentation_can_be_loaded(written):
    text = (Path(__file__).parents[2] / "docs" / "operating.md").read_text(encoding="utf-8")
    client, aggregator = re.findall(r"```toml\n(.*?)```", text, flags=re.DOTALL)
    assert load(ClientConfig, written(client)).data.domain == "fashion"
    assert load(AggregatorConfig, written(aggregator)).instance[0].instance == 1
