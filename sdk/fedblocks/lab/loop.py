"""The closed loop: a cohort trains, its updates are judged, the accepted ones are averaged, and it trains again.

Everything that decides is the protocol's own code (quantised updates, Gram matrix, verdicts, integer mean); what is
left out is the chain. In a cohort without attackers nobody leaves, so that evidence against an honest client is not
hidden by earlier evidence against it or another.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import blake2b

import numpy as np

from fedblocks.aggregation.fixed_point import Int16Array, Int32Array
from fedblocks.aggregation.gram import Gram, gram
from fedblocks.aggregation.mean import apply_delta, weighted_delta
from fedblocks.aggregation.verdicts import Carried, Judgement, judge
from fedblocks.lab.division import divide
from fedblocks.lab.margins import Margins
from fedblocks.lab.settings import TRAININGS, Setting, data_of
from fedblocks.seats import unpack_reasons
from fedblocks.training.attacks.base import Attack, Forecast, Knowledge, Phase
from fedblocks.training.cohort import ClientData, CohortTrainer
from fedblocks.training.models import build_model
from fedblocks.training.quantise import NonFiniteModel, model_to_vector
from fedblocks.training.trainer import evaluate
from fedblocks.units import PARTS_PER_MILLION


@dataclass
class SeatRecord:
    """What became of one client.

    Attributes:
        taken: how many epochs it took part in.
        excluded: in which of them it was left out.
        slashed: the epoch and the reason, if it was.
        due: the first epoch with hard evidence against it, and what, whether or not it was slashed for it.
        suspicions: how often it was left out under each.
    """

    taken: int = 0
    excluded: list[int] = field(default_factory=list)
    slashed: tuple[int, str] | None = None
    due: tuple[int, str] | None = None
    suspicions: Counter[str] = field(default_factory=Counter)


@dataclass
class Seen:
    """What a run has shown.

    Attributes:
        accuracies: after each epoch, 0 to 1.
        seats: by seat; empty where nobody judged.
        margins: the largest ratio to each hard rule's threshold that an honest client came to.
        failed: why the run ended early, if it did: a model that is no longer finite.
    """

    accuracies: list[float] = field(default_factory=list)
    seats: dict[int, SeatRecord] = field(default_factory=dict)
    margins: dict[str, float] = field(default_factory=dict)
    failed: str = ""


class Loop:
    """One cohort in its first epoch, to be played to its end.

    Args:
        setting: the cohort.
        seed: of data division, first weights, batches and attackers' noise.
        cast: who attacks, by seat.
        judged: by the rules; otherwise every update counts alike (FedAvg).
        absent: seats that never take part.
    """

    def __init__(
        self,
        setting: Setting,
        seed: int,
        cast: Mapping[int, Attack],
        *,
        judged: bool = True,
        absent: Collection[int] = (),
    ) -> None:
        self.setting, self.rules, self.judged, self.absent = setting, setting.judged_by(), judged, frozenset(absent)
        self.cast = cast
        self.data = data_of(setting.data)
        self.module = build_model(setting.model, self.data.input_shape, self.data.classes, seed)
        self.trainer = self._trainer(seed)
        self.sources = [np.random.default_rng([seed, seat]) for seat in range(setting.clients)]
        self.base: Int32Array = model_to_vector(self.module)
        self.last = np.zeros((setting.clients, self.base.size), np.int16)
        self.delta = np.zeros(self.base.size, np.int16)
        self.carried = Carried.genesis(setting.clients)
        self.sent: set[int] = set()
        self.seen, self.margins = Seen(), Margins()

    def play(self) -> Seen:
        """Play all epochs, or as many as the model stays finite."""
        for epoch in range(1, self.setting.epochs + 1):
            try:
                self._epoch(epoch)
            except NonFiniteModel as error:
                self.seen.failed = f"epoch {epoch}: {error}"
                break
        self.seen.margins = self.margins.largest
        return self.seen

    def _trainer(self, seed: int) -> CohortTrainer:
        training = TRAININGS[self.setting.training]
        clients = []
        for seat, part in enumerate(divide(self.data.train_y, self.setting.partition, self.setting.clients, seed)):
            labels, steps = self.data.train_y[part], training.local_steps
            if seat in self.cast:
                labels = self.cast[seat].poison(labels, self.data.classes)
                steps = self.cast[seat].local_steps(steps)
            clients.append(ClientData(part, labels, steps, str(seat)))
        return CohortTrainer(self.module, self.data.train_x, clients, training, seed=seed)

    def _epoch(self, epoch: int) -> None:
        gone = self.absent | unpack_reasons(self.carried.slash_reasons).keys()
        away = {seat for seat, attack in self.cast.items() if attack.phase(epoch) is Phase.STAY_AWAY}
        present = [seat for seat in range(self.setting.clients) if seat not in gone | away]
        own = dict(zip(present, self.trainer.train(self.base, epoch, present), strict=True))
        updates = np.zeros_like(self.last)
        for seat in present:
            updates[seat] = own[seat]
        forecasts = Forecasts(self, updates.copy(), present)
        for seat in present:
            if seat in self.cast:
                updates[seat] = self.cast[seat].update(self._knowledge(seat, epoch, own, forecasts))
        weights: Sequence[int] = [int(seat in own) for seat in range(self.setting.clients)]
        if self.judged:
            weights = self._judge(epoch, updates, present)
        self.last[present] = updates[present]
        self.sent.update(present)
        self.delta = weighted_delta(updates, weights)
        self.base = apply_delta(self.base, self.delta)
        correct = evaluate(self.module, self.data.test_x, self.data.test_y, vector=self.base)
        self.seen.accuracies.append(round(correct / PARTS_PER_MILLION, 6))

    def _knowledge(self, seat: int, epoch: int, own: Mapping[int, Int16Array], forecasts: Forecasts) -> Knowledge:
        accomplices = [other for other in own if other in self.cast]
        return Knowledge(
            own=own[seat],
            rng=self.sources[seat],
            base=self.base,
            others=[update for other, update in own.items() if other not in self.cast],
            accomplices=[own[other] for other in accomplices],
            last_delta=self.delta if epoch > 1 else None,
            own_last=self.last[seat] if seat in self.sent else None,
            others_last=[self.last[other] for other in own if other != seat and other in self.sent],
            epoch=epoch,
            position=accomplices.index(seat),
            forecast=forecasts.of,
        )

    def verdicts(self, updates: Int16Array, present: Sequence[int]) -> tuple[Gram, Judgement]:
        """What the rules say of an epoch with these updates, int16[n, d]; nothing is carried on."""
        away = [seat for seat in range(self.setting.clients) if seat not in present]
        products = gram(updates, self.last, self.delta, self.base, away)
        return products, judge(products, dict.fromkeys(present, 1), self.carried, self.rules)

    def _judge(self, epoch: int, updates: Int16Array, present: Sequence[int]) -> tuple[int, ...]:
        products, judgement = self.verdicts(updates, present)
        self._note(epoch, judgement)
        self.margins.add(products, judgement, self.rules, [seat for seat in present if seat not in self.cast])
        self.carried = judgement.carried
        if not self.cast:
            self.carried = replace(self.carried, slash_reasons=0)
        return judgement.carried.weights

    def _note(self, epoch: int, judgement: Judgement) -> None:
        for seat, verdict in judgement.verdicts.items():
            record = self.seen.seats.setdefault(seat, SeatRecord())
            record.taken += 1
            if verdict.slashed and record.slashed is None:
                record.slashed = (epoch, verdict.slashed.name.lower())
            if verdict.evidence and record.due is None:
                record.due = (epoch, verdict.evidence.name.lower())
            if verdict.excluded:
                record.excluded.append(epoch)
                record.suspicions.update(each.name.lower() for each in verdict.suspicions)


class Forecasts:
    """What attackers reckon out about an epoch before they commit; accomplices who reckon the same share the work.

    Args:
        loop: the cohort, before the epoch.
        updates: int16[n, d], what all would send if all were honest.
        present: who takes part.
    """

    def __init__(self, loop: Loop, updates: Int16Array, present: Sequence[int]) -> None:
        self._loop, self._updates, self._present = loop, updates, present
        self._accomplices = [seat for seat in present if seat in loop.cast]
        self._known: dict[bytes, Forecast] = {}

    def of(self, candidates: Sequence[Int16Array]) -> Forecast:
        """What would come of it if the accomplices sent these."""
        key = blake2b(b"".join(each.tobytes() for each in candidates)).digest()
        if key not in self._known:
            updates = self._updates.copy()
            updates[self._accomplices] = candidates
            self._known[key] = self._reckon(updates)
        return self._known[key]

    def _reckon(self, updates: Int16Array) -> Forecast:
        if not self._loop.judged:
            weights = [int(seat in self._present) for seat in range(len(updates))]
            return Forecast(False, weighted_delta(updates, weights))
        _, judgement = self._loop.verdicts(updates, self._present)
        mine = [judgement.verdicts[seat] for seat in self._accomplices]
        flagged = any(each.excluded or each.evidence or each.suspicions for each in mine)
        return Forecast(flagged, weighted_delta(updates, judgement.carried.weights))
