"""Krum scores, and other figures that compare a client with its cohort.

Krum (Blanchard et al., "Machine Learning with Adversaries: Byzantine Tolerant Gradient Descent", NeurIPS 2017) scores
an update by the sum of its squared distances to its n - f - 2 nearest neighbours, f being the number of attackers that
the cohort is to bear. Here every score is an exact integer, so that the ranking is the same on every machine.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import isqrt

from fedblocks.aggregation.fixed_point import Int16Array
from fedblocks.aggregation.gram import Gram
from fedblocks.aggregation.gram_routes import GramRoute, exact_gram, squared_distances

COSINE_SCALE = 1 << 30
"""Cosines that need a value, and not only a comparison, are in units of 2**-30."""


def tolerated(participants: int) -> int:
    """f, the number of attackers that a cohort bears: the largest with 3 f < n.

    >>> [tolerated(n) for n in (4, 10, 13)]
    [1, 3, 4]
    """
    return max(0, (participants - 1) // 3)


def neighbours(participants: int) -> int:
    """How many nearest neighbours a Krum score adds up: n - f - 2 (Blanchard's count)."""
    return max(0, participants - tolerated(participants) - 2)


def lower_median(values: Sequence[int]) -> int:
    """The median; of an even number of values the smaller of the middle two, so that it is one of them.

    Raises:
        ValueError: of no values.
    """
    if not values:
        raise ValueError("there is no median of no values")
    return sorted(values)[(len(values) - 1) // 2]


def _nearest_sums(seats: Sequence[int], count: int, distance: Callable[[int, int], int]) -> dict[int, int]:
    """By seat, the sum of the `count` smallest distances to others."""
    return {a: sum(sorted(distance(a, b) for b in seats if b != a)[:count]) for a in seats}


def exact_krum_scores(updates: Int16Array, attackers: int | None = None, route: GramRoute | None = None) -> list[int]:
    """The Krum scores of n updates, straight from their values; the lowest is the most central one.

    Args:
        updates: int16[n, d], as for :func:`fedblocks.aggregation.gram_routes.exact_gram`.
        attackers: f, how many the cohort is to bear; what it bears (:func:`tolerated`) if None.
        route: how inner products are taken; the result does not depend on it.

    Returns:
        n integers, in units of the square of one unit of the updates.

    Raises:
        WrongVector: if the dtype or the shape is another.
        ValueError: if f is below zero.

    >>> import numpy as np
    >>> exact_krum_scores(np.array([[0, 0], [0, 1], [1, 0], [90, 90]], dtype=np.int16))
    [1, 1, 1, 16021]
    """
    if attackers is not None and attackers < 0:
        raise ValueError(f"the number of attackers must be 0 or above, not {attackers}")
    distances = squared_distances(exact_gram(updates, route))
    n = len(distances)
    count = neighbours(n) if attackers is None else max(0, n - attackers - 2)
    # The first of a row is 0, the distance to itself. A sum may be too large for int64.
    distances.sort(axis=1)
    return [sum(row) for row in distances[:, 1 : count + 1].tolist()]


def krum_scores(gram: Gram, seats: Sequence[int]) -> dict[int, int]:
    """The Krum score of each of some seats among one another.

    ``score_i = sum of the n - f - 2 smallest |u_i - u_j|^2``, j another of the seats, n their number.

    Returns:
        By seat, an integer below 2**68.
    """
    return _nearest_sums(seats, neighbours(len(seats)), gram.distance)


def cosine(product: int, norm_a: int, norm_b: int) -> int:
    """``2**30 <a, b> / (|a| |b|)``, cut off towards zero; 0 if either vector is zero.

    The root is taken last, of ``2**60 <a, b>^2 // (|a|^2 |b|^2)``, so that the result is exact to its last unit and
    never leaves -2**30 to 2**30. Every intermediate value fits 256 bits.
    """
    norms = norm_a * norm_b
    if norms <= 0:
        return 0
    magnitude = isqrt(COSINE_SCALE**2 * product**2 // norms)
    return magnitude if product > 0 else -magnitude


def normalised_krum_scores(gram: Gram, seats: Sequence[int]) -> dict[int, int]:
    """Krum scores of the updates scaled to length one: who sits suspiciously near the centre of all directions.

    The squared distance of two unit vectors is 2 - 2 cos, here in units of 2**-30.
    """

    def distance(a: int, b: int) -> int:
        return 2 * COSINE_SCALE - 2 * cosine(gram.updates[a][b], gram.norms[a], gram.norms[b])

    return _nearest_sums(seats, neighbours(len(seats)), distance)


def base_cosine(gram: Gram, seat: int) -> int:
    """The cosine of the base model w and a client's update u, in units of 2**-30.

    What is learnt from data like the others' adds to what the model knows, so that it is positive. The paper design
    has the correlation of w and the updated model w + u in its place, which is near 1 for everyone: one epoch moves a
    model by little.
    """
    return cosine(gram.base[seat], gram.norms[seat], gram.base_norm)


def count_opposed(gram: Gram, seat: int, seats: Sequence[int], percent: int) -> int:
    """How many of the other seats' updates have a cosine below ``-percent / 100`` with a seat's update.

    A zero vector has cosine 0 with everything.
    """
    count = 0
    for other in seats:
        product = gram.updates[seat][other]
        # Without a root and without a division: the square of the cosine against the square of the threshold.
        bound = percent**2 * gram.norms[seat] * gram.norms[other]
        count += other != seat and product < 0 and 10_000 * product**2 > bound
    return count


def count_related(gram: Gram, seat: int, seats: Sequence[int], percent: int) -> int:
    """How many others' updates are related to a seat's beyond the last global delta g that all may share.

    Both are freed of their part along g, ``u - g <u, g> / |g|^2``; they count as related when the cosine of what is
    left is at least ``percent / 100``, whatever its sign (a partial correlation). Where nothing is left, nothing is
    related.
    """
    along, norm = gram.along, gram.delta_norm

    def left(a: int, b: int) -> int:
        """The inner product of what is left of two updates, times |g|^2."""
        product = gram.norms[a] if a == b else gram.updates[a][b]
        return product * norm - along[a] * along[b]

    own = left(seat, seat)
    if own <= 0:
        return 0
    return sum(
        1
        for other in seats
        if other != seat
        and left(other, other) > 0
        and 10_000 * left(seat, other) ** 2 >= percent**2 * own * left(other, other)
    )


def median_is_below(count_below: int, values: int) -> bool:
    """Whether the lower median of some values is below a threshold, from how many of them are.

    The lower median of m values is below t exactly when more than (m - 1) // 2 of them are: a median is checked by
    counting, without sorting anything.
    """
    return values > 0 and count_below > (values - 1) // 2
