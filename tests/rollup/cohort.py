"""A small instance with real keys: commitments that are signed and updates that open them."""

from dataclasses import replace

import numpy as np
from eth_account import Account

from fedblocks.aggregation.rules import Rules
from fedblocks.chain.signers import LocalSigner
from fedblocks.rollup.actions import CommitUpdate, Reveal, sign_action
from fedblocks.rollup.keccak import keccak256
from fedblocks.rollup.state import InstanceContext, RollupState
from fedblocks.rollup.stf import Commit
from fedblocks.rollup.vectors import vector_root
from fedblocks.types import Address, InstanceId, Seat

SETTLEMENT = Address("0x00000000000000000000000000000000000000C1")
D = 700


def signer(index: int) -> LocalSigner:
    return LocalSigner(Account.from_key(keccak256(b"fedblocks test key %d" % index)))


class SmallCohort:
    """Clients that train nothing and send what a seed gives; seat k has key k."""

    def __init__(self, n: int = 5, seed: int = 0, d: int = D) -> None:
        self.generator = np.random.default_rng(seed)
        self.signers = [signer(index) for index in range(n)]
        self.model = self.generator.integers(-5000, 5000, d, dtype=np.int32)
        self.context = InstanceContext(
            chain_id=31337,
            settlement=SETTLEMENT,
            instance_id=InstanceId(1),
            cohort=tuple(each.address for each in self.signers),
            d=d,
            genesis_root=vector_root(self.model),
            rules=Rules(),
        )
        self.genesis = RollupState.genesis(self.context, self.model)

    def update(self) -> np.ndarray:
        return self.generator.integers(-400, 400, self.context.d).astype(np.int16) + np.int16(50)

    def commit(
        self, state: RollupState, seat: int, update: np.ndarray, samples: int = 10, attempt: int = 0, **changes: object
    ) -> tuple[CommitUpdate, bytes, Reveal]:
        """A signed commitment and what opens it; `changes` are made to the action before it is signed."""
        reveal = Reveal(Seat(seat), update, samples, keccak256(b"salt %d %d" % (state.epoch, seat)))
        action = CommitUpdate(
            instance_id=self.context.instance_id,
            epoch=state.epoch + 1,
            attempt=attempt,
            base_model_root=state.model_root,
            commitment=reveal.commitment(self.context.cohort[seat]),
        )
        action = replace(action, **changes)
        return action, sign_action(action, self.context.domain, self.signers[seat]), reveal

    def round(self, state: RollupState, seats: range | list[int] | None = None):
        """Commitments and reveals of some seats, all by default."""
        seats = range(len(self.signers)) if seats is None else seats
        parts = {Seat(seat): self.commit(state, seat, self.update()) for seat in seats}
        commits = {seat: Commit(action.commitment, signature) for seat, (action, signature, _) in parts.items()}
        return commits, {seat: reveal for seat, (_, _, reveal) in parts.items()}
