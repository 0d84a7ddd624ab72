"""Plays the runs of a campaign over several processes, and writes a line for each as it ends.

The order is shuffled, always alike: a campaign that is stopped is a fair sample of the whole, and the same command
goes on with what is missing. Each process computes with one thread: two runs on two cores are faster than one on both.
"""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

from fedblocks.lab.campaigns import Campaign
from fedblocks.lab.lines import RESULTS, Line, adding, read
from fedblocks.lab.runs import Run, play
from fedblocks.training.datasets import load_dataset

_ONE_THREAD = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}


@dataclass(frozen=True)
class Plan:
    """What is to be done.

    Attributes:
        todo: the runs that are missing, in the order in which they are played.
        done: how many of the campaign's runs are there.
    """

    todo: Sequence[Run]
    done: int


def plan(
    campaigns: Iterable[Campaign],
    seeds: Sequence[int],
    out: Path,
    *,
    only: str = "",
    rules: dict[str, int] | None = None,
    undefended: bool = False,
) -> Plan:
    """The runs of campaigns that a folder of results lacks.

    Args:
        only: runs with this text in their key alone.
        rules: thresholds to be judged by instead of the measured defaults.

    Raises:
        InvalidSetting: if there is no rule of a name.
        InvalidRules: if a threshold is out of its range.
    """
    wanted: dict[str, Run] = {}
    for campaign in campaigns:
        for setting in campaign.settings():
            chosen = replace(setting, rules=rules) if rules else setting
            for seed in seeds:
                run = Run(campaign.name, chosen, seed, undefended)
                if only in run.key:
                    wanted.setdefault(run.key, run)
    codes: dict[str, str] = {}
    for run in wanted.values():
        codes.setdefault(run.setting.attack, run.code())
    present = {
        line["key"]
        for line in read(out / RESULTS)
        if line["key"] in wanted
        and line["code"] == codes[wanted[line["key"]].setting.attack]
        and (not undefended or not line["attackers"] or "undefended" in line["accuracy"])
    }
    todo = [run for key, run in wanted.items() if key not in present]
    todo.sort(key=lambda run: sha256(run.key.encode()).digest())
    return Plan(todo, len(present))


def carry_out(
    todo: Sequence[Run], out: Path, *, jobs: int, minutes: float | None, told: Callable[[Run, Line], None]
) -> int:
    """Play runs and write their lines.

    Args:
        jobs: how many processes.
        minutes: after which no run is begun; those that have begun are finished.
        told: called with each line that was written.

    Returns:
        how many were played.

    Raises:
        DatasetMissing: if the files of a data set are not there; nothing is played then.
        ResultsNotWritten: if the results cannot be written.
    """
    for name in {run.setting.data for run in todo}:
        load_dataset(name)
    ends = None if minutes is None else time.monotonic() + 60 * minutes
    done = 0
    with adding(out / RESULTS) as add:
        if jobs == 1:
            _prepare()
            for run in todo:
                if ends is not None and time.monotonic() >= ends:
                    break
                line = play(run, out)
                add(line)
                told(run, line)
                done += 1
            return done
        before = dict(os.environ)
        # Read when a child imports its libraries, so the children are started anew.
        os.environ.update(_ONE_THREAD)
        pool = ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn"), initializer=_prepare)
        try:
            waiting, running = list(reversed(todo)), dict[Future[Line], Run]()
            while waiting or running:
                while waiting and len(running) < jobs and (ends is None or time.monotonic() < ends):
                    run = waiting.pop()
                    running[pool.submit(play, run, out)] = run
                if not running:
                    break
                finished, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in finished:
                    run = running.pop(future)
                    line = future.result()
                    add(line)
                    told(run, line)
                    done += 1
        finally:
            os.environ.clear()
            os.environ.update(before)
            pool.shutdown(wait=True, cancel_futures=True)
    return done


def _prepare() -> None:
    import numba
    import torch

    torch.set_num_threads(1)
    numba.set_num_threads(1)
