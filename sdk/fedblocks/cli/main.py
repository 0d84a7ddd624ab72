"""`fedblocks`: the command line.

stdout is data, stderr is talk, and the exit code says what kind of end it was.
"""

from __future__ import annotations

import sys

import click

from fedblocks.chain.reverts import ContractReverted
from fedblocks.cli.check import check
from fedblocks.cli.demo import demo
from fedblocks.cli.doctor import doctor
from fedblocks.cli.exit_codes import ExitCode
from fedblocks.cli.replay import replay
from fedblocks.cli.watch import watch
from fedblocks.exceptions import FedBlocksError
from fedblocks.rollup.replay import ReplayMismatch


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="fedblocks")
def cli() -> None:
    """FedBlocks: federated learning secured with proof of stake."""


cli.add_command(check)
cli.add_command(demo)
cli.add_command(doctor)
cli.add_command(replay)
cli.add_command(watch)


def exit_code_of(error: FedBlocksError) -> ExitCode:
    """The exit code for an error."""
    if isinstance(error, ReplayMismatch):
        return ExitCode.MISMATCH
    if isinstance(error, ContractReverted):
        return ExitCode.REVERTED
    if isinstance(error, (ValueError, KeyError)):
        return ExitCode.USAGE
    if isinstance(error, (FileNotFoundError, ConnectionError, LookupError)):
        return ExitCode.MISSING
    return ExitCode.FAILED


def main() -> None:
    """Run the command line; errors of FedBlocks become one line and an exit code."""
    try:
        # Without its standalone mode, click returns the code that a command ends with.
        sys.exit(cli(standalone_mode=False))
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        sys.exit(ExitCode.INTERRUPTED)
    except FedBlocksError as error:
        click.echo(f"fedblocks: {error}", err=True)
        sys.exit(exit_code_of(error))
