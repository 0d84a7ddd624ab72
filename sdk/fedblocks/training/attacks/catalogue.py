"""Every attack by its name."""

from __future__ import annotations

from collections.abc import Mapping

from fedblocks.exceptions import FedBlocksError
from fedblocks.training.attacks import adaptive, framing, free_riding, malicious, timing
from fedblocks.training.attacks.base import Attack


class UnknownAttack(FedBlocksError, KeyError):
    """There is no attack of the name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"there is no attack {name!r}; there are {', '.join(ATTACKS)}")
        self.name = name

    def __str__(self) -> str:
        return str(self.args[0])  # KeyError would show the sentence in quotes.


def find_attack(name: str) -> Attack:
    """The attack of that name.

    Raises:
        UnknownAttack: if there is none.
    """
    if name not in ATTACKS:
        raise UnknownAttack(name)
    return ATTACKS[name]


ATTACKS: Mapping[str, Attack] = {
    attack.name: attack for family in (malicious, free_riding, timing, adaptive, framing) for attack in family.ROWS
}
"""Every attack by its name."""
