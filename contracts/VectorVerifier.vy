# pragma version 0.4.3
# pragma evm-version cancun
# pragma optimize codesize
# SPDX-License-Identifier: Apache-2.0
"""
@title VectorVerifier
@license Apache-2.0
@author The FedBlocks developers
@notice Overturns an epoch for what its aggregator did wrong with the vectors: inner products, columns, delta, next model,
        padding. docs/proofs.md has the cases, and the bytes that are committed to.
@dev What is committed to gives a verdict, whatever it is; only what the challenger brings along can make a call revert.
"""

from .interfaces import IDisputes
from .modules import disputes
from .modules import headers
from .modules import limits
from .modules import lists
from .modules import merkle
from .modules import products
from .modules import vectors


initializes: disputes
exports: disputes.MODEL_PARAMETER_CHAIN


# One leaf of a vector.
struct Operand:
    # The submission that names the vector's root; not looked at for the last delta and the base model.
    content: Bytes[320]
    values: Bytes[16384]
    proof: DynArray[bytes32, 18]


# Bytes of an entry of a row, of its last entry, and of a seat in what is carried.
_ENTRY_SIZE: constant(uint256) = 8
_LAST_ENTRY_SIZE: constant(uint256) = 12
_CARRIED_SIZE: constant(uint256) = 23
# Where a seat's weight is in what is carried, and how many bytes it has.
_WEIGHT_AT: constant(uint256) = 4
_WEIGHT_SIZE: constant(uint256) = 5
# Where a submission names its roots.
_UPDATE_ROOT_AT: constant(uint256) = 161
_LAST_UPDATE_ROOT_AT: constant(uint256) = 193
# A seat's chunk and its four siblings.
_PART_SIZE: constant(uint256) = 640

# Bit 0 of every slot of 64 bits, and values of 16 bits in such slots.
_EVERY_64: constant(uint256) = max_value(uint256) // (2**64 - 1)
_16_IN_64: constant(uint256) = _EVERY_64 * (2**16 - 1)
_TOP_BITS: constant(uint256) = _EVERY_64 << 63

# The trees that have padding.
_UPDATE_TREE: constant(uint256) = 0
_DELTA_TREE: constant(uint256) = 1
_MODEL_TREE: constant(uint256) = 2
_GRAM_TREE: constant(uint256) = 3


@deploy
def __init__(modelParameterChain: address):
    """
    @param modelParameterChain Whose epochs it disputes
    """
    disputes.__init__("VectorVerifier", modelParameterChain)


@external
def challengeProduct(
    header: headers.Header,
    previous: headers.Header,
    row: uint256,
    entry: uint256,
    at: merkle.Opening,
    rows: Bytes[2112],
    content: Bytes[1600],
    before: merkle.Opening,
    rowsBefore: Bytes[2112],
    contentBefore: Bytes[1600],
    submissions: Bytes[2112],
    left: Operand,
    right: Operand,
):
    """
    @notice Case 2: an entry of a row is not the entry at the leaf before plus the product of the leaf's values, or a row or its
            list has the wrong length.
    @dev Vectors are numbered as rows have them: u_j is j, p_j is n + j, the last delta 2n, the base model 2n + 1.
    @param header The epoch's header
    @param previous The header before it
    @param row Which row of the leaf; the number of seats for the common one
    @param entry Which entry of the row
    @param at The leaf
    @param rows The entries of its list of rows, joined
    @param content The row
    @param before The leaf before; not looked at for the first leaf, nor are the two that follow
    @param rowsBefore The entries of its list of rows, joined
    @param contentBefore Its row
    @param submissions The entries of the list of submissions, joined
    @param left The first vector of the product; not looked at when one is an absent seat's, and zero therefore
    @param right The second vector; not looked at when it is the first one too
    """
    dispute: IDisputes.Dispute = disputes._disputed(header)
    disputes._check_previous(header, previous)
    n: uint256 = dispute.cohortSize
    leaves: uint256 = merkle._leaves(dispute.d)
    levels: uint256 = merkle._top(leaves)
    assert row <= n and entry <= self._last_entry(row, n), "VectorVerifier: entry does not open"
    fault: bool = False
    value: uint256 = 0
    fault, value = self._read_entry(header.gramRoot, leaves, levels, at, rows, content, n, row, entry)
    # Without a leaf before, the entry before is the offset alone.
    expected: int256 = 2**95 if entry == self._last_entry(row, n) else 2**63
    if not fault and at.index != 0:
        assert before.index == at.index - 1, "VectorVerifier: leaf before is not the one before"
        value_before: uint256 = 0
        fault, value_before = self._read_entry(
            header.gramRoot, leaves, levels, before, rowsBefore, contentBefore, n, row, entry
        )
        expected = convert(value_before, int256)
    if not fault:
        first: uint256 = 0
        second: uint256 = 0
        first, second = self._factors(row, entry, n, header.participants)
        if self._takes_part(first, n, header.participants) and self._takes_part(second, n, header.participants):
            root: bytes32 = empty(bytes32)
            fault, root = self._root_of(header, previous, first, n, levels, submissions, left.content)
            if not fault:
                node: bytes32 = self._leaf(left.values, first == 2 * n + 1)
                tag: bytes1 = merkle.MODEL_NODE if first == 2 * n + 1 else merkle.UPDATE_NODE
                self._check_node(node, at.index, levels, left.proof, tag, root)
            if not fault and first != second:
                fault, root = self._root_of(header, previous, second, n, levels, submissions, right.content)
                if not fault:
                    node: bytes32 = self._leaf(right.values, second == 2 * n + 1)
                    tag: bytes1 = merkle.MODEL_NODE if second == 2 * n + 1 else merkle.UPDATE_NODE
                    self._check_node(node, at.index, levels, right.proof, tag, root)
            if not fault:
                # 512 bytes at a time: a leaf of a model has twice as many as one of an update.
                if second == 2 * n + 1:
                    for i: uint256 in range(2 * vectors.LEAF_CHUNKS):
                        if first == second:
                            expected += products._of_model(slice(left.values, 512 * i, 512))
                        else:
                            expected += products._with_model(
                                slice(left.values, 256 * i, 256), slice(right.values, 512 * i, 512)
                            )
                else:
                    for i: uint256 in range(vectors.LEAF_CHUNKS):
                        chunk: Bytes[512] = slice(left.values, 512 * i, 512)
                        if first == second:
                            expected += products._of_updates(chunk, chunk)
                        else:
                            expected += products._of_updates(chunk, slice(right.values, 512 * i, 512))
        if not fault:
            fault = convert(value, int256) != expected
    disputes._overturn(header, fault, disputes.PRODUCT)


@external
def challengeColumn(
    header: headers.Header,
    at: merkle.Opening,
    column: Bytes[2112],
    seat: uint256,
    submissions: Bytes[2112],
    content: Bytes[320],
    node: bytes32,
    proof: DynArray[bytes32, 18],
):
    """
    @notice Case 3: an entry of a column is not the root of the update's subtree, or a column has the wrong length.
    @param header The epoch's header
    @param at The leaf of the Gram tree
    @param column Its column
    @param seat Whose entry; an absent seat's is that of zeros, and what follows is then not looked at
    @param submissions The entries of the list of submissions, joined
    @param content The seat's submission
    @param node The root of the update's subtree
    @param proof From the subtree to the update's root
    """
    dispute: IDisputes.Dispute = disputes._disputed(header)
    n: uint256 = dispute.cohortSize
    leaves: uint256 = merkle._leaves(dispute.d)
    levels: uint256 = merkle._top(leaves)
    assert seat < n, "VectorVerifier: seat does not open"
    self._check_leaf(header.gramRoot, leaves, levels, at, self._column_root(column), at.rowsRoot)
    fault: bool = len(column) != 32 * n
    if not fault:
        subtree: bytes32 = node
        if (header.participants >> seat) & 1 == 1:
            fault = self._check_submission(header.submissionsRoot, submissions, content, seat, n)
            if not fault:
                root: bytes32 = extract32(content, _UPDATE_ROOT_AT)
                self._check_node(node, at.index, levels, proof, merkle.UPDATE_NODE, root)
        else:
            subtree = vectors._empty_update(merkle.LEAF_HEIGHT)
        if not fault:
            fault = lists._entry(column, seat) != subtree
    disputes._overturn(header, fault, disputes.COLUMN)


@external
def challengeDelta(
    header: headers.Header,
    at: merkle.Opening,
    column: Bytes[2112],
    carried: Bytes[1536],
    chunk: uint256,
    parts: Bytes[40960],
    delta: Bytes[512],
    proof: DynArray[bytes32, 22],
):
    """
    @notice Case 7: a chunk of the delta is not the floored weighted mean of the updates' chunks, or no seat has a weight.
    @dev Stored values are offset, and so is their mean, by as much. With weights below 2**40 of 64 seats, a sum of weighted
         values stays below 2**62, so that four fit in a word and unchecked arithmetic is safe.
    @param header The epoch's header
    @param at The leaf of the Gram tree
    @param column Its column
    @param carried What is carried to the next epoch
    @param chunk Which chunk of the leaf
    @param parts For each seat with a weight, in ascending order, its chunk and four siblings, lowest first
    @param delta The chunk of the delta
    @param proof From the chunk to the delta's root
    """
    dispute: IDisputes.Dispute = disputes._disputed(header)
    n: uint256 = dispute.cohortSize
    leaves: uint256 = merkle._leaves(dispute.d)
    levels: uint256 = merkle._top(leaves)
    assert chunk < vectors.LEAF_CHUNKS, "VectorVerifier: chunk does not open"
    self._check_leaf(header.gramRoot, leaves, levels, at, self._column_root(column), at.rowsRoot)
    assert keccak256(concat(lists.CARRIED, carried)) == header.carriedRoot, "VectorVerifier: carried does not open"
    fault: bool = len(column) != 32 * n or len(carried) != _CARRIED_SIZE * n
    if not fault:
        weights: DynArray[uint256, limits.MAX_COHORT] = []
        weighted: DynArray[uint256, limits.MAX_COHORT] = []
        total: uint256 = 0
        for seat: uint256 in range(n, bound=limits.MAX_COHORT):
            weight: uint256 = convert(
                slice(carried, _CARRIED_SIZE * seat + _WEIGHT_AT, _WEIGHT_SIZE), uint256
            )
            if weight != 0:
                weights.append(weight)
                weighted.append(seat)
                total += weight
        fault = total == 0
        if not fault:
            assert len(parts) == _PART_SIZE * len(weights), "VectorVerifier: parts do not open"
            self._check_chunk(
                delta, False, at.index * vectors.LEAF_CHUNKS + chunk, levels, proof, header.deltaRoot
            )
            # Four words of a chunk at a time, each of them in four words of four slots.
            sums: uint256[16][4] = empty(uint256[16][4])
            offset: uint256 = 0
            for i: uint256 in range(len(weights), bound=limits.MAX_COHORT):
                part: Bytes[512] = slice(parts, offset, 512)
                siblings: bytes32[4] = abi_decode(slice(parts, offset + 512, 128), bytes32[4])
                node: bytes32 = keccak256(concat(merkle.UPDATE_CHUNK, part))
                position: uint256 = chunk
                for sibling: bytes32 in siblings:
                    if position & 1 == 1:
                        node = keccak256(concat(merkle.UPDATE_NODE, sibling, node))
                    else:
                        node = keccak256(concat(merkle.UPDATE_NODE, node, sibling))
                    position >>= 1
                assert node == extract32(column, 32 * weighted[i]), "VectorVerifier: part does not open"
                weight: uint256 = weights[i]
                words: uint256[4][4] = abi_decode(part, uint256[4][4])
                for j: uint256 in range(4):
                    a: uint256[4] = words[j]
                    s: uint256[16] = sums[j]
                    s[0] = unsafe_add(s[0], unsafe_mul(a[0] & _16_IN_64, weight))
                    s[1] = unsafe_add(s[1], unsafe_mul((a[0] >> 16) & _16_IN_64, weight))
                    s[2] = unsafe_add(s[2], unsafe_mul((a[0] >> 32) & _16_IN_64, weight))
                    s[3] = unsafe_add(s[3], unsafe_mul((a[0] >> 48) & _16_IN_64, weight))
                    s[4] = unsafe_add(s[4], unsafe_mul(a[1] & _16_IN_64, weight))
                    s[5] = unsafe_add(s[5], unsafe_mul((a[1] >> 16) & _16_IN_64, weight))
                    s[6] = unsafe_add(s[6], unsafe_mul((a[1] >> 32) & _16_IN_64, weight))
                    s[7] = unsafe_add(s[7], unsafe_mul((a[1] >> 48) & _16_IN_64, weight))
                    s[8] = unsafe_add(s[8], unsafe_mul(a[2] & _16_IN_64, weight))
                    s[9] = unsafe_add(s[9], unsafe_mul((a[2] >> 16) & _16_IN_64, weight))
                    s[10] = unsafe_add(s[10], unsafe_mul((a[2] >> 32) & _16_IN_64, weight))
                    s[11] = unsafe_add(s[11], unsafe_mul((a[2] >> 48) & _16_IN_64, weight))
                    s[12] = unsafe_add(s[12], unsafe_mul(a[3] & _16_IN_64, weight))
                    s[13] = unsafe_add(s[13], unsafe_mul((a[3] >> 16) & _16_IN_64, weight))
                    s[14] = unsafe_add(s[14], unsafe_mul((a[3] >> 32) & _16_IN_64, weight))
                    s[15] = unsafe_add(s[15], unsafe_mul((a[3] >> 48) & _16_IN_64, weight))
                    sums[j] = s
                offset += _PART_SIZE
            fault = not self._is_mean(sums, total, delta)
    disputes._overturn(header, fault, disputes.DELTA)


@external
def challengeNextModel(
    header: headers.Header,
    index: uint256,
    base: Bytes[1024],
    baseProof: DynArray[bytes32, 22],
    delta: Bytes[512],
    deltaProof: DynArray[bytes32, 22],
    next: Bytes[1024],
    nextProof: DynArray[bytes32, 22],
):
    """
    @notice Case 8: a chunk of the next model is not that of the base model plus that of the delta, saturated.
    @param header The epoch's header
    @param index Which chunk
    @param base The chunk of the base model
    @param baseProof From it to the base model's root
    @param delta The chunk of the delta
    @param deltaProof From it to the delta's root
    @param next The chunk of the next model
    @param nextProof From it to the next model's root
    """
    dispute: IDisputes.Dispute = disputes._disputed(header)
    levels: uint256 = merkle._top(merkle._leaves(dispute.d))
    self._check_chunk(base, True, index, levels, baseProof, header.baseModelRoot)
    self._check_chunk(delta, False, index, levels, deltaProof, header.deltaRoot)
    self._check_chunk(next, True, index, levels, nextProof, header.nextModelRoot)
    fault: bool = False
    for i: uint256 in range(32):
        base_word: uint256 = convert(extract32(base, 32 * i), uint256)
        next_word: uint256 = convert(extract32(next, 32 * i), uint256)
        # A word of a model has as many values as half a word of the delta.
        delta_word: uint256 = convert(slice(delta, 16 * i, 16), uint256)
        for _: uint256 in range(8):
            # The offset of the delta goes last, so that nothing is negative; the least int32 is stored as zero.
            moved: uint256 = max((base_word & (2**32 - 1)) + (delta_word & (2**16 - 1)), 2**15) - 2**15
            if next_word & (2**32 - 1) != min(moved, 2**32 - 1):
                fault = True
            base_word >>= 32
            next_word >>= 32
            delta_word >>= 16
    disputes._overturn(header, fault, disputes.NEXT_MODEL)


@external
def challengePadding(
    header: headers.Header,
    tree: uint256,
    submissions: Bytes[2112],
    content: Bytes[320],
    seat: uint256,
    height: uint256,
    index: uint256,
    node: bytes32,
    chunk: Bytes[1024],
    proof: DynArray[bytes32, 22],
):
    """
    @notice Case 12: values past the last one, or nodes past the last chunk or Gram leaf, are not zero.
    @param header The epoch's header
    @param tree 0 for a participant's update, 1 for the delta, 2 for the next model, 3 for the Gram tree
    @param submissions The entries of the list of submissions, joined; looked at for an update, as are the next two
    @param content The seat's submission
    @param seat Whose update
    @param height The node's height above the chunks, or above the Gram leaves; not looked at with a chunk, nor is the node
    @param index The position of the node on its level, or of the chunk
    @param node The node
    @param chunk The chunk that holds the last value and more, or nothing
    @param proof From the node or chunk to the root
    """
    dispute: IDisputes.Dispute = disputes._disputed(header)
    leaves: uint256 = merkle._leaves(dispute.d)
    assert tree <= _GRAM_TREE, "VectorVerifier: tree does not open"
    root: bytes32 = header.gramRoot
    node_tag: bytes1 = merkle.GRAM_NODE
    levels: uint256 = merkle._top(leaves)
    depth: uint256 = levels
    # How many positions of the lowest level are in use.
    used: uint256 = leaves
    fault: bool = False
    if tree != _GRAM_TREE:
        depth += merkle.LEAF_HEIGHT
        used = (dispute.d + merkle.CHUNK_VALUES - 1) // merkle.CHUNK_VALUES
        node_tag = merkle.MODEL_NODE if tree == _MODEL_TREE else merkle.UPDATE_NODE
        root = header.nextModelRoot if tree == _MODEL_TREE else header.deltaRoot
    if tree == _UPDATE_TREE:
        assert (
            seat < dispute.cohortSize and (header.participants >> seat) & 1 == 1
        ), "VectorVerifier: seat does not open"
        fault = self._check_submission(header.submissionsRoot, submissions, content, seat, dispute.cohortSize)
        if not fault:
            root = extract32(content, _UPDATE_ROOT_AT)
    if not fault and len(chunk) != 0:
        assert tree != _GRAM_TREE, "VectorVerifier: chunk does not open"
        held: uint256 = dispute.d % merkle.CHUNK_VALUES
        assert index == used - 1 and held != 0, "VectorVerifier: chunk is not the last one"
        self._check_chunk(chunk, tree == _MODEL_TREE, index, levels, proof, root)
        # Of one value.
        bits: uint256 = 32 if tree == _MODEL_TREE else 16
        zero: uint256 = 1 << (bits - 1)
        for i: uint256 in range(held, merkle.CHUNK_VALUES, bound=merkle.CHUNK_VALUES):
            word: uint256 = convert(extract32(chunk, bits * i // 256 * 32), uint256)
            if (word << (bits * i % 256)) >> (256 - bits) != zero:
                fault = True
    elif not fault:
        assert height <= depth, "VectorVerifier: node does not open"
        self._check_node(node, index, depth - height, proof, node_tag, root)
        assert index << height >= used, "VectorVerifier: node is not past the end"
        nothing: bytes32 = empty(bytes32)
        if tree == _GRAM_TREE:
            nothing = vectors._doubled(nothing, height, node_tag)
        elif tree == _MODEL_TREE:
            nothing = vectors._empty_model(height)
        else:
            nothing = vectors._empty_update(height)
        fault = node != nothing
    disputes._overturn(header, fault, disputes.PADDING)


@internal
@pure
def _last_entry(row: uint256, n: uint256) -> uint256:
    """
    @notice Which entry of a row is its last, the one with the base model.
    @param row Which row
    @param n The number of seats
    @return The number of the entry, and of those before it
    """
    return 3 * n + 1 if row == n else 2 * n + 1


@internal
@pure
def _factors(row: uint256, entry: uint256, n: uint256, participants: uint256) -> (uint256, uint256):
    """
    @notice Which vectors an entry is the product of.
    @param row Which row
    @param entry Which entry of it
    @param n The number of seats
    @param participants The seats that took part
    @return The numbers of the two vectors
    """
    if row < n:
        return (row if (participants >> row) & 1 == 1 else n + row), entry
    if entry < 2 * n:
        return entry, entry
    if entry < 3 * n:
        return entry - 2 * n, 2 * n
    return entry - n, entry - n


@internal
@pure
def _takes_part(vector: uint256, n: uint256, participants: uint256) -> bool:
    """
    @notice Whether a vector is anything but an absent seat's update.
    @param vector The vector's number
    @param n The number of seats
    @param participants The seats that took part
    @return Whether there is such a vector
    """
    return vector >= n or (participants >> vector) & 1 == 1


@internal
@pure
def _column_root(column: Bytes[2112]) -> bytes32:
    """
    @notice The hash of a column.
    @param column The subtree roots of all seats, joined
    @return Its hash
    """
    return keccak256(concat(lists.COLUMN, column))


@internal
@pure
def _check_node(
    node: bytes32, index: uint256, levels: uint256, proof: DynArray[bytes32, 22], tag: bytes1, root: bytes32
):
    """
    @notice Make sure that a node is at its position below a root.
    @dev The position is checked by itself: a root may be zero, as what `_climb` returns for a position outside the tree is.
    @param node The node
    @param index Its position on its level
    @param levels How many levels above it the root is
    @param proof One sibling for each of them, lowest first
    @param tag The tag of the tree's nodes
    @param root The root
    """
    assert (
        len(proof) == levels and index >> levels == 0 and merkle._climb(node, index, proof, tag) == root
    ), "VectorVerifier: node does not open"


@internal
@pure
def _check_chunk(
    chunk: Bytes[1024], of_model: bool, index: uint256, levels: uint256, proof: DynArray[bytes32, 22], root: bytes32
):
    """
    @notice Make sure that a chunk is one of a vector's.
    @param chunk The chunk
    @param of_model Whether the vector is a model
    @param index Which chunk
    @param levels How many levels the tree has above its leaves
    @param proof From the chunk to the root
    @param root The vector's root
    """
    size: uint256 = vectors.UPDATE_CHUNK_SIZE
    chunk_tag: bytes1 = merkle.UPDATE_CHUNK
    node_tag: bytes1 = merkle.UPDATE_NODE
    if of_model:
        size = vectors.MODEL_CHUNK_SIZE
        chunk_tag = merkle.MODEL_CHUNK
        node_tag = merkle.MODEL_NODE
    assert len(chunk) == size, "VectorVerifier: chunk does not open"
    self._check_node(
        keccak256(concat(chunk_tag, chunk)),
        index,
        levels + merkle.LEAF_HEIGHT,
        proof,
        node_tag,
        root,
    )


@internal
@pure
def _check_leaf(
    gram_root: bytes32, leaves: uint256, levels: uint256, at: merkle.Opening, column_root: bytes32, rows_root: bytes32
):
    """
    @notice Make sure that a leaf is one of the Gram tree's.
    @param gram_root The root of the tree
    @param leaves How many leaves it has
    @param levels How many levels it has above them
    @param at The leaf
    @param column_root The hash of its column
    @param rows_root The root of its rows
    """
    assert at.index < leaves, "VectorVerifier: leaf does not open"
    self._check_node(
        keccak256(concat(merkle.GRAM_LEAF, column_root, rows_root)),
        at.index,
        levels,
        at.proof,
        merkle.GRAM_NODE,
        gram_root,
    )


@internal
@pure
def _read_entry(
    gram_root: bytes32,
    leaves: uint256,
    levels: uint256,
    at: merkle.Opening,
    rows: Bytes[2112],
    content: Bytes[1600],
    n: uint256,
    row: uint256,
    entry: uint256,
) -> (bool, uint256):
    """
    @notice Open an entry of a row.
    @param gram_root The root of the Gram tree
    @param leaves How many leaves it has
    @param levels How many levels it has above them
    @param at The leaf
    @param rows The entries of its list of rows, joined
    @param content The row
    @param n The number of seats
    @param row Which row
    @param entry Which entry of it
    @return Whether row or list has the wrong length, and if not, the entry as it is stored
    """
    self._check_leaf(gram_root, leaves, levels, at, at.columnRoot, lists._root(rows, lists.ROWS))
    if len(rows) != 32 * (n + 1):
        return True, 0
    assert keccak256(concat(lists.ROW, content)) == lists._entry(rows, row), "VectorVerifier: row does not open"
    last: uint256 = self._last_entry(row, n)
    if len(content) != _ENTRY_SIZE * last + _LAST_ENTRY_SIZE:
        return True, 0
    if entry == last:
        return False, convert(slice(content, _ENTRY_SIZE * last, _LAST_ENTRY_SIZE), uint256)
    return False, convert(slice(content, _ENTRY_SIZE * entry, _ENTRY_SIZE), uint256)


@internal
@pure
def _check_submission(
    root: bytes32, submissions: Bytes[2112], content: Bytes[320], seat: uint256, n: uint256
) -> bool:
    """
    @notice Open a seat's submission.
    @param root The root of the list
    @param submissions The entries of the list, joined
    @param content The submission
    @param seat Whose
    @param n The number of seats
    @return Whether submission or list has the wrong length
    """
    assert lists._root(submissions, lists.SUBMISSIONS) == root, "VectorVerifier: submissions do not open"
    if len(submissions) != 32 * n:
        return True
    assert (
        keccak256(concat(lists.SUBMISSION, content)) == lists._entry(submissions, seat)
    ), "VectorVerifier: submission does not open"
    return len(content) != lists.SUBMISSION_SIZE


@internal
@pure
def _leaf(values: Bytes[16384], of_model: bool) -> bytes32:
    """
    @notice The node over a leaf that the challenger brings.
    @param values The values
    @param of_model Whether they must be a model's
    @return The root of their subtree
    """
    size: uint256 = vectors.MODEL_LEAF_SIZE if of_model else vectors.UPDATE_LEAF_SIZE
    assert len(values) == size, "VectorVerifier: values do not open"
    return vectors._leaf(values, of_model)


@internal
@pure
def _root_of(
    header: headers.Header,
    previous: headers.Header,
    vector: uint256,
    n: uint256,
    levels: uint256,
    submissions: Bytes[2112],
    content: Bytes[320],
) -> (bool, bytes32):
    """
    @notice The root of a vector.
    @param header The epoch's header
    @param previous The header before it
    @param vector The vector's number
    @param n The number of seats
    @param levels How many levels its tree has above its leaves
    @param submissions The entries of the list of submissions, joined
    @param content The submission that names the vector
    @return Whether the submission, or the list, has the wrong length, and if not, the root
    """
    if vector == 2 * n + 1:
        return False, header.baseModelRoot
    if vector == 2 * n:
        if header.epoch == 1:
            return False, vectors._empty_update(levels + merkle.LEAF_HEIGHT)
        return False, previous.deltaRoot
    if self._check_submission(header.submissionsRoot, submissions, content, vector % n, n):
        return True, empty(bytes32)
    return False, extract32(content, _UPDATE_ROOT_AT if vector < n else _LAST_UPDATE_ROOT_AT)


@internal
@pure
def _is_mean(sums: uint256[16][4], total: uint256, delta: Bytes[512]) -> bool:
    """
    @notice Whether a chunk of the delta is the floored mean.
    @dev A floored quotient leaves a remainder from 0 to total - 1. Each slot gets its topmost bit set before what the quotient
         makes up is subtracted, so that no slot borrows from the next: the bit is still set when the remainder is not
         negative, and subtracting the total unsets it when the remainder is not too large. Where the second subtraction borrows,
         the first bit of the same slot was not set.
    @param sums The sums of the weighted values, in the order in which they were added up
    @param total The sum of the weights
    @param delta The chunk
    @return Whether all 256 values are right
    """
    totals: uint256 = unsafe_mul(_EVERY_64, total)
    wrong: uint256 = 0
    words: uint256[16] = abi_decode(delta, uint256[16])
    for i: uint256 in range(4):
        group: uint256[16] = sums[i]
        for j: uint256 in range(4):
            word: uint256 = words[4 * i + j]
            for k: uint256 in range(4):
                rest: uint256 = unsafe_sub(
                    unsafe_add(group[4 * j + k], _TOP_BITS), unsafe_mul(word & _16_IN_64, total)
                )
                wrong |= ~rest | unsafe_sub(rest, totals)
                word >>= 16
    return wrong & _TOP_BITS == 0
