"""What is remembered of a client from epoch to epoch.

One suspicious epoch proves little; a run of them does. Each seat carries six small counters from header to header,
packed into 32 bits. They hold while a client is absent: staying away must not wipe the slate.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass

from fedblocks.exceptions import FedBlocksError

_BITS = (3, 2, 2, 3, 3, 3)
WORD_BITS = 32


class InvalidCounters(FedBlocksError, ValueError):
    """Counters do not fit their bits, or bits beyond theirs are set."""

    def __init__(self, value: object) -> None:
        super().__init__(f"{value!r} does not stand for the counters of a seat; bits of {_BITS} are known")


@dataclass(frozen=True)
class Counters:
    """The counters of one seat.

    Attributes:
        response: epochs running in which the response test was failed clearly, up to 7.
        similar: epochs running in which the update was like the last global delta, up to 3.
        noise: epochs running in which it was unrelated to everything before, up to 3.
        outlying, central: strikes of the suspicions E4 and E5, one more for each epoch that shows them and one less for
            each that does not; none after an epoch that they have cost, but for E4 where the update shrinks the model.
        growing: strikes likewise for each epoch in which the update grew along the model's last step at all.
    """

    response: int = 0
    similar: int = 0
    noise: int = 0
    outlying: int = 0
    central: int = 0
    growing: int = 0

    def pack(self) -> int:
        """The counters in 32 bits, the first in the lowest."""
        word = shift = 0
        for value, bits in zip(astuple(self), _BITS, strict=True):
            if not 0 <= value < 1 << bits:
                raise InvalidCounters(self)
            word |= value << shift
            shift += bits
        return word

    @classmethod
    def unpack(cls, word: int) -> Counters:
        """The counters that were packed into `word`.

        Raises:
            InvalidCounters: if bits are set that belong to no counter.
        """
        values = []
        rest = word
        for bits in _BITS:
            values.append(rest & ((1 << bits) - 1))
            rest >>= bits
        if rest:
            raise InvalidCounters(word)
        return cls(*values)


def pack_all(counters: Sequence[Counters]) -> tuple[int, ...]:
    """The packed counters of all seats."""
    return tuple(each.pack() for each in counters)
