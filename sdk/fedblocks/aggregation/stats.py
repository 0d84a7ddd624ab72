"""Per client a few integers, from which its verdict follows.

Each is a function of the client's row of the Gram matrix, of the common row and of what the last epoch carried over, so
that two rows are enough to check it. Nothing here decides; :mod:`fedblocks.aggregation.verdicts` does.

The response is the figure to understand. An honest client minimises its own loss. When the model moves by g, the
client's update changes from p to u, and for a convex loss ``<u - p, g> <= 0``, whatever its data: gradients are
monotone. Who works against the others responds the other way. With the weights omega of the last epoch's accepted
updates, ``sum_j omega_j p_j`` is g before it was divided and floored, so that all is exact:

- ``M_i = sum_j omega_j <p_i, p_j>``, carried over from the last epoch's row,
- ``D_i = sum_j omega_j <u_i, p_j> - M_i``, the response, and
- ``N = sum_i omega_i M_i``, the squared length of that sum.

Had the last updates been unrelated to one another, N would have been ``sum_i omega_i^2 |p_i|^2``. Near there, the step
was the noise of batches, and how anybody responds to it is noise too.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import astuple, dataclass

from fedblocks.aggregation.gram import Gram
from fedblocks.aggregation.krum import (
    base_cosine,
    count_opposed,
    count_related,
    krum_scores,
    lower_median,
    normalised_krum_scores,
    tolerated,
)
from fedblocks.aggregation.rules import Rules
from fedblocks.types import MAX_COHORT

NO_SEAT = MAX_COHORT
"""Stands for "no seat" where a stat names one."""


@dataclass(frozen=True)
class ClientStats:
    """The figures of one client in one epoch; squared lengths and products are in units of 2**-28 (see SCALE_BITS).

    Attributes:
        norm: |u|^2.
        last_norm: |p|^2, p its own last update.
        own_last: <u, p>.
        delta: <u, g>.
        base: <u, w>.
        base_cosine: the cosine of u and w, in units of 2**-30.
        krum: Krum score among the participants.
        normalised_krum: the same on updates of length one, in units of 2**-30.
        nearest: the seat whose update is nearest, and
        nearest_distance: the squared distance to it.
        typical_distance: the lower median of the squared distances to the others' updates.
        peer_distance: the f-th smallest squared distance to another's update, f as for Krum: no f - 1 accomplices can
            make it smaller than the distance to an honest client.
        related: how many others' updates have something in common with u beyond the last global delta (rule
            global_related_percent).
        earlier_distance: the smallest squared distance to any last update or to g.
        replayed: the seat whose last update is most similar (largest positive cosine), or NO_SEAT, and
        replayed_product: <u, p> with that seat's last update, and
        replayed_norm: its |p|^2.
        opposed: how many others have a negative cosine with u, and
        opposed_outlying: ... below rule outlying_opposed_percent.
        response: D, see the module.
    """

    norm: int
    last_norm: int
    own_last: int
    delta: int
    base: int
    base_cosine: int
    krum: int
    normalised_krum: int
    nearest: int
    nearest_distance: int
    typical_distance: int
    peer_distance: int
    related: int
    earlier_distance: int
    replayed: int
    replayed_product: int
    replayed_norm: int
    opposed: int
    opposed_outlying: int
    response: int

    def words(self) -> tuple[int, ...]:
        """The figures in the order of their declaration, as they are committed."""
        return astuple(self)


@dataclass(frozen=True)
class CohortStats:
    """The figures of a whole epoch that single clients are compared with.

    Attributes:
        participants: how many took part.
        median_norm: lower median of |u|^2.
        median_krum: lower median of the Krum scores.
        median_normalised_krum: the same on normalised updates.
        median_base_cosine: lower median of the cosines with the base model.
        delta_norm: |g|^2.
        base_norm: |w|^2.
        weight: Omega, the sum of the last epoch's weights.
        step_norm: N, |sum omega p|^2, see the module.
        unrelated_norm: what N would have been, had the last updates been unrelated.
        monotone: 1 if no more clients have D > 0 than can be malicious, else 0: then gradients are not monotone here,
            and nobody's response says anything. Of a model that leaves a plateau every honest update grows.
    """

    participants: int
    median_norm: int
    median_krum: int
    median_normalised_krum: int
    median_base_cosine: int
    delta_norm: int
    base_norm: int
    weight: int
    step_norm: int
    unrelated_norm: int
    monotone: int


def _most_similar_last(gram: Gram, seat: int) -> int:
    """The seat whose last update has the largest positive cosine with a seat's update; the first of equals."""
    best = NO_SEAT
    for other, (product, norm) in enumerate(zip(gram.last[seat], gram.last_norms, strict=True)):
        if product <= 0:
            continue
        # cos^2 grows with product^2 / norm; compared without a division.
        if best == NO_SEAT or product**2 * gram.last_norms[best] > gram.last[seat][best] ** 2 * norm:
            best = other
    return best


def _earlier_distance(gram: Gram, seat: int) -> int:
    distances = [
        gram.norms[seat] + norm - 2 * product for product, norm in zip(gram.last[seat], gram.last_norms, strict=True)
    ]
    return min(*distances, gram.norms[seat] + gram.delta_norm - 2 * gram.delta[seat])


def client_stats(
    gram: Gram, seats: Sequence[int], weights: Sequence[int], carried: Sequence[int], rules: Rules
) -> dict[int, ClientStats]:
    """The figures of every participant.

    Args:
        gram: the inner products of this epoch.
        seats: who took part, ascending.
        weights: the last epoch's weights omega, one for each of the n seats, 0 for who was not accepted.
        carried: the last epoch's M, one for each of the n seats.
        rules: thresholds of the counted figures.

    Returns:
        By seat.
    """
    krum = krum_scores(gram, seats)
    normalised = normalised_krum_scores(gram, seats)
    stats = {}
    for seat in seats:
        distances = sorted((gram.distance(seat, other), other) for other in seats if other != seat)
        nearest_distance, nearest = distances[0] if distances else (0, NO_SEAT)
        replayed = _most_similar_last(gram, seat)
        moved = sum(weight * product for weight, product in zip(weights, gram.last[seat], strict=True))
        stats[seat] = ClientStats(
            norm=gram.norms[seat],
            last_norm=gram.last_norms[seat],
            own_last=gram.last[seat][seat],
            delta=gram.delta[seat],
            base=gram.base[seat],
            base_cosine=base_cosine(gram, seat),
            krum=krum[seat],
            normalised_krum=normalised[seat],
            nearest=nearest,
            nearest_distance=nearest_distance,
            typical_distance=lower_median([distance for distance, _ in distances]) if distances else 0,
            peer_distance=distances[max(0, tolerated(len(seats)) - 1)][0] if distances else 0,
            related=count_related(gram, seat, seats, rules.global_related_percent),
            earlier_distance=_earlier_distance(gram, seat),
            replayed=replayed,
            replayed_product=0 if replayed == NO_SEAT else gram.last[seat][replayed],
            replayed_norm=0 if replayed == NO_SEAT else gram.last_norms[replayed],
            opposed=count_opposed(gram, seat, seats, 0),
            opposed_outlying=count_opposed(gram, seat, seats, rules.outlying_opposed_percent),
            response=moved - carried[seat],
        )
    return stats


def cohort_stats(
    gram: Gram,
    stats: dict[int, ClientStats],
    weights: Sequence[int],
    carried: Sequence[int],
    before: Collection[int],
    bearable: int,
) -> CohortStats:
    """The figures of the whole epoch.

    Args:
        gram: the inner products of this epoch.
        stats: the figures of every participant, by seat.
        weights, carried: as for :func:`client_stats`.
        before: the seats that took part in the last epoch; only their response can be tested.
        bearable: how many of the cohort can still be malicious.

    Raises:
        ValueError: if nobody took part.
    """
    seats = sorted(stats)
    return CohortStats(
        participants=len(seats),
        median_norm=lower_median([stats[seat].norm for seat in seats]),
        median_krum=lower_median([stats[seat].krum for seat in seats]),
        median_normalised_krum=lower_median([stats[seat].normalised_krum for seat in seats]),
        median_base_cosine=lower_median([stats[seat].base_cosine for seat in seats]),
        delta_norm=gram.delta_norm,
        base_norm=gram.base_norm,
        weight=sum(weights),
        step_norm=sum(weight * product for weight, product in zip(weights, carried, strict=True)),
        unrelated_norm=sum(weight**2 * norm for weight, norm in zip(weights, gram.last_norms, strict=True)),
        monotone=int(sum(stats[seat].response > 0 for seat in seats if seat in before) <= bearable),
    )


def carried_products(gram: Gram, weights: Sequence[int]) -> tuple[int, ...]:
    """M of every seat for the next epoch: ``M_i = sum_j omega_j <p_i, p_j>`` with this epoch's weights.

    What is x now is p in the next epoch, and only participants, whose x is their u, have a weight: so that M is in each
    seat's own row.
    """
    return tuple(sum(weight * product for weight, product in zip(weights, row, strict=True)) for row in gram.updates)
