"""The reasons for which a stake is taken, told to whoever lost one: what it means, why the rule exists, how safe it is.

How near honest clients come to a rule was measured, not guessed: docs/detection/ has the tables, docs/detection.md the
commands that make them again, and a test holds the numbers here against them.
"""

from __future__ import annotations

from dataclasses import dataclass

from fedblocks.seats import SlashReason


@dataclass(frozen=True)
class Reason:
    """What a reason to slash means.

    Attributes:
        name: in two or three words.
        meaning: what the client did, as a sentence.
        why: why an honest client does not do it.
        nearest: how near honest clients came to the rule, 1 being slashed: by the row of the tables "honest clients'
            largest ratio to a hard rule's threshold" in docs/detection/, without attackers and beside some.
        remedy: what an honest client would look at first.
    """

    name: str
    meaning: str
    why: str
    nearest: tuple[tuple[str, float, float], ...]
    remedy: str

    @property
    def honest(self) -> str:
        """How far honest clients stayed from the rule, as a sentence."""
        parts = [f"{alone:g} for {row} (beside attackers {beside:g})" for row, alone, beside in self.nearest]
        return (
            "On a scale on which 1 is slashed, the honest clients that came nearest in the measurements stood at "
            f"{', '.join(parts)}; see docs/detection.md."
        )


REASONS = {
    SlashReason.ZERO: Reason(
        name="zero update",
        meaning="it sent (nearly) nothing, and had sent nothing before",
        why=(
            "Training changes a model. A free rider that sends zeros, or next to nothing, would be paid for the work "
            "of the others. One empty update is forgiven to whoever has sent a real one before."
        ),
        nearest=(("zero", 0.00611, 0.00993),),
        remedy="whether its training ran at all: the learning rate, the data that it read, the model that it returned",
    ),
    SlashReason.DUPLICATE: Reason(
        name="duplicate",
        meaning="it sent another seat's update, although both were committed to before anyone revealed",
        why=(
            "Commitments are closed before any update is shown, so that two seats with one update had it from one "
            "source: one person with two seats, who would be paid twice, and counted twice, for one training."
        ),
        nearest=(("duplicate", 0.0242, 0.0338),),
        remedy="whether two of its seats run on the same data with the same seed",
    ),
    SlashReason.REPLAY: Reason(
        name="replay",
        meaning="it sent an update again that it, or another, had sent in an earlier epoch",
        why=(
            "The model has moved since, so that training again gives another update, if only slightly. To send an old "
            "one is to be paid twice for one training, or for another's."
        ),
        nearest=(("replay of another's", 0.000954, 0.000611), ("replay of one's own", 0.0336, 0.00474)),
        remedy="whether it trained from the current model, or sent a file that was left over",
    ),
    SlashReason.GLOBAL: Reason(
        name="global copy",
        meaning="it sent the model's own last step back",
        why=(
            "The step that the model took last is known to everybody. To send it back as one's own update costs "
            "nothing and looks like agreement with everyone."
        ),
        nearest=(("copy of the global delta", 3.1e-05, 1.3e-05),),
        remedy="whether it computed its update against the model before this epoch's, and not this one",
    ),
    SlashReason.NOISE: Reason(
        name="noise",
        meaning="for three epochs running its update had nothing to do with anything: its last one, the model's step, "
        "its peers' updates",
        why=(
            "What was learnt from data is related to what is learnt from data like them. Numbers that were drawn are "
            "related to nothing, and cost nothing. Once may be chance, so three epochs running are needed."
        ),
        nearest=(("noise", 0.541, 0.182),),
        remedy="whether its data or labels were shuffled or damaged, and whether its training diverges",
    ),
    SlashReason.RESPONSE: Reason(
        name="response",
        meaning="for three epochs running its update grew in the direction in which the model had just moved",
        why=(
            "Who minimises its own loss wants less of a step after it was taken: gradients of convex losses are "
            "monotone. An update that keeps growing along the model's steps follows a target of its own, against the "
            "others. Once may be chance, so three epochs running, clearly, are needed."
        ),
        nearest=(("response", 0.796, 0.868),),
        remedy="whether the sign of its update, or its labels, are flipped",
    ),
}
"""By reason, what it means."""
