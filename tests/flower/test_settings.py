"""The two settings files."""

import pytest

from fedblocks.engines.flower.settings import AggregatorSettings, ClientSettings, InvalidSettings, NoSettings

CLIENT = {
    "rpc": "https://user:secret@node.example/v3/key",
    "deployment": "deployment.json",
    "account": "my-alias",
    "passphrase_file": "passphrase",
    "state": "state",
}


def write(path, values):
    path.write_text("".join(f"{name} = {value!r}\n" for name, value in values.items()))
    return path


def test_paths_are_relative_to_the_file(tmp_path):
    settings = ClientSettings.load(write(tmp_path / "client.toml", CLIENT))
    assert settings.deployment == tmp_path / "deployment.json"
    assert settings.state == tmp_path / "state"
    assert settings.account == "my-alias"
    assert (settings.confirmations, settings.patience) == (0, 60)


def test_a_key_file_beside_the_settings_is_found(tmp_path):
    (tmp_path / "my-alias").write_text("{}")
    settings = ClientSettings.load(write(tmp_path / "client.toml", CLIENT))
    assert settings.account == str(tmp_path / "my-alias")


def test_the_nodes_address_is_not_shown(tmp_path):
    settings = ClientSettings.load(write(tmp_path / "client.toml", CLIENT))
    assert "secret" not in repr(settings)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"passphrase": "hunter2"}, "passphrase is unknown"),
        ({"patience": "60"}, "patience must be an integer"),
        ({"confirmations": -1}, "must not be negative"),
        ({"state": 7}, "state must be text"),
    ],
)
def test_a_field_that_is_wrong_is_named(tmp_path, change, message):
    with pytest.raises(InvalidSettings, match=message):
        ClientSettings.load(write(tmp_path / "client.toml", {**CLIENT, **change}))


def test_an_aggregator_settles_only_when_it_is_asked_to(tmp_path):
    base = {name: value for name, value in CLIENT.items() if name != "state"}
    base |= {"instance": 7, "job": "job.json", "store": "sqlite:///rollup.sqlite", "data": "file:///blobs"}
    assert not AggregatorSettings.load(write(tmp_path / "silent.toml", base)).settle
    with pytest.raises(InvalidSettings, match="settle must be true or false, not 'yes'"):
        AggregatorSettings.load(write(tmp_path / "yes.toml", {**base, "settle": "yes"}))


def test_a_field_that_is_missing_is_named(tmp_path):
    with pytest.raises(InvalidSettings, match="instance, job, store, data is missing"):
        AggregatorSettings.load(
            write(tmp_path / "aggregator.toml", {name: CLIENT[name] for name in CLIENT if name != "state"})
        )


def test_a_file_that_is_missing_or_no_toml_is_named(tmp_path):
    with pytest.raises(InvalidSettings, match=r"client\.toml"):
        ClientSettings.load(tmp_path / "client.toml")
    (tmp_path / "client.toml").write_text("rpc = ")
    with pytest.raises(InvalidSettings, match=r"client\.toml"):
        ClientSettings.load(tmp_path / "client.toml")


def test_a_nodes_settings_are_those_that_it_was_started_with(tmp_path, monkeypatch):
    write(tmp_path / "3.toml", {**CLIENT, "patience": 3})
    own = write(tmp_path / "own.toml", {**CLIENT, "patience": 4})
    monkeypatch.setenv("FEDBLOCKS_CLIENTS", str(tmp_path))
    assert ClientSettings.of_node({"fedblocks": str(own), "partition-id": 3}).patience == 4
    assert ClientSettings.of_node({"partition-id": 3}).patience == 3
    monkeypatch.delenv("FEDBLOCKS_CLIENTS")
    with pytest.raises(NoSettings):
        ClientSettings.of_node({"partition-id": 3})
