"""What `fedblocks client` and `fedblocks aggregator` have in common: a file made, looked at, and run by."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fedblocks.cli.exit_codes import ExitCode
from fedblocks.cli.output import print_json, talk

if TYPE_CHECKING:
    from fedblocks.operating.checks import Finding

CONFIG = click.Path(path_type=Path, dir_okay=False)

TITLE = """Configuration of a FedBlocks {what}; `fedblocks {what} check FILE` looks whether it is right.
Paths are relative to this file. It holds no secret: keys lie encrypted in key files, their passphrases in files of
their own. What is commented out has the value that is shown, or none."""


def write_example(cls: type[Any], what: str, path: Path, force: bool) -> None:
    """Write an example that explains itself."""
    from fedblocks.operating.toml import example

    if path.exists() and not force:
        raise click.UsageError(f"{path} is there already; --force writes over it")
    path.write_text(example(cls, TITLE.format(what=what)), encoding="utf-8")
    talk(f"wrote {path}; fill it in, then run: fedblocks {what} check {path}")


def show_findings(findings: Iterator[Finding], as_json: bool) -> None:
    """Print findings as they come; ends with 4 if one of them is a failure."""
    from fedblocks.operating.checks import Level

    marks = {Level.OK: "green", Level.WARN: "yellow", Level.FAIL: "red"}
    seen = []
    for each in findings:
        seen.append(each)
        if not as_json:
            click.echo(f"{click.style(f'{each.level.value:<4}', fg=marks[each.level])}  {each.what:<12} {each.text}")
    if as_json:
        print_json([{"level": each.level.value, "what": each.what, "text": each.text} for each in seen])
    if any(each.level is Level.FAIL for each in seen):
        raise click.exceptions.Exit(ExitCode.MISMATCH)
