"""The results of a folder that count: made by today's code, and of what was asked for."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

from fedblocks.exceptions import FedBlocksError
from fedblocks.lab.lines import RESULTS, Line, NoResults, read
from fedblocks.lab.runs import FORMAT, code_of
from fedblocks.lab.settings import Setting


def select(
    out: Path,
    *,
    campaigns: Collection[str] = (),
    seeds: Collection[int] | None = None,
    rules: Mapping[str, int] | None = None,
) -> list[Line]:
    """The newest line of every run.

    Args:
        out: the folder.
        campaigns: of these alone, if any is given.
        seeds: of these alone.
        rules: those that the runs were judged by, as far as they differ from the measured defaults.

    Raises:
        NoResults: if nothing is left.
    """
    path = out / RESULTS
    codes: dict[str, str | None] = {}
    found: dict[str, Line] = {}
    old = 0
    for line in read(path):
        if line.get("format") != FORMAT or line["setting"]["rules"] != dict(rules or {}):
            continue
        if (campaigns and line["campaign"] not in campaigns) or (seeds is not None and line["seed"] not in seeds):
            continue
        attack = line["setting"]["attack"]
        if attack not in codes:
            codes[attack] = _code(line)
        if line["code"] == codes[attack]:
            found[line["key"]] = line
        else:
            old += 1
    if not found:
        why = f"has no such results of today's code ({old} of other code)" if path.exists() else "is not there"
        raise NoResults(path, why)
    return list(found.values())


def _code(line: Line) -> str | None:
    try:
        return code_of(Setting.from_json(line["setting"]))
    except FedBlocksError:
        return None  # of an attack, a model or a rule that there is no longer
