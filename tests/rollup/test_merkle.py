"""What a seat tree's root binds, and which proofs it refuses."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from fedblocks.rollup.keccak import keccak256
from fedblocks.rollup.merkle import (
    COUNTERS_TAG,
    UPDATE_COMMITMENT_TAG,
    LeafOutsideTree,
    TreeTags,
    fold_proof,
    leaf_hash,
    seat_proof,
    seat_root,
    tree_height,
    verify_proof,
)

TAGS = TreeTags.COMMITS
contents = st.binary(max_size=40)
cohorts = st.dictionaries(st.integers(0, 63), contents, max_size=12)
seats = st.integers(0, 63)


def naive_root(leaves: dict[int, bytes], tags: TreeTags, width: int) -> bytes:
    level = [keccak256(bytes([tags.leaf]) + leaves[i]) if i in leaves else bytes(32) for i in range(width)]
    while len(level) > 1:
        level = [keccak256(bytes([tags.node]) + a + b) for a, b in zip(level[::2], level[1::2], strict=True)]
    return level[0]


@given(leaves=cohorts, tags=st.sampled_from(TreeTags), width=st.sampled_from([64, 128]))
def test_the_root_is_the_one_computed_leaf_by_leaf(leaves: dict[int, bytes], tags: TreeTags, width: int) -> None:
    assert seat_root(leaves, tags, width) == naive_root(leaves, tags, width)


def test_a_tree_of_one_leaf_is_its_leaf() -> None:
    assert seat_root({0: b"only"}, TAGS, width=1) == leaf_hash(b"only", TAGS)
    assert seat_root({}, TAGS, width=1) == bytes(32)


@given(leaves=cohorts, seat=seats)
def test_every_seat_is_proved_present_or_absent(leaves: dict[int, bytes], seat: int) -> None:
    proof, root = seat_proof(leaves, seat, TAGS), seat_root(leaves, TAGS)
    assert len(proof) == 6
    assert verify_proof(leaves.get(seat), seat, proof, root, TAGS)
    if seat in leaves:
        assert not verify_proof(None, seat, proof, root, TAGS)
    else:
        assert not verify_proof(bytes(32), seat, proof, root, TAGS)


@given(leaves=cohorts, seat=seats, content=st.none() | contents)
def test_any_changed_leaf_changes_the_root(leaves: dict[int, bytes], seat: int, content: bytes | None) -> None:
    assume(leaves.get(seat) != content)
    changed = {k: v for k, v in leaves.items() if k != seat} | ({} if content is None else {seat: content})
    assert seat_root(changed, TAGS) != seat_root(leaves, TAGS)


@given(leaves=cohorts, seat=seats, other=st.integers(-1, 200))
def test_a_proof_holds_at_its_own_index_only(leaves: dict[int, bytes], seat: int, other: int) -> None:
    assume(other != seat)
    leaves = leaves | {seat: b"unlike any drawn content, which has at most forty bytes"}
    assert not verify_proof(leaves[seat], other, seat_proof(leaves, seat, TAGS), seat_root(leaves, TAGS), TAGS)


@given(leaves=cohorts, seat=seats, level=st.integers(0, 5), junk=st.binary(min_size=32, max_size=32))
def test_a_proof_with_a_missing_or_extra_node_fails(
    leaves: dict[int, bytes], seat: int, level: int, junk: bytes
) -> None:
    proof, root = seat_proof(leaves, seat, TAGS), seat_root(leaves, TAGS)
    leaf = leaves.get(seat)
    assert not verify_proof(leaf, seat, proof[:level] + proof[level + 1 :], root, TAGS)
    assert not verify_proof(leaf, seat, [*proof[:level], junk, *proof[level:]], root, TAGS)
    assert not verify_proof(leaf, seat, [*proof[:level], proof[level][:31], *proof[level + 1 :]], root, TAGS)
    assume(junk != proof[level])
    assert not verify_proof(leaf, seat, [*proof[:level], junk, *proof[level + 1 :]], root, TAGS)


def test_a_proof_of_one_tree_says_nothing_in_another() -> None:
    leaves = {3: b"three", 9: b"nine"}
    proof = seat_proof(leaves, 3, TreeTags.STATS)
    assert not verify_proof(b"three", 3, proof, seat_root(leaves, TreeTags.STATS), TreeTags.SUBMISSIONS)
    assert seat_root(leaves, TreeTags.STATS) != seat_root(leaves, TreeTags.SUBMISSIONS)


def test_a_node_cannot_pass_for_a_leaf() -> None:
    leaves = {0: b"left", 1: b"right"}
    node = leaf_hash(b"left", TAGS) + leaf_hash(b"right", TAGS)
    proof, root = seat_proof(leaves, 0, TAGS)[1:], seat_root(leaves, TAGS)
    assert fold_proof(keccak256(bytes([TAGS.node]) + node), 0, proof, TAGS) == root
    assert fold_proof(leaf_hash(node, TAGS), 0, proof, TAGS) != root
    assert not verify_proof(node, 0, proof, root, TAGS)


def test_an_index_that_is_not_used_up_reaches_nothing() -> None:
    assert fold_proof(bytes(32), 2, [bytes(32)], TAGS) is None


def test_a_seat_outside_the_tree_is_refused_by_name() -> None:
    with pytest.raises(LeafOutsideTree, match=r"leaf 64 is outside the tree's 0\.\.63"):
        seat_root({64: b""}, TAGS)
    with pytest.raises(LeafOutsideTree):
        seat_proof({}, -1, TAGS)


def test_a_width_is_a_power_of_two() -> None:
    assert tree_height(128) == 7
    with pytest.raises(ValueError, match="got 48"):
        tree_height(48)


def test_no_two_hashes_of_the_protocol_share_a_tag() -> None:
    tags = [tag for tree in TreeTags for tag in (tree.leaf, tree.node)] + [
        UPDATE_COMMITMENT_TAG,
        COUNTERS_TAG,
    ]
    assert tags == [*range(1, 13), 0x10, 0x11]
