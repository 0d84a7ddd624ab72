"""What runs are compared with: plain averaging of the same cohort, played once and kept.

FedAvg of all clients, none of them an attacker, and FedAvg of the honest clients alone, are the same whatever the
attack and the rules. Each is a file of its own, named by the hash of what it was made of and of the code that made it.
"""

from __future__ import annotations

import json
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from fedblocks.lab.fingerprint import fingerprint
from fedblocks.lab.lines import ResultsNotWritten
from fedblocks.lab.loop import Loop
from fedblocks.lab.settings import Setting
from fedblocks.storage.files import replace_file

FOLDER = "baselines"
_MODULES = (
    "fedblocks.aggregation.mean",
    "fedblocks.lab.division",
    "fedblocks.training.cohort",
    "fedblocks.training.models",
    "fedblocks.training.trainer",
)
"""What averaging depends on. The verdicts are not among them: a change of the rules makes no baseline void."""


@lru_cache(maxsize=1)
def code() -> str:
    """The hash of the code that baselines are made by."""
    return fingerprint(*_MODULES)


def baseline(setting: Setting, seed: int, absent: int, folder: Path) -> dict[str, Any]:
    """FedAvg of a cohort without its first `absent` seats, from the file or played now.

    Args:
        setting: the cohort; attack and rules do not matter.
        folder: where the files are kept.

    Returns:
        "accuracies", one an epoch, and "failed", why it ended early or "".

    Raises:
        ResultsNotWritten: if the file cannot be written.
    """
    peaceful = setting.peaceful()
    name = sha256(json.dumps([code(), peaceful.key(seed), absent]).encode()).hexdigest()[:24]
    path = folder / f"{name}.json"
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        seen = Loop(peaceful, seed, {}, judged=False, absent=range(absent)).play()
        content = {"accuracies": seen.accuracies, "failed": seen.failed}
        _write(path, json.dumps(content | {"key": peaceful.key(seed), "absent": absent, "code": code()}))
    return {"accuracies": content["accuracies"], "failed": content["failed"]}


def _write(path: Path, text: str) -> None:
    try:
        replace_file(path, text.encode())  # whole: another process may read it, or be writing the same
    except OSError as error:
        raise ResultsNotWritten(path, error.strerror or str(error)) from error
