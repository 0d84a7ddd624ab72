"""Drawing in SVG, as text: a few shapes, one scale, and the marks that tell clients' fates apart without colours.

Colours are the page's (CSS variables), so that a figure follows light, dark and paper. Every number is rounded, so that
the same data are the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from math import asinh, floor, log10


def number(value: float) -> str:
    """A coordinate: two decimals at most, never minus zero."""
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text


def element(name: str, content: str = "", /, **attributes: object) -> str:
    """An element; an underscore in an attribute's name stands for a hyphen, one at its end for nothing."""
    parts = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(number(value) if isinstance(value, float) else str(value))}"'
        for key, value in attributes.items()
    )
    return f"<{name}{parts}>{content}</{name}>" if content else f"<{name}{parts}/>"


def text(x: float, y: float, content: str, **attributes: object) -> str:
    """Words at a place."""
    return element("text", escape(content), x=float(x), y=float(y), **attributes)


def line(x1: float, y1: float, x2: float, y2: float, **attributes: object) -> str:
    """A straight line."""
    return element("line", x1=float(x1), y1=float(y1), x2=float(x2), y2=float(y2), **attributes)


def figure(width: int, height: int, title: str, description: str, parts: Iterable[str]) -> str:
    """A whole picture, with words for whoever does not see it."""
    head = element("title", escape(title)) + element("desc", escape(description))
    return element(
        "svg", head + "".join(parts), viewBox=f"0 0 {width} {height}", role="img", xmlns="http://www.w3.org/2000/svg"
    )


def mark(kind: str, x: float, y: float, title: str) -> str:
    """A client's fate: a circle if it was accepted, a triangle if it was left out, a cross if it was slashed."""
    hint = element("title", escape(title))
    if kind == "accepted":
        return element("circle", hint, cx=float(x), cy=float(y), r=3.2, class_="accepted")
    if kind == "excluded":
        points = " ".join(f"{number(x + dx)},{number(y + dy)}" for dx, dy in ((0, -5.2), (4.8, 3.4), (-4.8, 3.4)))
        return element("polygon", hint, points=points, class_="excluded")
    a, b = number(x - 4.5), number(x + 4.5)
    c, d = number(y - 4.5), number(y + 4.5)
    return element("path", hint, d=f"M{a} {c}L{b} {d}M{a} {d}L{b} {c}", class_="slashed")


@dataclass(frozen=True)
class Scale:
    """From values to pixels, linear near zero and logarithmic beyond `unit` (asinh), if a unit is given."""

    low: float
    high: float
    start: float
    stop: float
    unit: float | None = None

    def bend(self, value: float) -> float:
        """The value on the bent axis."""
        return value if self.unit is None else asinh(value / self.unit)

    def __call__(self, value: float) -> float:
        """Where the value lies."""
        low, high = self.bend(self.low), self.bend(self.high)
        share = (self.bend(value) - low) / (high - low) if high > low else 0.5
        return self.start + share * (self.stop - self.start)

    def ticks(self, count: int = 7) -> list[float]:
        """Round values to label."""
        if self.unit is None:
            return _linear_ticks(self.low, self.high, count)
        sizes = [self.unit * factor for factor in (1, 10, 100, 1_000, 10_000, 100_000, 1_000_000)]
        candidates = [-size for size in reversed(sizes)] + [0.0] + sizes
        return [value for value in candidates if self.low <= value <= self.high]


def _linear_ticks(low: float, high: float, count: int) -> list[float]:
    span = high - low
    if span <= 0:
        return [low]
    power = 10.0 ** floor(log10(span / count))
    step = next(power * factor for factor in (1, 2, 5, 10) if span / (power * factor) <= count)
    first = -floor(-low / step + 1e-9)
    found = [step * (first + index) for index in range(count + 2)]
    # A round value at an end may come out a float beyond it.
    return [min(max(low, value), high) for value in found if value <= high + step * 1e-6]


@dataclass(frozen=True)
class Frame:
    """A plot's axes: where it is drawn, and both scales."""

    width: int
    height: int
    x: Scale
    y: Scale

    def axes(self, epochs: Sequence[int], unit: str) -> list[str]:
        """Grid, ticks and labels; epochs along x."""
        left, right, top, bottom = self.x.start, self.x.stop, self.y.stop - 14, self.y.start + 30
        parts = []
        for value in self.y.ticks():
            at = self.y(value)
            parts.append(line(left - 6, at, right + 6, at, class_="grid"))
            parts.append(text(left - 10, at + 4, f"{value:.4g}{unit}", text_anchor="end", class_="tick"))
        step = max(1, -(-len(epochs) // 12))
        for epoch in epochs[::step]:
            parts.append(text(self.x(epoch), bottom + 20, str(epoch), text_anchor="middle", class_="tick"))
        parts.append(text((left + right) / 2, bottom + 38, "epoch", text_anchor="middle", class_="tick"))
        parts.append(line(left - 6, bottom, right + 6, bottom, class_="axis"))
        parts.append(line(left - 6, top, left - 6, bottom, class_="axis"))
        return parts
