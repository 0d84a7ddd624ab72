"""Campaigns: which settings a question needs, as data.

`honest-core` is what jobs look like, `honest-stress` what no job should look like, both without attackers; `attacks`
plays every attack at every skew with a fifth and three tenths of the cohort; `attacks-wide` the same with other models,
other data and larger cohorts; `demo` is the cohort of `fedblocks demo`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import product

from fedblocks.exceptions import FedBlocksError
from fedblocks.lab.settings import EASY, NO_ATTACK, PARTITIONS, SPECIAL_PARTITIONS, TRAININGS, USUAL, Setting
from fedblocks.training.attacks import ATTACKS

SKEWS = ("iid", "0.5", "0.1")
POSSIBLE = tuple(name for name, attack in ATTACKS.items() if attack.possible)
"""What an attacker can do; what only a simulation grants can be played by its name."""
DEMO_ATTACK = "sign-flip+gaussian+free-rider+disguised"


class UnknownCampaign(FedBlocksError, KeyError):
    """There is no campaign of the name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"there is no campaign {name!r}; there are {', '.join(CAMPAIGNS)}")
        self.name = name

    def __str__(self) -> str:
        return str(self.args[0])  # KeyError would show the sentence in quotes.


@dataclass(frozen=True)
class Campaign:
    """Settings by a name."""

    name: str
    description: str
    settings: Callable[[], Iterator[Setting]]


def find_campaign(name: str) -> Campaign:
    """The campaign of that name.

    Raises:
        UnknownCampaign: if there is none.
    """
    if name not in CAMPAIGNS:
        raise UnknownCampaign(name)
    return CAMPAIGNS[name]


def _honest_core() -> Iterator[Setting]:
    for data in ("digits", "fashion-mnist"):
        for model, training, partition in product(("mlp", "logistic"), list(TRAININGS)[:7], PARTITIONS):
            yield Setting(data, model, partition, 10, training, 15 if training == USUAL else 12)
        for clients, training, partition in product((8, 13, 16), (USUAL, EASY), PARTITIONS):
            yield Setting(data, "mlp", partition, clients, training)
    for clients, partition in product((32, 64), ("iid", "0.5", "0.1", "mixed-2")):
        yield Setting("fashion-mnist", "mlp", partition, clients, USUAL)
        if clients == 32:
            yield Setting("digits", "mlp", partition, clients, USUAL)
    for training, partition in product((USUAL, EASY), PARTITIONS):
        yield Setting("digits", "cnn", partition, 10, training)
        yield Setting("digits", "resmlp", partition, 10, training)
    for partition in ("0.1", "mixed-1"):
        yield Setting("fashion-mnist", "cnn", partition, 10, EASY)
    for model, training, partition in product(("logistic", "mlp", "resmlp"), (USUAL, EASY), ("iid", "0.5", "0.1")):
        yield Setting("letters", model, partition, 10, training)
    for clients, partition in product((8, 26, 64), ("iid", "0.5", "0.1")):
        yield Setting("letters", "resmlp", partition, clients, USUAL)


def _honest_stress() -> Iterator[Setting]:
    for model, training, partition in product(("mlp", "logistic"), list(TRAININGS)[:8], SPECIAL_PARTITIONS):
        yield Setting("digits", model, partition, 10, training)
    for model, partition in product(("mlp", "logistic"), PARTITIONS):
        yield Setting("digits", model, partition, 10, "10x0.003, batch 128")
    for model, partition in product(("mlp", "logistic"), ("iid", "0.5")):
        # Long after the model has converged: what is left is the noise of small batches.
        yield Setting("digits", model, partition, 10, "10x0.1, batch 8", 60)
    for model, partition in product(("mlp", "logistic"), ("mixed-1", "mixed-2", "single-class")):
        # Steps so long that the model is thrown from class to class.
        yield Setting("fashion-mnist", model, partition, 10, "60x0.1, momentum 0.9")
    for training, partition in product((USUAL, EASY), ("0.5", "single-class", "mixed-1")):
        yield Setting("digits", "mlp", partition, 10, training, 40)


def _attacks() -> Iterator[Setting]:
    for partition, attackers in product((*SKEWS, "single-class"), (2, 3)):
        for attack in POSSIBLE:
            yield Setting("fashion-mnist", "mlp", partition, 10, USUAL, 12, attack, attackers)
    for partition in (*SKEWS, "single-class"):
        yield Setting("fashion-mnist", "mlp", partition, 10, USUAL, 12)


def _attacks_wide() -> Iterator[Setting]:
    cohorts = (
        ("digits", "mlp", 10, 3),
        ("digits", "cnn", 10, 3),
        ("digits", "resmlp", 10, 3),
        ("digits", "mlp", 20, 4),
    )
    for (data, model, clients, attackers), partition in product(cohorts, SKEWS):
        yield Setting(data, model, partition, clients, USUAL, 12)
        for attack in POSSIBLE:
            yield Setting(data, model, partition, clients, USUAL, 12, attack, attackers)


def _demo() -> Iterator[Setting]:
    for partition in ("0.5", "0.1"):
        yield Setting("fashion-mnist", "mlp", partition, 13, USUAL, 12, DEMO_ATTACK, 4)


CAMPAIGNS: Mapping[str, Campaign] = {
    campaign.name: campaign
    for campaign in (
        Campaign("honest-core", "honest cohorts as jobs have them", _honest_core),
        Campaign("honest-stress", "honest cohorts as no job should have them", _honest_stress),
        Campaign("attacks", "every attack, at every skew, with 2 and 3 attackers of 10", _attacks),
        Campaign("attacks-wide", "every attack with other models, data and cohort sizes", _attacks_wide),
        Campaign("demo", "the attackers of `fedblocks demo`", _demo),
    )
}
"""Every campaign by its name."""


def single(setting: Setting) -> Campaign:
    """A campaign of one setting, for options on the command line."""
    name = "own" if setting.attack == NO_ATTACK else f"own {setting.attack}"
    return Campaign(name, "as the options say", lambda: iter((setting,)))
