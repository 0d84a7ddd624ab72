"""Writes the reference part of docs/cli.md from the commands themselves.

    python -m tests.cli.reference

A test fails while the two differ.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path

import click

DOCUMENT = Path(__file__).parents[2] / "docs" / "cli.md"
MARK = "<!-- reference: made by `python -m tests.cli.reference`, not by hand -->\n"


def commands(group: click.Group, path: tuple[str, ...] = ("fedblocks",)) -> Iterator[tuple[str, click.Command]]:
    """Every command by its full name, groups before what is in them."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        yield " ".join((*path, name)), command
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))


def reference() -> str:
    """The whole reference."""
    from fedblocks.cli.main import cli

    return "\n".join(_section(name, command) for name, command in commands(cli))


def _section(name: str, command: click.Command) -> str:
    pieces = " ".join(command.collect_usage_pieces(click.Context(command)))
    lines = [f"### `{name}`", "", *_help(command), "", f"`{name} {pieces}`", ""]
    options = [each for each in command.params if isinstance(each, click.Option)]
    if options:
        lines += ["| option | meaning |", "|---|---|", *(_row(each) for each in options), ""]
    return "\n".join(lines)


def _help(command: click.Command) -> Iterator[str]:
    """A command's help; what click is told to leave as it is, is an example."""
    for paragraph in inspect.cleandoc(command.help or "").split("\n\n"):
        if paragraph.startswith("\b"):
            yield "\n".join(["```", paragraph.removeprefix("\b\n"), "```"])
        else:
            yield paragraph
        yield ""


def _row(option: click.Option) -> str:
    names = ", ".join(f"`{name}`" for name in (*option.opts, *option.secondary_opts))
    kind = "" if option.is_flag else f" {option.metavar or option.make_metavar()}"
    default = f" [default: {option.default}]" if option.show_default and option.default is not None else ""
    required = " [required]" if option.required else ""
    return f"| {names}{kind.replace('|', chr(92) + '|')} | {option.help or ''}{default}{required} |"


def write() -> None:
    """Put the reference into the document."""
    before = DOCUMENT.read_text(encoding="utf-8").partition(MARK)[0]
    DOCUMENT.write_text(before + MARK + "\n" + reference(), encoding="utf-8")


if __name__ == "__main__":
    write()
