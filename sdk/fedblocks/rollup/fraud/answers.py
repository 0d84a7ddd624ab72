"""Answering demands: what an aggregator sends when somebody demands a position of an epoch that it has posted.

An epoch falls when a demand is not answered in time, so every aggregator answers all of them, by itself.
"""

from __future__ import annotations

from fedblocks.rollup.epoch_data import EpochData
from fedblocks.rollup.fraud.cases import Answer, Demand, DemandKind
from fedblocks.rollup.fraud.challenges import leaf_values
from fedblocks.rollup.lists import SeatList, entries
from fedblocks.rollup.vectors import LEAF_HEIGHT, Values, node_proof
from fedblocks.types import ZERO_HASH


def answer_for(demand: Demand, data: EpochData) -> Answer:
    """What opens a demanded position of an epoch.

    Raises:
        KeyError: if the epoch has no such position.
    """
    kind, seat, leaf = demand.position
    match kind:
        case DemandKind.COMMITS:
            return _answer(content=entries(data.commits, SeatList.COMMITS))
        case DemandKind.SUBMISSION:
            return _answer(entries=entries(data.submissions, SeatList.SUBMISSIONS), content=data.submissions[seat])
        case DemandKind.UPDATE:
            opened = _leaf(data.updates[seat], leaf)
            return _answer(
                entries=entries(data.submissions, SeatList.SUBMISSIONS),
                submission=data.submissions[seat],
                content=opened[0],
                proof=opened[1],
            )
        case DemandKind.COLUMN | DemandKind.ROW:
            tree = data.gram.tree()
            column = kind is DemandKind.COLUMN
            return _answer(
                entries=b"" if column else tree.rows[leaf].tobytes(),
                column_root=tree.columns[leaf].tobytes(),
                rows_root=tree.lists[leaf].tobytes(),
                leaf_proof=tree.proof(leaf),
                content=data.gram.column(leaf) if column else data.gram.row(leaf, seat),
            )
        case DemandKind.STATS:
            contents = [*data.stats, data.cohort]
            return _answer(entries=entries(contents, SeatList.STATS), content=contents[seat] or b"")
        case DemandKind.CARRIED:
            return _answer(content=data.carried)
        case DemandKind.DELTA | DemandKind.NEXT_MODEL:
            content, proof = _leaf(data.delta if kind is DemandKind.DELTA else data.next_model, leaf)
            return _answer(content=content, proof=proof)
    raise KeyError(demand.position)


def _leaf(values: Values, leaf: int) -> tuple[bytes, tuple[bytes, ...]]:
    return leaf_values(values, leaf), node_proof(values, LEAF_HEIGHT, leaf)[1]


def _answer(
    *,
    content: bytes,
    entries: bytes = b"",
    submission: bytes = b"",
    column_root: bytes = ZERO_HASH,
    rows_root: bytes = ZERO_HASH,
    leaf_proof: tuple[bytes, ...] = (),
    proof: tuple[bytes, ...] = (),
) -> Answer:
    return Answer(entries, submission, column_root, rows_root, leaf_proof, content, proof)
