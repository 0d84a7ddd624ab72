"""The campaign: lying aggregators lose, honest ones do not."""

from __future__ import annotations

import boa
import pytest

from tests.adversary.campaign import Profile, lies_about, play, stand
from tests.adversary.lies import LIES
from tests.adversary.stage import Stage
from tests.adversary.tally import TALLY
from tests.adversary.truth import Base, last_epoch

# The stage is built once, and every epoch is played on a chain of its own.
pytestmark = pytest.mark.ignore_isolation


def test_every_lie_is_refused_or_deleted_by_one_transaction_and_nobody_honest_loses(
    stage: Stage, profile: Profile, only: str | None
) -> None:
    if only is not None:
        name, text, turn = only.rsplit("@", 2)
        base = Base.parse(text)
        with boa.env.anchor():
            if name:
                play(name, last_epoch(stage, base), base, int(turn))
            else:
                stand(stage, base)
        return
    for number, base in enumerate(profile.bases):
        with boa.env.anchor():
            truth = last_epoch(stage, base)
            for turn, name in enumerate(lies_about(base, profile.pairs), start=number):
                play(name, truth, base, turn)
    untold = set(LIES) - {name for name, _ in TALLY.lies}
    assert not untold, "every kind of lie finds an occasion"


def test_no_challenge_overturns_an_honest_epoch(stage: Stage, profile: Profile, only: str | None) -> None:
    for base in profile.honest if only is None else ():
        with boa.env.anchor():
            stand(stage, base)
