"""Attackers that choose when: they begin late, attack and behave in turn, or stay away to be forgotten.

The rules want some evidence for several epochs running, and their counters go down again with epochs that show
nothing. Whoever knows that attacks just so often that nothing adds up.
"""

from __future__ import annotations

from dataclasses import replace

from fedblocks.seats import SlashReason
from fedblocks.training.attacks import free_riding, malicious
from fedblocks.training.attacks.base import Attack, Outcome

_BY_NAME = {attack.name: attack for attack in (*malicious.ROWS, *free_riding.ROWS)}
_LATE = 6
_RHYTHMS = {
    "late": ("A", _LATE, f"from epoch {_LATE} on"),
    "alternating": ("AH", 1, "every second epoch"),
    "bursts": ("AAH", 1, "two epochs of three"),
    "skipping": ("AAS", 1, "two epochs, then stays away for one"),
}
_SLASHED, _EXCLUDED, _HARMLESS = Outcome.SLASHED, Outcome.EXCLUDED, Outcome.HARMLESS


def _timed(name: str, rhythm: str, outcome: Outcome, *reasons: SlashReason) -> Attack:
    attack = _BY_NAME[name]
    phases, begins, words = _RHYTHMS[rhythm]
    return replace(
        attack,
        name=f"{name}-{rhythm}",
        description=f"{attack.description}; {words}",
        outcome=outcome,
        reasons=reasons,
        rhythm=phases,
        begins=begins,
    )


ROWS = (
    _timed("sign-flip-jitter", "late", _EXCLUDED),
    _timed("sign-flip-jitter", "alternating", _EXCLUDED),
    _timed("sign-flip-jitter", "bursts", _EXCLUDED),
    _timed("sign-flip-jitter", "skipping", _EXCLUDED),
    _timed("ipm-jitter", "late", _EXCLUDED),
    _timed("ipm-jitter", "alternating", _EXCLUDED),
    _timed("alie-jitter", "late", _HARMLESS),
    _timed("alie-jitter", "alternating", _HARMLESS),
    _timed("gaussian", "late", _SLASHED, SlashReason.NOISE),
    _timed("gaussian", "alternating", _HARMLESS),
    _timed("own-flip", "late", _EXCLUDED),
    _timed("own-flip", "bursts", _EXCLUDED),
    _timed("free-rider", "alternating", _SLASHED, SlashReason.ZERO),
    _timed("disguised", "alternating", _EXCLUDED),
    _timed("matched-noise", "bursts", _HARMLESS),
    _timed("delta-weights-noise", "alternating", _EXCLUDED),
)
