"""A job from request to refund: matching on the chain's word, opening the instance, and the money at its end.

This is where a :class:`~fedblocks.training.job.JobRequest`, which is only a wish, meets the chain: who of the clients
with fitting data is staked, which block's hash draws the cohort, what it costs, and which model training starts from.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from fedblocks.aggregation.fixed_point import Int32Array
from fedblocks.aggregation.rules import Rules
from fedblocks.chain.connection import Connection
from fedblocks.chain.transactions import Receipt
from fedblocks.contracts.model_parameter_chain import ModelParameterChain
from fedblocks.contracts.reward_manager import NewUserInstance, RewardManager
from fedblocks.contracts.staking_registry import StakingRegistry
from fedblocks.rollup.actions import DataProfile
from fedblocks.rollup.header import rules_hash
from fedblocks.rollup.state import InstanceContext
from fedblocks.rollup.vectors import vector_root
from fedblocks.training.job import JobRequest
from fedblocks.training.matching import CohortDraw, match_cohort
from fedblocks.training.models import build_model
from fedblocks.training.profile import ForgedProfile, InvalidProfile, SignedProfile
from fedblocks.training.quantise import model_to_vector
from fedblocks.types import Address, InstanceId


@dataclass(frozen=True, eq=False)
class Job:
    """A job that has been opened on chain.

    Attributes:
        request: what the user asked for.
        draw: how the cohort was drawn.
        context: what is fixed on chain.
        genesis: int32[d], the model that the first epoch starts from.
        receipt: of the transaction that opened it.
    """

    request: JobRequest
    draw: CohortDraw
    context: InstanceContext
    genesis: Int32Array
    receipt: Receipt

    @property
    def instance_id(self) -> InstanceId:
        return self.context.instance_id


class Jobs:
    """What a user does with jobs; sends with the account that the contracts were connected with."""

    def __init__(
        self,
        connection: Connection,
        staking: StakingRegistry,
        rewards: RewardManager,
        chain: ModelParameterChain,
    ) -> None:
        self._connection, self._staking, self._rewards, self._chain = connection, staking, rewards, chain

    def match(self, request: JobRequest, profiles: Iterable[SignedProfile]) -> CohortDraw:
        """Draw a cohort among the staked clients whose data fit, by the newest block's hash.

        Profiles that are not signed by their client, cannot be read, or are of a client that is not staked are passed
        over: one bad profile must not keep everybody else from being matched.

        The draw can be checked by anyone (:meth:`CohortDraw.verify`), but nothing keeps a user from asking again in a
        later block until it likes the cohort: it is its own model and its own money.

        Args:
            request: the job.
            profiles: as the clients published them.

        Raises:
            NotEnoughClients: if too few fit; it says why the others do not.
        """
        block = self._connection.block()
        return match_cohort(
            [profile for profile in self._valid(profiles) if self._staking.is_staked(profile.client, block.number)],
            request.requirement,
            request.cohort_size,
            block_number=block.number,
            block_hash=block.hash,
            job_hash=request.hash(),
            classes=request.classes,
        )

    def _valid(self, profiles: Iterable[SignedProfile]) -> Iterator[DataProfile]:
        for signed in profiles:
            try:
                signed.verify(self._connection.chain_id, self._chain.address)
            except (ForgedProfile, InvalidProfile):
                continue
            yield signed.profile

    def open(
        self,
        request: JobRequest,
        draw: CohortDraw,
        aggregator: Address,
        *,
        rules: Rules | None = None,
        genesis: Int32Array | None = None,
    ) -> Job:
        """Open the instance and pay BASE_FEE and the escrow for all epochs.

        Args:
            request: the job.
            draw: its cohort.
            aggregator: who is asked to run it; it accepts with its bond.
            rules: by what updates are judged; the measured defaults when left out.
            genesis: int32[d], the model to start from; by default the request's architecture, drawn from its seed.

        Raises:
            WrongDraw: if the draw is not what its block gives.
            UnknownArchitecture: if no genesis is given and the architecture is not a registered one.
            ContractReverted: if a client of the cohort is no longer staked, or the payment is short.
        """
        draw.verify()
        rules = rules or Rules()
        if genesis is None:
            module = build_model(request.architecture, request.input_shape, request.classes, request.seed)
            genesis = model_to_vector(module)
        root = vector_root(genesis)
        receipt = self._rewards.new_configured_instance(
            draw.cohort,
            request.maximum_epochs,
            aggregator=aggregator,
            genesis_model_root=root,
            d=genesis.size,
            rules_hash=rules_hash(rules.words()),
        )
        context = InstanceContext(
            chain_id=self._connection.chain_id,
            settlement=self._chain.address,
            instance_id=receipt.one(NewUserInstance).instance_id,
            cohort=draw.cohort,
            d=genesis.size,
            genesis_root=root,
            rules=rules,
        )
        return Job(request, draw, context, genesis, receipt)

    def stop(self, instance_id: InstanceId) -> Receipt:
        """Ask for no more epochs; what has been trained is still billed."""
        return self._chain.stop_instance(instance_id)

    def settle(self, instance_id: InstanceId) -> Receipt:
        """Bill the final epochs of a closed instance and credit clients, protocol and user."""
        return self._rewards.collect_training_fees(instance_id)

    def refund(self, instance_id: InstanceId) -> Receipt:
        """Withdraw what was not used."""
        return self._rewards.withdraw_refund(instance_id)
