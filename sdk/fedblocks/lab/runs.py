"""One run from its setting to its line: the judged cohort, and what it is compared with."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from pathlib import Path

from fedblocks.lab.baselines import FOLDER, baseline
from fedblocks.lab.casting import cast_of
from fedblocks.lab.fingerprint import fingerprint
from fedblocks.lab.lines import Line, describe
from fedblocks.lab.loop import Loop
from fedblocks.lab.settings import Setting

FORMAT = 1
"""Of the lines; a change of what a field means makes a new one."""


@dataclass(frozen=True)
class Run:
    """A setting and a seed.

    Attributes:
        campaign: what it is a part of.
        undefended: whether FedAvg under the same attack is played too.
    """

    campaign: str
    setting: Setting
    seed: int
    undefended: bool = False

    @property
    def key(self) -> str:
        """What names it in a file of results."""
        return self.setting.key(self.seed)

    def code(self) -> str:
        """The hash of the code that it depends on: the loop, and the attacks that it plays."""
        return code_of(self.setting)


def code_of(setting: Setting) -> str:
    """The hash of the code that a setting's runs depend on.

    Raises:
        UnknownAttack: if there is none of a name.
    """
    crafts = {attack.craft.__module__ for attack in cast_of(setting).values()}
    return fingerprint("fedblocks.lab.loop", *sorted(crafts))


def play(run: Run, out: Path) -> Line:
    """Play a run.

    Args:
        out: the folder of the results, where baselines are kept.

    Raises:
        NotEnoughSamples: if the data set is too small for so many clients.
        ResultsNotWritten: if a baseline cannot be written.
    """
    started = time.monotonic()
    setting, seed, cast = run.setting, run.seed, cast_of(run.setting)
    seen = Loop(setting, seed, cast).play()
    seconds = time.monotonic() - started
    accuracies = {"rules": seen.accuracies, "fedavg": baseline(setting, seed, 0, out / FOLDER)["accuracies"]}
    if cast:
        accuracies["honest_only"] = baseline(setting, seed, len(cast), out / FOLDER)["accuracies"]
        if run.undefended:
            accuracies["undefended"] = Loop(setting, seed, cast, judged=False).play().accuracies
    return {
        "key": run.key,
        "format": FORMAT,
        "code": run.code(),
        "campaign": run.campaign,
        "setting": {**asdict(setting), "rules": dict(setting.rules)},
        "seed": seed,
        "accuracy": accuracies,
        **describe(setting, cast, seen),
        "seconds": round(seconds, 2),
    }
