"""Getting out of version 1, or being told why nothing gets out."""

from __future__ import annotations

import pytest

from fedblocks.chain.node import Anvil
from fedblocks.cli.exit_codes import ExitCode
from fedblocks.contracts.v1 import V1_ARBITRUM
from tests.cli.conftest import Ended, Home
from tests.doctor.conftest import v1_chain, v1_node  # noqa: F401

CLIENT = 3


@pytest.fixture
def act(home: Home, v1_node: Anvil):  # noqa: F811
    """Acts as a client of version 1."""
    home.account(v1_node, CLIENT, "old")
    (home.folder / "config.toml").write_text(f'[defaults]\nnetwork = "{v1_node.url}"\ndeployment = "v1"\n')

    def call(*arguments: object) -> Ended:
        return home.run(*arguments, "--account", "old", "--passphrase-file", home.passphrase, "--yes")

    return call


def test_who_never_unregistered_is_told_what_comes_first(act, v1_node: Anvil) -> None:  # noqa: F811
    refused = act("withdraw")
    assert refused.code == ExitCode.REVERTED
    assert "`fedblocks unstake --deployment v1` comes first" in refused.stderr
    assert refused.stdout == ""


def test_nothing_is_staked_in_a_registry_with_defects(act, v1_node: Anvil) -> None:  # noqa: F811
    before = v1_node.connection.balance(V1_ARBITRUM.address("StakingRegistry"))
    refused = act("stake")
    assert refused.code == ExitCode.MISMATCH
    assert "V1-1" in refused.stderr
    assert v1_node.connection.balance(V1_ARBITRUM.address("StakingRegistry")) == before


def test_its_status_says_what_its_figures_mean(home: Home, act, v1_node: Anvil) -> None:  # noqa: F811
    shown = home.run("status", v1_node.signer(CLIENT).address)
    assert shown.code == ExitCode.OK, shown.stderr
    assert "not what was paid in: V1-1" in shown.stdout
    figures = home.run("status", v1_node.signer(CLIENT).address, "--json").json
    assert (figures["version"], figures["isStaked"], figures["credit"], figures["timelock"]) == (1, False, 0, None)


def test_a_receiver_is_refused_where_there_is_none(act) -> None:
    refused = act("withdraw", "--receiver", V1_ARBITRUM.address("SlashTreasury"))
    assert refused.code == ExitCode.USAGE
    assert "leave --receiver out" in refused.stderr


def test_what_only_version_two_has_is_refused(act) -> None:
    for command in (("bond", "deposit", 1), ("job", "settle", 1)):
        refused = act(*command)
        assert refused.code == ExitCode.USAGE, refused.stderr
        assert "version 1 has no" in refused.stderr


def test_its_events_are_indexed_from_the_block_in_which_it_was_made(home: Home, act, v1_node: Anvil) -> None:  # noqa: F811
    read = home.run("index", "--json")
    assert read.code == ExitCode.OK, read.stderr
    assert read.json["block"] == v1_node.connection.block_number()
    listed = home.run("slash", "list", "--json")
    assert (listed.code, listed.json) == (ExitCode.OK, []), listed.stderr
