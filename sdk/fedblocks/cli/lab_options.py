"""What `fedblocks lab` is told: seeds, thresholds, and which of the results to look at."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from fedblocks.cli.options import F


class SeedsType(click.ParamType):
    """Seeds, as ranges: ``1000-1009,1020``."""

    name = "seeds"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> list[int]:
        """Read ranges; both ends belong to them."""
        if isinstance(value, list):
            return value
        seeds: list[int] = []
        for part in str(value).split(","):
            found = re.fullmatch(r"\s*(\d{1,15})(?:-(\d{1,15}))?\s*", part)
            if found is None or int(found[2] or found[1]) < int(found[1]):
                self.fail(f"{value!r} are no seeds: give ranges that ascend, like 1000-1009,1020", param, ctx)
            seeds += range(int(found[1]), int(found[2] or found[1]) + 1)
        return list(dict.fromkeys(seeds))


class RulesType(click.ParamType):
    """Thresholds: ``name=value,...``, or a TOML file of them."""

    name = "rules"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> dict[str, int]:
        """Read thresholds; whether there are such rules is known where they are used."""
        if isinstance(value, dict):
            return value
        if "=" in value:
            pairs = [part.partition("=")[::2] for part in str(value).split(",")]
            content: dict[str, Any] = {
                name.strip(): int(number) if re.fullmatch(r"\s*-?\d+\s*", number) else number for name, number in pairs
            }
        else:
            try:
                content = tomllib.loads(Path(value).read_text(encoding="utf-8"))
            except FileNotFoundError:
                self.fail(f"{value!r} is neither NAME=VALUE,... nor a file", param, ctx)
            except (OSError, ValueError) as error:
                self.fail(f"{value} cannot be read as TOML: {error}", param, ctx)
        for name, number in content.items():
            if type(number) is not int:
                self.fail(f"rule {name} is {number!r}, not an integer", param, ctx)
        return content


def out_option(command: F) -> F:
    """--out, as ``out: Path``."""
    return click.option(
        "--out",
        type=click.Path(path_type=Path, file_okay=False),
        default=Path("lab-results"),
        show_default=True,
        help="The folder of the results.",
    )(command)


def rules_option(help_text: str) -> Callable[[F], F]:
    """--rules, as ``rules: dict[str, int]``; `help_text` says what they are for."""
    return click.option(
        "--rules",
        type=RulesType(),
        default={},
        metavar="FILE|NAME=VALUE,...",
        help=f"{help_text}: pairs, or a TOML file of them.  [default: the measured ones]",
    )


def choosing(command: F) -> F:
    """--campaign, --seeds and --rules, for looking at some of the results."""
    command = click.option("--campaign", multiple=True, help="Of this campaign alone; may be given again.")(command)
    command = click.option("--seeds", type=SeedsType(), help="Of these seeds alone, like 1000-1009.")(command)
    return rules_option("Of runs with these thresholds")(command)
