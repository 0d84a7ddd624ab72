"""`fedblocks`: the command line.

stdout is data, stderr is talk, and the exit code says what kind of end it was. A command's module is loaded when the
command is used, not before: the libraries of the chain and of training take seconds, and `fedblocks --help` and the
shell's completion must not.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any

import click
from click.shell_completion import CompletionItem

from fedblocks.cli.exit_codes import MEANINGS, ExitCode, exit_code_of
from fedblocks.exceptions import FedBlocksError

COMMANDS: dict[str, tuple[str, str, str]] = {
    "stake": ("stakes:stake", "Your stake", "Stake, to be drawn into cohorts."),
    "unstake": ("stakes:unstake", "Your stake", "Take your stake out of service; it is paid after the staking period."),
    "withdraw": ("stakes:withdraw", "Your stake", "Get your stake paid out."),
    "status": ("status:status", "Looking", "Show where an account's money is, or the whole deployment."),
    "job": ("jobs:job", "Jobs", "Have a model trained, and settle what it cost."),
    "bond": ("bonds:bond", "Jobs", "An aggregator's bond: deposit it, get it back."),
    "epochs": ("epochs:epochs", "Looking", "Show an instance's epochs and how far each is confirmed."),
    "finalize": ("epochs:finalize", "Keeping it honest", "Make an instance's due epochs final; anyone may."),
    "challenge": ("challenge:challenge", "Keeping it honest", "Work an epoch out again, and prove it wrong if it is."),
    "collect": (
        "challenge:collect",
        "Keeping it honest",
        "Get paid what your challenges have earned, and what your demands have got back.",
    ),
    "client": ("client:client", "Running it", "A data owner's process: train, commit, reveal, get paid."),
    "node": (
        "node:node",
        "Running it",
        "Serve the micro-rollup over HTTP: take signed actions, and answer what is known.",
    ),
    "aggregator": (
        "aggregator:aggregator",
        "Running it",
        "An aggregator's process: close, execute, post, finalise, answer, settle.",
    ),
    "watch": ("watch:watch", "Keeping it honest", "Work out every posted epoch again, and challenge what is wrong."),
    "slash": ("slashes:slash", "Keeping it honest", "Slashes: list them, explain one, carry out final verdicts."),
    "explain": ("explain:explain", "Looking", "Tell in words and numbers what happened, and how to verify it."),
    "report": (
        "report:report",
        "Looking",
        "Write an instance's report: one HTML page with pictures, verdicts, money and proofs.",
    ),
    "tui": ("tui:tui", "Looking", "Watch stakes, slashes, jobs and epochs, and act on them."),
    "index": ("index:index", "Looking", "Read the chain's events into the index."),
    "check": (
        "check:check",
        "Deployments",
        "Compare a live deployment with this build and the deployments file, byte by byte.",
    ),
    "doctor": ("doctor:doctor", "Deployments", "Probe a deployment for the defects of version 1."),
    "deployments": ("deployments:deployments", "Deployments", "The deployments that are known here."),
    "demo": ("demo:demo", "Trying it", "Run the whole protocol on this machine: chain, training, verdicts, money."),
    "lab": (
        "lab:lab",
        "Trying it",
        "Try attacks, data and rules in many closed loops, and see what becomes of accuracy, attackers and honest "
        "clients.",
    ),
    "replay": ("replay:replay", "Keeping it honest", "Recompute every header from the stored data, bit for bit."),
    "config": ("config:config", "Setting up", "Defaults of the options, kept in a file."),
    "completion": ("completion:completion", "Setting up", "Print the shell's completion script."),
}
"""Each command's module and name in it, the section of the help it is in, and its first line of help."""

_SECTIONS = (
    "Looking",
    "Your stake",
    "Jobs",
    "Running it",
    "Keeping it honest",
    "Deployments",
    "Trying it",
    "Setting up",
)

_EPILOG = "Exit codes: " + "; ".join(f"{int(code)} {meaning}" for code, meaning in MEANINGS.items()) + "."


class LazyGroup(click.Group):
    """A group whose commands are loaded when they are used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All commands, in the order of the help."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Load a command."""
        if cmd_name not in COMMANDS:
            return None
        module, name = COMMANDS[cmd_name][0].split(":")
        command: Any = getattr(import_module(f"fedblocks.cli.{module}"), name)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the help's sections without loading what they are about."""
        for section in _SECTIONS:
            rows = [(name, text) for name, (_, place, text) in COMMANDS.items() if place == section]
            with formatter.section(section):
                formatter.write_dl(rows)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete a command's name without loading any."""
        found = [CompletionItem(name, help=COMMANDS[name][2]) for name in COMMANDS if name.startswith(incomplete)]
        return [*found, *click.Command.shell_complete(self, ctx, incomplete)]


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog=_EPILOG,
)
@click.version_option(package_name="fedblocks")
@click.option("--profile", metavar="NAME", help="The profile of the configuration to use; or $FEDBLOCKS_PROFILE.")
@click.pass_context
def cli(context: click.Context, profile: str | None) -> None:
    """FedBlocks: federated learning secured with proof of stake.

    Commands read defaults from the configuration (`fedblocks config`); an option that is given wins. What is asked for
    goes to stdout, everything else to stderr.

    \b
    fedblocks status 0x… --network arbitrum:sepolia --deployment deployments/arbitrum-sepolia.json
    fedblocks explain slash 0x…
    """
    context.meta["fedblocks.profile"] = profile


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
    except BrokenPipeError:
        # Whoever reads stdout has read enough (`fedblocks … | head`).
        sys.stderr.close()
        sys.exit(ExitCode.OK)
    except FedBlocksError as error:
        click.echo(f"fedblocks: {error}", err=True)
        sys.exit(exit_code_of(error))
