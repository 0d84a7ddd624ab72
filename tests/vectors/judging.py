"""A second judge, written from docs/detection.md and docs/proofs.md: from products to figures, verdicts and weights.

Cosines are compared as exact fractions of squares, so that nothing here looks like the SDK's arithmetic.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import isqrt

NO_SEAT = 64
REASONS = ["NONE", "ZERO", "DUPLICATE", "REPLAY", "GLOBAL", "NOISE", "RESPONSE"]

Figures = dict[str, int]


@dataclass
class Before:
    """What an epoch takes over: by seat, but for who took part and who is slashed."""

    participants: list[int]
    weights: list[int]
    products: list[int]
    counters: list[dict[str, int]]
    slash_reasons: int


@dataclass
class Products:
    """The final rows of the Gram tree, cut into their parts."""

    rows: Sequence[Sequence[int]]
    common: Sequence[int]

    @property
    def n(self) -> int:
        return len(self.rows)

    def uu(self, a: int, b: int) -> int:
        return self.norm(a) if a == b else self.rows[a][b]

    def up(self, a: int, b: int) -> int:
        return self.rows[a][self.n + b]

    def ug(self, a: int) -> int:
        return self.rows[a][2 * self.n]

    def uw(self, a: int) -> int:
        return self.rows[a][2 * self.n + 1]

    def norm(self, a: int) -> int:
        return self.common[a]

    def last_norm(self, a: int) -> int:
        return self.common[self.n + a]

    @property
    def gg(self) -> int:
        return self.common[3 * self.n]

    @property
    def ww(self) -> int:
        return self.common[3 * self.n + 1]

    def distance(self, a: int, b: int) -> int:
        return self.norm(a) + self.norm(b) - 2 * self.rows[a][b]


def bearable(n: int) -> int:
    """f: the largest number with 3 f < n."""
    return max(0, -(-n // 3) - 1)


def squared_cosine(product: int, norms: int) -> Fraction:
    """The square of a cosine, with the cosine's sign; 0 where a vector is zero."""
    return Fraction(product * abs(product), norms) if norms else Fraction(0)


def below(product: int, norms: int, limit: Fraction) -> bool:
    """Whether a cosine is below a limit that is at most zero. What is not orthogonal to zero is beyond any."""
    return product < 0 and (not norms or squared_cosine(product, norms) < -(limit**2))


def above(product: int, norms: int, limit: Fraction) -> bool:
    return below(-product, norms, -limit)


def in_units(product: int, a: int, b: int) -> int:
    """A cosine in units of 2^-30, cut off towards zero."""
    if a * b <= 0:
        return 0
    size = isqrt((product << 30) ** 2 // (a * b))
    return size if product > 0 else -size


def middle(values: Sequence[int]) -> int:
    """The lower median."""
    return sorted(values)[(len(values) - 1) // 2]


def figures(seat: int, here: Sequence[int], gram: Products, before: Before, rules: Mapping[str, int]) -> Figures:
    others = [other for other in here if other != seat]
    distances = sorted((gram.distance(seat, other), other) for other in others)
    count = max(0, len(here) - bearable(len(here)) - 2)
    unit = sorted((2 << 30) - 2 * in_units(gram.uu(seat, o), gram.norm(seat), gram.norm(o)) for o in others)
    alike = [(squared_cosine(gram.up(seat, o), gram.last_norm(o)), -o) for o in range(gram.n) if gram.up(seat, o) > 0]
    replayed = -max(alike)[1] if alike else NO_SEAT
    earlier = [gram.norm(seat) + gram.last_norm(o) - 2 * gram.up(seat, o) for o in range(gram.n)]
    earlier.append(gram.norm(seat) + gram.gg - 2 * gram.ug(seat))

    def opposed(percent: int) -> int:
        limit = Fraction(-percent, 100)
        return sum(below(gram.uu(seat, o), gram.norm(seat) * gram.norm(o), limit) for o in others)

    def left(a: int, b: int) -> Fraction:
        """What is left of an inner product without the parts along g, times the square of |g|."""
        return Fraction(gram.uu(a, b) * gram.gg - gram.common[2 * gram.n + a] * gram.common[2 * gram.n + b])

    def related(other: int) -> bool:
        own, its, both = left(seat, seat), left(other, other), left(seat, other)
        return own > 0 and its > 0 and both**2 / (own * its) >= Fraction(rules["globalRelatedPercent"], 100) ** 2

    return {
        "norm": gram.norm(seat),
        "lastNorm": gram.last_norm(seat),
        "ownLast": gram.up(seat, seat),
        "delta": gram.ug(seat),
        "base": gram.uw(seat),
        "baseCosine": in_units(gram.uw(seat), gram.ww, gram.norm(seat)),
        "krum": sum(distance for distance, _ in distances[:count]),
        "normalisedKrum": sum(unit[:count]),
        "nearest": distances[0][1] if distances else NO_SEAT,
        "nearestDistance": distances[0][0] if distances else 0,
        "typicalDistance": middle([distance for distance, _ in distances]) if distances else 0,
        "peerDistance": distances[max(1, bearable(len(here))) - 1][0] if distances else 0,
        "related": sum(map(related, others)),
        "earlierDistance": min(earlier),
        "replayed": replayed,
        "replayedProduct": gram.up(seat, replayed) if alike else 0,
        "replayedNorm": gram.last_norm(replayed) if alike else 0,
        "opposed": opposed(0),
        "opposedOutlying": opposed(rules["outlyingOpposedPercent"]),
        "response": sum(w * gram.up(seat, o) for o, w in enumerate(before.weights)) - before.products[seat],
    }


def cohort_figures(stats: Mapping[int, Figures], gram: Products, before: Before, cap: int) -> Figures:
    grown = [seat for seat, own in stats.items() if own["response"] > 0 and seat in before.participants]
    return {
        "participants": len(stats),
        "medianNorm": middle([own["norm"] for own in stats.values()]),
        "medianKrum": middle([own["krum"] for own in stats.values()]),
        "medianNormalisedKrum": middle([own["normalisedKrum"] for own in stats.values()]),
        "medianBaseCosine": middle([own["baseCosine"] for own in stats.values()]),
        "deltaNorm": gram.gg,
        "baseNorm": gram.ww,
        "weight": sum(before.weights),
        "stepNorm": sum(w * m for w, m in zip(before.weights, before.products, strict=True)),
        "unrelatedNorm": sum(w * w * gram.last_norm(seat) for seat, w in enumerate(before.weights)),
        "monotone": 0 if len(grown) > cap else 1,
    }


@dataclass
class Verdict:
    evidence: str
    suspicions: list[str]
    badness: int
    counters: dict[str, int]


def verdict(
    seat: int,
    stats: Mapping[int, Figures],
    cohort: Figures,
    old: Mapping[str, int],
    tested: bool,
    rules: Mapping[str, int],
) -> Verdict:
    own = stats[seat]

    def part(name: str, of: int = 100) -> Fraction:
        return Fraction(rules[name], of)

    compared = cohort["participants"] >= 4
    stepped = cohort["weight"] > 0
    others = cohort["participants"] - 1

    def most(opposed: str) -> bool:
        """Whether the lower median of the cosines with the others is below the limit that was counted by."""
        return others > 0 and own[opposed] > (others - 1) // 2

    # Lengths
    longest = max(own["norm"], own["lastNorm"])
    zero = compared and longest < part("zeroPermille", 1000) ** 2 * cohort["medianNorm"]
    little = compared and own["norm"] < part("littlePercent") ** 2 * cohort["medianNorm"]

    # Likeness to the last step
    off = own["norm"] * cohort["deltaNorm"] - own["delta"] ** 2
    peers = max(1, bearable(cohort["participants"]))
    near = off < part("globalNearPercent") ** 2 * own["peerDistance"] * cohort["deltaNorm"]
    copied = near and own["related"] < peers
    along = own["norm"] * cohort["deltaNorm"]

    def like_step(limit: Fraction) -> bool:
        return copied and above(own["delta"], along, limit)

    # Likeness to an earlier update
    product, norms = own["replayedProduct"], own["norm"] * own["replayedNorm"]
    replay = own["replayed"] != NO_SEAT and above(product, norms, part("copyMillionths", 10**6))
    nearly_replay = own["replayed"] not in (NO_SEAT, seat) and above(product, norms, part("replayPermille", 1000))

    # Likeness to one another
    duplicate = nearly_duplicate = False
    if compared and stepped:
        its = stats[own["nearest"]]
        distance = own["nearestDistance"]
        length = min(own["norm"], its["norm"], own["typicalDistance"], its["typicalDistance"])
        before = min(own["earlierDistance"], its["earlierDistance"])
        own_work = distance < part("duplicateOtherPercent") ** 2 * before
        duplicate = own_work and distance < part("duplicatePermille", 1000) ** 2 * length
        nearly_duplicate = not duplicate and distance < part("duplicateNearPercent") ** 2 * length

    # Noise
    limit = part("noisePercent") ** 2 * own["norm"]
    unlike = own["ownLast"] ** 2 < limit * own["lastNorm"] and own["delta"] ** 2 < limit * cohort["deltaNorm"]
    noise = unlike and own["related"] < peers

    # Response
    change = own["norm"] + own["lastNorm"] - 2 * own["ownLast"]
    step, response = cohort["stepNorm"], own["response"]
    grew = cohort["weight"] * response > part("responsePercent") * step
    clear = response**2 > part("responseCosinePercent") ** 2 * step * change
    comparable = rules["responseCapTimes"] ** 2 * step >= cohort["weight"] ** 2 * longest
    failed = tested and cohort["monotone"] == 1 and grew and clear and comparable
    signal = step > rules["responseSignalTimes"] * cohort["unrelatedNorm"]
    failed_clearly = failed and signal and response**2 > part("responseSlashCosinePercent") ** 2 * step * change

    # Directions
    far = own["krum"] > part("outlyingKrumPercent") * cohort["medianKrum"]
    usual = cohort["medianBaseCosine"]
    builds = usual > 0 and own["baseCosine"] >= part("outlyingBasePercent") * usual
    astray = own["normalisedKrum"] > part("outlyingNormalisedPercent") * cohort["medianNormalisedKrum"]
    against = compared and not builds and most("opposedOutlying")
    outlying = against or (compared and not builds and far and most("opposed") and (own["base"] < 0 or astray))
    struck = {name: old[name] >= rules["strikes"] for name in ("outlying", "central")}
    central = compared and own["normalisedKrum"] < part("centralKrumPercent") * cohort["medianNormalisedKrum"]

    def run(name: str, shown: bool, most: int) -> int:
        return min(old[name] + 1, most) if shown else 0

    def strikes(name: str, shown: bool) -> int:
        return min(old[name] + 1, rules["strikesMax"]) if shown else max(old[name] - 1, 0)

    has_step = cohort["deltaNorm"] > 0
    counters = {
        "response": run("response", failed_clearly, 7) if tested else old["response"],
        "similar": run("similar", like_step(part("globalRunPercent")), 3) if has_step else old["similar"],
        "noise": run("noise", noise, 3) if has_step and own["lastNorm"] else old["noise"],
        "outlying": 0 if struck["outlying"] and own["base"] >= 0 else strikes("outlying", outlying),
        "central": 0 if struck["central"] else strikes("central", central),
        "growing": strikes("growing", response > 0 and cohort["monotone"] == 1) if tested else old["growing"],
    }

    def repeated(name: str) -> int:
        return counters[name] if counters[name] >= rules["strikes"] else 0

    bad = {
        "RESPONSE": 4 + counters["response"] if failed else 0,
        "GROWING": repeated("growing"),
        "OUTLYING": counters["outlying"] + 1 if against and own["base"] < 0 else repeated("outlying"),
        "CENTRAL": repeated("central"),
        "LIKE_GLOBAL": 4
        if like_step(part("globalNowPercent"))
        else counters["similar"] * (counters["similar"] >= rules["run"]),
        "AGAINST_GLOBAL": 2 if below(own["delta"], along, -part("againstGlobalPercent")) else 0,
        "NEARLY_DUPLICATE": 1 if nearly_duplicate else 0,
        "NEARLY_REPLAY": 4 if nearly_replay else 0,
        "LITTLE": 2 if little else 0,
    }
    shown = {
        "ZERO": zero,
        "REPLAY": replay,
        "GLOBAL": like_step(part("copyMillionths", 10**6)),
        "DUPLICATE": duplicate,
        "NOISE": counters["noise"] >= rules["run"],
        "RESPONSE": failed_clearly and counters["response"] >= rules["run"],
    }
    evidence = next((reason for reason, holds in shown.items() if holds), "NONE")
    return Verdict(evidence, [name for name, weight in bad.items() if weight], sum(bad.values()), counters)


@dataclass
class Outcome:
    stats: dict[int, Figures]
    cohort: Figures
    verdicts: dict[int, Verdict]
    slashed: set[int]
    excluded: set[int]
    badness: dict[int, int]
    after: Before


def judge(gram: Products, samples: Mapping[int, int], before: Before, rules: Mapping[str, int]) -> Outcome:
    n, here = gram.n, sorted(samples)
    stats = {seat: figures(seat, here, gram, before, rules) for seat in here}
    gone = sum(1 for seat in range(n) if before.slash_reasons >> 4 * seat & 15)
    cap = max(0, bearable(n) - gone)
    cohort = cohort_figures(stats, gram, before, cap)
    verdicts = {}
    for seat in here:
        tested = seat in before.participants and cohort["weight"] > 0
        verdicts[seat] = verdict(seat, stats, cohort, before.counters[seat], tested, rules)

    due = {seat for seat in here if verdicts[seat].evidence != "NONE"}
    slashed = due if len(due) <= cap else set()
    badness = {seat: verdicts[seat].badness + 8 * (seat in due - slashed) for seat in here}
    suspects = sorted((-bad, seat) for seat, bad in badness.items() if bad and seat not in slashed)
    room = max(0, min(cap - len(slashed), bearable(len(here))))
    excluded = slashed | {seat for _, seat in suspects[:room]}

    weights = [0] * n
    for seat in set(here) - excluded:
        norm, longest = stats[seat]["norm"], 9 * cohort["medianNorm"] // 4
        clip = 1024 if norm <= longest else isqrt((longest << 20) // norm)
        weights[seat] = min(samples[seat], rules["sampleCap"]) * clip
    reasons = before.slash_reasons
    for seat in slashed:
        reasons |= REASONS.index(verdicts[seat].evidence) << 4 * seat
    products = [sum(w * row[seat] for seat, w in enumerate(weights)) for row in gram.rows]
    counters = [verdicts[seat].counters if seat in verdicts else before.counters[seat] for seat in range(n)]
    return Outcome(
        stats, cohort, verdicts, slashed, excluded, badness, Before(here, weights, products, counters, reasons)
    )
