"""`check`: everything that is wrong at once, in words, and nothing sent."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from fedblocks.operating.checks import Finding, Level, check_aggregator, check_client
from fedblocks.operating.config import (
    AccountConfig,
    AggregatorConfig,
    ChainConfig,
    DataConfig,
    EvaluationConfig,
    InstanceConfig,
)
from tests.operating.stage import PASSPHRASE, Stage


def of(findings: list[Finding], level: Level) -> dict[str, str]:
    return {each.what: each.text for each in findings if each.level is level}


def aggregator_config(stage: Stage, **changes: object) -> AggregatorConfig:
    client = stage.config()
    (stage.folder / "job.json").write_text(stage.job.request.to_json())
    values = {
        "store": f"sqlite:///{stage.folder / 'rollup.sqlite'}",
        "data": stage.blobs.url,
        "chain": client.chain,
        "account": client.account,
        "instance": (
            InstanceConfig(
                instance=stage.job.instance_id,
                job=stage.folder / "job.json",
                evaluation=EvaluationConfig(file=stage.folder / "data.npz"),
            ),
        ),
    }
    return AggregatorConfig(**(values | changes))


def test_where_all_is_well_every_line_says_what_was_found(stage):
    before = stage.roles.node.connection.block_number()
    findings = list(check_client(stage.config()))
    assert of(findings, Level.FAIL) == {}
    good = of(findings, Level.OK)
    assert stage.signer.address in good["account"]
    assert "all contracts are there" in good["chain"]
    assert "0.1 ether are staked" in good["stake"]
    assert "40 samples of shape 1x2x3" in good["data"]
    assert "has a seat, and the data fit" in good["instance 1"]
    assert list(of(findings, Level.WARN)) == ["clock"], "a development chain's time is long ago"
    assert "ahead of the chain's newest block" in of(findings, Level.WARN)["clock"]
    assert stage.roles.node.connection.block_number() == before


def test_everything_that_is_wrong_is_said_at_once(stage):
    config = stage.config()
    (stage.folder / "passphrase").write_text("hunter2")
    (stage.folder / "not-a-folder").write_text("")
    config = replace(
        config,
        service="http://127.0.0.1:1",
        state=stage.folder / "not-a-folder" / "state",
        chain=ChainConfig(network="http://127.0.0.1:1", deployment=stage.folder / "deployment.json", timeout=1),
        data=DataConfig(file=stage.folder / "absent.npz", domain="tests"),
    )
    failed = of(list(check_client(config)), Level.FAIL)
    assert set(failed) == {"account", "chain", "state", "data", "service"}
    assert "does not open" in failed["account"]
    assert "cannot be written: Not a directory" in failed["state"]
    assert "hunter2" not in str(failed)


def test_what_can_be_put_right_later_is_a_warning(stage):
    stage.roles.clients[0].staking.unregister()
    (stage.folder / "passphrase").touch()
    config = stage.config()
    (stage.folder / "passphrase").chmod(0o644)
    warned = of(list(check_client(config)), Level.WARN)
    assert "run `fedblocks stake`" in warned["stake"]
    assert "chmod 600" in warned["passphrase"]
    assert PASSPHRASE not in str(warned)


def test_a_job_that_the_data_do_not_fit_fails(stage):
    config = stage.config()
    config = replace(config, data=replace(config.data, domain="x-ray"))
    failed = of(list(check_client(config)), Level.FAIL)
    assert "domain: wanted tests, has x-ray" in failed["instance 1"]


def test_an_aggregator_is_told_what_its_instances_lack(stage):
    failed = of(list(check_aggregator(aggregator_config(stage))), Level.FAIL)
    assert f"its aggregator is {stage.roles.aggregator.sender.address}" in failed["instance 1"]


def test_an_aggregator_with_everything_is_told_so(stage, monkeypatch):
    config = aggregator_config(stage)
    monkeypatch.setattr(AccountConfig, "open", lambda _: stage.roles.aggregator.sender.signer)
    findings = list(check_aggregator(config))
    assert of(findings, Level.FAIL) == {}
    assert of(findings, Level.OK)["instance 1"] == "0 of 3 epochs are posted"
    assert "has 1 instances" in of(findings, Level.OK)["store"]
    wrong = replace(stage.job.request, seed=4)
    (stage.folder / "job.json").write_text(wrong.to_json())
    assert "genesis model" in of(list(check_aggregator(config)), Level.FAIL)["instance 1"]


def test_a_password_in_the_store_s_address_is_warned_of(stage):
    url = "postgresql://fedblocks:database-password@127.0.0.1:1/fedblocks"
    findings = list(check_aggregator(aggregator_config(stage, store=url)))
    assert "~/.pgpass" in of(findings, Level.WARN)["store"]
    assert "database-password" not in "".join(each.text for each in findings)


@pytest.mark.parametrize("command", ["client", "aggregator"])
def test_the_command_writes_an_example_once(tmp_path, command):
    from click.testing import CliRunner

    from fedblocks.cli.main import cli

    path = tmp_path / "config.toml"
    first = CliRunner().invoke(cli, [command, "init", str(path)])
    assert (first.exit_code, path.read_text()[:16]) == (0, "# Configuration ")
    again = CliRunner().invoke(cli, [command, "init", str(path)])
    assert again.exit_code == 2
    assert "--force" in again.output
    unfilled = CliRunner().invoke(cli, [command, "check", str(path)])
    assert "give either keyfile or alias" in str(unfilled.exception)


def test_the_command_ends_with_4_when_something_fails(stage):
    from click.testing import CliRunner

    from fedblocks.cli.main import cli

    stage.config()
    path = Path(stage.folder / "client.toml")
    path.write_text(
        f'service = "http://127.0.0.1:1"\nstate = "state"\n[chain]\nnetwork = "{stage.roles.node.url}"\n'
        'deployment = "deployment.json"\n[account]\nkeyfile = "key.json"\npassphrase_file = "passphrase"\n'
        '[data]\nfile = "data.npz"\ndomain = "tests"\n'
    )
    ended = CliRunner().invoke(cli, ["client", "check", str(path)])
    assert ended.exit_code == 4
    assert "ok    account" in ended.output
    assert "fail  service" in ended.output
