"""Random lives of a deployment: any call that the contracts would take now, one after the other."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from random import Random

from fedblocks.seats import SlashReason
from fedblocks.types import InstanceId
from tests.telling.scripted import ScriptedChain, address_of, scripted_subject
from tests.telling.storyteller import Storyteller

PEOPLE = [address_of(f"person {number}") for number in range(8)]
USERS = [address_of(f"user {number}") for number in range(3)]
AGGREGATORS = [address_of(f"aggregator {number}") for number in range(3)]
WATCHERS = [address_of(f"watcher {number}") for number in range(2)]


def born(seed: str = "life") -> Storyteller:
    """A deployment in which five people have staked."""
    teller = Storyteller(ScriptedChain(scripted_subject(), seed))
    for person in PEOPLE[:5]:
        teller.stake(person)
    teller.chain.block()
    return teller


def fork(teller: Storyteller, seed: str) -> Storyteller:
    """A copy that goes its own way: from here on, the same events have other hashes."""
    chain = teller.chain
    # What never changes need not be copied, and is nearly all of it.
    shared = [chain.subject, chain._encoders, teller.parameters, *chain.logs]
    copy = deepcopy(teller, {id(each): each for each in shared})
    copy.chain._seed = seed
    return copy


def live(teller: Storyteller, random: Random, blocks: int) -> None:
    """Make some blocks, each with up to three calls; now and then one with none."""
    for _ in range(blocks):
        for _ in range(random.choice((0, 1, 1, 2, 3))):
            random.choice(_possible(teller, random))()
        teller.chain.block(random.choice((12, 12, 7200, 90_000)), random.choice((1, 1, 2, 5)))


def _possible(teller: Storyteller, random: Random) -> list[Callable[[], object]]:
    calls: list[Callable[[], object]] = []
    for person in PEOPLE:
        stake = teller.stakes.get(person)
        if stake is None or (not stake.slashed and not stake.active):
            calls.append(lambda person=person: teller.stake(person))  # type: ignore[misc]
        if stake is not None and stake.active:
            calls.append(lambda person=person: teller.unregister(person))  # type: ignore[misc]
        if stake is not None and stake.unbonding:
            calls.append(lambda person=person: teller.withdraw(person))  # type: ignore[misc]
    staked = [person for person, stake in teller.stakes.items() if stake.active]
    if len(staked) >= 4:
        cohort = random.sample(staked, 4)
        aggregator = random.choice([*AGGREGATORS, None])
        calls += [lambda: teller.open_instance(random.choice(USERS), cohort, random.randint(1, 3), aggregator)] * 3
    for instance_id in teller.instances:
        calls += 4 * _of_instance(teller, instance_id, random)
    for name, holds in teller.treasuries.items():
        if holds:
            calls.append(lambda name=name, holds=holds: teller.withdraw_treasury(name, holds // 2 or holds))  # type: ignore[misc]
    for account in teller.deposits:
        calls.append(lambda account=account: teller.withdraw_deposits(account))  # type: ignore[misc]
    for challenger in teller.credits:
        calls.append(lambda challenger=challenger: teller.claim_challenge(challenger))  # type: ignore[misc]
    return calls


def _of_instance(teller: Storyteller, instance_id: InstanceId, random: Random) -> list[Callable[[], object]]:
    told = teller.instances[instance_id]
    calls: list[Callable[[], object]] = []
    pending = len(told.epochs) - told.finalized
    if not told.settled and not told.stopped and len(told.epochs) < told.number_of_epochs:
        if int.from_bytes(told.genesis_root, "big") == 0:
            calls.append(lambda: teller.configure(instance_id, AGGREGATORS[0]))
        elif told.aggregator not in told.bonds:
            calls.append(lambda: teller.bond(instance_id))
            calls.append(lambda: teller.name_aggregator(instance_id, random.choice(AGGREGATORS)))
        else:
            calls += [lambda: _post(teller, instance_id, random)] * 2
            calls.append(lambda: teller.close_commits(instance_id))
            calls.append(lambda: teller.stop(instance_id))
    if pending:
        epoch = random.randint(told.finalized + 1, len(told.epochs))
        calls += [lambda: teller.finalize(instance_id)] * 2
        calls.append(lambda: teller.overturn(instance_id, epoch, random.choice(WATCHERS), random.randint(1, 12)))
        calls.append(lambda: _demand(teller, instance_id, epoch, random))
    if not pending and not told.settled and (told.stopped or told.finalized == told.number_of_epochs):
        calls.append(lambda: teller.settle(instance_id))
    if told.settled:
        for client in told.rewards:
            paid = teller.forfeit if teller.stakes[client].slashed else teller.claim
            calls.append(lambda client=client, paid=paid: paid(instance_id, client))  # type: ignore[misc]
        for aggregator in told.bonds:
            calls.append(lambda aggregator=aggregator: teller.withdraw_bond(instance_id, aggregator))  # type: ignore[misc]
        if told.refund:
            calls.append(lambda: teller.withdraw_refund(instance_id))
    for seat, client in enumerate(told.cohort):
        stake = teller.stakes[client]
        if told.final_reasons >> 4 * seat & 0xF and stake.active + stake.unbonding:
            calls.append(lambda client=client: teller.slash(instance_id, client))  # type: ignore[misc]
    return calls


def _post(teller: Storyteller, instance_id: InstanceId, random: Random) -> None:
    told = teller.instances[instance_id]
    before = told.epochs[-1].header.slash_reasons if told.epochs else 0
    free = [seat for seat in range(4) if not before >> 4 * seat & 0xF]
    verdicts = {free[0]: SlashReason(random.randint(1, 6))} if len(free) > 2 and random.random() < 0.4 else {}
    excluded = [free[-1]] if len(free) > 2 and random.random() < 0.3 else []
    teller.post_epoch(instance_id, metric=random.randrange(10**6), excluded=excluded, verdicts=verdicts)


def _demand(teller: Storyteller, instance_id: InstanceId, epoch: int, random: Random) -> None:
    header_hash = teller.instances[instance_id].epochs[epoch - 1].header_hash
    demand = teller.demand(instance_id, epoch, random.choice(WATCHERS), seat=random.randrange(4))
    end = random.randrange(3)
    if end == 0:
        teller.answer(demand, header_hash, random.choice(AGGREGATORS))
    elif end == 1:
        teller.fail_demand(demand, instance_id, epoch)
