"""The rules of an instance: every threshold of a verdict, as integers.

The words of the rules are hashed, and the hash is on chain before anyone trains: a client knows by what it will be
judged, and nobody can change it afterwards. The default values are those that were measured (see
:mod:`fedblocks.aggregation.verdicts` for what each is compared with).
"""

from __future__ import annotations

from dataclasses import astuple, dataclass, fields

from fedblocks.exceptions import FedBlocksError


class InvalidRules(FedBlocksError, ValueError):
    """A threshold is outside the range in which its rule means anything."""

    def __init__(self, name: str, value: object, allowed: str) -> None:
        super().__init__(f"rule {name} is {value!r}; it must be {allowed}")
        self.name, self.value, self.allowed = name, value, allowed


@dataclass(frozen=True)
class Rules:
    """Thresholds of the verdicts; per cent and per mille stand for ratios of lengths and for cosines.

    Attributes:
        zero_permille: an update shorter than this per mille of the median length is nothing, if the client's last
            one was no longer, or it never sent one;
        little_percent: shorter than this per cent, it is hardly anything.
        duplicate_permille: two updates nearer to each other than this per mille of their length are one, if
        duplicate_other_percent: also nearer than this per cent of their distance to any earlier vector, and
        duplicate_near_percent: nearer than this per cent, nearly one.
        copy_millionths: cosine above which an update is a copy of an earlier vector (anybody's last update, the last
            global delta): they may differ by rounding and by nothing else, because honest clients with few data repeat
            themselves, and one another, nearly.
        replay_permille: cosine with another's last update, above which the update is nearly that one again.
        global_near_percent: a copy of the last global delta is one only if what it differs by from the delta's
            direction is also shorter than this per cent of its distance to its peers, and
        global_related_percent: is related to fewer than f of its peers' by a cosine of this or more.
        global_now_percent: cosine above which, with the same two conditions, it counts as likely to be a copy,
        global_run_percent: and cosine for a run of epochs.
        noise_percent: cosines within this of zero, for a run of epochs, are noise.
        response_percent: growth along the last step of the model, in per cent of the step, that an honest client
            never shows.
        response_cosine_percent: the same relative to the length of the update's change, as a cosine.
        response_cap_times: a client whose update is longer than this many times the step itself is not judged by
            its response.
        response_slash_cosine_percent: the cosine that counts towards the stake, with
        response_signal_times: the step longer, by this factor of squares, than unrelated updates would have made it.
        run: how many epochs a run is.
        outlying_krum_percent: Krum score above this per cent of the median (E4), with
        outlying_base_percent: a cosine with the base model below this per cent of the median, and with
        outlying_opposed_percent: a median cosine with the others below minus this, or below zero and
        outlying_normalised_percent: the Krum score on normalised updates above this per cent of the median.
        central_krum_percent: Krum score on normalised updates below this per cent of the median (E5).
        against_global_percent: cosine with the last global delta below minus this counts against a client (E6).
        strikes: how many epochs of E4 or E5, or of growth along the last step, exclude; one of E4 is enough against who
            is that far from most others and points away from the model.
        strikes_max: where those counters, and that of *growing*, stop.
        sample_cap: declared samples above it count as it. Samples cannot be verified and every client makes the
            same number of steps, so the default weighs all alike.
    """

    zero_permille: int = 1
    little_percent: int = 10
    duplicate_permille: int = 1
    duplicate_other_percent: int = 50
    duplicate_near_percent: int = 5
    copy_millionths: int = 999_999
    replay_permille: int = 999
    global_near_percent: int = 50
    global_related_percent: int = 5
    global_now_percent: int = 90
    global_run_percent: int = 65
    noise_percent: int = 5
    response_percent: int = 10
    response_cosine_percent: int = 3
    response_cap_times: int = 10
    response_slash_cosine_percent: int = 12
    response_signal_times: int = 2
    run: int = 3
    outlying_krum_percent: int = 110
    outlying_base_percent: int = 40
    outlying_opposed_percent: int = 9
    outlying_normalised_percent: int = 103
    central_krum_percent: int = 80
    against_global_percent: int = 65
    strikes: int = 2
    strikes_max: int = 6
    sample_cap: int = 1

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            low, high = _RANGES.get(field.name, (1, 100))
            if type(value) is not int or not low <= value <= high:
                raise InvalidRules(field.name, value, f"an integer from {low} to {high}")
        if self.strikes > self.strikes_max:
            raise InvalidRules("strikes", self.strikes, f"at most strikes_max, {self.strikes_max}")

    def words(self) -> tuple[int, ...]:
        """The thresholds in the order of their declaration, as they are hashed."""
        return astuple(self)

    @classmethod
    def from_words(cls, words: tuple[int, ...] | list[int]) -> Rules:
        """The rules that have these words.

        Raises:
            InvalidRules: if there are too few or too many, or one is out of range.
        """
        if len(words) != len(fields(cls)):
            raise InvalidRules("words", len(words), f"{len(fields(cls))} in number")
        return cls(*words)


_RANGES = {
    "zero_permille": (1, 1000),
    "duplicate_permille": (1, 1000),
    "response_signal_times": (1, 1000),
    "copy_millionths": (1, 1_000_000),
    "replay_permille": (1, 1000),
    "response_cap_times": (1, 1000),
    "run": (1, 3),
    "outlying_krum_percent": (100, 10_000),
    "outlying_normalised_percent": (100, 10_000),
    "strikes": (1, 7),
    "strikes_max": (1, 7),
    "sample_cap": (1, 1 << 29),
}
