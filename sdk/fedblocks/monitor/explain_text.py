"""An explanation as text: plain, wrapped, in the order in which one asks."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from fedblocks.monitor.explain import Explanation, utc
from fedblocks.monitor.views import Measure, Side

MARKS = {"posted": "1", "final": "2", "slashed": "3"}


def to_text(explanation: Explanation, *, width: int = 100, formulas: bool = True) -> str:
    """The whole explanation.

    Args:
        explanation: which.
        width: where lines are broken; commands and hashes never are, so that they can be copied.
        formulas: with the exact inequalities.
    """
    return "\n".join(_lines(explanation, width, formulas)).rstrip() + "\n"


def measured(measure: Measure) -> str:
    """A measure in one line: value, threshold and whether it is triggered, by a sign and a word.

    >>> from fedblocks.monitor.views import Measure, Side
    >>> measured(Measure(rule="zero", title="length", value=0.0, threshold=0.1, unit="%", bad=Side.BELOW,
    ...     triggered=True, slashes=True, formula="0 < 1", sentence="It is zero."))
    '! zero: 0 %, speaks against it below 0.1 %'
    """
    unit = f" {measure.unit}" if measure.unit else ""
    side = ("from" if measure.unit in ("epochs", "strikes") else "above") if measure.bad is Side.ABOVE else "below"
    sign = "!" if measure.triggered else " "
    return f"{sign} {measure.rule}: {measure.value:.7g}{unit}, speaks against it {side} {measure.threshold:g}{unit}"


def _lines(explanation: Explanation, width: int, formulas: bool) -> Iterator[str]:
    def wrapped(text: str, indent: str = "  ") -> list[str]:
        return textwrap.wrap(
            text,
            width,
            initial_indent=indent,
            subsequent_indent=indent,
            break_long_words=False,
            break_on_hyphens=False,
        )

    yield from wrapped(explanation.headline, "")
    yield ""
    yield "What was measured"
    if explanation.missing is not None:
        yield from wrapped(explanation.missing)
    if explanation.measure is not None:
        yield from wrapped(explanation.measure.sentence)
        if formulas:
            yield from wrapped("In integers, as anybody can work it out (a Python expression that is true):")
            yield f"    {explanation.measure.formula}"
    for each in explanation.run:
        if each.measure is None:
            yield f"  epoch {each.epoch:>4}  absent: the count is held"
        else:
            counts = "counts" if each.measure.triggered else "does not count"
            yield f"  epoch {each.epoch:>4}  {counts}, run {each.run}  {measured(each.measure).strip('! ')}"
            if formulas and each.measure.triggered:
                yield f"              {each.measure.formula}"
    if explanation.others:
        yield "  Further evidence in the same epoch:"
        for measure in explanation.others:
            yield from wrapped(measure.sentence, "    ")
    for fault in explanation.faults:
        yield from wrapped(f"! The aggregator's verdicts do not follow from its figures: {fault}.")
    if explanation.reason is not None:
        yield ""
        yield "Why this is a rule"
        yield from wrapped(explanation.reason.why)
        yield from wrapped(explanation.reason.honest)
    yield ""
    yield "What happened"
    for step in explanation.steps:
        yield from wrapped(f"{MARKS[step.what]}. {utc(step.place.timestamp)}, block {step.place.block}: {step.text}")
        yield f"     transaction 0x{step.place.transaction_hash.hex()}"
    if explanation.slash.header_hash is not None:
        yield f"  The epoch's header is 0x{explanation.slash.header_hash.hex()}"
    yield ""
    yield "The money"
    yield from wrapped(explanation.money)
    if explanation.balances is not None:
        for change in explanation.balances.changes:
            yield from wrapped(("" if change.agrees else "! ") + change.sentence)
        agrees = explanation.balances.agrees
        yield "  Slash and change of balances are equal." if agrees else "  ! Slash and change of balances differ."
    yield ""
    yield "What could be done"
    yield from wrapped(explanation.recourse)
    yield ""
    yield "How to verify it yourself"
    for check in explanation.checks:
        yield from wrapped(f"{check.what}:")
        yield f"    {check.command}"
