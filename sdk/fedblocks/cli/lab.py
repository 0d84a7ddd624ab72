"""`fedblocks lab`: the attack laboratory.

Nothing of training is loaded before a command runs: `fedblocks --help` and the shell's completion must not wait for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fedblocks.cli.exit_codes import ExitCode
from fedblocks.cli.lab_options import SeedsType, choosing, out_option, rules_option
from fedblocks.cli.options import json_option
from fedblocks.cli.output import print_json, print_table, talk

if TYPE_CHECKING:
    from fedblocks.lab.lines import Line
    from fedblocks.lab.runs import Run
    from fedblocks.lab.tables import Table

_OWN = ("data", "model", "partition", "clients", "training", "epochs", "attack", "attackers")


@click.group()
def lab() -> None:
    """Try attacks, data and rules in many closed loops, and see what becomes of accuracy, attackers and honest clients.

    No chain and no node: clients train, their updates are judged by the protocol's own rules and averaged.

    \b
    fedblocks lab run attacks --seeds 1100-1109 --minutes 30
    fedblocks lab tables
    """


@lab.command()
@click.argument("campaigns", nargs=-1, metavar="[CAMPAIGN]...")
@click.option("--seeds", type=SeedsType(), default="1000", show_default=True, help="Like 1000-1009,1020.")
@click.option("--jobs", type=click.IntRange(1, 256), help="Processes, one thread each.  [default: one a core]")
@click.option("--minutes", type=click.FloatRange(min=0), help="Begin no run after this time; the same command goes on.")
@out_option
@rules_option("Thresholds to judge by")
@click.option("--only", default="", metavar="TEXT", help="Runs with this text in their key alone.")
@click.option("--undefended", is_flag=True, help="Play FedAvg under every attack, too.")
@click.option("--data", help="Without a campaign: the data set.  [default: fashion-mnist]")
@click.option("--model", help="Without a campaign: the architecture.  [default: mlp]")
@click.option("--partition", help="Without a campaign: an alpha, iid, single-class, mixed-K ...  [default: 0.5]")
@click.option("--clients", type=int, help="Without a campaign: the size of the cohort.  [default: 10]")
@click.option("--training", help="Without a campaign: how all train, like 60x0.1.  [default: 60x0.1]")
@click.option("--epochs", type=int, help="Without a campaign: how many.  [default: 12]")
@click.option("--attack", help="Without a campaign: its name; several with + between are taken in turn.")
@click.option("--attackers", type=int, help="Without a campaign: how many of the clients attack.")
@click.option("--quiet", "-q", is_flag=True, help="Show no progress.")
@json_option
def run(
    campaigns: tuple[str, ...],
    seeds: list[int],
    jobs: int | None,
    minutes: float | None,
    out: Path,
    rules: dict[str, int],
    only: str,
    undefended: bool,
    quiet: bool,
    as_json: bool,
    **own: Any,
) -> None:
    """Play the runs of campaigns that the results lack; or, without a campaign, one cohort that the options describe.

    Runs come in an order that is shuffled but always the same, so that a campaign that is stopped is a fair sample of
    the whole. A line is written as each run ends; the same command goes on with what is missing. A line counts only
    for the code that made it. `fedblocks lab list` shows what there is.

    \b
    fedblocks lab run honest-core attacks --seeds 1100-1109 --jobs 2 --minutes 30 --out results
    fedblocks lab run --attack alie-jitter --attackers 3 --partition 0.1 --rules central_krum_percent=90
    """
    import os

    from fedblocks.lab.campaigns import find_campaign, single
    from fedblocks.lab.runner import carry_out, plan
    from fedblocks.lab.settings import Setting

    given = {name: value for name, value in own.items() if value is not None}
    if campaigns and given:
        raise click.UsageError(f"a campaign says --{', --'.join(given)} by itself; leave out one or the other")
    chosen = [find_campaign(name) for name in campaigns] if campaigns else [single(Setting(**given))]
    work = plan(chosen, seeds, out, only=only, rules=rules, undefended=undefended)
    if not quiet:
        talk(f"{len(work.todo)} runs to do, {work.done} done before; results in {out}")
    with _progress(len(work.todo), quiet=quiet) as told:
        played = carry_out(work.todo, out, jobs=jobs or os.cpu_count() or 1, minutes=minutes, told=told)
    left = len(work.todo) - played
    if as_json:
        print_json({"out": str(out), "before": work.done, "played": played, "left": left})
    elif not quiet:
        talk(f"{played} played" + (f", {left} left; the same command goes on" if left else ""))


@contextmanager
def _progress(total: int, *, quiet: bool) -> Iterator[Callable[[Run, Line], None]]:
    """Something to call with every line: a bar on a terminal, a line of text elsewhere."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    console = Console(stderr=True)
    columns = (
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.description}"),
    )
    done = slashed = 0
    with Progress(*columns, console=console, transient=True, disable=quiet or not console.is_terminal) as progress:
        task = progress.add_task("", total=total)

        def told(run: Run, line: Line) -> None:
            nonlocal done, slashed
            done += 1
            found = line["honest"]["slashed"]
            slashed += len(found)
            progress.update(task, advance=1, description=f"honest clients slashed: {slashed}")
            text = _in_words(run, line)
            if found:
                # What promise 1 rules out is worth a line wherever one looks.
                talk(f"HONEST SLASHED {found}: {text}", mark="red")
            elif not quiet and not console.is_terminal:
                talk(f"{done}/{total} {text}")

        yield told


def _in_words(run: Run, line: Line) -> str:
    from fedblocks.lab.sums import accuracy, gap

    setting, value, difference = run.setting, accuracy(line, "rules"), gap(line)
    return (
        f"{setting.attack} {setting.data} {setting.model} {setting.partition} {setting.attackers} of {setting.clients} "
        f"{setting.training} seed {run.seed}: "
        + (f"failed, {line['failed']}" if value is None else f"{value:.3f}")
        + ("" if difference is None else f" ({difference:+.1f} points)")
        + f", {line['seconds']} s"
    )


@lab.command("list")
@json_option
def list_(as_json: bool) -> None:
    """Show the campaigns, attacks, data sets, models, partitions and trainings that there are.

    \b
    fedblocks lab list
    """
    from fedblocks.lab.campaigns import CAMPAIGNS
    from fedblocks.lab.settings import PARTITIONS, SPECIAL_PARTITIONS, TRAININGS
    from fedblocks.training.attacks import ATTACKS
    from fedblocks.training.datasets import DATASETS
    from fedblocks.training.models import ARCHITECTURES

    content = {
        "campaign": {
            name: f"{each.description}; {len(list(each.settings()))} runs a seed" for name, each in CAMPAIGNS.items()
        },
        "attack": {name: f"{each.description} ({each.expected})" for name, each in ATTACKS.items()},
        "data": dict(DATASETS),
        "model": {name: each.description for name, each in ARCHITECTURES.items()},
        "partition": dict.fromkeys((*PARTITIONS, *SPECIAL_PARTITIONS), "see docs/lab.md"),
        "training": {
            name: f"{each.local_steps} steps of {each.batch_size} at {each.learning_rate:g}, momentum {each.momentum:g}"
            for name, each in TRAININGS.items()
        },
    }
    if as_json:
        print_json(content)
        return
    print_table(
        ("kind", "name", "what it is"),
        [(kind, name, text) for kind, entries in content.items() for name, text in entries.items()],
    )


@lab.command()
@out_option
@choosing
@click.option("--markdown", is_flag=True, help="Print a Markdown page of them.")
@json_option
def tables(
    out: Path,
    campaign: tuple[str, ...],
    seeds: list[int] | None,
    rules: dict[str, int],
    markdown: bool,
    as_json: bool,
) -> None:
    """Sum the results up: honest clients slashed, with the 95 % bound; accuracy lost by attack, skew and attackers.

    Numbers beyond their limit are marked with !, and the command ends with 4 if there is one, or if an honest client
    was slashed. Lines of other code than today's do not count.

    \b
    fedblocks lab tables --out results --campaign attacks --markdown
    """
    from fedblocks.lab.results import select
    from fedblocks.lab.tables import page, within_limits
    from fedblocks.lab.tables import tables as tables_of

    lines = select(out, campaigns=campaign, seeds=seeds, rules=rules)
    if as_json:
        print_json([asdict(table) for table in tables_of(lines)])
    elif markdown:
        click.echo(page(lines), nl=False)
    else:
        for table in tables_of(lines):
            _print(table)
    if not within_limits(lines):
        raise click.exceptions.Exit(ExitCode.MISMATCH)


def _print(table: Table) -> None:
    click.echo(f"\n{table.title}\n")
    left = {table.headings[0], *table.words}
    print_table(table.headings, table.rows, right=[each for each in table.headings if each not in left])
    if table.note:
        click.echo(f"\n{table.note}")


@lab.command()
@out_option
@choosing
@click.option(
    "--to",
    type=click.Path(path_type=Path, file_okay=False),
    help="The folder of the pictures.  [default: plots in the results' folder]",
)
@json_option
def plot(
    out: Path,
    campaign: tuple[str, ...],
    seeds: list[int] | None,
    rules: dict[str, int],
    to: Path | None,
    as_json: bool,
) -> None:
    """Draw the results: accuracy over the epochs, who is left out and slashed when, points lost by attack and skew.

    Prints the files that it has written.

    \b
    fedblocks lab plot --out results --campaign attacks --to pictures
    """
    from fedblocks.lab.plots import draw
    from fedblocks.lab.results import select

    written = draw(select(out, campaigns=campaign, seeds=seeds, rules=rules), to or out / "plots")
    if as_json:
        print_json([str(path) for path in written])
    else:
        for path in written:
            click.echo(str(path))
