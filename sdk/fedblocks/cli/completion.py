"""`fedblocks completion`: what a shell must run to complete commands and options."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the shell's completion script.

    \b
    eval "$(fedblocks completion bash)"
    fedblocks completion fish > ~/.config/fish/completions/fedblocks.fish
    """
    from fedblocks.cli.main import cli

    cls = get_completion_class(shell)
    assert cls is not None
    click.echo(cls(cli, {}, "fedblocks", "_FEDBLOCKS_COMPLETE").source())
