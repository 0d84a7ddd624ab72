"""What the micro-rollup knows of an instance: what never changes, and what each epoch changes.

The state after an epoch is a function of the chain and the published data alone. Nothing in it was measured by a
clock or drawn by chance, so that any node can be killed at any instant and come to the same state again.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fedblocks.aggregation.fixed_point import Int16Array, Int32Array, check_vector
from fedblocks.aggregation.rules import Rules
from fedblocks.aggregation.verdicts import Carried
from fedblocks.exceptions import FedBlocksError
from fedblocks.rollup.actions import SigningDomain, signing_domain
from fedblocks.rollup.header import cohort_hash, genesis_hash, rules_hash
from fedblocks.rollup.vectors import vector_root
from fedblocks.seats import unpack_reasons
from fedblocks.types import Address, EpochNumber, Hash32, InstanceId, Seat


class NotInCohort(FedBlocksError, LookupError):
    """An address has no seat in the cohort of the instance."""

    def __init__(self, client: str, instance_id: int) -> None:
        super().__init__(f"{client} has no seat in the cohort of instance {instance_id}")
        self.client, self.instance_id = client, instance_id


@dataclass(frozen=True)
class InstanceContext:
    """What is fixed on chain before the first epoch.

    Attributes:
        chain_id: of the chain that settles.
        settlement: the address of ModelParameterChain there.
        instance_id: the instance's number.
        cohort: the clients; a client's seat is its index.
        d: how many values the model has.
        genesis_root: the root of the model that epoch 1 starts from.
        rules: by what updates are judged.
    """

    chain_id: int
    settlement: Address
    instance_id: InstanceId
    cohort: tuple[Address, ...]
    d: int
    genesis_root: Hash32
    rules: Rules

    @property
    def domain(self) -> SigningDomain:
        """The EIP-712 domain of every action of this instance."""
        return signing_domain(self.chain_id, self.settlement)

    @property
    def rules_hash(self) -> Hash32:
        return rules_hash(self.rules.words())

    @property
    def genesis_hash(self) -> Hash32:
        """The hash that the first header follows."""
        return genesis_hash(
            chain_id=self.chain_id,
            model_parameter_chain=self.settlement,
            instance_id=self.instance_id,
            genesis_model_root=self.genesis_root,
            d=self.d,
            rules_hash=self.rules_hash,
            cohort_hash=cohort_hash(self.cohort),
        )

    def seat_of(self, client: Address) -> Seat:
        """The seat of a client.

        Raises:
            NotInCohort: if it has none.
        """
        try:
            return Seat(self.cohort.index(client))
        except ValueError:
            raise NotInCohort(client, self.instance_id) from None


@dataclass(frozen=True)
class RollupState:
    """The state after an epoch (before the first: epoch 0).

    Attributes:
        epoch: the last epoch that was executed.
        head: its header's hash, or the genesis hash.
        model: int32[d], the global model after it.
        model_root: the model's root.
        last_updates: int16[n, d], each seat's last revealed update, zeros where there is none.
        last_roots: their roots.
        last_delta: int16[d], the last global step.
        carried: what the verdicts take over.
    """

    epoch: EpochNumber
    head: Hash32
    model: Int32Array
    model_root: Hash32
    last_updates: Int16Array
    last_roots: tuple[Hash32, ...]
    last_delta: Int16Array
    carried: Carried

    @property
    def slashable(self) -> frozenset[Seat]:
        """The seats that have been found guilty and take no part any more."""
        return frozenset(unpack_reasons(self.carried.slash_reasons))

    @classmethod
    def genesis(cls, context: InstanceContext, model: Int32Array) -> RollupState:
        """The state before the first epoch.

        Raises:
            WrongVector: if the model is not int32 of d values.
            WrongGenesisModel: if it is not the model whose root is on chain.
        """
        check_vector(model, np.int32, context.d, "the genesis model")
        root = vector_root(model)
        if root != context.genesis_root:
            raise WrongGenesisModel(context.genesis_root, root)
        n = len(context.cohort)
        nothing = np.zeros(context.d, dtype=np.int16)
        return cls(
            epoch=EpochNumber(0),
            head=context.genesis_hash,
            model=model,
            model_root=root,
            last_updates=np.zeros((n, context.d), dtype=np.int16),
            last_roots=(vector_root(nothing),) * n,
            last_delta=nothing,
            carried=Carried.genesis(n),
        )


class WrongGenesisModel(FedBlocksError, ValueError):
    """A model is not the one whose root the instance was opened with."""

    def __init__(self, expected: bytes, actual: bytes) -> None:
        super().__init__(f"the genesis model's root is 0x{actual.hex()}, but 0x{expected.hex()} is on chain")
        self.expected, self.actual = expected, actual
