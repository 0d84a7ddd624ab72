"""The command line as a whole: its help, its documentation, its exit codes, how it starts."""

from __future__ import annotations

import subprocess
import sys

import click
import pytest

from fedblocks.cli.exit_codes import MEANINGS, ExitCode
from fedblocks.cli.main import COMMANDS, cli
from tests.cli.conftest import Home
from tests.cli.reference import DOCUMENT, MARK, commands, reference

EVERY = dict(commands(cli))


def test_the_help_says_of_each_command_what_the_command_says() -> None:
    for name, (_, _, text) in COMMANDS.items():
        assert EVERY[f"fedblocks {name}"].get_short_help_str(200).rstrip(".") == text.rstrip("."), name


@pytest.mark.parametrize("name", EVERY)
def test_every_command_has_an_example_and_every_option_a_meaning(name: str) -> None:
    command = EVERY[name]
    if name != "fedblocks slash explain":  # the same command under a second name
        assert name in (command.help or ""), name
    for option in command.params:
        if isinstance(option, click.Option):
            assert option.help, f"{name} {option.name}"


def test_every_command_and_option_is_in_the_documentation() -> None:
    written = DOCUMENT.read_text(encoding="utf-8")
    assert MARK in written
    assert written.partition(MARK)[2].strip() == reference().strip(), "run python -m tests.cli.reference"


def test_every_exit_code_is_explained_in_the_help_and_in_the_documentation(home: Home) -> None:
    assert set(MEANINGS) == set(ExitCode)
    help_text = " ".join(home.run("--help").stdout.split())
    written = DOCUMENT.read_text(encoding="utf-8")
    for code in ExitCode:
        assert f"{int(code)} {MEANINGS[code]}" in help_text
        assert f"| {int(code)} |" in written


def test_the_help_loads_neither_the_chain_nor_training() -> None:
    script = (
        "import sys; from fedblocks.cli.main import cli; cli(['--help'], standalone_mode=False);"
        "slow = {'web3', 'torch', 'numba', 'sqlalchemy', 'textual', 'rich'};"
        "print(*sorted(slow & set(sys.modules)), file=sys.stderr)"
    )
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "Usage: " in ended.stdout
    assert ended.stderr.strip() == ""


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_complete_commands_without_loading_them(home: Home, shell: str) -> None:
    assert "_FEDBLOCKS_COMPLETE" in home.run("completion", shell).stdout
    found = cli.shell_complete(click.Context(cli), "s")
    assert [each.value for each in found if each.type == "plain"][:3] == ["stake", "status", "slash"]


def test_the_version_and_what_is_unknown(home: Home) -> None:
    assert home.run("--version").stdout.startswith("fedblocks, version ")
    unknown = home.run("stakes")
    assert unknown.code == ExitCode.USAGE
    assert "No such command 'stakes'" in unknown.stderr


def test_deployments_are_listed_and_shown(home: Home) -> None:
    listed = home.run("deployments", "list", "--json").json
    assert listed[0] == {"name": "v1", "version": 1, "chainId": 42161, "block": None}
    shown = home.run("deployments", "show", "v1", "--json").json
    registry = shown["contracts"]["StakingRegistry"]
    assert registry["explorer"] == f"https://arbiscan.io/address/{registry['address']}"
    assert home.run("deployments", "show", "absent.json").code == ExitCode.MISSING
