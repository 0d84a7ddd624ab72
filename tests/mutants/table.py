"""What is broken, where, and what it would cost. Every `original` occurs once in its file."""

from __future__ import annotations

from dataclasses import dataclass

REGISTRY = "StakingRegistry.vy"
SLASHING = "SlashingManager.vy"
REWARDS = "RewardManager.vy"
CHAIN = "ModelParameterChain.vy"
TREASURY = "modules/treasury.vy"
SEATS = "modules/seats.vy"
HEADERS = "modules/headers.vy"


@dataclass(frozen=True)
class Mutant:
    """One deliberate defect."""

    name: str
    file: str
    original: str
    replacement: str
    why: str


def cut(text: str) -> str:
    """What remains of a statement that is left out: its line, without it."""
    return text[: len(text) - len(text.lstrip())] + "pass"


def without(name: str, file: str, statement: str, why: str) -> Mutant:
    """A statement left out."""
    return Mutant(name, file, statement, cut(statement), why)


def swapped(name: str, file: str, first: str, second: str, why: str) -> Mutant:
    """Two neighbouring passages in the wrong order."""
    return Mutant(name, file, f"{first}\n{second}", f"{second}\n{first}", why)


_REGISTRY = [
    Mutant(
        "any larger stake is taken",
        REGISTRY,
        "assert msg.value == STAKE_AMOUNT",
        "assert msg.value >= STAKE_AMOUNT",
        "clients stake unequal amounts, and more than they were told",
    ),
    without(
        "a slashed client stakes again",
        REGISTRY,
        '    assert not self.isSlashed[msg.sender], "StakingRegistry: client has been slashed"',
        "who was thrown out comes back under its name",
    ),
    without(
        "a staked client stakes again",
        REGISTRY,
        '    assert not self.isStaked[msg.sender], "StakingRegistry: client is already staked"',
        "a second stake by mistake",
    ),
    Mutant(
        "a new stake replaces the unbonding one",
        REGISTRY,
        "self.clientStakes[msg.sender] += msg.value",
        "self.clientStakes[msg.sender] = msg.value",
        "the old stake is out of reach of a slash, and lost",
    ),
    without(
        "who leaves stays registered",
        REGISTRY,
        "    self.isStaked[msg.sender] = False",
        "a client without a stake is put into cohorts",
    ),
    Mutant(
        "the unbonding stake is counted twice",
        REGISTRY,
        "self.unbondingStakes[msg.sender] = amount",
        "self.unbondingStakes[msg.sender] += amount",
        "who leaves twice withdraws others' stakes",
    ),
    Mutant(
        "the staking period is a second short",
        REGISTRY,
        "block.timestamp + STAKING_PERIOD",
        "block.timestamp + STAKING_PERIOD - 1",
        "the margin for slashing shrinks",
    ),
    Mutant(
        "a stake is locked a second longer",
        REGISTRY,
        "assert block.timestamp >= self.withdrawlTimelock[msg.sender]",
        "assert block.timestamp > self.withdrawlTimelock[msg.sender]",
        "the announced second is not kept",
    ),
    Mutant(
        "a stake is paid before its time and not after",
        REGISTRY,
        "assert block.timestamp >= self.withdrawlTimelock[msg.sender]",
        "assert block.timestamp <= self.withdrawlTimelock[msg.sender]",
        "V1-2: the period protects nothing and then locks for ever",
    ),
    without(
        "a withdrawn stake can be withdrawn again",
        REGISTRY,
        "    self.unbondingStakes[msg.sender] = 0",
        "one stake is paid out of all the others",
    ),
    Mutant(
        "a withdrawal forgets the active stake",
        REGISTRY,
        "self.clientStakes[msg.sender] -= amount",
        "self.clientStakes[msg.sender] = 0",
        "a client that came back can neither be slashed nor leave with its stake",
    ),
    swapped(
        "a stake is paid before it is written off",
        REGISTRY,
        "    self.unbondingStakes[msg.sender] = 0\n"
        "    self.withdrawlTimelock[msg.sender] = 0\n"
        "    self.clientStakes[msg.sender] -= amount\n"
        "    log WithdrawStake(client=msg.sender)\n"
        "    log StakeReturned(client=msg.sender, amount=amount)",
        '    assert payments._send(receiver, amount), "StakingRegistry: receiver refused the payment"',
        "a client that calls back withdraws twice",
    ),
    Mutant(
        "a stake is paid to the client whatever it says",
        REGISTRY,
        "assert payments._send(receiver, amount)",
        "assert payments._send(msg.sender, amount)",
        "a client that cannot take ether loses its stake",
    ),
    Mutant(
        "a refused stake is kept",
        REGISTRY,
        '    assert payments._send(receiver, amount), "StakingRegistry: receiver refused the payment"',
        "    taken: bool = payments._send(receiver, amount)",
        "the books say paid, the ether is stuck",
    ),
    without(
        "anybody slashes",
        REGISTRY,
        '    assert msg.sender == SLASHING_MANAGER, "StakingRegistry: caller is not the slashing manager"',
        "V1-5 without even a key",
    ),
    without(
        "nothing is slashed from who has nothing",
        REGISTRY,
        '    assert amount != 0, "StakingRegistry: client has no stake"',
        "V1-4: an innocent address is barred for good",
    ),
    Mutant(
        "a slash misses what is unbonding",
        REGISTRY,
        'amount: uint256 = self.clientStakes[client]\n    assert amount != 0, "StakingRegistry: client has no stake"',
        "amount: uint256 = self.clientStakes[client] - self.unbondingStakes[client]\n"
        '    assert amount != 0, "StakingRegistry: client has no stake"',
        "who is faster than the verdict keeps its stake",
    ),
    without(
        "a slashed client is not barred",
        REGISTRY,
        "    self.isSlashed[client] = True",
        "it comes back, and is paid what it had earned",
    ),
    without(
        "a slashed client stays staked",
        REGISTRY,
        "    self.isStaked[client] = False",
        "it is put into cohorts with nothing at stake",
    ),
    without(
        "a slash leaves the unbonding stake to be withdrawn",
        REGISTRY,
        "    self.unbondingStakes[client] = 0",
        "the slashed amount is paid a second time, if it can be",
    ),
    without(
        "a slash leaves the timelock",
        REGISTRY,
        "    self.withdrawlTimelock[client] = 0",
        "the state says that something is on its way out",
    ),
    Mutant(
        "a slashed stake is anothers",
        REGISTRY,
        "assert payments._send(SLASH_TREASURY_ADDRESS, amount)",
        "assert payments._send(tx.origin, amount)",
        "whoever executes a verdict is paid for it",
    ),
]

_SLASHING = [
    without(
        "any registry is slashed",
        SLASHING,
        '    assert stakingRegistry == STAKING_REGISTRY, "SlashingManager: not the registry of this deployment"',
        "V1-5: verdicts are shown to have been executed where they were not",
    ),
    without(
        "a verdict is not needed",
        SLASHING,
        '        assert reason != 0, "SlashingManager: client is not finally slashable"',
        "anybody is slashed by anybody",
    ),
    Mutant(
        "one client without a stake blocks the list",
        SLASHING,
        "if staticcall registry.clientStakes(client) == 0:",
        "if staticcall registry.clientStakes(client) == 1:",
        "the culprits slash one of their own first",
    ),
    without(
        "slashing nobody succeeds",
        SLASHING,
        '    assert total != 0, "SlashingManager: nothing is left to slash"',
        "an empty slash is announced",
    ),
    Mutant(
        "the staking period needs no margin",
        SLASHING,
        "staticcall mps_chain.CHALLENGE_WINDOW() + slashMargin",
        "staticcall mps_chain.CHALLENGE_WINDOW()",
        "a deployment in which the fastest culprit is out of reach",
    ),
    Mutant(
        "epoch and reason are mixed up",
        SLASHING,
        "epoch=epoch, reason=reason, amount",
        "epoch=reason, reason=epoch, amount",
        "the log accuses of something else",
    ),
]

_REWARDS = [
    Mutant(
        "an overpayment is kept",
        REWARDS,
        "assert msg.value == BASE_FEE + escrow",
        "assert msg.value >= BASE_FEE + escrow",
        "V1-7: unrefunded ether",
    ),
    Mutant(
        "cohorts are one larger at the least",
        REWARDS,
        "assert len(clients) >= limits.MIN_COHORT",
        "assert len(clients) > limits.MIN_COHORT",
        "a cohort of four is refused",
    ),
    without(
        "a client has two seats",
        REWARDS,
        "        self._seen[instance_id][client] = True",
        "one client votes twice and is paid twice",
    ),
    without(
        "who has not staked trains",
        REWARDS,
        "        assert staticcall IStakingRegistry(STAKING_REGISTRY).isStaked(client), "
        '"RewardManager: client is not staked"',
        "V1-6: cheating costs nothing",
    ),
    Mutant(
        "the user is who sent the transaction",
        REWARDS,
        "user=msg.sender, numberOfEpochs=numberOfEpochs, escrow=escrow, settled=False",
        "user=tx.origin, numberOfEpochs=numberOfEpochs, escrow=escrow, settled=False",
        "a contract that pays does not get its refund",
    ),
    without(
        "the base fee stays behind",
        REWARDS,
        "    self._pay_treasury(BASE_FEE)",
        "the protocol's income is stuck",
    ),
    Mutant(
        "there are 1025 epochs",
        REWARDS,
        "assert numberOfEpochs <= limits.MAX_EPOCHS",
        "assert numberOfEpochs <= limits.MAX_EPOCHS + 1",
        "an instance that cannot be settled",
    ),
    without(
        "fees are collected twice",
        REWARDS,
        '    assert not instance.settled, "RewardManager: instance is settled already"',
        "V1-7: rewards that were claimed are credited again",
    ),
    without(
        "an open instance is settled",
        REWARDS,
        '    assert closed, "RewardManager: instance is not closed"',
        "the user has its escrow back while others work",
    ),
    Mutant(
        "who cheated is paid",
        REWARDS,
        "if epochs[seat] != 0 and (slash_reasons >> (4 * seat)) & 15 == 0:",
        "if epochs[seat] != 0:",
        "a slashed party is still rewarded",
    ),
    Mutant(
        "another seats cheat is not paid",
        REWARDS,
        "(slash_reasons >> (4 * seat)) & 15 == 0",
        "(slash_reasons >> seat) & 15 == 0",
        "an honest neighbour pays for it",
    ),
    without(
        "the settlement forgets to remember",
        REWARDS,
        "    self.idToUserInstance[instanceId].settled = True",
        "it is settled again and again",
    ),
    without(
        "the escrow is still held after the settlement",
        REWARDS,
        "    self.idToUserInstance[instanceId].escrow = 0",
        "the books show ether that is not there",
    ),
    Mutant(
        "the whole escrow comes back",
        REWARDS,
        "refund: uint256 = instance.escrow - billed_epochs * FEE_PER_EPOCH",
        "refund: uint256 = instance.escrow",
        "refunds are paid out of others' escrow",
    ),
    Mutant(
        "remainders are nobodys",
        REWARDS,
        "billed_epochs * FEE_PER_EPOCH - clients_total",
        "billed_epochs * (FEE_PER_EPOCH - _CLIENTS_FEE)",
        "wei that can never leave",
    ),
    Mutant(
        "the protocol takes no fee",
        REWARDS,
        "share: uint256 = _CLIENTS_FEE // sharers",
        "share: uint256 = FEE_PER_EPOCH // sharers",
        "the protocol's part is paid to the clients",
    ),
    Mutant(
        "a full house is paid nothing",
        REWARDS,
        "for sharers: uint256 in range(1, limits.MAX_COHORT + 1):",
        "for sharers: uint256 in range(1, limits.MAX_COHORT):",
        "64 accepted seats share nothing",
    ),
    Mutant(
        "seats past the sixteenth are counted in the wrong word",
        REWARDS,
        "tallies[LANE_WORDS * sharers + seat // LANES]",
        "tallies[LANE_WORDS * sharers]",
        "seat 16 is paid for what seat 0 did",
    ),
    Mutant(
        "a slashed client claims",
        REWARDS,
        "    assert not staticcall IStakingRegistry(STAKING_REGISTRY).isSlashed(\n"
        "        msg.sender\n"
        '    ), "RewardManager: client has been slashed"',
        "    pass",
        "a slashed party is still rewarded",
    ),
    without(
        "a reward is claimed twice",
        REWARDS,
        "    self.rewards[instanceId][msg.sender] = 0",
        "rewards are paid out of others' escrow",
    ),
    swapped(
        "a reward is paid before it is written off",
        REWARDS,
        "    self.rewards[instanceId][msg.sender] = 0\n"
        "    log RewardClaimed(instanceId=instanceId, client=msg.sender, receiver=receiver, amount=amount)",
        '    assert payments._send(receiver, amount), "RewardManager: receiver refused the payment"',
        "a client that calls back is paid twice",
    ),
    Mutant(
        "anybodys reward is forfeited",
        REWARDS,
        "    assert staticcall IStakingRegistry(STAKING_REGISTRY).isSlashed(\n"
        "        client\n"
        '    ), "RewardManager: client has not been slashed"',
        "    pass",
        "an honest client's pay is taken by a stranger's call",
    ),
    without(
        "a reward is forfeited twice",
        REWARDS,
        "    self.rewards[instanceId][client] = 0",
        "the treasury is paid out of others' escrow",
    ),
    without(
        "anybody withdraws a refund",
        REWARDS,
        '    assert msg.sender == self.idToUserInstance[instanceId].user, "RewardManager: caller is not the user"',
        "the first to call has it",
    ),
    without(
        "a refund is withdrawn twice",
        REWARDS,
        "    self.refunds[instanceId] = 0",
        "refunds are paid out of others' escrow",
    ),
]

_CHAIN = [
    without(
        "anybody opens an instance",
        CHAIN,
        '    assert msg.sender == REWARD_MANAGER, "ModelParameterChain: caller is not the reward manager"',
        "an instance is overwritten, or trained without pay",
    ),
    without(
        "anybody configures",
        CHAIN,
        '    assert msg.sender == user or msg.sender == REWARD_MANAGER, "ModelParameterChain: caller is not the user"',
        "a stranger chooses the model and the aggregator",
    ),
    Mutant(
        "an instance is configured twice",
        CHAIN,
        "self._instances[instanceId].genesisModelRoot == empty(bytes32)",
        "instanceId == instanceId",
        "the user changes the job when it is under way",
    ),
    Mutant(
        "the genesis is the same on every chain",
        CHAIN,
        "                chain.id,",
        "                convert(1, uint256),",
        "headers of one chain are valid on another",
    ),
    without(
        "anybody names an aggregator",
        CHAIN,
        '    assert msg.sender == user, "ModelParameterChain: caller is not the user"',
        "a stranger takes the job over",
    ),
    Mutant(
        "an aggregator is replaced a second early",
        CHAIN,
        "self._instances[instanceId].lastActivity + LIVENESS_PERIOD\n",
        "self._instances[instanceId].lastActivity + LIVENESS_PERIOD - 1\n",
        "an epoch that could still be posted is made void",
    ),
    Mutant(
        "commits for the old aggregator stay",
        CHAIN,
        "    self._epochs[instanceId][next_epoch].commitsClosedAt = 0",
        "    pass",
        "the new one is bound to commitments that it cannot open",
    ),
    Mutant(
        "a new aggregator is no new attempt",
        CHAIN,
        "attempt: uint256 = self._instances[instanceId].attempt + 1",
        "attempt: uint256 = self._instances[instanceId].attempt",
        "clients' commitments to the old one can be shown again",
    ),
    Mutant(
        "the hand-over names the wrong old aggregator",
        CHAIN,
        "aggregator=aggregator, previousAggregator=previous",
        "aggregator=aggregator, previousAggregator=aggregator",
        "an indexer never learns who was replaced",
    ),
    Mutant(
        "a new aggregator has no time of its own",
        CHAIN,
        "    self._instances[instanceId].lastActivity = block.timestamp\n    self._epochs[instanceId][next_epoch].c",
        "    self._epochs[instanceId][next_epoch].c",
        "it is replaced in the second in which it was named",
    ),
    Mutant(
        "a larger bond is taken",
        CHAIN,
        "assert msg.value == AGGREGATOR_BOND",
        "assert msg.value >= AGGREGATOR_BOND",
        "bonds are unequal, by mistake",
    ),
    without(
        "a bond is deposited twice",
        CHAIN,
        '    assert self.bonds[instanceId][msg.sender] == 0, "ModelParameterChain: bond is deposited already"',
        "the first bond is stuck",
    ),
    Mutant(
        "a finished instance takes a bond",
        CHAIN,
        'assert not self._is_closed(instanceId), "ModelParameterChain: instance is closed"\n    self.bonds',
        "self.bonds",
        "a bond that nobody needs, and an instance that seems alive",
    ),
    Mutant(
        "a bond is withdrawn by who is at work",
        CHAIN,
        "msg.sender != self._instances[instanceId].aggregator\n        )",
        "msg.sender != empty(address)\n        )",
        "nothing answers for what it posts",
    ),
    Mutant(
        "a bond is withdrawn one epoch too early",
        CHAIN,
        "self._last_posted[instanceId][msg.sender] <= self._instances[instanceId].finalizedEpochs",
        "self._last_posted[instanceId][msg.sender] <= self._instances[instanceId].finalizedEpochs + 1",
        "nothing answers for the last epoch of a replaced aggregator",
    ),
    without(
        "a bond is withdrawn twice",
        CHAIN,
        "    self.bonds[instanceId][msg.sender] = 0",
        "bonds are paid out of others' bonds",
    ),
    Mutant(
        "commits are closed over others",
        CHAIN,
        'assert not self._awaits_epoch(instanceId, epoch), "ModelParameterChain: commits are closed already"',
        "pass",
        "an aggregator that has seen the updates chooses among several sets",
    ),
    without(
        "an epoch has no commits root",
        CHAIN,
        '    assert commitsRoot != empty(bytes32), "ModelParameterChain: commits root is missing"',
        "the epoch's commitments cannot be told from none",
    ),
    Mutant(
        "closing commits is no sign of life",
        CHAIN,
        "commitsClosedAt = block.timestamp\n    self._instances[instanceId].lastActivity = block.timestamp",
        "commitsClosedAt = block.timestamp",
        "an epoch that could still be posted is made void",
    ),
    without(
        "an epoch is posted late",
        CHAIN,
        '    assert self._awaits_epoch(instance_id, epoch), "ModelParameterChain: epoch is late"',
        "an epoch slips in after the settlement, and its clients can leave before the verdict",
    ),
    Mutant(
        "a header follows anything",
        CHAIN,
        "header.previousHeaderHash == self._instances[instance_id].lastHeaderHash",
        "header.epoch == epoch",
        "the chain of headers is none",
    ),
    Mutant(
        "a header has any base model",
        CHAIN,
        "header.baseModelRoot == self._instances[instance_id].lastModelRoot",
        "header.epoch == epoch",
        "the model is swapped between epochs",
    ),
    Mutant(
        "a header has any commits",
        CHAIN,
        "header.commitsRoot == self._epochs[instance_id][epoch].commitsRoot",
        "header.epoch == epoch",
        "commitments fix nothing",
    ),
    Mutant(
        "a header is of any attempt",
        CHAIN,
        "header.attempt == self._instances[instance_id].attempt",
        "header.epoch == epoch",
        "a set that was given up comes back",
    ),
    without(
        "nobody knows who posted last",
        CHAIN,
        "    self._last_posted[instance_id][msg.sender] = epoch",
        "a replaced aggregator's bond answers for nothing",
    ),
    Mutant(
        "slash reasons are not carried",
        CHAIN,
        "        self._instances[instance_id].slashReasons = header.slashReasons",
        "        pass",
        "the next header drops a verdict",
    ),
    Mutant(
        "an epoch is no progress",
        CHAIN,
        "self._instances[instance_id].lastProgress = block.timestamp\n    if header",
        "pass\n    if header",
        "anybody stops an instance that is at work",
    ),
    Mutant(
        "the window is announced a second early",
        CHAIN,
        "finalizableAt=block.timestamp + CHALLENGE_WINDOW + 1",
        "finalizableAt=block.timestamp + CHALLENGE_WINDOW",
        "whoever relies on the event is refused",
    ),
    Mutant(
        "the challenge window is a second short",
        CHAIN,
        "self._epochs[instanceId][epoch].postedAt + CHALLENGE_WINDOW\n",
        "self._epochs[instanceId][epoch].postedAt + CHALLENGE_WINDOW - 1\n",
        "the last second's challenge comes too late",
    ),
    Mutant(
        "every deadline is a second early",
        CHAIN,
        "return block.timestamp > moment",
        "return block.timestamp >= moment",
        "who acts in the last second is refused",
    ),
    Mutant(
        "epochs become final in any order",
        CHAIN,
        "epoch == self._instances[instanceId].finalizedEpochs + 1",
        "epoch >= self._instances[instanceId].finalizedEpochs + 1",
        "an epoch is passed over: its verdicts and its window",
    ),
    Mutant(
        "what is not posted becomes final",
        CHAIN,
        '    assert epoch <= self._instances[instanceId].postedEpochs, "ModelParameterChain: epoch is not posted"',
        "    pass",
        "the user is billed for nothing",
    ),
    without(
        "final reasons are not remembered",
        CHAIN,
        "    self._instances[instanceId].finalSlashReasons = reasons",
        "who cheated is paid, and its verdict is dated anew",
    ),
    Mutant(
        "a verdict has the wrong epoch",
        CHAIN,
        "= (epoch << REASON_BITS) | reason",
        "= ((epoch + 1) << REASON_BITS) | reason",
        "the evidence is not where the verdict says",
    ),
    Mutant(
        "an instance is anybodys after one silent period",
        CHAIN,
        "SILENCE: constant(uint256) = 2",
        "SILENCE: constant(uint256) = 1",
        "a stranger ends it before the user could name another aggregator",
    ),
    Mutant(
        "an instance may promise for five periods",
        CHAIN,
        "STAGNATION: constant(uint256) = 4",
        "STAGNATION: constant(uint256) = 5",
        "pay is held back longer than documented",
    ),
    Mutant(
        "an open instance is closed",
        CHAIN,
        "self._instances[instance_id].stoppedAt != 0\n        and final",
        "True\n        and final",
        "it is settled between two epochs",
    ),
    Mutant(
        "a stopped instance is closed with an epoch pending",
        CHAIN,
        "and final == self._instances[instance_id].postedEpochs",
        "and True",
        "clients have trained for nothing",
    ),
    Mutant(
        "a stopped instance is closed with commits closed",
        CHAIN,
        "        and not self._awaits_epoch(instance_id, final + 1)\n",
        "",
        "clients have revealed for nothing",
    ),
    Mutant(
        "an instance that does not exist is closed",
        CHAIN,
        "return final != 0",
        "return True",
        "it is settled, or takes a bond",
    ),
    Mutant(
        "who was excluded is paid",
        CHAIN,
        "participants & ~excluded)",
        "participants)",
        "exclusion costs nothing",
    ),
    Mutant(
        "seats outside the cohort take part",
        CHAIN,
        "header.participants >> cohort_size == 0",
        "header.participants >> (cohort_size + 1) == 0",
        "shares are made for nobody",
    ),
    without(
        "who took no part is excluded",
        CHAIN,
        '    assert header.excluded & ~header.participants == 0, "ModelParameterChain: excluded seat took no part"',
        "absent clients are slashed",
    ),
    without(
        "everybody is excluded",
        CHAIN,
        '    assert header.excluded != header.participants, "ModelParameterChain: no seat is accepted"',
        "an epoch is billed that nobody is paid for",
    ),
    Mutant(
        "who is slashable takes part",
        CHAIN,
        "seats._to_nibbles(header.participants) & slashable == 0",
        "header.epoch == header.epoch",
        "a culprit is paid by later epochs' count",
    ),
    Mutant(
        "slash reasons are dropped",
        CHAIN,
        "assert header.slashReasons & (slashable * REASON_MASK) == before",
        "assert header.slashReasons & (slashable * REASON_MASK) <= before",
        "an aggregator pardons whom it likes",
    ),
    without(
        "reasons past the sixth are known",
        CHAIN,
        '    assert seats._unknown(added) == 0, "ModelParameterChain: slash reason is unknown"',
        "a slash for a reason that the rules do not have",
    ),
    Mutant(
        "who was accepted is slashed",
        CHAIN,
        "seats._reasoned(added) & ~seats._to_nibbles(header.excluded) == 0",
        "seats._reasoned(added) & ~seats._to_nibbles(header.participants) == 0",
        "a client is paid and slashed for one epoch",
    ),
]

_MODULES = [
    Mutant(
        "anybody withdraws from a treasury",
        TREASURY,
        "assert msg.sender == self.ADMIN_ADDRESS",
        "assert msg.sender != empty(address)",
        "the treasury is anybody's",
    ),
    without(
        "anybody accepts a treasury",
        TREASURY,
        '    assert msg.sender == self.pendingAdmin, concat(_NAME, ": caller is not the pending admin")',
        "the treasury is anybody's",
    ),
    without(
        "an offer stays after it was accepted",
        TREASURY,
        "    self.pendingAdmin = empty(address)",
        "who handed over and was named before takes it back",
    ),
    swapped(
        "a hand-over names the wrong old admin",
        TREASURY,
        "    log AdminTransferred(previousAdmin=self.ADMIN_ADDRESS, newAdmin=msg.sender)",
        "    self.ADMIN_ADDRESS = msg.sender",
        "the event is written after the assignment and names the new admin twice",
    ),
    Mutant(
        "an offer is a hand-over",
        TREASURY,
        "    self.pendingAdmin = newAdmin\n",
        "    self.pendingAdmin = newAdmin\n    self.ADMIN_ADDRESS = newAdmin\n",
        "a mistyped address loses the treasury",
    ),
    Mutant(
        "reason seven is known",
        SEATS,
        "return ((reasons >> 3) | (reasons & (reasons >> 1) & (reasons >> 2))) & _EVERY_4",
        "return (reasons >> 3) & _EVERY_4",
        "a slash for a reason that the rules do not have",
    ),
    Mutant(
        "seats are miscounted",
        SEATS,
        "return octets % 255",
        "return octets % 63",
        "a full cohort's fee is divided by one",
    ),
    Mutant(
        "headers are hashed under another domain",
        HEADERS,
        'keccak256("FedBlocks.Header.v2")',
        'keccak256("FedBlocks.Header.v1")',
        "nobody off chain finds the header that was posted",
    ),
]
MUTANTS = [*_REGISTRY, *_SLASHING, *_REWARDS, *_CHAIN, *_MODULES]
