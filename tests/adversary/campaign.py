"""Which lies are told about which epochs, and what must come of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from fedblocks.rollup.fraud.answers import answer_for
from fedblocks.rollup.fraud.cases import Demand, FraudCase
from fedblocks.rollup.fraud.prover import find_fault
from fedblocks.rollup.fraud.published import Published
from tests.adversary import lies
from tests.adversary.lies import LIES, Told, both
from tests.adversary.slander import demanded, slanders
from tests.adversary.stage import AGGREGATOR, Stage, refusal, rehearsal
from tests.adversary.tally import TALLY
from tests.adversary.trial import Manner, tried
from tests.adversary.truth import FLAVOURS, Base, Truth, epochs
from tests.contracts import world

MANNERS: tuple[Manner, ...] = ("open", "answering", "open", "answering", "silent")
# What only a client can tell is about the header as it stands.
ALONE = frozenset({"an acknowledged client is left out"})


@dataclass(frozen=True)
class Profile:
    """How much is played.

    Attributes:
        bases: about which epochs every lie is told once.
        pairs: by base, how many times two lies are told at once.
        honest: about whose epochs the challenger lies.
    """

    bases: tuple[Base, ...]
    pairs: int
    honest: tuple[Base, ...]


def short() -> Profile:
    """One of each kind."""
    bases = (Base(5, 2 * 4096 + 300, 2, 1, "plain", 3), Base(6, 300, 3, 0, "extreme", 2))
    return Profile(bases, 3, bases[:1])


def full() -> Profile:
    """All sizes, and updates of every flavour."""
    sizes = [(4, 1), (5, 300), (4, 4096), (10, 4097), (5, 2 * 4096 + 300), (16, 3 * 4096), (4, 5 * 4096 + 255)]
    rng = Random(20)
    bases = [
        Base(n, d, rng.randint(1, 3), rng.randrange(2), flavour, rng.randrange(1 << 20))
        for flavour in FLAVOURS
        for n, d in sizes
    ]
    large = [Base(64, d, 2, 0, flavour, 64) for d, flavour in ((300, "plain"), (4097, "extreme"))]
    honest = [Base(*rng.choice(sizes), 4, rng.randrange(2), rng.choice(FLAVOURS), seed) for seed in range(128)]
    return Profile((*bases, *large), 10, (*honest, *large))


def lies_about(base: Base, pairs: int) -> Iterator[str]:
    """Every kind of lie once, then two at a time."""
    yield from LIES
    rng = Random(f"{base}")
    names = sorted(set(LIES) - ALONE)
    for _ in range(pairs):
        yield " + ".join(rng.sample(names, 2))


def tell(name: str, truth: Truth, rng: Random) -> tuple[Told | None, frozenset[FraudCase]]:
    """A lie, or two at once, and the cases that it may be found by."""
    kinds = [LIES[part] for part in name.split(" + ")]
    told = [kind.tell(truth, rng) for kind in kinds]
    cases = frozenset[FraudCase]().union(*(kind.cases for kind in kinds))
    if len(told) == 1 or None in told:
        return told[0] if len(told) == 1 else None, cases
    return both(truth, *told), cases


def play(name: str, truth: Truth, base: Base, seed: int) -> None:
    """Tell a lie about an epoch in one manner, and see what comes of it."""
    rng = Random(f"{name}@{base}@{seed}")
    manner = MANNERS[seed % len(MANNERS)]
    told, cases = tell(name, truth, rng)
    if told is None:
        return
    again = f'{manner}; ADVERSARY_ONLY="{name}@{base}@{seed}" repeats it'
    try:
        outcome = tried(truth, told, manner, rng)
    except Exception as error:
        raise AssertionError(f"{name}: {again}") from error
    if outcome.refused is None:
        assert outcome.case is not None, f"nobody found {name}: {again}"
        silent = manner == "silent" and outcome.case is FraudCase.WITHHELD
        assert silent or outcome.case in cases, f"{outcome.case.name} found {name}: {again}"
    else:
        assert outcome.refused, f"no reason for refusing {name}: {again}"
    TALLY.add(name, manner, outcome)


def stand(stage: Stage, base: Base) -> None:
    """Post the honest epochs of a base one after the other, and let a malicious challenger try everything on each."""
    for truth in epochs(stage, base):
        _stand(truth, f'ADVERSARY_ONLY="@{base}@0" repeats it')


def _stand(truth: Truth, again: str) -> None:
    instance, stage, header = truth.instance, truth.instance.stage, truth.header
    rng = Random(header.hash())
    withheld = tried(truth, lies.tell(truth), "answering", rng)
    assert withheld.case is None, f"what is answered in time stands: {again}"
    with rehearsal():
        instance.close(header.commits_root, AGGREGATOR.address)
        instance.post(header.as_tuple(), AGGREGATOR.address)
        published = Published.of(truth.context, header, truth.data)
        found = find_fault(truth.before, truth.previous, header, published)
        assert found is None, f"{found}: {again}"
        for kind, challenge in slanders(truth, rng):
            assert not stage.is_taken(challenge), f"a {kind} {challenge.function} overturned an honest epoch: {again}"
            TALLY.slanders[challenge.function, kind] += 1
        demands = {demand.position: demand for demand in (demanded(truth, rng), demanded(truth, rng))}
        for demand in demands.values():
            _answered(truth, demand)
        assert instance.header_hash(header.epoch) == header.hash(), again
        world.wait(world.CHALLENGE_WINDOW + world.ANSWER_PERIOD + 1)
        for epoch in range(instance.state.finalizedEpochs + 1, header.epoch + 1):
            instance.chain.finalizeEpoch(instance.number, epoch)
    TALLY.honest["epochs"] += 1


def _answered(truth: Truth, demand: Demand) -> None:
    """A demand that is answered in time costs its demander the deposit, and the epoch nothing."""
    stage = truth.instance.stage
    number = stage.demand(truth.header, demand)
    assert refusal(stage.fail, number) == "DataDemands: demand can still be answered"
    stage.answer(number, truth.header, demand, answer_for(demand, truth.data), AGGREGATOR.address)
    assert refusal(stage.fail, number) == "DataDemands: demand is not open"
    TALLY.honest["demands"] += 1
