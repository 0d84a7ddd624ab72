"""`fedblocks demo`."""

from __future__ import annotations

import contextlib
import json
import time
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from fedblocks.cli.exit_codes import ExitCode
from fedblocks.cli.options import json_option
from fedblocks.demo.dishonesty import DISHONESTY
from fedblocks.demo.options import DEFAULT_ATTACKERS, DemoOptions, InvalidOption
from fedblocks.demo.outcome import Outcome
from fedblocks.demo.run import run_demo
from fedblocks.training.aggregator import EpochReport
from fedblocks.training.attacks import ATTACKS
from fedblocks.training.jobs import Job
from fedblocks.training.models import ARCHITECTURES
from fedblocks.types import Address
from fedblocks.units import PARTS_PER_MILLION, format_ether


class _Screen:
    """Shows the demo in a terminal while it runs."""

    def __init__(
        self, console: Console, progress: Progress, options: DemoOptions, *, hold: bool, as_json: bool
    ) -> None:
        self._console, self._progress, self._hold, self._as_json = console, progress, hold, as_json
        self._epochs = progress.add_task("epochs", total=options.epochs)
        self._clients = progress.add_task("clients", total=options.clients)

    def scene(self, text: str) -> None:
        self._console.print(f"[bold]·[/] {text}", highlight=False)

    def trained(self, client: Address) -> None:
        self._progress.advance(self._clients)

    def epoch(self, report: EpochReport, job: Job, names: dict[Address, str]) -> None:
        judgement = report.judgement
        self._progress.advance(self._epochs)
        active = len(job.context.cohort) - len([verdict for verdict in judgement.verdicts.values() if verdict.slashed])
        self._progress.reset(self._clients, total=active)
        lines = [f"epoch {report.header.epoch:>2}  accuracy [bold]{_percent(report.accuracy_ppm)}[/]"]
        for seat, verdict in sorted(judgement.verdicts.items()):
            name = names[job.context.cohort[seat]]
            if verdict.slashed:
                lines.append(f"          [red]✗ {name}: slashable, {verdict.slashed.name.lower()}[/]")
            elif verdict.excluded:
                why = "; ".join(each.value for each in verdict.suspicions)
                lines.append(f"          [yellow]− {name}: left out, {why}[/]")
        lines += [f"          [yellow]− {names[client]}: absent, {why}[/]" for client, why in report.refused.items()]
        self._console.print("\n".join(lines), highlight=False)

    def end(self, outcome: Outcome) -> None:
        self._progress.stop()
        _show(self._console, outcome)
        if self._as_json:
            click.echo(json.dumps(outcome.to_json(), indent=2))
        if self._hold:
            self._console.print("the chain is kept until Ctrl-C")
            with contextlib.suppress(KeyboardInterrupt):
                while True:
                    time.sleep(3600)


def _percent(ppm: int) -> str:
    return f"{100 * ppm / PARTS_PER_MILLION:.2f} %"


def _clients_table(outcome: Outcome) -> Table:
    table = Table(title="Clients (stake and reward in ETH)", title_justify="left")
    for heading in ("seat", "client", "stake", "paid", "out", "reward", "verdict", "expected"):
        numeric = heading in {"seat", "stake", "paid", "out", "reward"}
        table.add_column(heading, justify="right" if numeric else "left", no_wrap=numeric or heading == "client")
    for each in outcome.clients:
        if each.slashed:
            verdict = f"[red]slashed in epoch {each.slashed_in}: {each.slashed.name.lower()}[/]"
        else:
            verdict = "keeps its stake"
        table.add_row(
            str(each.cast.seat),
            each.cast.name,
            format_ether(each.stake),
            str(each.epochs_paid),
            str(each.epochs_excluded),
            format_ether(each.reward),
            verdict,
            each.cast.expected + ("" if each.as_expected else "  [red bold]— not as expected[/]"),
        )
    table.caption = "paid, out: epochs that it is paid for, epochs that it was left out of"
    return table


def _money_table(outcome: Outcome) -> Table:
    table = Table(title="Money in ETH (net: what the protocol gave or took, gas aside)", title_justify="left")
    table.add_column("holder", no_wrap=True)
    for heading in ("change of balance", "gas paid", "net"):
        table.add_column(heading, justify="right", no_wrap=True)
    for each in outcome.ledger:
        table.add_row(
            each.holder, format_ether(each.after - each.before), format_ether(each.gas), format_ether(each.net)
        )
    table.add_section()
    gas = sum(each.gas for each in outcome.ledger)
    table.add_row("sum", format_ether(-gas), format_ether(gas), f"{sum(each.net for each in outcome.ledger)} wei")
    return table


def _headers_table(outcome: Outcome) -> Table:
    table = Table(title="Where each header lies on chain", title_justify="left")
    for heading in ("epoch", "accuracy", "header", "block", "transaction"):
        table.add_column(
            heading, justify="right" if heading in {"epoch", "accuracy", "block"} else "left", no_wrap=True
        )
    for each in outcome.epochs:
        table.add_row(
            str(each.epoch),
            _percent(each.accuracy_ppm),
            f"0x{each.header_hash.hex()[:16]}…",
            str(each.block),
            f"0x{each.transaction.hex()}",
        )
    return table


def _show(console: Console, outcome: Outcome) -> None:
    console.print()
    console.print(_headers_table(outcome))
    console.print(_clients_table(outcome))
    console.print(_money_table(outcome))
    reached = "reached" if outcome.target_reached else "[red]not reached[/]"
    console.print(f"accuracy {_percent(outcome.accuracy_ppm)}, target {_percent(outcome.target_ppm)} {reached}")
    console.print(f"honest clients slashed: {outcome.honest_slashed}")
    kept = "adds up to the wei" if outcome.conserved else "[red]does not add up[/]"
    console.print(
        f"the money {kept}: the user paid {format_ether(outcome.user_paid)} ETH and got "
        f"{format_ether(outcome.user_refunded)} back",
        highlight=False,
    )
    console.print(f"the watcher worked out {outcome.watched} epochs again and found them right", highlight=False)
    for each in outcome.overturned:
        console.print(
            f"epoch {each.epoch} was overturned for {each.case.name}: {each.found} (0x{each.transaction.hex()}, "
            f"{each.gas:,} gas); the aggregator lost {format_ether(each.bond)} ETH, the watcher got "
            f"{format_ether(each.reward)}",
            highlight=False,
        )
    if outcome.dishonesty is not None and not outcome.overturned:
        console.print("[red]the aggregator's lie was not overturned[/]")
    excluded_only = [each.cast for each in outcome.clients if each.cast.attack and not each.cast.slash_expected]
    for cast in excluded_only:
        console.print(f"{cast.name} is of a kind that the rules leave out but do not slash ({cast.expected})")
    console.print(
        f"plot: {outcome.plot}\nstore: {outcome.store}   (fedblocks replay --store {outcome.store})", highlight=False
    )


@click.command()
@click.option("--clients", default=13, show_default=True, help="Seats of the cohort, attackers included.")
@click.option(
    "--attackers",
    default=",".join(DEFAULT_ATTACKERS),
    show_default=True,
    help="Attacks, one client each, by name; empty for none. `--attackers list` shows them.",
)
@click.option("--seed", default=0, show_default=True, help="The same seed gives the same headers.")
@click.option("--rounds", "--epochs", "epochs", default=20, show_default=True, help="Epochs paid for at most.")
@click.option("--target", type=float, help="accuracy at which to stop, like 0.8.  [default: by data set]")
@click.option(
    "--model", type=click.Choice(sorted(ARCHITECTURES)), default="mlp", show_default=True, help="What is trained."
)
@click.option("--data", type=click.Choice(["fashion-mnist", "digits"]), help="[default: fashion-mnist if it is there]")
@click.option("--alpha", default=0.5, show_default=True, help="Skew of the labels (Dirichlet); small is strong.")
@click.option("--local-steps", default=60, show_default=True, help="Mini-batch steps of a client in an epoch.")
@click.option(
    "--dishonest-aggregator",
    metavar="KIND",
    help="Let the aggregator lie in epoch 2, and watch it being overturned. `list` shows the kinds.",
)
@click.option(
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("demo-run"),
    show_default=True,
    help="The folder for what the run leaves behind.",
)
@click.option("--port", default=0, help="Where the chain's node listens.  [default: a free port]")
@click.option("--pace", default=0.0, help="Seconds to wait after each epoch, for people who look on.")
@click.option("--hold", is_flag=True, help="Keep the chain at the end, to look at it, until Ctrl-C.")
@json_option
def demo(
    clients: int,
    attackers: str,
    seed: int,
    epochs: int,
    target: float | None,
    model: str,
    data: str | None,
    alpha: float,
    local_steps: int,
    dishonest_aggregator: str | None,
    output: Path,
    port: int,
    pace: float,
    hold: bool,
    as_json: bool,
) -> None:
    """Run the whole protocol on this machine: chain, training, verdicts, money.

    \b
    fedblocks demo --clients 13 --epochs 6 --dishonest-aggregator frame
    """
    console = Console(stderr=True)
    if not console.is_terminal:
        console = Console(stderr=True, width=140)
    if attackers.strip() == "list":
        for name, attack in ATTACKS.items():
            click.echo(f"{name:22} {attack.description} ({attack.expected})")
        return
    if dishonest_aggregator == "list":
        for dishonesty in DISHONESTY.values():
            click.echo(f"{dishonesty.name:22} {dishonesty.description}")
        return
    if target is not None and not 0 < target <= 1:
        raise InvalidOption("target", target, "above 0 and at most 1")
    options = DemoOptions(
        clients=clients,
        attackers=tuple(name.strip() for name in attackers.split(",") if name.strip()),
        seed=seed,
        epochs=epochs,
        target_ppm=None if target is None else round(target * PARTS_PER_MILLION),
        model=model,
        data=data,
        alpha=alpha,
        local_steps=local_steps,
        dishonest_aggregator=dishonest_aggregator,
        output=output,
        port=port,
        pace=pace,
    )
    columns = (TextColumn("{task.description:8}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        outcome = run_demo(options, _Screen(progress.console, progress, options, hold=hold, as_json=as_json))
    if not outcome.as_promised:
        raise click.exceptions.Exit(ExitCode.MISMATCH)
