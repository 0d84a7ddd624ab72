"""The deployed contracts and the people: what every game begins with."""

from __future__ import annotations

from functools import cache
from typing import Any

import boa
from eth_utils import keccak

from tests.contracts.world import (
    AGGREGATOR_BOND,
    BASE_FEE,
    ETHER,
    FEE_PER_EPOCH,
    STAKE_AMOUNT,
    ZERO,
    Protocol,
    account,
    mock,
)

PURSE = 1_000_000 * ETHER

CLIENTS = [f"client {seat}" for seat in range(5)] + ["contract client 5", "contract client 6"]
USERS = ["user", "contract user"]
AGGREGATORS = ["aggregator", "successor", "contract aggregator"]
ACTORS = [name for name in (*CLIENTS, *USERS, *AGGREGATORS) if name.startswith("contract")]
PEOPLE = [*CLIENTS, *USERS, *AGGREGATORS, "stranger", "admin", "heir"]
VERIFIERS = ["SubmissionVerifier", "VectorVerifier", "VerdictVerifier", "DataDemands"]
CONTRACTS = [
    "SlashTreasury",
    "RewardTreasury",
    "StakingRegistry",
    "RewardManager",
    "ModelParameterChain",
    *VERIFIERS,
    "SlashingManager",
]


class QuietEnv(boa.Env):
    """titanoboa writes out the whole storage of a contract that reverts, for its error message: here most calls do."""

    def _lookup_contract_fast(self, address: Any) -> None:
        return None


class Stage:
    """The deployed contracts and the people, the same in every run; a run leaves no trace on it."""

    def __init__(self) -> None:
        self.env = QuietEnv()
        with boa.swap_env(self.env):
            self.driver = str(account("driver", PURSE))
            self.protocol = Protocol.deploy(account("deployer"), account("admin of old"))
            protocol = self.protocol
            self.contracts = {
                "SlashTreasury": protocol.slash_treasury,
                "RewardTreasury": protocol.reward_treasury,
                "StakingRegistry": protocol.registry,
                "RewardManager": protocol.rewards,
                "ModelParameterChain": protocol.chain,
                **dict(zip(VERIFIERS, protocol.verifiers, strict=True)),
                "SlashingManager": protocol.slashing,
            }
            self.actors = {name: mock("Actor") for name in ACTORS}
            self.bomb = mock("Actor")
            self.people = {
                name: str(self.actors[name].address if name in ACTORS else account(name, PURSE)) for name in PEOPLE
            }
            self.babbler = str(mock("Babbler").address)
            self.names = {address: name for name, address in self.people.items()}
            self.events = [
                (event, boa.env.timestamp)
                for treasury in (protocol.slash_treasury, protocol.reward_treasury)
                for event in treasury.get_logs()
            ]
            self._prepare()

    def _prepare(self) -> None:
        """Everybody has staked, one instance is under way and one is only ordered: else most calls would be refused."""
        protocol, people = self.protocol, self.people
        for treasury in (protocol.slash_treasury, protocol.reward_treasury):
            self._do(treasury, "transferAdmin", treasury.ADMIN_ADDRESS(), people["admin"])
            self._do(treasury, "acceptAdmin", people["admin"])
        for name in CLIENTS:
            self._do(protocol.registry, "stake", people[name], value=STAKE_AMOUNT)
        cohort = [people[name] for name in CLIENTS]
        genesis = (people["aggregator"], keccak(text="genesis"), 7, keccak(text="rules"))
        for user, clients, epochs, words in (("user", cohort, 3, genesis), ("contract user", cohort[1:], 2, ())):
            value = BASE_FEE + epochs * FEE_PER_EPOCH
            self._do(protocol.rewards, "newUserInstance", people[user], clients, epochs, *words, value=value)
        self._do(protocol.chain, "depositBond", people["aggregator"], 1, value=AGGREGATOR_BOND)

    def _do(self, contract: Any, function: str, sender: str, *arguments: Any, value: int = 0) -> None:
        data = getattr(contract, function).prepare_calldata(*arguments)
        computation = self.execute(sender, contract, data, value)
        assert not computation.is_error
        self.events += [(event, boa.env.timestamp) for event in contract.get_logs(computation)]

    def execute(self, sender: str, contract: Any, data: bytes, value: int) -> Any:
        """Send a transaction. A contract is made to send it by the driver, who pays the value too."""
        to = contract.address
        name = self.names.get(sender)
        if name in ACTORS:
            actor = self.actors[name]
            data, to, sender = actor.act.prepare_calldata(to, data), actor.address, self.driver
        return boa.env.execute_code(to_address=to, sender=sender, data=data, value=value)

    def address(self, name: str) -> str:
        if name in self.people:
            return self.people[name]
        if name in self.contracts:
            return str(self.contracts[name].address)
        return {"babbler": self.babbler, "nobody": ZERO, "driver": self.driver}[name]


@cache
def stage() -> Stage:
    return Stage()
