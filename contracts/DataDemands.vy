# pragma version 0.4.3
# pragma evm-version cancun
# SPDX-License-Identifier: Apache-2.0
"""
@title DataDemands
@license Apache-2.0
@author The FedBlocks developers
@notice Makes an aggregator open what it has committed to. Anyone may demand one position of a pending epoch for a deposit; who
        opens it in time has the deposit, and everybody can read what was opened. If nobody does, the epoch is overturned and
        the demander has the deposit back and the challenger's part of the bond.
@dev Each position can be demanded once for each header, and only early, so that demands cannot hold an epoch for ever. Nobody
     is pushed ether: deposits are credited and withdrawn. The balance is the sum of all credits and of the deposits of all open
     demands, and whatever somebody forces in by destroying a contract.
"""

from .interfaces import IDisputes
from .interfaces import IEpochs
from .modules import disputes
from .modules import headers
from .modules import lists
from .modules import merkle
from .modules import payments


initializes: disputes
exports: disputes.MODEL_PARAMETER_CHAIN


struct Demand:
    instanceId: uint256
    epoch: uint256
    headerHash: bytes32
    demander: address
    kind: uint256
    seat: uint256
    index: uint256
    deadline: uint256
    open: bool


# What can be demanded, as docs/proofs.md has it.
COMMITS: constant(uint256) = 0
SUBMISSION: constant(uint256) = 1
UPDATE: constant(uint256) = 2
COLUMN: constant(uint256) = 3
ROW: constant(uint256) = 4
STATS: constant(uint256) = 5
CARRIED: constant(uint256) = 6
DELTA: constant(uint256) = 7
NEXT_MODEL: constant(uint256) = 8

# An epoch can be demanded from for so many challenge windows.
DEMAND_WINDOWS: constant(uint256) = 2

# Where the update's root is in a submission.
UPDATE_ROOT: constant(uint256) = 161
STATS_SIZE: constant(uint256) = 143
COHORT_STATS_SIZE: constant(uint256) = 114
CARRIED_SIZE: constant(uint256) = 23
# The sizes of a row's products, and of the last one, the one with the model.
PRODUCT_SIZE: constant(uint256) = 8
MODEL_PRODUCT_SIZE: constant(uint256) = 12
LEAF_CHUNKS: constant(uint256) = 16
UPDATE_CHUNK_SIZE: constant(uint256) = 512
MODEL_CHUNK_SIZE: constant(uint256) = 1024


DEMAND_DEPOSIT: public(immutable(uint256))
ANSWER_PERIOD: public(immutable(uint256))
_CHAIN: immutable(address)
_DEMAND_PERIOD: immutable(uint256)


# A demand by its number: the position, who demands it, until when, and whether it is open; zeros if there is none.
demands: public(HashMap[uint256, Demand])
# What is credited to an account and not withdrawn yet, in wei.
credits: public(HashMap[address, uint256])
# How many demands of a header are open, and when the last one was answered.
_open_demands: HashMap[bytes32, uint256]
_last_answers: HashMap[bytes32, uint256]


# A position of a pending epoch must be opened until `deadline`.
event DataDemanded:
    demandId: indexed(uint256)
    instanceId: indexed(uint256)
    epoch: indexed(uint256)
    headerHash: bytes32
    demander: address
    kind: uint256
    seat: uint256
    index: uint256
    deadline: uint256


# All of the opening, so that whoever reads the log can go on from it: what the kind has no use for was not looked at.
event DemandAnswered:
    demandId: indexed(uint256)
    headerHash: indexed(bytes32)
    answerer: indexed(address)
    list: Bytes[2112]
    submission: Bytes[320]
    opening: merkle.Opening
    content: Bytes[16384]
    proof: DynArray[bytes32, 18]


# A demand was not answered in time; its epoch is overturned.
event DemandFailed:
    demandId: indexed(uint256)
    demander: address


# The deposit of an answered demand, `amount` wei, is its answerer's.
event DepositCredited:
    demandId: indexed(uint256)
    answerer: indexed(address)
    amount: uint256


# The deposit of a demand, `amount` wei, is its demander's again.
event DepositReturned:
    demandId: indexed(uint256)
    demander: indexed(address)
    amount: uint256


# An account's credit of `amount` wei was paid to `receiver`.
event Withdrawn:
    account: indexed(address)
    receiver: address
    amount: uint256


@deploy
def __init__(modelParameterChain: address, demandDeposit: uint256, answerPeriod: uint256):
    """
    @param modelParameterChain Whose epochs data are demanded of
    @param demandDeposit What a demand costs until it is settled, in wei
    @param answerPeriod How long an answer may take, and the time to act on it, in seconds
    """
    disputes.__init__("DataDemands", modelParameterChain)
    assert demandDeposit != 0, "DataDemands: demand deposit is zero"
    assert answerPeriod != 0, "DataDemands: answer period is zero"
    DEMAND_DEPOSIT = demandDeposit
    ANSWER_PERIOD = answerPeriod
    _CHAIN = modelParameterChain
    _DEMAND_PERIOD = DEMAND_WINDOWS * staticcall IEpochs(modelParameterChain).CHALLENGE_WINDOW()


@external
@payable
def demand(header: headers.Header, kind: uint256, seat: uint256, index: uint256) -> uint256:
    """
    @notice Demand that a position be opened, for exactly DEMAND_DEPOSIT.
    @dev The demand's number follows from the header and the position, so that each can be demanded once.
    @param header The header of a pending epoch, posted no longer than two challenge windows ago
    @param kind What is demanded
    @param seat The seat; of a ROW the row; 0 where the kind has none
    @param index The leaf; 0 where the kind has none
    @return The demand's number
    """
    dispute: IDisputes.Dispute = disputes._disputed(header)
    posted_at: uint256 = (staticcall IEpochs(_CHAIN).getEpoch(header.instanceId, header.epoch)).postedAt
    assert block.timestamp <= posted_at + _DEMAND_PERIOD, "DataDemands: demand is late"
    assert self._is_position(header.participants, dispute, kind, seat, index), "DataDemands: no such position"
    assert msg.value == DEMAND_DEPOSIT, "DataDemands: incorrect deposit"
    demand_id: uint256 = convert(keccak256(abi_encode(dispute.headerHash, kind, seat, index)), uint256)
    assert self.demands[demand_id].deadline == 0, "DataDemands: position is demanded already"
    deadline: uint256 = block.timestamp + ANSWER_PERIOD
    self.demands[demand_id] = Demand(
        instanceId=header.instanceId,
        epoch=header.epoch,
        headerHash=dispute.headerHash,
        demander=msg.sender,
        kind=kind,
        seat=seat,
        index=index,
        deadline=deadline,
        open=True,
    )
    self._open_demands[dispute.headerHash] += 1
    log DataDemanded(
        demandId=demand_id,
        instanceId=header.instanceId,
        epoch=header.epoch,
        headerHash=dispute.headerHash,
        demander=msg.sender,
        kind=kind,
        seat=seat,
        index=index,
        deadline=deadline,
    )
    return demand_id


@external
def answer(
    demandId: uint256,
    header: headers.Header,
    list: Bytes[2112],
    submission: Bytes[320],
    opening: merkle.Opening,
    content: Bytes[16384],
    proof: DynArray[bytes32, 18],
):
    """
    @notice Open what was demanded, and have the deposit. Anyone may do it; what the kind has no use for is not looked at.
    @param demandId An open demand
    @param header The header that it is about
    @param list The entries of the list in which the position is: SUBMISSION, UPDATE (of the submissions), ROW, STATS
    @param submission The seat's submission: UPDATE
    @param opening The leaf of the Gram tree: COLUMN, ROW; it is the demanded one, whatever index it names
    @param content What was demanded
    @param proof The siblings from height 4 to the vector's root: UPDATE, DELTA, NEXT_MODEL
    """
    asked: Demand = self._open_demand(demandId)
    assert block.timestamp <= asked.deadline, "DataDemands: answer is late"
    dispute: IDisputes.Dispute = disputes._disputed(header)
    assert dispute.headerHash == asked.headerHash, "DataDemands: header is not the demanded one"
    n: uint256 = dispute.cohortSize
    top: uint256 = merkle._top(merkle._leaves(dispute.d))

    opens: bool = False
    if asked.kind == COMMITS:
        opens = len(content) == 32 * n and keccak256(concat(lists.COMMITS, content)) == header.commitsRoot
    elif asked.kind == SUBMISSION:
        opens = len(content) == lists.SUBMISSION_SIZE and self._holds(
            header.submissionsRoot, lists.SUBMISSIONS, n, list, asked.seat, self._entry(lists.SUBMISSION, content)
        )
    elif asked.kind == UPDATE:
        opens = (
            len(submission) == lists.SUBMISSION_SIZE
            and self._holds(
                header.submissionsRoot,
                lists.SUBMISSIONS,
                n,
                list,
                asked.seat,
                self._entry(lists.SUBMISSION, submission),
            )
            and self._leads(extract32(submission, UPDATE_ROOT), top, asked.index, content, proof)
        )
    elif asked.kind == COLUMN:
        column_root: bytes32 = keccak256(concat(lists.COLUMN, content))
        opens = len(content) == 32 * n and self._is_leaf(
            header.gramRoot, top, asked.index, column_root, opening.rowsRoot, opening.proof
        )
    elif asked.kind == ROW:
        rows_root: bytes32 = lists._root(list, lists.ROWS)
        opens = (
            len(content) == self._row_size(n, asked.seat)
            and self._holds(rows_root, lists.ROWS, n + 1, list, asked.seat, self._entry(lists.ROW, content))
            and self._is_leaf(
                header.gramRoot, top, asked.index, opening.columnRoot, rows_root, opening.proof
            )
        )
    elif asked.kind == STATS:
        size: uint256 = STATS_SIZE if asked.seat < n else COHORT_STATS_SIZE
        opens = (len(content) == 0 or len(content) == size) and self._holds(
            header.statsRoot, lists.STATS, n + 1, list, asked.seat, self._entry(lists.FIGURES, content)
        )
    elif asked.kind == CARRIED:
        opens = (
            len(content) == CARRIED_SIZE * n
            and keccak256(concat(lists.CARRIED, content)) == header.carriedRoot
        )
    elif asked.kind == DELTA:
        opens = self._leads(header.deltaRoot, top, asked.index, content, proof)
    else:
        opens = self._leads_model(header.nextModelRoot, top, asked.index, content, proof)
    assert opens, "DataDemands: answer does not open"

    self._close(demandId, asked, msg.sender)
    self._last_answers[asked.headerHash] = block.timestamp
    log DemandAnswered(
        demandId=demandId,
        headerHash=asked.headerHash,
        answerer=msg.sender,
        list=list,
        submission=submission,
        opening=opening,
        content=content,
        proof=proof,
    )
    log DepositCredited(demandId=demandId, answerer=msg.sender, amount=DEMAND_DEPOSIT)


@external
def failDemand(demandId: uint256):
    """
    @notice Have an epoch overturned because a demand was not answered in time. Anyone may do it, for the demander.
    @param demandId An open demand
    """
    asked: Demand = self._open_demand(demandId)
    assert block.timestamp > asked.deadline, "DataDemands: demand can still be answered"
    assert self._is_pending(asked), "DataDemands: epoch is not pending"
    self._close(demandId, asked, asked.demander)
    log DemandFailed(demandId=demandId, demander=asked.demander)
    log DepositReturned(demandId=demandId, demander=asked.demander, amount=DEMAND_DEPOSIT)
    # The demander is the challenger, whoever calls: otherwise everybody would race for its part of the bond.
    extcall IDisputes(_CHAIN).overturnEpoch(
        asked.instanceId, asked.epoch, asked.demander, disputes.WITHHELD
    )


@external
def reclaim(demandId: uint256):
    """
    @notice Return the deposit of a demand whose epoch was overturned for another reason. Anyone may do it, for the demander.
    @param demandId An open demand
    """
    asked: Demand = self._open_demand(demandId)
    assert not self._is_pending(asked), "DataDemands: epoch is pending"
    self._close(demandId, asked, asked.demander)
    log DepositReturned(demandId=demandId, demander=asked.demander, amount=DEMAND_DEPOSIT)


@external
def withdraw(receiver: address = msg.sender):
    """
    @notice Pay out the deposits credited to the caller.
    @param receiver Who is paid; the caller when left out
    """
    assert receiver != empty(address), "DataDemands: receiver is the zero address"
    amount: uint256 = self.credits[msg.sender]
    assert amount != 0, "DataDemands: no credit to withdraw"
    self.credits[msg.sender] = 0
    log Withdrawn(account=msg.sender, receiver=receiver, amount=amount)
    assert payments._send(receiver, amount), "DataDemands: receiver refused the payment"


@external
@view
def heldUntil(headerHash: bytes32) -> uint256:
    """
    @notice Until when an epoch cannot become final for what was demanded of it.
    @dev A demand that is past its deadline holds the epoch too, until somebody fails it.
    @param headerHash The hash of its header
    @return The last second of it: without end while a demand is open, 0 when none was answered
    """
    if self._open_demands[headerHash] != 0:
        return max_value(uint256)
    answered_at: uint256 = self._last_answers[headerHash]
    return 0 if answered_at == 0 else answered_at + ANSWER_PERIOD


@internal
@view
def _open_demand(demand_id: uint256) -> Demand:
    asked: Demand = self.demands[demand_id]
    assert asked.open, "DataDemands: demand is not open"
    return asked


@internal
@view
def _is_pending(asked: Demand) -> bool:
    """
    @notice Whether the epoch of a demand is still the one of which data were demanded, and not final.
    @param asked The demand
    @return Whether it can be overturned
    """
    return (
        staticcall IDisputes(_CHAIN).getDispute(asked.instanceId, asked.epoch)
    ).headerHash == asked.headerHash


@internal
def _close(demand_id: uint256, asked: Demand, beneficiary: address):
    """
    @notice End a demand.
    @param demand_id Its number
    @param asked The demand
    @param beneficiary To whom the deposit is credited
    """
    self.demands[demand_id].open = False
    self._open_demands[asked.headerHash] -= 1
    self.credits[beneficiary] += DEMAND_DEPOSIT


@internal
@pure
def _is_position(
    participants: uint256, dispute: IDisputes.Dispute, kind: uint256, seat: uint256, index: uint256
) -> bool:
    """
    @notice Whether there is something to demand; what a kind has no use for is 0.
    @param participants The seats that took part
    @param dispute What the chain holds of the epoch
    @param kind What is demanded
    @param seat The seat or row
    @param index The leaf
    @return Whether it is a position
    """
    seats: uint256 = 1
    if kind in [SUBMISSION, UPDATE]:
        seats = dispute.cohortSize
    elif kind in [ROW, STATS]:
        seats = dispute.cohortSize + 1
    places: uint256 = 1
    if kind in [UPDATE, COLUMN, ROW, DELTA, NEXT_MODEL]:
        places = merkle._leaves(dispute.d)
    return (
        kind <= NEXT_MODEL
        and seat < seats
        and index < places
        # Nobody stores the zero vector that stands for an absent seat's update.
        and (kind != UPDATE or (participants >> seat) & 1 == 1)
    )


@internal
@pure
def _row_size(n: uint256, row: uint256) -> uint256:
    """
    @notice The length of a row of products.
    @param n The size of the cohort
    @param row Which row; the common one, with the number n, has three products for each seat and the others two
    @return Its length in bytes
    """
    products: uint256 = 2 * n + 1 if row < n else 3 * n + 1
    return PRODUCT_SIZE * products + MODEL_PRODUCT_SIZE


@internal
@pure
def _entry(tag: bytes1, content: Bytes[16384]) -> bytes32:
    """
    @notice The entry of a list that stands for a content.
    @param tag The tag of the list's entries
    @param content The content; empty when there is none
    @return The entry
    """
    if len(content) == 0:
        return empty(bytes32)
    return keccak256(concat(tag, content))


@internal
@pure
def _holds(
    root: bytes32, tag: bytes1, size: uint256, list: Bytes[2112], position: uint256, entry: bytes32
) -> bool:
    """
    @notice Whether a list is the one that was committed to and holds an entry.
    @param root The list's root
    @param tag The list's tag
    @param size How many entries it has
    @param list The entries
    @param position Where the entry is
    @param entry The entry
    @return Whether it does, and has the length that it must have
    """
    return (
        len(list) == 32 * size
        and lists._root(list, tag) == root
        and lists._entry(list, position) == entry
    )


@internal
@pure
def _is_leaf(
    gram_root: bytes32,
    top: uint256,
    index: uint256,
    column_root: bytes32,
    rows_root: bytes32,
    proof: DynArray[bytes32, 18],
) -> bool:
    """
    @notice Whether a column and rows are those of a leaf of the Gram tree.
    @param gram_root The tree's root
    @param top Its depth
    @param index The leaf
    @param column_root The root of its column
    @param rows_root The root of its rows
    @param proof The leaf's siblings
    @return Whether they are
    """
    leaf: bytes32 = keccak256(concat(merkle.GRAM_LEAF, column_root, rows_root))
    return len(proof) == top and merkle._climb(leaf, index, proof, merkle.GRAM_NODE) == gram_root


@internal
@pure
def _leads(
    root: bytes32, top: uint256, index: uint256, content: Bytes[16384], proof: DynArray[bytes32, 18]
) -> bool:
    """
    @notice Whether values are those of a leaf of an update, or of delta.
    @param root The vector's root
    @param top The levels above its leaves
    @param index The leaf
    @param content 4,096 values
    @param proof The leaf's siblings
    @return Whether they are
    """
    if len(content) != LEAF_CHUNKS * UPDATE_CHUNK_SIZE or len(proof) != top:
        return False
    chunks: bytes32[LEAF_CHUNKS] = empty(bytes32[LEAF_CHUNKS])
    for chunk: uint256 in range(LEAF_CHUNKS):
        values: Bytes[UPDATE_CHUNK_SIZE] = slice(content, UPDATE_CHUNK_SIZE * chunk, UPDATE_CHUNK_SIZE)
        chunks[chunk] = keccak256(concat(merkle.UPDATE_CHUNK, values))
    return merkle._climb(self._join(chunks, merkle.UPDATE_NODE), index, proof, merkle.UPDATE_NODE) == root


@internal
@pure
def _leads_model(
    root: bytes32, top: uint256, index: uint256, content: Bytes[16384], proof: DynArray[bytes32, 18]
) -> bool:
    """
    @notice Whether values are those of a leaf of a model.
    @param root The model's root
    @param top The levels above its leaves
    @param index The leaf
    @param content 4,096 values
    @param proof The leaf's siblings
    @return Whether they are
    """
    if len(content) != LEAF_CHUNKS * MODEL_CHUNK_SIZE or len(proof) != top:
        return False
    chunks: bytes32[LEAF_CHUNKS] = empty(bytes32[LEAF_CHUNKS])
    for chunk: uint256 in range(LEAF_CHUNKS):
        values: Bytes[MODEL_CHUNK_SIZE] = slice(content, MODEL_CHUNK_SIZE * chunk, MODEL_CHUNK_SIZE)
        chunks[chunk] = keccak256(concat(merkle.MODEL_CHUNK, values))
    return merkle._climb(self._join(chunks, merkle.MODEL_NODE), index, proof, merkle.MODEL_NODE) == root


@internal
@pure
def _join(chunks: bytes32[LEAF_CHUNKS], tag: bytes1) -> bytes32:
    """
    @notice The root of a subtree of 16 chunks.
    @param chunks The hashes of the chunks
    @param tag The tag of the tree's nodes
    @return The subtree's root
    """
    level: bytes32[LEAF_CHUNKS] = chunks
    for height: uint256 in range(1, merkle.LEAF_HEIGHT + 1):
        for i: uint256 in range(LEAF_CHUNKS >> height, bound=LEAF_CHUNKS):
            level[i] = keccak256(concat(tag, level[2 * i], level[2 * i + 1]))
    return level[0]
