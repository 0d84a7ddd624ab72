"""Who does what: hypothesis chooses the actors, their calls and the seconds in between.

A move either makes one call that may well be refused (the wrong caller, the wrong second, a forged header), or takes an
instance on by the next sensible step, so that a game comes to its interesting states at all.
"""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from tests.contracts.fuzz.game import Game
from tests.contracts.fuzz.model import Call, Mood, reason_of
from tests.contracts.fuzz.stage import ACTORS, AGGREGATORS, CLIENTS, CONTRACTS, PEOPLE, USERS, VERIFIERS
from tests.contracts.fuzz.state import Instance
from tests.contracts.fuzz.tally import MADE
from tests.contracts.world import (
    AGGREGATOR_BOND,
    BASE_FEE,
    CHALLENGE_WINDOW,
    FEE_PER_EPOCH,
    LIVENESS_PERIOD,
    NO_HASH,
    STAKE_AMOUNT,
    ZERO,
    Header,
    balance,
)

MAX_INSTANCES = 4
FIELDS = list(Header.__dataclass_fields__)
ROOTS = ["previous_header_hash", "commits_root", "base_model_root"]
BITMAPS = ["participants", "excluded", "slash_reasons"]
OTHER_ANSWERS = ["unRegister", "collectTrainingFees", "stopInstance", "slash", "forfeitReward"]
OTHER_ANSWERS += ["nameAggregator", "finalizeEpoch"]

OWED_BY = {
    "claimReward": "RewardManager",
    "withdrawRefund": "RewardManager",
    "withdrawBond": "ModelParameterChain",
    "claimChallengeReward": "ModelParameterChain",
    "withdrawStake": "StakingRegistry",
}

# What comes more often than the rest.
WEIGHTS = {
    "an_epoch_is_trained": 3,
    "an_instance_goes_on": 2,
    "an_instance_ends": 2,
    "an_epoch_is_overturned": 2,
    "a_verdict_is_executed": 2,
    "a_deadline_comes": 2,
    "somebody_comes_for_what_is_owed": 3,
    "somebody_comes_or_goes": 2,
    "somebody_forges_a_header": 2,
    "a_contract_is_paid_and_calls_back": 3,
}

# Strategies. "right" is whoever the call is for.
caller = st.sampled_from(["right"] * 30 + PEOPLE)
person = st.sampled_from(PEOPLE)
client = st.sampled_from(CLIENTS)
# Counts round among the instances there are; nought is one that does not exist.
which_one = st.integers(0, 2 * MAX_INSTANCES)
receiver = st.sampled_from(["", "", "", *PEOPLE, *CONTRACTS, "babbler", "nobody"])
nearly = st.sampled_from([0, 0, 0, 0, 0, 0, -1, 1])


class Life(Game):
    """A game and its moves."""

    def _order(self, user: str, cohort: list[str], epochs: int, aggregator: str | None) -> None:
        clients = [self.stage.people[name] for name in cohort]
        configuration = (self.unique("genesis"), 7, self.unique("rules"))
        arguments = (self.stage.people[aggregator], *configuration) if aggregator else ()
        value = BASE_FEE + epochs * FEE_PER_EPOCH
        self.call(user, "RewardManager", "newUserInstance", clients, epochs, *arguments, value=value)

    @rule(which=st.integers(0, 7), offset=st.sampled_from([-1, 0, 1, 1]))
    def a_deadline_comes(self, which: int, offset: int) -> None:
        """A second before, in time, or a second late."""
        deadlines = self.deadlines()
        if deadlines:
            self.wait_until(deadlines[min(which, len(deadlines) - 1)] + offset)

    # What keeps a run going

    @classmethod
    def rules(cls) -> list[Any]:
        """The rules, as often as they weigh: without the honest work there would be nothing to attack."""
        return [each for each in super().rules() for _ in range(WEIGHTS.get(each.function.__name__, 1))]

    @initialize(
        steps=st.lists(st.tuples(which_one, st.integers(0, 2**14 - 1), st.integers(0, 7)), max_size=16),
        ended=st.integers(0, 2),
        stops=st.booleans(),
    )
    def a_history(self, steps: list[tuple[int, int, int]], ended: int, stops: bool) -> None:
        """What happened before anybody meant harm."""
        for which, bits, cheats in steps:
            self._go_on(self.pick(which or 1), bits, cheats)
        for which in self.unsettled[:ended]:
            self._end(which, stops)

    @precondition(lambda self: len(self.instances) < MAX_INSTANCES)
    @rule(user=st.sampled_from(USERS), first=st.integers(0, 6), size=st.integers(4, 7), epochs=st.integers(1, 3))
    def somebody_orders(self, user: str, first: int, size: int, epochs: int) -> None:
        staked = [name for name in CLIENTS if self.model.state.client(self.stage.people[name]).staked]
        first %= max(1, len(staked))
        cohort = (staked[first:] + staked[:first])[:size]
        self._order(user, cohort, epochs, None if epochs == 2 else AGGREGATORS[size % 3])

    @rule(which=which_one, bits=st.integers(0, 2**14 - 1), cheats=st.integers(0, 7))
    def an_epoch_is_trained(self, which: int, bits: int, cheats: int) -> None:
        which = self.pick(which or 1)
        for _ in range(2):
            self._go_on(which, bits, cheats)

    @rule(which=which_one, bits=st.integers(0, 2**14 - 1), cheats=st.integers(0, 7))
    def an_instance_goes_on(self, which: int, bits: int, cheats: int) -> None:
        self._go_on(self.pick(which or 1), bits, cheats)

    @precondition(lambda self: self.unsettled)
    @rule(which=which_one, stops=st.booleans())
    def an_instance_ends(self, which: int, stops: bool) -> None:
        self._end(self.unsettled[which % len(self.unsettled)], stops)

    def _end(self, which: int, stops: bool) -> None:
        """Every epoch that is posted becomes final, and who may stop the instance does."""
        instance = self.instances[which]
        if stops and not instance.training.stopped_at:
            who = self.sender("right", instance.training.user)
            self.call(who, "ModelParameterChain", "stopInstance", which)
        for epoch in range(instance.training.finalized + 1, instance.training.posted + 1):
            self.wait_until(instance.epochs[epoch].posted_at + CHALLENGE_WINDOW + 1)
            self.call("heir", "ModelParameterChain", "finalizeEpoch", which, epoch)
        if not stops and instance.training.finalized < instance.training.number_of_epochs:
            return
        deadline = instance.epoch(instance.training.posted + 1).commits_closed_at + LIVENESS_PERIOD + 1
        self.wait_until(deadline)
        self.call("heir", "RewardManager", "collectTrainingFees", which)

    @property
    def unsettled(self) -> list[int]:
        return [number for number, instance in self.instances.items() if not instance.order.settled]

    def _go_on(self, which: int, bits: int, cheats: int) -> None:
        """The next sensible step of an instance, by whoever is there to do it."""
        instance = self.instances[which]
        training = instance.training
        names, chain = self.stage.names, "ModelParameterChain"
        if instance.order.settled:
            return
        if self.model.is_closed(instance):
            self.call("stranger", "RewardManager", "collectTrainingFees", which)
        elif training.finalized < training.posted and (cheats & 1 or training.posted == training.number_of_epochs):
            self.wait_until(instance.epochs[training.finalized + 1].posted_at + CHALLENGE_WINDOW + 1)
            self.call("stranger", chain, "finalizeEpoch", which, training.finalized + 1)
        elif training.stopped_at and not self._awaited(instance):
            return
        elif training.aggregator == ZERO:
            aggregator = self.stage.people[AGGREGATORS[bits % 3]]
            arguments = (aggregator, self.unique("genesis"), 7, self.unique("rules"))
            self.call(names[training.user], chain, "configureInstance", which, *arguments)
        elif training.aggregator not in instance.bonds:
            aggregator = names.get(training.aggregator)
            if aggregator is not None and not training.stopped_at:
                self.call(aggregator, chain, "depositBond", which, value=AGGREGATOR_BOND)
        elif self._awaited(instance):
            header = self._header(which, bits, cheats)
            self.call(names[training.aggregator], chain, "submitEpoch", header.words)
        else:
            attempt = training.attempt + (training.posted + 1 in instance.epochs)
            arguments = (which, training.posted + 1, attempt, self.unique("commits"))
            self.call(names[training.aggregator], chain, "closeCommits", *arguments)

    def _awaited(self, instance: Instance) -> bool:
        closed_at = instance.epoch(instance.training.posted + 1).commits_closed_at
        return closed_at != 0 and self.now <= closed_at + LIVENESS_PERIOD

    def _header(self, which: int, bits: int, cheats: int) -> Header:
        """A header that the contract takes: `bits` say who takes part and who is excluded, `cheats` who is accused."""
        instance = self.instances.get(which, Instance())
        training = instance.training
        seats = max(1, training.cohort_size)
        honest = [seat for seat in range(seats) if not reason_of(training.slash_reasons, seat)] or [0]
        kept = honest[bits % len(honest)]
        participants = sum(1 << seat for seat in honest if not bits >> seat & 1) | 1 << kept
        excluded = participants & bits >> 7 & ~(1 << kept)
        accused = [seat for seat in range(seats) if excluded >> seat & 1][: cheats // 2]
        reasons = training.slash_reasons | sum((1 + (seat + cheats) % 6) << (4 * seat) for seat in accused)
        return Header(
            instance_id=which,
            epoch=training.posted + 1,
            attempt=training.attempt,
            previous_header_hash=training.last_header_hash,
            commits_root=instance.epoch(training.posted + 1).commits_root,
            submissions_root=self.unique("submissions"),
            gram_root=self.unique("gram"),
            stats_root=self.unique("stats"),
            base_model_root=training.last_model_root,
            delta_root=self.unique("delta"),
            next_model_root=self.unique("model"),
            participants=participants,
            excluded=excluded,
            slash_reasons=reasons,
            carried_root=self.unique("counters"),
            metric=870_000,
            data_locator=self.unique("manifest"),
        )

    @property
    def pending(self) -> list[tuple[int, int]]:
        """The epochs that can be overturned."""
        return [
            (number, epoch)
            for number, instance in self.instances.items()
            for epoch in range(instance.training.finalized + 1, instance.training.posted + 1)
        ]

    @rule(
        which=which_one,
        back=st.integers(0, 2),
        verifier=st.sampled_from(VERIFIERS),
        challenger=person,
        case=st.integers(1, 12),
        goes_on=st.integers(0, 4),
        bits=st.integers(0, 2**14 - 1),
    )
    def an_epoch_is_overturned(
        self, which: int, back: int, verifier: str, challenger: str, case: int, goes_on: int, bits: int
    ) -> None:
        """One is trained before, where none is pending; and some steps towards posting it anew may follow."""
        which = self.pick(which or 1)
        for _ in range(4):
            if not any(number == which for number, _ in self.pending):
                self._go_on(which, bits, 0)
        epochs = [epoch for number, epoch in self.pending if number == which]
        if not epochs:
            return
        epoch = epochs[max(0, len(epochs) - 1 - back)]
        arguments = (which, epoch, self.stage.people[challenger], case)
        self.call(verifier, "ModelParameterChain", "overturnEpoch", *arguments)
        for _ in range(goes_on):
            self._go_on(which, bits, 0)

    @property
    def guilty(self) -> list[tuple[int, list[str]]]:
        """Instances with verdicts that can be executed, and against whom."""
        stakes = self.model.state.clients
        found = [
            (number, [each for each in instance.verdicts if each in stakes and stakes[each].stake])
            for number, instance in self.instances.items()
        ]
        return [(number, clients) for number, clients in found if clients]

    @precondition(lambda self: self.guilty)
    @rule(which=which_one, first=st.integers(0, 3))
    def a_verdict_is_executed(self, which: int, first: int) -> None:
        number, clients = self.guilty[which % len(self.guilty)]
        self.call(
            "stranger",
            "SlashingManager",
            "slash",
            clients[first:] or clients,
            number,
            self.stage.address("StakingRegistry"),
        )

    def owed(self) -> list[tuple[str, str, int | None]]:
        """Who has something to come for, whether it is time or not: who, by which function, in which instance."""
        claims: list[tuple[str, str, int | None]] = []
        for number, instance in self.instances.items():
            claims += [(who, "claimReward", number) for who in instance.rewards]
            claims += [(instance.order.user, "withdrawRefund", number)] if instance.refund else []
            claims += [(who, "withdrawBond", number) for who in instance.bonds]
        claims += [(who, "claimChallengeReward", None) for who in self.model.state.challengers]
        stakes = self.model.state.clients
        return claims + [(who, "withdrawStake", None) for who, client in stakes.items() if client.unbonding]

    def _come_for(self, claim: tuple[str, str, int | None], to: str) -> None:
        who, function, number = claim
        arguments = (*(() if number is None else (number,)), *self.to(to))
        self.call(self.stage.names[who], OWED_BY[function], function, *arguments)

    @precondition(lambda self: self.owed())
    @rule(which=st.integers(0, 15), to=receiver)
    def somebody_comes_for_what_is_owed(self, which: int, to: str) -> None:
        owed = self.owed()
        self._come_for(owed[which % len(owed)], to)

    @precondition(lambda self: self.owed())
    @rule(
        which=st.integers(0, 15),
        actor=st.sampled_from(ACTORS),
        answer=st.sampled_from(["the same", "the same", "what else it is owed", *OTHER_ANSWERS]),
        whom=client,
    )
    def a_contract_is_paid_and_calls_back(self, which: int, actor: str, answer: str, whom: str) -> None:
        """In the middle of the payment it asks for the same again, for what else it is owed, or for something else."""
        names, owed = self.stage.names, self.owed()
        own = [claim for claim in owed if names[claim[0]] in ACTORS and names[claim[0]] not in self.vanished]
        claim = (own or owed)[which % len(own or owed)]
        actor = names[claim[0]] if own else actor
        address = self.stage.people[actor]
        others = [each for each in owed if each[0] == address and each != claim] or [claim]
        function, number = claim[1:] if answer == "the same" else others[which % len(others)][1:]
        if answer in OTHER_ANSWERS:
            back = self._answer(address, answer, self.pick(1 + which), self.stage.people[whom])
        else:
            back = Call(address, OWED_BY[function], function, () if number is None else (number,))
        if claim[1] == "withdrawStake":
            self.wait_until(self.model.state.client(claim[0]).timelock)
        self._prepare_to_call_back(actor, back)
        self._come_for(claim, "" if own else actor)

    def _prepare_to_call_back(self, who: str, back: Call) -> None:
        contract, actor = self.stage.actors[who], self.model.actors[self.stage.people[who]]
        target = self.stage.contracts[back.contract]
        contract.callBack(target.address, getattr(target, back.function).prepare_calldata(*back.arguments))
        actor.mood, actor.answer = Mood.CALLING_BACK, back

    @rule(which=which_one, aggregator=st.sampled_from(AGGREGATORS))
    def a_silent_aggregator_is_replaced(self, which: int, aggregator: str) -> None:
        which = self.pick(which or 1)
        self.wait_until(self.instances[which].training.last_activity + LIVENESS_PERIOD + 1)
        who = self.sender("right", self.owner(which, "user"))
        self.call(who, "ModelParameterChain", "nameAggregator", which, self.stage.people[aggregator])

    # What anybody may try at any time

    def owner(self, which: int, role: str) -> str:
        """The address of an instance's user or aggregator."""
        return str(getattr(self.instances.get(which, Instance()).training, role))

    def to(self, name: str) -> tuple[str, ...]:
        """The receiver as an argument, none when it is left out."""
        return (self.stage.address(name),) if name else ()

    @rule(
        who=st.sampled_from([*CLIENTS, *PEOPLE]),
        how=st.sampled_from(["stake", "leave", "withdraw"]),
        offset=nearly,
        to=receiver,
    )
    def somebody_comes_or_goes(self, who: str, how: str, offset: int, to: str) -> None:
        staked = self.model.state.client(self.stage.people[who]).staked
        if how == "withdraw":
            self.call(who, "StakingRegistry", "withdrawStake", *self.to(to))
        elif (how == "stake") != staked:
            self.call(
                who,
                "StakingRegistry",
                "unRegister" if staked else "stake",
                value=0 if staked else STAKE_AMOUNT + offset,
            )
        elif offset:
            # What makes no sense: to stake twice, or to leave without having come.
            self.call(who, "StakingRegistry", "stake" if staked else "unRegister", value=STAKE_AMOUNT if staked else 0)

    @rule(
        who=person,
        cohort=st.lists(st.sampled_from([*CLIENTS, *CLIENTS, "stranger", "nobody"]), max_size=8),
        epochs=st.sampled_from([0, 1, 2, 1024, 1025]),
        words=st.tuples(st.booleans(), st.booleans(), st.sampled_from([0, 1, 2**30, 2**30 + 1]), st.booleans()),
        offset=nearly,
    )
    def somebody_orders_anything(
        self, who: str, cohort: list[str], epochs: int, words: tuple[bool, bool, int, bool], offset: int
    ) -> None:
        if len(self.instances) >= MAX_INSTANCES or epochs == 1024:
            # A thousand epochs would be read back after every call: the order must be refused, for its value.
            offset = offset or 1
        aggregator, root, d, rules = words
        configuration = (
            self.stage.people["aggregator"] if aggregator else ZERO,
            self.unique("genesis") if root else NO_HASH,
            d,
            self.unique("rules") if rules else NO_HASH,
        )
        value = BASE_FEE + epochs * FEE_PER_EPOCH + offset
        clients = [self.stage.address(name) for name in cohort]
        self.call(who, "RewardManager", "newUserInstance", clients, epochs, *configuration, value=value)

    @rule(
        who=caller,
        which=which_one,
        what=st.sampled_from(["configure", "name", "stop", "refund"]),
        aggregator=st.sampled_from([*AGGREGATORS, *AGGREGATORS, "nobody", "client 0"]),
        words=st.tuples(st.booleans(), st.sampled_from([1, 1, 1, 0, 2**30, 2**30 + 1]), st.booleans()),
    )
    def somebody_acts_as_user(
        self, who: str, which: int, what: str, aggregator: str, words: tuple[bool, int, bool]
    ) -> None:
        which = self.pick(which)
        who = self.sender(who, self.owner(which, "user"))
        if what == "configure":
            root, d, rules = words
            genesis = (NO_HASH if root else self.unique("genesis"), d, NO_HASH if rules else self.unique("rules"))
            arguments = (which, self.stage.address(aggregator), *genesis)
            self.call(who, "ModelParameterChain", "configureInstance", *arguments)
        elif what == "name":
            self.call(who, "ModelParameterChain", "nameAggregator", which, self.stage.address(aggregator))
        elif what == "stop":
            self.call(who, "ModelParameterChain", "stopInstance", which)
        else:
            self.call(who, "RewardManager", "withdrawRefund", which)

    @rule(
        who=caller,
        which=which_one,
        what=st.sampled_from(["deposit", "withdraw", "close"]),
        offset=nearly,
        attempt=nearly,
        root=st.sampled_from("yyyn"),
    )
    def somebody_acts_as_aggregator(
        self, who: str, which: int, what: str, offset: int, attempt: int, root: str
    ) -> None:
        which = self.pick(which)
        training = self.instances.get(which, Instance()).training
        who = self.sender(who, training.aggregator)
        if what == "deposit":
            self.call(who, "ModelParameterChain", "depositBond", which, value=AGGREGATOR_BOND + offset)
        elif what == "withdraw":
            self.call(who, "ModelParameterChain", "withdrawBond", which)
        else:
            commits = self.unique("commits") if root == "y" else NO_HASH
            arguments = (max(0, training.posted + 1 + offset), max(0, training.attempt + attempt), commits)
            self.call(who, "ModelParameterChain", "closeCommits", which, *arguments)

    @rule(
        who=caller,
        which=which_one,
        bits=st.integers(0, 2**14 - 1),
        cheats=st.integers(0, 7),
        forgery=st.sampled_from(["", "", "instance_id", "epoch", "attempt", *ROOTS, *BITMAPS]),
        seat=st.sampled_from([0, 1, 2, 3, 4, 5, 6, 7, 63]),
        reason=st.integers(0, 15),
    )
    def somebody_forges_a_header(
        self, who: str, which: int, bits: int, cheats: int, forgery: str, seat: int, reason: int
    ) -> None:
        waiting = [number for number, instance in self.instances.items() if self._awaited(instance)]
        which = waiting[which % len(waiting)] if waiting else self.pick(which)
        who = self.sender(who, self.owner(which, "aggregator"))
        honest = self._header(which, bits, cheats)
        words = {name: getattr(honest, name) for name in FIELDS}
        if forgery in ("participants", "excluded"):
            words[forgery] ^= 1 << seat
        elif forgery == "slash_reasons":
            words[forgery] ^= reason << (4 * seat)
        elif forgery in ROOTS:
            words[forgery] = self.unique("forgery")
        elif forgery:
            words[forgery] += 1
        self.call(who, "ModelParameterChain", "submitEpoch", Header(**words).words)

    @rule(
        who=person,
        which=which_one,
        what=st.sampled_from(["finalize", "settle", "claim", "forfeit", "forfeit what is there"]),
        offset=nearly,
        whose=client,
        to=receiver,
    )
    def somebody_does_what_anybody_may(self, who: str, which: int, what: str, offset: int, whose: str, to: str) -> None:
        which = self.pick(which)
        address = self.stage.people[whose]
        if what == "finalize":
            epoch = max(0, self.instances.get(which, Instance()).training.finalized + 1 + offset)
            self.call(who, "ModelParameterChain", "finalizeEpoch", which, epoch)
        elif what == "settle":
            self.call(who, "RewardManager", "collectTrainingFees", which)
        elif what == "claim":
            self.call(whose, "RewardManager", "claimReward", which, *self.to(to))
        elif what == "forfeit":
            self.call(who, "RewardManager", "forfeitReward", which, address)
        else:
            for number, instance in self.instances.items():
                for slashed in [each for each in instance.rewards if self.model.state.client(each).slashed]:
                    self.call(who, "RewardManager", "forfeitReward", number, slashed)

    @rule(
        who=person,
        which=which_one,
        whom=st.lists(client, max_size=4),
        registry=st.sampled_from(["StakingRegistry"] * 5 + ["RewardManager"]),
    )
    def somebody_slashes(self, who: str, which: int, whom: list[str], registry: str) -> None:
        which = self.pick(which)
        clients = [self.stage.people[name] for name in whom]
        self.call(who, "SlashingManager", "slash", clients, which, self.stage.address(registry))

    @rule(who=person, whom=client, what=st.sampled_from(["slash", "open", "overturn", "pay", "pay the chain"]))
    def somebody_does_what_nobody_may(self, who: str, whom: str, what: str) -> None:
        """Calls that only a contract may make, and ether for functions that take none."""
        address = self.stage.people[whom]
        if what == "slash":
            self.call(who, "StakingRegistry", "slashStake", address)
        elif what == "open":
            self.call(who, "ModelParameterChain", "openInstance", 1, self.stage.people[who], [address] * 4, 1)
        elif what == "overturn":
            number, epoch = (self.pending or [(1, 1)])[0]
            self.call(who, "ModelParameterChain", "overturnEpoch", number, epoch, self.stage.people[who], 1)
        elif what == "pay":
            self.call(who, "StakingRegistry", "unRegister", value=1)
        else:
            self.call(who, "ModelParameterChain", "stopInstance", 1, value=1)

    @rule(
        which=which_one, verifier=st.sampled_from(VERIFIERS), challenger=person, offset=st.sampled_from([-1, 0, 1, 2])
    )
    def a_verifier_names_any_epoch(self, which: int, verifier: str, challenger: str, offset: int) -> None:
        which = self.pick(which)
        epoch = max(0, self.instances.get(which, Instance()).training.finalized + offset)
        arguments = (which, epoch, self.stage.people[challenger], 1)
        self.call(verifier, "ModelParameterChain", "overturnEpoch", *arguments)

    @precondition(lambda self: len(self.vanished) < 2)
    @rule(who=st.sampled_from([*USERS, *AGGREGATORS]), really=st.integers(0, 3))
    def somebody_vanishes(self, who: str, really: int) -> None:
        """It is never heard of again; only on the way out does it come for what is its own."""
        if not really:
            self.vanished.add(who)

    @rule(
        who=st.sampled_from(["admin", "admin", "heir", "stranger"]),
        which=st.sampled_from(["SlashTreasury", "RewardTreasury"]),
        what=st.sampled_from(["withdraw", "withdraw", "offer", "accept"]),
        part=st.integers(0, 5),
        heir=st.sampled_from(["heir", "admin"]),
    )
    def somebody_tries_a_treasury(self, who: str, which: str, what: str, part: int, heir: str) -> None:
        if what == "withdraw":
            self.call(who, which, "withdraw", balance(self.stage.address(which)) * part // 4)
        elif what == "offer":
            self.call(who, which, "transferAdmin", self.stage.people[heir])
        else:
            self.call(who, which, "acceptAdmin")

    # Ether that nobody asked for, and contracts that take it badly

    @rule(to=st.sampled_from([*CONTRACTS, "SlashTreasury"]), amount=st.integers(1, 1000), forced=st.booleans())
    def ether_comes_unasked(self, to: str, amount: int, forced: bool) -> None:
        if not forced and to.endswith("Treasury"):
            self.call("stranger", to, "__default__", value=amount)
            return
        address = self.stage.address(to)
        before = balance(address)
        self.stage.bomb.force(address, sender=self.stage.driver, value=amount)
        assert balance(address) == before + amount
        MADE["anybody.selfdestruct"] += 1
        self.model.purses[self.stage.driver] -= amount
        self.forced[address] = self.forced.get(address, 0) + amount
        self.check()

    @rule(who=st.sampled_from(ACTORS), mood=st.sampled_from([Mood.KIND, Mood.KIND, Mood.REFUSING, Mood.BURNING]))
    def a_contract_changes_its_mood(self, who: str, mood: Mood) -> None:
        """From now on it takes ether, refuses it, or burns all gas that it is given."""
        contract, actor = self.stage.actors[who], self.model.actors[self.stage.people[who]]
        {Mood.KIND: contract.accept, Mood.REFUSING: contract.refuse, Mood.BURNING: contract.burn}[mood]()
        actor.mood, actor.answer = mood, None

    def _answer(self, sender: str, what: str, which: int, whom: str) -> Call:
        final = self.instances.get(which, Instance()).training.finalized
        contract, arguments = {
            "unRegister": ("StakingRegistry", ()),
            "collectTrainingFees": ("RewardManager", (which,)),
            "stopInstance": ("ModelParameterChain", (which,)),
            "slash": ("SlashingManager", ([whom], which, self.stage.address("StakingRegistry"))),
            "forfeitReward": ("RewardManager", (which, whom)),
            "nameAggregator": ("ModelParameterChain", (which, self.stage.people["successor"])),
            "finalizeEpoch": ("ModelParameterChain", (which, final + 1)),
        }[what]
        return Call(sender, contract, what, arguments)
