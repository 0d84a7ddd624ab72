"""The configuration: what it holds, what it refuses, and what wins over what."""

from __future__ import annotations

import pytest

from fedblocks.cli.exit_codes import ExitCode
from fedblocks.cli.settings import InvalidSettings, Settings
from fedblocks.config import NETWORKS, NoPublicNode, UnknownNetwork, parse_network, redact
from fedblocks.explorers import explorer_link
from tests.cli.conftest import Home

KEY = "0x" + "ab" * 32


def write(home: Home, text: str) -> None:
    (home.folder / "config.toml").write_text(text)


def values(home: Home, *arguments: str) -> dict[str, dict[str, object]]:
    ended = home.run(*arguments, "config", "show", "--json")
    assert ended.code == ExitCode.OK, ended.stderr
    found: dict[str, dict[str, object]] = ended.json["values"]
    return found


def test_values_are_set_shown_with_their_source_and_taken_out(home: Home) -> None:
    assert home.run("config", "set", "account", "alice").code == ExitCode.OK
    assert home.run("config", "set", "timeout", "5").code == ExitCode.OK
    assert home.run("config", "set", "network", "arbitrum:sepolia", "--profile", "test").code == ExitCode.OK
    plain = values(home)
    assert plain["account"]["value"] == "alice"
    assert str(plain["account"]["source"]).startswith("defaults in ")
    assert plain["timeout"] == {"value": 5.0, "source": plain["account"]["source"]}
    assert plain["network"] == {"value": None, "source": "not set"}
    assert str(plain["database"]["value"]).startswith("sqlite:///")
    assert plain["database"]["source"] == "built in"
    assert values(home, "--profile", "test")["network"]["value"] == "arbitrum:sepolia"
    assert home.run("config", "unset", "account").code == ExitCode.OK
    assert values(home)["account"]["value"] is None


def test_a_profile_wins_over_the_defaults_and_the_file_may_choose_one(home: Home) -> None:
    write(home, 'profile = "b"\n[defaults]\naccount = "x"\n[profiles.a]\naccount = "a"\n[profiles.b]\naccount = "b"\n')
    assert values(home)["account"]["value"] == "b"
    assert values(home, "--profile", "a")["account"]["value"] == "a"
    home.monkeypatch.setenv("FEDBLOCKS_PROFILE", "a")
    assert values(home)["account"]["value"] == "a"
    # Setting a value keeps the file's own choice, whatever is used now.
    assert home.run("config", "set", "timeout", "9").code == ExitCode.OK
    assert Settings.load(home.folder / "config.toml", "a").default_profile == "b"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("nonsense =", "it is not TOML"),
        ("network = 'x'", "'network' is unknown"),
        ("defaults = 3", "must be tables"),
        ("[defaults]\nnetwok = 'x'", "defaults.netwok is unknown"),
        ("[defaults]\npassphrase = 'x'", "looks like a secret"),
        ("[defaults]\nprivate_key = 'x'", "looks like a secret"),
        (f"[defaults]\naccount = '{KEY}'", "looks like a private key"),
        ("[defaults]\ntimeout = 'soon'", "must be seconds"),
        ("[defaults]\ntimeout = 0", "above zero"),
        ("[profiles.'a b']\naccount = 'x'", "must be a table with a name"),
        ("profile = 'absent'", "there is no profile 'absent'"),
    ],
)
def test_a_file_that_is_wrong_is_refused_with_the_reason(home: Home, text: str, said: str) -> None:
    write(home, text)
    ended = home.run("config", "show")
    assert ended.code == ExitCode.USAGE
    assert said in ended.stderr
    assert str(home.folder / "config.toml") in ended.stderr
    assert KEY not in ended.stderr


def test_secrets_and_unknown_networks_are_not_written(home: Home) -> None:
    assert home.run("config", "set", "account", KEY).code == ExitCode.USAGE
    assert home.run("config", "set", "network", "arbitrum:goerli").code == ExitCode.USAGE
    assert home.run("config", "set", "timeout", "soon").code == ExitCode.USAGE
    assert not (home.folder / "config.toml").exists()


def test_api_keys_are_not_shown(home: Home) -> None:
    home.run("config", "set", "network", "arbitrum:mainnet:https://node.example/v2/s3cret")
    home.run("config", "set", "database", "postgresql://me:s3cret@db.example/index")
    for arguments in (("config", "show"), ("config", "show", "--json")):
        shown = home.run(*arguments)
        assert "s3cret" not in shown.stdout + shown.stderr
        assert "arbitrum:mainnet:https://node.example/…" in shown.stdout
        assert "db.example" in shown.stdout


def test_a_first_file_is_written_once_and_is_right(home: Home) -> None:
    made = home.run("config", "init")
    assert made.stdout.strip() == home.run("config", "path").stdout.strip()
    assert home.run("config", "check").code == ExitCode.OK
    assert Settings.load(home.folder / "config.toml", "sepolia").get("network") is not None
    again = home.run("config", "init")
    assert again.code == ExitCode.USAGE
    assert "--force" in again.stderr


def test_what_the_file_names_must_be_there(home: Home) -> None:
    write(home, "[defaults]\ndeployment = 'absent.json'\naccount = 'nobody'\n[profiles.x]\nnetwork = 'mars'\n")
    checked = home.run("config", "check")
    assert checked.code == ExitCode.MISMATCH
    assert [line.split(":")[0] for line in checked.stdout.splitlines()] == [
        "defaults.deployment",
        "defaults.account",
        "profiles.x.network",
    ]


def test_unreadable_text_is_no_configuration(home: Home) -> None:
    (home.folder / "config.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(InvalidSettings, match="cannot be read"):
        Settings.load()


@pytest.mark.parametrize(
    ("text", "name", "chain_id", "url"),
    [
        ("arbitrum:sepolia", "arbitrum:sepolia", 421_614, NETWORKS["arbitrum"]["sepolia"].url),
        ("arbitrum:mainnet:node", "arbitrum:mainnet", 42_161, NETWORKS["arbitrum"]["mainnet"].url),
        ("arbitrum:mainnet:https://a.example:1/k", "arbitrum:mainnet", 42_161, "https://a.example:1/k"),
        ("arbitrum", "arbitrum:local", None, "http://127.0.0.1:8545"),
        (":local", "ethereum:local", None, "http://127.0.0.1:8545"),
        ("ethereum:local:foundry", "ethereum:local", None, "http://127.0.0.1:8545"),
        ("::http://x.example", "ethereum:local", None, "http://x.example"),
        ("https://x.example/k", "ethereum:local", None, "https://x.example/k"),
    ],
)
def test_networks_are_named_as_in_ape(text: str, name: str, chain_id: int | None, url: str) -> None:
    network = parse_network(text)
    assert (network.name, network.chain_id, network.url) == (name, chain_id, url)
    assert "/k" not in repr(network)


@pytest.mark.parametrize(
    "text", ["arbitrom", "arbitrum:goerli", "arbitrum:sepolia:alchemy", "local", "arbitrum-sepolia"]
)
def test_an_unknown_network_is_answered_with_the_known_ones(text: str) -> None:
    with pytest.raises(UnknownNetwork, match=r"is not one of .*(arbitrum|sepolia)"):
        parse_network(text)


def test_a_network_without_a_public_node_needs_one() -> None:
    with pytest.raises(NoPublicNode, match="ethereum:mainnet:https://"):
        parse_network("ethereum:mainnet")


def test_an_unknown_provider_does_not_show_its_key() -> None:
    with pytest.raises(UnknownNetwork) as caught:
        parse_network("arbitrum:sepolia:wss://node.example/s3cret")
    assert "s3cret" not in str(caught.value)
    assert redact("file") == "file"


def test_explorers_have_pages_and_a_chain_of_ones_own_has_none() -> None:
    assert explorer_link(421_614, "tx", b"\1" * 32) == "https://sepolia.arbiscan.io/tx/0x" + "01" * 32
    assert explorer_link(42_161, "block", 7) == "https://arbiscan.io/block/7"
    assert explorer_link(1, "address", "0xAb") == "https://etherscan.io/address/0xAb"
    assert explorer_link(31_337, "tx", b"\1" * 32) is None
