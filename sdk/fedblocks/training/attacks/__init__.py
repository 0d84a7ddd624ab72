"""Clients that cheat, for simulation: the protocol is tested and measured against them.

There are two kinds. A **malicious** client wants to spoil the model; the customary suite is byzfl's (sign flipping,
inner product manipulation, a little is enough, mimic, Gaussian, infinity, label flipping). A **free rider** wants the
pay without the work: it sends nothing, noise, or something that it has seen. One more is neither, the **lazy** client
that trains for fewer steps.

Attacks are pure functions from what an attacker knows (:class:`Knowledge`) to the int16 update that it commits to.
The knowledge is generous: that of this epoch's honest updates is what the literature grants an attacker, while
FedBlocks' commit-then-reveal leaves a real one with those of its accomplices. Colluders who all computed the same
vector would send duplicates, which costs their stake, so they can add *jitter*: noise of their own, measured in
median lengths of an honest update.

Attackers can also choose their time, reckon out what the rules would make of them, and frame others: each family has
a module here.

Label flipping spoils the data, and laziness the number of steps, before training: their attack is the honest update
of such a training. :meth:`Attack.poison` and :meth:`Attack.local_steps` give what to train with, for every attack.
"""

from __future__ import annotations

from fedblocks.training.attacks.base import Attack, Forecast, Knowledge, Outcome, Phase
from fedblocks.training.attacks.catalogue import ATTACKS, UnknownAttack, find_attack

__all__ = ["ATTACKS", "Attack", "Forecast", "Knowledge", "Outcome", "Phase", "UnknownAttack", "find_attack"]
