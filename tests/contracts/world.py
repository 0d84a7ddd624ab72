"""The protocol under test: its contracts, deployed as docs/protocol.md says, and a driver that runs epochs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import boa
import rlp
from boa.contracts.vyper.vyper_contract import StorageModel
from eth_abi import encode
from eth_utils import keccak, to_checksum_address

# titanoboa writes all of a contract's storage into the message of every revert: where much is stored, that takes longer
# than the call.
StorageModel.dump = lambda self: {}

ROOT = Path(__file__).resolve().parents[2]
CONTRACTS = ROOT / "contracts"
MOCKS = Path(__file__).resolve().parent / "mocks"

ETHER = 10**18
STAKE_AMOUNT = ETHER // 10
BASE_FEE = ETHER // 20
# Indivisible on purpose: whatever is divided leaves remainders.
FEE_PER_EPOCH = ETHER // 100 + 7
FEE_SCALE = 10**8
PROTOCOL_FEE_PERCENTAGE = 2_000_003
CLIENTS_FEE = FEE_PER_EPOCH * (FEE_SCALE - PROTOCOL_FEE_PERCENTAGE) // FEE_SCALE
AGGREGATOR_BOND = 3 * ETHER + 7
CHALLENGER_SHARE = 40_000_001
CHALLENGE_REWARD = AGGREGATOR_BOND * CHALLENGER_SHARE // FEE_SCALE
DEMAND_DEPOSIT = ETHER // 500
CHALLENGE_WINDOW = 100
LIVENESS_PERIOD = 1_000
SLASH_MARGIN = 50
ANSWER_PERIOD = 30
STAKING_PERIOD = LIVENESS_PERIOD + 2 * CHALLENGE_WINDOW + 2 * ANSWER_PERIOD + SLASH_MARGIN

BLOCK_GAS = 32_000_000

ZERO = "0x" + "00" * 20
NO_HASH = bytes(32)
GENESIS_ROOT = keccak(text="genesis model")
RULES_HASH = keccak(text="rules")
PARAMETERS = 7_850
HEADER_DOMAIN = keccak(text="FedBlocks.Header.v2")
GENESIS_DOMAIN = keccak(text="FedBlocks.Genesis.v2")


@cache
def deployer_of(name: str, folder: Path = CONTRACTS) -> Any:
    """A contract, compiled once in a session."""
    return boa.load_partial(str(folder / f"{name}.vy"))


def mock(name: str, *args: Any) -> Any:
    """A new contract of the tests' own."""
    return deployer_of(name, MOCKS).deploy(*args)


def created_address(creator: Any, nonce: int) -> str:
    """Where an account's next contract but so many will be."""
    return to_checksum_address(keccak(rlp.encode([creator.canonical_address, nonce]))[12:])


def next_address(creator: Any, ahead: int = 0) -> str:
    """Where an account's next contract will be, or the one `ahead` after it."""
    return created_address(creator, boa.env.evm.vm.state.get_nonce(creator.canonical_address) + ahead)


def account(name: str, balance: int = 1_000_000 * ETHER) -> Any:
    """An account with ether."""
    address = boa.env.generate_address(name)
    boa.env.set_balance(address, balance)
    return address


def balance(holder: Any) -> int:
    """What a contract or an account holds, in wei."""
    return boa.env.get_balance(getattr(holder, "address", holder))


def now() -> int:
    """The time of the next call."""
    return boa.env.timestamp


def wait(seconds: int) -> None:
    """Let time pass."""
    boa.env.time_travel(seconds=seconds)


def events(contract: Any, name: str) -> list[dict[str, Any]]:
    """The events of one name that the contract's last call caused, its own and the called contracts', as arguments."""
    found = []
    for event in contract.get_logs():
        if type(event).__name__ == name:
            arguments = event._asdict()
            del arguments["address"]
            found.append(arguments)
    return found


def gas_of(contract: Any) -> int:
    """The gas that the contract's last call used, without calldata and the 21,000 of a transaction."""
    return contract._computation.get_gas_used()


@dataclass(frozen=True)
class Protocol:
    """The ten contracts of one deployment."""

    slash_treasury: Any
    reward_treasury: Any
    registry: Any
    rewards: Any
    chain: Any
    submissions: Any
    vectors: Any
    verdicts: Any
    demands: Any
    slashing: Any

    @property
    def verifiers(self) -> tuple[Any, Any, Any, Any]:
        """The contracts that can overturn an epoch."""
        return self.submissions, self.vectors, self.verdicts, self.demands

    @classmethod
    def deploy(cls, deployer: Any, admin: Any, **changes: Any) -> Protocol:
        """Deploy the ten in their order; `changes` are constructor arguments that are not the usual ones."""
        with boa.env.prank(deployer):
            slash_treasury = deployer_of("SlashTreasury").deploy(admin)
            reward_treasury = deployer_of("RewardTreasury").deploy(admin)
            registry = deployer_of("StakingRegistry").deploy(
                changes.get("stakeAmount", STAKE_AMOUNT),
                changes.get("stakingPeriod", STAKING_PERIOD),
                changes.get("slashingManager", next_address(deployer, 7)),
                changes.get("registrySlashTreasury", slash_treasury.address),
            )
            rewards = deployer_of("RewardManager").deploy(
                changes.get("rewardTreasury", reward_treasury.address),
                changes.get("feePerEpoch", FEE_PER_EPOCH),
                changes.get("protocolFeePercentage", PROTOCOL_FEE_PERCENTAGE),
                changes.get("baseFee", BASE_FEE),
                changes.get("stakingRegistry", registry.address),
                changes.get("modelParameterChain", next_address(deployer, 1)),
            )
            named = [next_address(deployer, ahead) for ahead in range(1, 5)]
            chain = deployer_of("ModelParameterChain").deploy(
                changes.get("rewardManager", rewards.address),
                changes.get("slashTreasury", changes.get("registrySlashTreasury", slash_treasury.address)),
                changes.get("aggregatorBond", AGGREGATOR_BOND),
                changes.get("challengeWindow", CHALLENGE_WINDOW),
                changes.get("livenessPeriod", LIVENESS_PERIOD),
                changes.get("challengerShare", CHALLENGER_SHARE),
                changes.get("verifiers", named),
            )
            submissions = deployer_of("SubmissionVerifier").deploy(chain.address)
            vectors = deployer_of("VectorVerifier").deploy(chain.address)
            verdicts = deployer_of("VerdictVerifier").deploy(chain.address)
            demands = deployer_of("DataDemands").deploy(
                chain.address,
                changes.get("demandDeposit", DEMAND_DEPOSIT),
                changes.get("answerPeriod", ANSWER_PERIOD),
            )
            slashing = deployer_of("SlashingManager").deploy(
                changes.get("verdictsFrom", chain.address),
                changes.get("slashedRegistry", registry.address),
                changes.get("slashMargin", SLASH_MARGIN),
            )
        verifiers = (submissions, vectors, verdicts, demands)
        return cls(slash_treasury, reward_treasury, registry, rewards, chain, *verifiers, slashing)

    def stake(self, client: Any) -> None:
        """Make an account a client."""
        self.registry.stake(sender=client, value=STAKE_AMOUNT)

    def order(self, user: Any, clients: Sequence[Any], epochs: int, *configuration: Any) -> int:
        """Open an instance, in the short form unless a configuration is given."""
        value = BASE_FEE + epochs * FEE_PER_EPOCH
        return self.rewards.newUserInstance(list(clients), epochs, *configuration, sender=user, value=value)

    def run(self, user: Any, clients: Sequence[Any], epochs: int, aggregator: Any) -> Run:
        """Open and configure an instance whose aggregator has deposited its bond."""
        instance = self.order(user, clients, epochs, aggregator, GENESIS_ROOT, PARAMETERS, RULES_HASH)
        self.chain.depositBond(instance, sender=aggregator, value=AGGREGATOR_BOND)
        return Run(self, instance, user, list(clients), aggregator)


@dataclass(frozen=True)
class Header:
    """Section 4 of docs/protocol.md, written down a second time."""

    instance_id: int
    epoch: int
    attempt: int
    previous_header_hash: bytes
    commits_root: bytes
    submissions_root: bytes
    gram_root: bytes
    stats_root: bytes
    base_model_root: bytes
    delta_root: bytes
    next_model_root: bytes
    participants: int
    excluded: int
    slash_reasons: int
    carried_root: bytes
    metric: int
    data_locator: bytes

    @property
    def words(self) -> tuple[Any, ...]:
        """The header as the contract takes it."""
        return tuple(getattr(self, name) for name in self.__dataclass_fields__)

    @property
    def hash(self) -> bytes:
        """keccak256(HEADER_DOMAIN ‖ abi_encode(header))."""
        words = b"".join(word if isinstance(word, bytes) else word.to_bytes(32, "big") for word in self.words)
        return keccak(HEADER_DOMAIN + words)


@dataclass
class Run:
    """One instance, and what its aggregator knows of it."""

    protocol: Protocol
    instance: int
    user: Any
    clients: list[Any]
    aggregator: Any
    attempt: int = 0
    headers: list[Header] = field(default_factory=list)
    finalized: int = 0

    @property
    def chain(self) -> Any:
        return self.protocol.chain

    @property
    def next_epoch(self) -> int:
        return len(self.headers) + 1

    @property
    def everybody(self) -> int:
        """The bitmap of the whole cohort."""
        return (1 << len(self.clients)) - 1

    @property
    def genesis_hash(self) -> bytes:
        cohort_hash = keccak(encode(["address[]"], [self.clients]))
        types = ["uint256", "address", "uint256", "bytes32", "uint256", "bytes32", "bytes32"]
        chain_id = boa.env.evm.patch.chain_id
        values = [chain_id, self.chain.address, self.instance, GENESIS_ROOT, PARAMETERS, RULES_HASH, cohort_hash]
        return keccak(GENESIS_DOMAIN + encode(types, values))

    def commits_root(self, epoch: int) -> bytes:
        return keccak(text=f"commits of epoch {epoch}, attempt {self.attempt}")

    def close(self) -> None:
        """Close the commits of the next epoch."""
        epoch = self.next_epoch
        self.chain.closeCommits(self.instance, epoch, self.attempt, self.commits_root(epoch), sender=self.aggregator)

    def header(self, **changes: Any) -> Header:
        """A header that follows the last one; everybody takes part and nobody is excluded, unless `changes` say so."""
        epoch = self.next_epoch
        last = self.headers[-1] if self.headers else None
        honest = Header(
            instance_id=self.instance,
            epoch=epoch,
            attempt=self.attempt,
            previous_header_hash=last.hash if last else self.genesis_hash,
            commits_root=self.commits_root(epoch),
            submissions_root=keccak(text=f"submissions {epoch}"),
            gram_root=keccak(text=f"gram {epoch}"),
            stats_root=keccak(text=f"stats {epoch}"),
            base_model_root=last.next_model_root if last else GENESIS_ROOT,
            delta_root=keccak(text=f"delta {epoch}"),
            next_model_root=keccak(text=f"model {epoch}"),
            participants=self.everybody,
            excluded=0,
            slash_reasons=last.slash_reasons if last else 0,
            carried_root=keccak(text=f"counters {epoch}"),
            metric=870_000,
            data_locator=keccak(text=f"manifest {epoch}"),
        )
        return replace(honest, **changes)

    def post(self, **changes: Any) -> Header:
        """Post the next epoch, whose commits are closed."""
        header = self.header(**changes)
        self.chain.submitEpoch(header.words, sender=self.aggregator)
        self.headers.append(header)
        return header

    def train(self, **changes: Any) -> Header:
        """Close the commits of the next epoch and post it."""
        self.close()
        return self.post(**changes)

    def overturn(self, epoch: int, challenger: Any, fraud_case: int = 1) -> None:
        """Have an epoch overturned, and forget what came after it."""
        self.chain.overturnEpoch(self.instance, epoch, challenger, fraud_case, sender=self.protocol.submissions.address)
        del self.headers[epoch - 1 :]
        self.attempt += 1

    def demand(self, header: Header, watcher: Any) -> int:
        """Demand the commits of a posted epoch."""
        return self.protocol.demands.demand(header.words, 0, 0, 0, sender=watcher, value=DEMAND_DEPOSIT)

    def finalize(self) -> None:
        """Let the challenge window pass and make the next epoch final."""
        wait(CHALLENGE_WINDOW + 1)
        self.finalized += 1
        self.chain.finalizeEpoch(self.instance, self.finalized)

    def finalize_all(self) -> None:
        """Let the challenge window pass and make every posted epoch final."""
        wait(CHALLENGE_WINDOW + 1)
        while self.finalized < len(self.headers):
            self.finalized += 1
            self.chain.finalizeEpoch(self.instance, self.finalized)

    def stop(self) -> None:
        """Stop the instance, as the user."""
        self.chain.stopInstance(self.instance, sender=self.user)

    def settle(self) -> None:
        """Have the fees divided."""
        self.protocol.rewards.collectTrainingFees(self.instance)

    def reward_of(self, client: Any) -> int:
        return self.protocol.rewards.rewards(self.instance, client)

    @property
    def refund(self) -> int:
        return self.protocol.rewards.refunds(self.instance)


def reasons(*pairs: tuple[int, int]) -> int:
    """Slash reasons, four bits a seat, from pairs of a seat and a reason."""
    return sum(reason << (4 * seat) for seat, reason in pairs)


def expected_rewards(headers: Sequence[Header], seats: int) -> list[int]:
    """What each seat earns in these epochs before slashing, added up the plain way."""
    amounts = [0] * seats
    for header in headers:
        accepted = header.participants & ~header.excluded
        for seat in range(seats):
            if accepted >> seat & 1:
                amounts[seat] += CLIENTS_FEE // accepted.bit_count()
    return amounts
