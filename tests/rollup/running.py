"""An instance on a real chain, with its sequencer and submitter."""

from dataclasses import dataclass, replace
from pathlib import Path

from fedblocks.aggregation.rules import Rules
from fedblocks.chain.signers import LocalSigner
from fedblocks.contracts.reward_manager import NewUserInstance
from fedblocks.rollup.blobs import BlobStore
from fedblocks.rollup.records import Level
from fedblocks.rollup.sequencer import Sequencer, instance_key
from fedblocks.rollup.store import RollupStore
from fedblocks.rollup.submitter import Submitter
from fedblocks.rollup.vectors import vector_root
from tests.anvil import AGGREGATOR, FIRST_CLIENT, Roles
from tests.rollup.cohort import D, SmallCohort


@dataclass
class Running:
    """An open instance on chain with its sequencer and submitter."""

    roles: Roles
    cohort: SmallCohort
    sequencer: Sequencer
    store: RollupStore
    submitter: Submitter
    blobs: BlobStore

    def executed(self):
        """An epoch that is executed and has its commitments on chain, but is not posted."""
        parts = {
            seat: self.cohort.commit(self.sequencer.state, seat, self.cohort.update(), attempt=self.sequencer.attempt)
            for seat in range(6)
        }
        for action, signature, _ in parts.values():
            self.sequencer.accept_commit(action, signature)
        epoch, attempt = self.sequencer.next_epoch, self.sequencer.attempt
        self.submitter.close_commits(epoch, attempt, self.sequencer.close_commits())
        for _, _, reveal in parts.values():
            self.sequencer.accept_reveal(reveal)
        return self.sequencer.execute(lambda model: 1)

    @property
    def posted(self) -> int:
        return self.roles.user.chain.instance(self.sequencer.context.instance_id).posted_epochs

    def level(self, epoch: int) -> Level:
        return self.store.get_epoch(instance_key(self.sequencer.context), epoch).level


def open_instance(staked: Roles, folder: Path, made_by: type[Sequencer] = Sequencer, d: int = D) -> Running:
    """Open an instance, paid for and bonded; `made_by` is the class of its sequencer."""
    cohort = SmallCohort(6, d=d)
    cohort.signers = [staked.node.signer(FIRST_CLIENT + index) for index in range(6)]
    aggregator: LocalSigner = staked.node.signer(AGGREGATOR)
    rules = Rules()
    context = replace(cohort.context, settlement=staked.user.chain.address, cohort=tuple(staked.cohort), rules=rules)
    opened = staked.user.rewards.new_configured_instance(
        context.cohort,
        5,
        aggregator=aggregator.address,
        genesis_model_root=vector_root(cohort.model),
        d=d,
        rules_hash=context.rules_hash,
    )
    context = replace(context, instance_id=opened.one(NewUserInstance).instance_id)
    cohort.context = context
    staked.aggregator.chain.deposit_bond(context.instance_id)
    store = RollupStore(f"sqlite:///{folder / 'rollup.sqlite'}")
    blobs = BlobStore(f"file://{folder / 'blobs'}")
    sequencer = made_by.create(
        context,
        cohort.model,
        store,
        blobs,
        aggregator,
        user=staked.user.sender.address,
        aggregator=aggregator.address,
        max_epochs=5,
    )
    submitter = Submitter(staked.aggregator.chain, store, instance_key(context))
    return Running(staked, cohort, sequencer, store, submitter, blobs)
