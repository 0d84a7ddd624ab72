"""`fedblocks config`: the configuration file, shown and changed."""

from __future__ import annotations

from typing import Any

import click

from fedblocks.cli.exit_codes import ExitCode
from fedblocks.cli.options import default_database, json_option, settings_of
from fedblocks.cli.output import print_json, print_table, talk
from fedblocks.cli.settings import KEYS, InvalidSettings, Setting, Settings, settings_path
from fedblocks.config import parse_network, redact

_EXAMPLE = """\
# FedBlocks' configuration: defaults of the options. An option that is given wins.
# Nothing secret belongs here; an account is an alias of ape's, or a key file's path.

# profile = "sepolia"

[defaults]
# account = "alice"
# timeout = 30.0
# max_fee = "0.5"

[profiles.sepolia]
network = "arbitrum:sepolia"
# deployment = "deployments/arbitrum-sepolia.json"
# data = "https://…"

[profiles.local]
network = "ethereum:local"
"""


@click.group()
def config() -> None:
    """Defaults of the options, kept in a file.

    The file is where `fedblocks config path` says; $FEDBLOCKS_CONFIG names another. An option that is given wins over
    the profile, the profile over the defaults.

    \b
    fedblocks config set network arbitrum:sepolia --profile sepolia
    fedblocks --profile sepolia status
    """


@config.command()
def path() -> None:
    """Print where the file is.

    \b
    fedblocks config path
    """
    click.echo(settings_path())


@config.command()
@json_option
def show(as_json: bool) -> None:
    """Print each value and where it comes from; API keys are hidden.

    \b
    fedblocks config show
    fedblocks --profile sepolia config show
    """
    settings = settings_of()
    built_in = {"timeout": 30.0, "database": default_database()}
    found = {
        key: settings.get(key) or (Setting(built_in[key], "built in") if key in built_in else Setting(None, "not set"))
        for key in KEYS
    }
    if as_json:
        values = {key: {"value": _shown(key, each.value), "source": each.source} for key, each in found.items()}
        print_json({"path": str(settings.path), "profile": settings.profile, "values": values})
        return
    rows = [
        (key, "-" if each.value is None else str(_shown(key, each.value)), each.source) for key, each in found.items()
    ]
    print_table(("key", "value", "from"), rows)


def _shown(key: str, value: Any) -> Any:
    """A value without the API key or password that its URL may hold."""
    if not isinstance(value, str) or "://" not in value or value.startswith(("sqlite:", "file:")):
        return value
    before, scheme, rest = value.rpartition("http")
    return before + redact(scheme + rest) if key == "network" else redact(value)


@config.command("set")
@click.argument("key", type=click.Choice(list(KEYS)), metavar="KEY")
@click.argument("value")
@click.option("--profile", metavar="NAME", help="In this profile.  [default: in the defaults of all]")
def set_value(key: str, value: str, profile: str | None) -> None:
    """Set one value: network, deployment, database, data, account, timeout or max_fee.

    \b
    fedblocks config set deployment deployments/arbitrum-sepolia.json --profile sepolia
    """
    settings = Settings.load()
    if key == "network":
        parse_network(value)
    converted: Any = value
    if KEYS[key][0] is float:
        try:
            converted = float(value)
        except ValueError:
            raise InvalidSettings(settings.path, f"{key} must be {KEYS[key][1]}, not {value!r}") from None
    settings.with_value(key, converted, profile).save()
    talk(f"{key} is set in {settings.path}")


@config.command()
@click.argument("key", type=click.Choice(list(KEYS)), metavar="KEY")
@click.option("--profile", metavar="NAME", help="In this profile.  [default: in the defaults of all]")
def unset(key: str, profile: str | None) -> None:
    """Take one value out.

    \b
    fedblocks config unset account
    """
    settings = Settings.load()
    settings.with_value(key, None, profile).save()
    talk(f"{key} is no longer set in {settings.path}")


@config.command()
@click.option("--force", is_flag=True, help="Overwrite the file that is there.")
def init(force: bool) -> None:
    """Write a file to start from, with everything explained in it.

    \b
    fedblocks config init
    """
    where = settings_path()
    if where.exists() and not force:
        raise InvalidSettings(where, "it is there already; --force overwrites it")
    where.parent.mkdir(parents=True, exist_ok=True)
    where.write_text(_EXAMPLE, encoding="utf-8")
    click.echo(where)


@config.command()
def check() -> None:
    """Check the file: its form, its networks, and whether what it names is there.

    \b
    fedblocks config check
    """
    from fedblocks.cli.checking import problems_of

    settings = settings_of()
    problems = problems_of(settings)
    for problem in problems:
        click.echo(problem)
    if problems:
        raise click.exceptions.Exit(ExitCode.MISMATCH)
    talk(
        f"{settings.path}: nothing wrong" if settings.path.exists() else f"there is no {settings.path}; nothing is set"
    )
