"""One instance as a watcher follows it: its epochs in order, each checked when all before it are right."""

from __future__ import annotations

from dataclasses import dataclass, field

from fedblocks.aggregation.fixed_point import Int32Array
from fedblocks.aggregation.rules import InvalidRules, Rules
from fedblocks.chain.connection import Block
from fedblocks.contracts.model_parameter_chain import Instance, ModelParameterChain
from fedblocks.contracts.reward_manager import RewardManager
from fedblocks.exceptions import FedBlocksError
from fedblocks.rollup.blobs import BlobStore
from fedblocks.rollup.fraud.cases import Answer, Challenge
from fedblocks.rollup.fraud.prover import Checked, PreviousEpoch, check_epoch
from fedblocks.rollup.fraud.published import Position, Published
from fedblocks.rollup.header import Header, rules_hash
from fedblocks.rollup.manifest import read_manifest
from fedblocks.rollup.state import InstanceContext, RollupState
from fedblocks.rollup.vectors import VectorKind, decode_vector, vector_root
from fedblocks.types import InstanceId, Timestamp


@dataclass(frozen=True)
class Demanded:
    """A demand on chain. Attributes as of the event."""

    demand_id: int
    deadline: Timestamp


@dataclass
class Followed:
    """A posted epoch.

    Attributes:
        header: as it was posted.
        published: what can be had of its data; None before it was looked for.
        demanded: what is demanded and not answered, by position.
        answers: what was opened on chain.
        fault: what came of checking it, when it is wrong: it need not be worked out again.
        missing_since: when data of it were first found missing, by the watcher's clock.
        reported: what of it has been said already.
    """

    header: Header
    published: Published | None = None
    demanded: dict[Position, Demanded] = field(default_factory=dict)
    answers: dict[Position, Answer] = field(default_factory=dict)
    fault: Checked | None = None
    missing_since: float | None = None
    reported: set[str] = field(default_factory=set)


class WatchedInstance:
    """Follows one instance.

    Args:
        chain, rewards: to read the instance's constants from.
        blobs: where its data are published.
        instance_id: which.
        genesis: the model that its training started from, if it is at hand; else it is looked for where the epochs'
            data are.
    """

    def __init__(
        self,
        chain: ModelParameterChain,
        rewards: RewardManager,
        blobs: BlobStore,
        instance_id: InstanceId,
        genesis: Int32Array | None = None,
    ) -> None:
        self.instance_id = instance_id
        self._chain, self._rewards, self._blobs, self._genesis = chain, rewards, blobs, genesis
        self.epochs: list[Followed] = []
        """The posted epochs, the first one first."""
        self.context: InstanceContext | None = None
        self._states: dict[int, tuple[RollupState, PreviousEpoch | None]] = {}
        """By number of epochs that were found right: the state after them. Only what may be needed again is kept."""
        self.checked = 0
        """How many epochs were found right."""
        self.final = 0
        """How many epochs are final."""
        self.stuck: str | None = None
        """Why nothing more can be said of this instance, if so."""
        self.waiting: str | None = None
        """What is missing before anything can be said, if so."""
        self.is_complete = False
        """Whether no epoch can be added or taken away any more."""

    def posted(self, header: Header) -> None:
        """An epoch was posted.

        Raises:
            LookupError: if those before it are not known, or if one is known in its place that nothing has overturned.
        """
        if header.epoch != len(self.epochs) + 1:
            raise LookupError(header.epoch)
        self.epochs.append(Followed(header))

    def overturned(self, epoch: int) -> None:
        """An epoch, and all after it, were deleted."""
        del self.epochs[epoch - 1 :]
        self.checked = min(self.checked, epoch - 1)

    def finalized(self, epoch: int) -> None:
        """An epoch is final: states before it are not needed again.

        Raises:
            LookupError: if the one before it is not, as far as is known, or it is not known itself.
        """
        if epoch != self.final + 1 or epoch > len(self.epochs):
            raise LookupError(epoch)
        self.final = epoch
        for number in [number for number in self._states if number < min(epoch, self.checked)]:
            del self._states[number]

    def missing(self, there: Instance) -> str | None:
        """What the contract's state says that no event has; None when they agree."""
        if there.posted_epochs != len(self.epochs):
            return f"has {there.posted_epochs} epochs, it shows {len(self.epochs)}"
        if self.epochs and there.last_header_hash != self.epochs[-1].header.hash():
            return f"has another epoch {len(self.epochs)} than it shows"
        if there.finalized_epochs != self.final:
            return f"has {there.finalized_epochs} final epochs, it shows {self.final}"
        return None

    def check_next(self, block: Block) -> tuple[Followed, Checked] | None:
        """Check the first epoch that was not found right yet; None when there is none.

        Args:
            block: one that has the instance and these epochs, to read it there.
        """
        if self.checked >= len(self.epochs) or self.stuck:
            return None
        followed = self.epochs[self.checked]
        if followed.fault is not None:
            return followed, followed.fault
        if not self._states and not self._begin(block):
            return None
        assert self.context is not None
        before, previous = self._states[self.checked]
        if followed.published is None:
            followed.published = Published.load(self.context, followed.header, self._blobs)
        for position, answer in followed.answers.items():
            if position not in followed.published.answers:
                followed.published.learn(position, answer)
        checked = check_epoch(before, previous, followed.header, followed.published)
        if checked.after is not None:
            self.checked += 1
            self._states[self.checked] = (checked.after, checked.epoch)
            followed.published = None
        elif isinstance(checked.finding, Challenge):
            followed.fault = checked
        return followed, checked

    def look_again(self, followed: Followed) -> None:
        """Look for an epoch's data anew: a blob may have been published late."""
        followed.published = None

    def _begin(self, block: Block) -> bool:
        """Read what the instance started from; False when its genesis model or rules are not to be had yet."""
        instance = self._chain.instance(self.instance_id, block)
        cohort = self._rewards.cohort(self.instance_id, block)
        words: tuple[int, ...] = Rules().words()
        model, why = self._genesis, ""
        for followed in self.epochs:
            try:
                manifest = read_manifest(self._blobs.get(followed.header.data_locator), len(cohort))
                if rules_hash(manifest.rules) == instance.rules_hash:
                    words = manifest.rules
                found = decode_vector(self._blobs.get(manifest.blobs.genesis_model), VectorKind.MODEL, instance.d)
                if vector_root(found) == instance.genesis_model_root:
                    model = found  # type: ignore[assignment]
                    break
            except FedBlocksError as error:
                why = f": {error}"
                continue
        if model is None or rules_hash(words) != instance.rules_hash:
            self.waiting = f"its genesis model or its rules are not to be had{why}"
            return False
        self.waiting = None
        try:
            rules = Rules.from_words(words)
        except InvalidRules as error:
            self.stuck = f"its rules are none: {error}"
            return False
        self.context = InstanceContext(
            chain_id=self._chain.connection.chain_id,
            settlement=self._chain.address,
            instance_id=self.instance_id,
            cohort=cohort,
            d=instance.d,
            genesis_root=instance.genesis_model_root,
            rules=rules,
        )
        self._states[0] = (RollupState.genesis(self.context, model), None)
        return True
