# pragma version 0.4.3
# pragma evm-version cancun
# SPDX-License-Identifier: Apache-2.0
"""
@title VerdictVerifier
@license Apache-2.0
@author The FedBlocks developers
@notice Overturns an epoch whose figures do not follow from its inner products, or whose verdicts, weights and counters do not
        follow from its figures.
@dev What the aggregator has committed to has a verdict whatever it is: lengths are compared before anything is read, and what is
     read has so few bytes that nothing calculated from it overflows.
"""

from .interfaces import IDisputes
from .modules import carried as carriedOver
from .modules import cohorts
from .modules import disputes
from .modules import figures
from .modules import headers
from .modules import lists
from .modules import limits
from .modules import merkle
from .modules import stats as entriesOf
from .modules import thresholds
from .modules import verdicts


initializes: disputes
exports: disputes.MODEL_PARAMETER_CHAIN


# Where a submission says how many samples its client has.
SAMPLES: constant(uint256) = 225


@deploy
def __init__(modelParameterChain: address):
    """
    @param modelParameterChain Whose epochs it disputes
    """
    disputes.__init__("VerdictVerifier", modelParameterChain)


@external
def challengeFigures(
    header: headers.Header,
    previous: headers.Header,
    seat: uint256,
    at: merkle.Opening,
    rows: Bytes[2112],
    row: Bytes[1600],
    common: Bytes[1600],
    stats: Bytes[2112],
    own: Bytes[192],
    carried: Bytes[1536],
    previousCarried: Bytes[1536],
    rules: uint256[27],
    krumBound: int256,
    normalisedBound: int256,
):
    """
    @notice Case F4a: a seat's figures, or what is carried of its products, do not follow; an entry has not the length that it
            must have; or an absent seat has one.
    @param header The header of a pending epoch
    @param previous The header before it; not looked at in epoch 1
    @param seat The seat
    @param at The last leaf of the Gram tree
    @param rows The entries of the leaf's list of rows
    @param row The seat's row
    @param common The common row
    @param stats The entries of the stats list
    @param own The seat's entry; empty when there is none
    @param carried What the epoch carries over
    @param previousCarried What the epoch before it has carried over; not looked at in epoch 1
    @param rules The rules of the instance
    @param krumBound The largest distance that the seat's Krum score adds up; not looked at when it adds up none
    @param normalisedBound The same on normalised updates
    """
    dispute: IDisputes.Dispute = self._dispute(header, previous, seat, rules)
    n: uint256 = dispute.cohortSize
    self._open_rows(header.gramRoot, dispute.d, at, rows)
    self._open_list(header.statsRoot, stats)
    self._open_carried(header.carriedRoot, carried)

    fault: bool = True
    if (
        len(rows) == 32 * (n + 1)
        and len(stats) == 32 * (n + 1)
        and len(carried) == carriedOver.SEAT_SIZE * n
        and self._opens(rows, seat, lists.ROW, row)
        and len(row) == figures._row_size(n)
        and self._opens(rows, n, lists.ROW, common)
        and len(common) == figures._common_size(n)
    ):
        readable: bool = header.epoch == 1
        if not readable:
            self._open_carried(previous.carriedRoot, previousCarried)
            readable = len(previousCarried) == carriedOver.SEAT_SIZE * n
        # What is malformed in the epoch before is that epoch's fault and says nothing about this one.
        fault = False
        if readable:
            products: int256[194] = figures._entries(row, 2 * n + 1)
            product: int256 = carriedOver._product(carriedOver._seat(carried, seat))
            fault = product != carriedOver._weighted_sum(carried, n, products, 0)
            if not self._took_part(header, seat):
                fault = fault or lists._entry(stats, seat) != empty(bytes32)
            elif not fault:
                fault = True
                if self._opens(stats, seat, lists.FIGURES, own) and len(own) == entriesOf.CLIENT_SIZE:
                    response: int256 = 0
                    if header.epoch > 1:
                        response = carriedOver._weighted_sum(previousCarried, n, products, n)
                        response -= carriedOver._product(carriedOver._seat(previousCarried, seat))
                    client: int256[22] = entriesOf._client(own)
                    fault = client[entriesOf.RESPONSE] != response or not figures._follow(
                        client,
                        products,
                        figures._entries(common, 3 * n + 1),
                        seat,
                        n,
                        header.participants,
                        thresholds._bounded(rules),
                        krumBound,
                        normalisedBound,
                    )
    disputes._overturn(header, fault, disputes.FIGURES)


@external
def challengeVerdict(
    header: headers.Header,
    previous: headers.Header,
    seat: uint256,
    stats: Bytes[2112],
    own: Bytes[192],
    nearest: Bytes[192],
    cohort: Bytes[192],
    carried: Bytes[1536],
    previousCarried: Bytes[1536],
    rules: uint256[27],
    submissions: Bytes[2112],
    content: Bytes[320],
):
    """
    @notice Case F4b: the evidence against a seat, its badness, its counters or its weight do not follow.
    @param header The header of a pending epoch
    @param previous The header before it; not looked at in epoch 1
    @param seat The seat
    @param stats The entries of the stats list
    @param own The seat's entry; like all that is under it but what is carried, not looked at when the seat is absent
    @param nearest The entry of the seat that its entry names as nearest; not looked at when nothing is compared
    @param cohort The cohort's entry
    @param carried What the epoch carries over
    @param previousCarried What the epoch before it has carried over; not looked at in epoch 1
    @param rules The rules of the instance
    @param submissions The entries of the submissions list; not looked at when the seat is excluded
    @param content The seat's submission; likewise
    """
    n: uint256 = self._dispute(header, previous, seat, rules).cohortSize
    self._open_list(header.statsRoot, stats)
    self._open_carried(header.carriedRoot, carried)

    fault: bool = True
    if len(stats) == 32 * (n + 1) and len(carried) == carriedOver.SEAT_SIZE * n:
        before: uint256 = 0
        took_part_before: bool = False
        readable: bool = True
        if header.epoch > 1:
            self._open_carried(previous.carriedRoot, previousCarried)
            readable = len(previousCarried) == carriedOver.SEAT_SIZE * n
            if readable:
                before = carriedOver._counters(carriedOver._seat(previousCarried, seat))
                took_part_before = self._took_part(previous, seat)
        # What is malformed in the epoch before is that epoch's fault and says nothing about this one.
        fault = False
        if readable:
            after: uint256 = carriedOver._seat(carried, seat)
            if self._took_part(header, seat):
                fault = True
                if (
                    self._opens(stats, seat, lists.FIGURES, own)
                    and len(own) == entriesOf.CLIENT_SIZE
                    and self._opens(stats, n, lists.FIGURES, cohort)
                    and len(cohort) == entriesOf.COHORT_SIZE
                ):
                    client: int256[22] = entriesOf._client(own)
                    whole: int256[22] = entriesOf._cohort(cohort)
                    bounded: int256[27] = thresholds._bounded(rules)
                    fault = not (
                        self._verdict_follows(
                            header,
                            n,
                            seat,
                            stats,
                            client,
                            nearest,
                            whole,
                            before,
                            took_part_before,
                            carriedOver._counters(after),
                            bounded,
                        )
                        and self._weight_follows(
                            header, n, seat, client, whole, carriedOver._weight(after), bounded, submissions, content
                        )
                    )
            else:
                fault = carriedOver._counters(after) != before or carriedOver._weight(after) != 0
    disputes._overturn(header, fault, disputes.VERDICT)


@external
def challengeCohort(
    header: headers.Header,
    previous: headers.Header,
    stats: Bytes[2112],
    entries: Bytes[12288],
    cohort: Bytes[192],
    at: merkle.Opening,
    rows: Bytes[2112],
    common: Bytes[1600],
    previousCarried: Bytes[1536],
    rules: uint256[27],
):
    """
    @notice Case F4c: the cohort's entry, who is left out or who is slashed does not follow.
    @param header The header of a pending epoch
    @param previous The header before it; not looked at in epoch 1
    @param stats The entries of the stats list
    @param entries What is under the participants' entries, in the order of their seats, joined
    @param cohort The cohort's entry
    @param at The last leaf of the Gram tree
    @param rows The entries of the leaf's list of rows
    @param common The common row
    @param previousCarried What the epoch before it has carried over; not looked at in epoch 1
    @param rules The rules of the instance
    """
    dispute: IDisputes.Dispute = self._dispute(header, previous, 0, rules)
    n: uint256 = dispute.cohortSize
    self._open_rows(header.gramRoot, dispute.d, at, rows)
    self._open_list(header.statsRoot, stats)

    fault: bool = True
    if (
        len(rows) == 32 * (n + 1)
        and len(stats) == 32 * (n + 1)
        and self._opens(rows, n, lists.ROW, common)
        and len(common) == figures._common_size(n)
        and self._opens(stats, n, lists.FIGURES, cohort)
        and len(cohort) == entriesOf.COHORT_SIZE
    ):
        self._open_entries(n, header.participants, stats, entries)
        readable: bool = header.epoch == 1
        before: uint256 = 0
        reasons_before: uint256 = 0
        if not readable:
            before = previous.participants
            self._open_carried(previous.carriedRoot, previousCarried)
            readable = len(previousCarried) == carriedOver.SEAT_SIZE * n
            reasons_before = previous.slashReasons
        # What is malformed in the epoch before is that epoch's fault and says nothing about this one.
        fault = False
        if readable:
            participants: uint256 = len(entries) // entriesOf.CLIENT_SIZE
            whole: int256[22] = entriesOf._cohort(cohort)
            fault = not (
                whole[entriesOf.PARTICIPANTS] == convert(participants, int256)
                and cohorts._medians_follow(whole, participants, entries)
                and cohorts._step_follows(whole, n, common, previousCarried, header.epoch == 1)
                and cohorts._selection_follows(
                    n,
                    header.participants,
                    before,
                    whole[entriesOf.MONOTONE],
                    header.excluded,
                    header.slashReasons,
                    reasons_before,
                    entries,
                )
            )
    disputes._overturn(header, fault, disputes.COHORT)


@internal
@view
def _dispute(
    header: headers.Header, previous: headers.Header, seat: uint256, rules: uint256[27]
) -> IDisputes.Dispute:
    """
    @notice Make sure that an epoch is pending, and of what the challenger says about its instance.
    @param header The epoch's header
    @param previous The header before it
    @param seat A seat of the instance
    @param rules Its rules
    @return What the chain holds of the epoch
    """
    dispute: IDisputes.Dispute = disputes._disputed(header)
    disputes._check_previous(header, previous)
    assert seat < dispute.cohortSize, "VerdictVerifier: seat does not open"
    assert thresholds._hash(rules) == dispute.rulesHash, "VerdictVerifier: hash of the rules does not open"
    return dispute


@internal
@pure
def _took_part(header: headers.Header, seat: uint256) -> bool:
    """
    @notice Whether a seat took part in an epoch.
    @param header The epoch's header
    @param seat The seat
    @return Whether it did
    """
    return (header.participants >> seat) & 1 == 1


@internal
@pure
def _hash(tag: bytes1, content: Bytes[2112]) -> bytes32:
    """
    @notice The hash by which lists, their entries and what is carried are known; in one place, because code is scarce.
    @param tag What it is
    @param content It
    @return Its hash
    """
    return keccak256(concat(tag, content))


@internal
@pure
def _open_rows(root: bytes32, d: uint256, at: merkle.Opening, rows: Bytes[2112]):
    """
    @notice Make sure that a list of rows is that of the last Gram leaf, where the sums are whole.
    @param root The root of the Gram tree
    @param d The number of values of a vector
    @param at The leaf
    @param rows The entries of its list of rows
    """
    leaves: uint256 = merkle._leaves(d)
    leaf: bytes32 = keccak256(concat(merkle.GRAM_LEAF, at.columnRoot, self._hash(lists.ROWS, rows)))
    assert (
        at.index == leaves - 1
        and len(at.proof) == merkle._top(leaves)
        and merkle._climb(leaf, at.index, at.proof, merkle.GRAM_NODE) == root
    ), "VerdictVerifier: last Gram leaf does not open"


@internal
@pure
def _open_list(root: bytes32, stats: Bytes[2112]):
    """
    @notice Make sure that these are the entries of the stats list.
    @param root Its root
    @param stats Its entries
    """
    assert self._hash(lists.STATS, stats) == root, "VerdictVerifier: list of stats does not open"


@internal
@pure
def _open_carried(root: bytes32, content: Bytes[1536]):
    """
    @notice Make sure that this is what an epoch carries over.
    @param root Its hash
    @param content What is carried
    """
    assert self._hash(lists.CARRIED, content) == root, "VerdictVerifier: what is carried does not open"


@internal
@pure
def _opens(entries: Bytes[2112], index: uint256, tag: bytes1, content: Bytes[1600]) -> bool:
    """
    @notice Make sure that this is what is under an entry of a list.
    @param entries The list's entries, of the right length
    @param index Which entry
    @param tag The tag of the list's entries
    @param content What is under it; empty when there is nothing
    @return Whether there is anything
    """
    entry: bytes32 = lists._entry(entries, index)
    if entry == empty(bytes32) and len(content) == 0:
        return False
    assert entry == self._hash(tag, content), "VerdictVerifier: entry does not open"
    return True


@internal
@pure
def _open_entries(n: uint256, participants: uint256, stats: Bytes[2112], entries: Bytes[12288]):
    """
    @notice Make sure that these are the entries of all participants. One of another length is a fault of its own, F4a.
    @param n The number of seats
    @param participants The seats that took part
    @param stats The entries of the stats list, of the right length
    @param entries What is under the participants' entries, joined
    """
    start: uint256 = 0
    opens: bool = True
    for seat: uint256 in range(n, bound=limits.MAX_COHORT):
        if (participants >> seat) & 1 == 1:
            opens = (
                start + entriesOf.CLIENT_SIZE <= len(entries)
                and lists._entry(stats, seat)
                == self._hash(lists.FIGURES, slice(entries, start, entriesOf.CLIENT_SIZE))
            )
            if not opens:
                break
            start += entriesOf.CLIENT_SIZE
    assert opens and start == len(entries), "VerdictVerifier: list of entries does not open"


@internal
@pure
def _verdict_follows(
    header: headers.Header,
    n: uint256,
    seat: uint256,
    stats: Bytes[2112],
    own: int256[22],
    nearest: Bytes[192],
    cohort: int256[22],
    before: uint256,
    took_part_before: bool,
    after: uint256,
    rules: int256[27],
) -> bool:
    """
    @notice Whether evidence, badness and counters of a participant follow from its figures.
    @param header The epoch's header
    @param n The number of seats
    @param seat The participant
    @param stats The entries of the stats list, of the right length
    @param own The participant's figures
    @param nearest The entry of the seat that is nearest to it; empty when there is none
    @param cohort The cohort's figures
    @param before The participant's counters before
    @param took_part_before Whether it took part in the epoch before
    @param after Its counters now
    @param rules The thresholds
    @return Whether they do, and the nearest seat is another participant's, with an entry of the right length
    """
    neighbour: int256[22] = empty(int256[22])
    if verdicts._compares(own, cohort):
        other: uint256 = convert(own[entriesOf.NEAREST], uint256)
        if (
            other >= n
            or other == seat
            or not self._took_part(header, other)
            or not self._opens(stats, other, lists.FIGURES, nearest)
            or len(nearest) != entriesOf.CLIENT_SIZE
        ):
            return False
        neighbour = entriesOf._client(nearest)
    verdict: verdicts.Verdict = verdicts._judge(seat, own, neighbour, cohort, before, took_part_before, rules)
    return (
        verdict.evidence == own[entriesOf.EVIDENCE]
        and verdict.badness == own[entriesOf.BADNESS]
        and verdict.counters == after
    )


@internal
@pure
def _weight_follows(
    header: headers.Header,
    n: uint256,
    seat: uint256,
    own: int256[22],
    cohort: int256[22],
    weight: int256,
    rules: int256[27],
    submissions: Bytes[2112],
    content: Bytes[320],
) -> bool:
    """
    @notice Whether a participant's weight follows from its samples and the length of its update.
    @param header The epoch's header
    @param n The number of seats
    @param seat The participant
    @param own Its figures
    @param cohort The cohort's figures
    @param weight Its weight
    @param rules The thresholds
    @param submissions The entries of the submissions list
    @param content The participant's submission; empty when there is none
    @return Whether it does, and the submission has the length that it must have
    """
    if (header.excluded >> seat) & 1 == 1:
        return weight == 0
    assert (
        self._hash(lists.SUBMISSIONS, submissions) == header.submissionsRoot
    ), "VerdictVerifier: list of submissions does not open"
    if not (
        len(submissions) == 32 * n
        and self._opens(submissions, seat, lists.SUBMISSION, content)
        and len(content) == lists.SUBMISSION_SIZE
    ):
        return False
    samples: uint256 = extract32(content, SAMPLES, output_type=uint256)
    return weight == verdicts._clip_weight(own[entriesOf.NORM], cohort[entriesOf.MEDIAN_NORM], samples, rules)
