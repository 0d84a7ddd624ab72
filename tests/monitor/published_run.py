"""A short training whose epochs are executed by the state transition function and published, without a chain.

Clients have quadratic losses (tests/aggregation/cohort.py); some of them cheat. What comes out is what a monitor sees:
the posted headers, and a store of blobs with everything that they commit to.
"""

from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from eth_utils.address import to_checksum_address

from fedblocks.aggregation.rules import Rules
from fedblocks.aggregation.verdicts import Judgement
from fedblocks.contracts.model_parameter_chain import PostedHeader
from fedblocks.monitor.views import EpochState, EpochView, InstanceState, InstanceView, Place
from fedblocks.rollup.actions import Reveal
from fedblocks.rollup.admission import admit_reveal
from fedblocks.rollup.blobs import BlobStore
from fedblocks.rollup.header import Header
from fedblocks.rollup.keccak import keccak256
from fedblocks.rollup.publication import publish_epoch
from fedblocks.rollup.state import InstanceContext, RollupState
from fedblocks.rollup.stf import Commit, execute
from fedblocks.rollup.vectors import encode_vector, vector_root
from fedblocks.seats import unpack_reasons
from fedblocks.types import Address, BlockNumber, EpochNumber, Hash32, InstanceId, Seat, Timestamp, Wei
from tests.aggregation.cohort import Behaviour, Cohort

SETTLEMENT = Address("0x00000000000000000000000000000000000000C1")
WINDOW = 172_800


def account(name: str) -> Address:
    return to_checksum_address(keccak256(name.encode())[-20:])


USER, AGGREGATOR = account("user"), account("aggregator")


def place(block: int, what: str = "") -> Place:
    return Place(
        block=BlockNumber(block),
        timestamp=Timestamp(1_700_000_000 + 12 * block),
        transaction_hash=keccak256(b"transaction %d " % block + what.encode()),
        log_index=0,
    )


@dataclass
class PublishedRun:
    """An instance with some posted epochs."""

    context: InstanceContext
    blobs: BlobStore
    headers: list[Header] = field(default_factory=list)
    judgements: list[Judgement] = field(default_factory=list)

    def view(self, epoch: int, **changes: object) -> EpochView:
        """An epoch as the index shows it."""
        header = self.headers[epoch - 1]
        before = unpack_reasons(self.headers[epoch - 2].slash_reasons) if epoch > 1 else {}
        reasons = unpack_reasons(header.slash_reasons)
        seen = EpochView(
            instance_id=header.instance_id,
            epoch=header.epoch,
            attempt=header.attempt,
            state=EpochState.FINAL,
            aggregator=AGGREGATOR,
            header_hash=header.hash(),
            header=PostedHeader(**asdict(header)),
            data_locator=header.data_locator,
            accuracy_ppm=header.metric,
            participants=header.participants,
            excluded=header.excluded,
            new_slash_reasons={seat: reason for seat, reason in reasons.items() if seat not in before},
            finalizable_at=Timestamp(place(100 * epoch).timestamp + WINDOW + 1),
            posted=place(100 * epoch, "post"),
            finalized=place(100 * epoch + 50, "finalize"),
            overturned=None,
            overturned_by=None,
            fraud_case=None,
        )
        return replace(seen, **changes)

    def views(self) -> list[EpochView]:
        return [self.view(epoch) for epoch in range(1, len(self.headers) + 1)]

    def forged(self, epoch: int, **changes: object) -> EpochView:
        """The same epoch under another header that is consistent in itself."""
        header = replace(self.headers[epoch - 1], **changes)
        return self.view(
            epoch,
            header=PostedHeader(**asdict(header)),
            header_hash=header.hash(),
            data_locator=header.data_locator,
            accuracy_ppm=header.metric,
            participants=header.participants,
            excluded=header.excluded,
        )

    @property
    def instance(self) -> InstanceView:
        epochs = len(self.headers)
        return InstanceView(
            instance_id=self.context.instance_id,
            user=USER,
            state=InstanceState.TRAINING,
            aggregator=AGGREGATOR,
            attempt=0,
            d=self.context.d,
            genesis_model_root=self.context.genesis_root,
            rules_hash=self.context.rules_hash,
            cohort=self.context.cohort,
            number_of_epochs=epochs,
            posted_epochs=epochs,
            finalized_epochs=epochs,
            overturned_epochs=0,
            accuracy_ppm=self.headers[-1].metric if self.headers else None,
            base_fee=Wei(10**16),
            escrow=Wei(epochs * 10**16),
            billed_epochs=None,
            clients_total=None,
            protocol_total=None,
            refund=None,
            refunded=Wei(0),
            slashed_clients=len(unpack_reasons(self.headers[-1].slash_reasons)) if self.headers else 0,
            opened=place(1, "open"),
            last_activity=place(100 * epochs + 50),
        )


def published_run(
    folder: Path,
    epochs: int,
    behaviours: dict[int, Behaviour] | None = None,
    *,
    n: int = 10,
    seed: int = 0,
    d: int = 2500,
    context: InstanceContext | None = None,
    metrics: tuple[int, ...] = (),
) -> PublishedRun:
    """Train, execute and publish some epochs; `behaviours` are the attackers', by seat."""
    cohort = Cohort(n, behaviours, seed, d, skew=0.5, noise=0.5)
    model = cohort.model.copy()
    context = context or InstanceContext(
        chain_id=31337,
        settlement=SETTLEMENT,
        instance_id=InstanceId(1),
        cohort=tuple(account(f"client {seat}") for seat in range(n)),
        d=d,
        genesis_root=vector_root(model),
        rules=Rules(),
    )
    run = PublishedRun(context, BlobStore(f"file://{folder / 'blobs'}"))
    genesis = run.blobs.put(encode_vector(model))
    state = RollupState.genesis(context, model)
    for number in range(1, epochs + 1):
        judgement = cohort.run_epoch()
        reveals = {
            Seat(seat): Reveal(Seat(seat), cohort.last[seat].copy(), 100, keccak256(b"salt %d %d" % (number, seat)))
            for seat in judgement.stats
        }
        commits = {seat: Commit(reveal.commitment(context.cohort[seat]), bytes(65)) for seat, reveal in reveals.items()}
        submissions = {seat: admit_reveal(context, commits, reveal) for seat, reveal in reveals.items()}
        transition = execute(context, state, 0, commits, submissions)
        assert transition.judgement.verdicts == judgement.verdicts, "the cohort's own judgement is the protocol's"
        updates = {seat: Hash32(keccak256(encode_vector(own.update))) for seat, own in submissions.items()}
        locator = publish_epoch(run.blobs, context, EpochNumber(number), 0, transition.data, genesis, updates)
        metric = metrics[number - 1] if metrics else 300_000 + 50_000 * number
        header = transition.seal(context, state, metric, locator)
        run.headers.append(header)
        run.judgements.append(transition.judgement)
        state = transition.after(header)
    return run
