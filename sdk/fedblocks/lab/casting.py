"""Who attacks in a run, and how."""

from __future__ import annotations

from fedblocks.lab.settings import NO_ATTACK, Setting
from fedblocks.training.attacks import Attack, find_attack

Cast = dict[int, Attack]
"""Attacks by seat; the other seats are honest."""


def cast_of(setting: Setting) -> Cast:
    """The attackers of a setting: seats 0 to f - 1, which take its attacks in turn.

    Raises:
        UnknownAttack: if there is none of a name.
    """
    if setting.attack == NO_ATTACK:
        return {}
    attacks = [find_attack(name) for name in setting.attack.split("+")]
    return {seat: attacks[seat % len(attacks)] for seat in range(setting.attackers)}
