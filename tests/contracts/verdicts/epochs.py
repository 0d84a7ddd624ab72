"""Epochs as an aggregator commits to them, byte by byte after docs/proofs.md, from the verdicts of the SDK's rules.

The bytes are written down here once more, and not taken from the SDK: two implementations of one page that agree.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from eth_utils import keccak

from fedblocks.aggregation.gram import Gram, gram
from fedblocks.aggregation.krum import cosine, neighbours
from fedblocks.aggregation.mean import apply_delta, weighted_delta
from fedblocks.aggregation.rules import Rules
from fedblocks.aggregation.stats import ClientStats, CohortStats
from fedblocks.aggregation.verdicts import Carried, Judgement, judge

HEADER_DOMAIN = keccak(text="FedBlocks.Header.v2")
RULES_DOMAIN = keccak(text="FedBlocks.Rules.v2")
NO_HASH = bytes(32)

Layout = tuple[tuple[str, int, bool], ...]
OFFSET, PLAIN = True, False

CLIENT_LAYOUT: Layout = (
    ("norm", 8, OFFSET),
    ("last_norm", 8, OFFSET),
    ("own_last", 8, OFFSET),
    ("delta", 8, OFFSET),
    ("base", 12, OFFSET),
    ("base_cosine", 8, OFFSET),
    ("krum", 12, OFFSET),
    ("normalised_krum", 8, OFFSET),
    ("nearest", 1, PLAIN),
    ("nearest_distance", 8, OFFSET),
    ("typical_distance", 8, OFFSET),
    ("peer_distance", 8, OFFSET),
    ("related", 1, PLAIN),
    ("earlier_distance", 8, OFFSET),
    ("replayed", 1, PLAIN),
    ("replayed_product", 8, OFFSET),
    ("replayed_norm", 8, OFFSET),
    ("opposed", 1, PLAIN),
    ("opposed_outlying", 1, PLAIN),
    ("response", 16, OFFSET),
)
COHORT_LAYOUT: Layout = (
    ("participants", 1, PLAIN),
    ("median_norm", 8, OFFSET),
    ("median_krum", 12, OFFSET),
    ("median_normalised_krum", 8, OFFSET),
    ("median_base_cosine", 8, OFFSET),
    ("delta_norm", 8, OFFSET),
    ("base_norm", 12, OFFSET),
    ("weight", 8, PLAIN),
    ("step_norm", 24, OFFSET),
    ("unrelated_norm", 24, OFFSET),
    ("monotone", 1, PLAIN),
)
VERDICT_LAYOUT: Layout = (("evidence", 1, PLAIN), ("badness", 1, PLAIN))
CARRIED_LAYOUT: Layout = (("counters", 4, PLAIN), ("weight", 5, PLAIN), ("product", 14, OFFSET))
CARRIED_SIZE = 23


def stored(value: int, width: int, offset: bool) -> bytes:
    """An integer as the protocol stores it."""
    return (value + (1 << (8 * width - 1)) * offset).to_bytes(width, "big")


def positions(layout: Layout, start: int = 0) -> dict[str, range]:
    """Which bytes are each figure's."""
    found = {}
    for name, width, _ in layout:
        found[name] = range(start, start + width)
        start += width
    return found


def figures_of(stats: ClientStats | CohortStats, layout: Layout) -> bytes:
    return b"".join(stored(getattr(stats, name), width, offset) for name, width, offset in layout)


def row_of(values: Sequence[int]) -> bytes:
    """A row of the Gram matrix: all but the last entry in eight bytes, the last, with the base model, in twelve."""
    return b"".join(stored(value, 8, OFFSET) for value in values[:-1]) + stored(values[-1], 12, OFFSET)


def carried_of(carried: Carried) -> bytes:
    return b"".join(
        stored(counters.pack(), 4, PLAIN) + stored(weight, 5, PLAIN) + stored(product, 14, OFFSET)
        for counters, weight, product in zip(carried.counters, carried.weights, carried.products, strict=True)
    )


def entries_of(tag: int, contents: Iterable[bytes | None]) -> bytes:
    """The entries of a list; None stands for none."""
    return b"".join(NO_HASH if content is None else keccak(bytes([tag]) + content) for content in contents)


def flipped(content: bytes, position: int, bit: int = 0) -> bytes:
    """The bytes with one bit changed."""
    changed = bytearray(content)
    changed[position] ^= 1 << bit
    return bytes(changed)


@dataclass(frozen=True)
class Epoch:
    """What an aggregator commits to in an epoch, and what it was judged by; all of it can be replaced.

    Attributes:
        previous: the epoch before; none before the first.
        rows: a row for each seat, then the common one.
        stats: an entry for each seat, None for an absent one, then the cohort's.
        lists: by the name of a list, entries that are not those of what is under them.
        siblings: of the last Gram leaf, lowest first.
    """

    n: int
    d: int
    number: int
    rules: tuple[int, ...]
    previous: Epoch | None
    participants: int
    excluded: int
    slash_reasons: int
    rows: tuple[bytes, ...]
    stats: tuple[bytes | None, ...]
    carried: bytes
    submissions: tuple[bytes | None, ...]
    siblings: tuple[bytes, ...] = ()
    lists: Mapping[str, bytes] = field(default_factory=dict)

    @cached_property
    def seats(self) -> list[int]:
        return [seat for seat in range(self.n) if self.participants >> seat & 1]

    @cached_property
    def rows_list(self) -> bytes:
        return self.lists.get("rows", entries_of(0x0B, self.rows))

    @cached_property
    def stats_list(self) -> bytes:
        return self.lists.get("stats", entries_of(0x09, self.stats))

    @cached_property
    def submissions_list(self) -> bytes:
        return self.lists.get("submissions", entries_of(0x07, self.submissions))

    @property
    def column_root(self) -> bytes:
        return keccak(b"column")

    @property
    def last_leaf(self) -> int:
        return -(-self.d // 4096) - 1

    @property
    def opening(self) -> tuple[int, bytes, bytes, list[bytes]]:
        return self.last_leaf, self.column_root, NO_HASH, list(self.siblings)

    @cached_property
    def gram_root(self) -> bytes:
        node = keccak(b"\x0e" + self.column_root + keccak(b"\x0c" + self.rows_list))
        for level, sibling in enumerate(self.siblings):
            pair = sibling + node if self.last_leaf >> level & 1 else node + sibling
            node = keccak(b"\x0f" + pair)
        return node

    @cached_property
    def header(self) -> tuple[object, ...]:
        return (
            1,
            self.number,
            0,
            NO_HASH if self.previous is None else self.previous.header_hash,
            NO_HASH,
            keccak(b"\x08" + self.submissions_list),
            self.gram_root,
            keccak(b"\x0a" + self.stats_list),
            NO_HASH,
            NO_HASH,
            NO_HASH,
            self.participants,
            self.excluded,
            self.slash_reasons,
            keccak(b"\x11" + self.carried),
            0,
            NO_HASH,
        )

    @cached_property
    def header_hash(self) -> bytes:
        words = (word if isinstance(word, bytes) else int(str(word)).to_bytes(32, "big") for word in self.header)
        return keccak(HEADER_DOMAIN + b"".join(words))

    @property
    def previous_header(self) -> tuple[object, ...]:
        """The header before this one; before the first, something that is nobody's."""
        return self.header if self.previous is None else self.previous.header

    @property
    def previous_carried(self) -> bytes:
        return b"" if self.previous is None else self.previous.carried

    @cached_property
    def rules_hash(self) -> bytes:
        return keccak(RULES_DOMAIN + b"".join(word.to_bytes(32, "big") for word in self.rules))

    def with_stats(self, seat: int, content: bytes | None) -> Epoch:
        return replace(self, stats=(*self.stats[:seat], content, *self.stats[seat + 1 :]))

    def with_row(self, seat: int, content: bytes) -> Epoch:
        return replace(self, rows=(*self.rows[:seat], content, *self.rows[seat + 1 :]))

    def with_submission(self, seat: int, content: bytes | None) -> Epoch:
        return replace(self, submissions=(*self.submissions[:seat], content, *self.submissions[seat + 1 :]))

    def with_previous(self, **changes: object) -> Epoch:
        assert self.previous is not None
        return replace(self, previous=replace(self.previous, **changes))  # type: ignore[arg-type]

    def entry(self, seat: int) -> bytes:
        """What is under an entry of the stats list; empty when there is none."""
        return self.stats[seat] or b""

    def bounds(self, seat: int) -> tuple[int, int]:
        """The largest distances that a seat's Krum scores add up, from the rows; 0 where they say nothing."""
        n, row, common = self.n, self.rows[seat], self.rows[self.n]
        others = [other for other in self.seats if other != seat]
        count = neighbours(len(others) + 1)
        if not count or len(row) < 8 * n or len(common) < 8 * n:
            return 0, 0

        def read(content: bytes, entry: int) -> int:
            return int.from_bytes(content[8 * entry : 8 * entry + 8], "big") - (1 << 63)

        norm = read(common, seat)
        products = [(read(row, other), read(common, other)) for other in others]
        plain = sorted(norm + other - 2 * product for product, other in products)
        normalised = sorted(2 * (1 << 30) - 2 * cosine(product, norm, other) for product, other in products)
        return plain[count - 1], normalised[count - 1]

    def figures_arguments(self, seat: int) -> list[object]:
        return [
            self.header,
            self.previous_header,
            seat,
            self.opening,
            self.rows_list,
            self.rows[seat],
            self.rows[self.n],
            self.stats_list,
            self.entry(seat),
            self.carried,
            self.previous_carried,
            list(self.rules),
            *self.bounds(seat),
        ]

    def verdict_arguments(self, seat: int) -> list[object]:
        own = self.entry(seat)
        nearest = own[72] if len(own) > 72 else self.n
        return [
            self.header,
            self.previous_header,
            seat,
            self.stats_list,
            own,
            self.entry(nearest) if nearest < self.n else b"",
            self.entry(self.n),
            self.carried,
            self.previous_carried,
            list(self.rules),
            self.submissions_list,
            self.submissions[seat] or b"",
        ]

    def cohort_arguments(self) -> list[object]:
        return [
            self.header,
            self.previous_header,
            self.stats_list,
            b"".join(self.entry(seat) for seat in self.seats),
            self.entry(self.n),
            self.opening,
            self.rows_list,
            self.rows[self.n],
            self.previous_carried,
            list(self.rules),
        ]


def submission_of(seat: int, samples: int) -> bytes:
    """A submission of which only the samples matter here."""
    return seat.to_bytes(32, "big") + bytes(193) + samples.to_bytes(32, "big") + bytes(32)


def committed(
    products: Gram, samples: Mapping[int, int], judged: Judgement, rules: Rules, before: Epoch | None, d: int
) -> Epoch:
    """What an honest aggregator commits to."""
    n = products.seats
    depth = (-(-d // 4096) - 1).bit_length()
    return Epoch(
        n=n,
        d=d,
        number=1 if before is None else before.number + 1,
        rules=rules.words(),
        previous=before,
        participants=judged.participants,
        excluded=judged.excluded,
        slash_reasons=judged.carried.slash_reasons,
        rows=(*(row_of(products.row(seat)) for seat in range(n)), row_of(products.common_row())),
        stats=(
            *(
                figures_of(judged.stats[seat], CLIENT_LAYOUT)
                + bytes([judged.verdicts[seat].evidence, judged.verdicts[seat].own_badness])
                if seat in samples
                else None
                for seat in range(n)
            ),
            figures_of(judged.cohort, COHORT_LAYOUT),
        ),
        carried=carried_of(judged.carried),
        submissions=tuple(submission_of(seat, samples.get(seat, 0)) for seat in range(n)),
        siblings=tuple(keccak(bytes([level])) for level in range(depth)),
    )


class Cohort:
    """Clients that send whatever a test has them send, and the state that their epochs go through.

    Attributes:
        judgements: of all epochs so far.
        epochs: what is committed to of them.
    """

    def __init__(self, n: int, seed: int, d: int = 24, chain_d: int = 0, rules: Rules | None = None) -> None:
        self.n, self.d = n, d
        # Who verifies sees no vector: of how many leaves the sums are does not matter to it.
        self.chain_d = chain_d or d
        self.rules = rules or Rules()
        self.generator = np.random.default_rng(seed)
        self.last = np.zeros((n, d), dtype=np.int16)
        self.delta = np.zeros(d, dtype=np.int16)
        self.model = self.generator.integers(-(1 << 20), 1 << 20, d).astype(np.int32)
        self.carried = Carried.genesis(n)
        self.optimum = np.zeros((n, d))
        self.judgements: list[Judgement] = []
        self.epochs: list[Epoch] = []

    @property
    def gone(self) -> int:
        return self.carried.slash_reasons

    def run(self, sent: Mapping[int, np.ndarray], samples: int = 3) -> Epoch:
        """One epoch; who sends nothing, or is slashable, is absent."""
        present = {seat: update for seat, update in sent.items() if not self.gone >> (4 * seat) & 15}
        updates = np.zeros((self.n, self.d), dtype=np.int16)
        for seat, update in present.items():
            updates[seat] = np.clip(np.rint(update), -(1 << 15), (1 << 15) - 1)
        declared = {seat: samples + seat for seat in present}
        absent = [seat for seat in range(self.n) if seat not in present]
        products = gram(updates, self.last, self.delta, self.model, absent)
        judged = judge(products, declared, self.carried, self.rules)
        if any(judged.carried.weights):
            self.delta = weighted_delta(updates, judged.carried.weights)
            self.model = apply_delta(self.model, self.delta)
        for seat in present:
            self.last[seat] = updates[seat]
        self.carried = judged.carried
        before = self.epochs[-1] if self.epochs else None
        self.judgements.append(judged)
        self.epochs.append(committed(products, declared, judged, self.rules, before, self.chain_d))
        return self.epochs[-1]

    def honest(self, size: float = 900.0) -> dict[int, np.ndarray]:
        """Updates that agree in part."""
        common = self.generator.normal(0, size, self.d)
        return {seat: common + self.generator.normal(0, size, self.d) for seat in range(self.n)}

    def trained(self, attackers: Mapping[int, str]) -> dict[int, np.ndarray]:
        """Updates of clients with quadratic losses, each with its own optimum; `attackers` do something else."""
        if not self.epochs:
            self.model = np.zeros(self.d, dtype=np.int32)
            self.optimum = self.generator.normal(0, 8000, self.d) + self.generator.normal(0, 4000, (self.n, self.d))
        pull = 0.3 * (self.optimum - self.model)
        sent = dict(enumerate(pull + self.generator.normal(0, 0.5, pull.shape) * np.sqrt(np.mean(pull**2))))
        for seat, attack in attackers.items():
            own = sent[seat]
            if attack == "nothing":
                sent[seat] = 0 * own
            elif attack == "another's":
                sent[seat] = sent[seat - 1]
            elif attack == "nearly another's":
                sent[seat] = sent[seat - 1] + 0.008 * self.generator.normal(0, np.std(own), self.d)
            elif attack == "again":
                sent[seat] = self.last[seat].astype(float) if self.epochs else own
            elif attack == "nearly the last of seat 0":
                last = self.last[0].astype(float)
                sent[seat] = last + 0.02 * self.generator.normal(0, np.std(last), self.d) if self.epochs else own
            elif attack == "the opposite, across the model":
                model = self.model.astype(float)
                along = np.dot(own, model) / max(1.0, np.dot(model, model))
                sent[seat] = (along * model - own) + 0.01 * np.linalg.norm(own) / max(
                    1.0, np.linalg.norm(model)
                ) * model
            elif attack == "the last step":
                sent[seat] = self.delta.astype(float) if self.epochs else own
            elif attack == "nearly the last step":
                step = self.delta.astype(float)
                sent[seat] = step + 0.3 * self.generator.normal(0, np.std(step), self.d) if self.epochs else own
            elif attack == "the last step undone":
                sent[seat] = -self.delta.astype(float) if self.epochs else own
            elif attack == "noise":
                sent[seat] = self.generator.normal(0, np.sqrt(np.mean(own**2)), self.d)
            elif attack == "the opposite":
                sent[seat] = -own
            elif attack == "hardly anything":
                sent[seat] = 0.05 * own
            elif attack == "everybody's mean":
                sent[seat] = pull.mean(axis=0)
            else:
                raise ValueError(attack)
        return sent

    def mixed(self) -> dict[int, np.ndarray]:
        """Updates of which many are what no honest client sends."""
        sent = self.honest()
        for seat in range(self.n):
            other = int(self.generator.integers(0, self.n))
            extreme = np.where(self.generator.random(self.d) < 0.5, -(1 << 15), (1 << 15) - 1)
            odd = [
                sent[seat],
                sent[seat],
                np.zeros(self.d),
                sent.get(other, sent[seat]),
                self.last[other].astype(float),
                self.last[seat].astype(float),
                self.delta.astype(float),
                self.delta + self.generator.normal(0, 200, self.d),
                -sent[seat],
                -self.delta.astype(float) * 2,
                self.delta.astype(float) * 3,
                extreme,
                np.full(self.d, -(1 << 15)),
                self.generator.integers(-1, 2, self.d).astype(float),
                None,
            ]
            choice = odd[int(self.generator.integers(0, len(odd)))]
            if choice is None:
                del sent[seat]
            else:
                sent[seat] = choice
        return sent or {0: np.ones(self.d)}
