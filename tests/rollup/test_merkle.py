"""What a proof binds, and which proofs are refused."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedblocks.rollup.keccak import keccak256
from fedblocks.rollup.lists import CARRIED_TAG, COLUMN_TAG, SeatList
from fedblocks.rollup.merkle import UPDATE_COMMITMENT_TAG, TreeTags, fold_proof, level_above, node_hash, siblings

digests = st.binary(min_size=32, max_size=32)


def naive_root(level: list[bytes], filling: bytes, tags: TreeTags) -> bytes:
    while len(level) > 1:
        if len(level) % 2:
            level = [*level, filling]
        level = [keccak256(bytes([tags.node]) + a + b) for a, b in zip(level[::2], level[1::2], strict=True)]
        filling = keccak256(bytes([tags.node]) + filling + filling)
    return level[0]


def filling_of(tags: TreeTags):
    def filling(height: int) -> bytes:
        return node_hash(filling(height - 1), filling(height - 1), tags) if height else bytes(32)

    return filling


@given(leaves=st.lists(digests, min_size=1, max_size=20), tags=st.sampled_from(TreeTags), data=st.data())
def test_every_leaf_leads_to_the_root_from_its_own_position_only(leaves, tags, data):
    index = data.draw(st.integers(0, len(leaves) - 1))
    level = np.frombuffer(b"".join(leaves), dtype=np.uint8).reshape(1, -1, 32)
    height = (len(leaves) - 1).bit_length()
    proof = siblings(level, index, range(height), filling_of(tags), tags)
    root = naive_root(leaves, bytes(32), tags)
    assert fold_proof(leaves[index], index, proof, tags) == root
    for other in range(2 ** (height + 1)):
        if other != index and not (other < len(leaves) and leaves[other] == leaves[index]):
            assert fold_proof(leaves[index], other, proof, tags) != root
    with_other_tags = next(each for each in TreeTags if each is not tags)
    assert height == 0 or fold_proof(leaves[index], index, proof, with_other_tags) != root


def test_levels_of_several_trees_are_hashed_together():
    generator = np.random.default_rng(0)
    level = generator.integers(0, 256, (3, 5, 32), dtype=np.uint8)
    above = level_above(level, b"\x07" * 32, TreeTags.GRAM)
    assert above.shape == (3, 3, 32)
    for tree in range(3):
        left, right = level[tree, 4].tobytes(), b"\x07" * 32
        assert above[tree, 2].tobytes() == node_hash(left, right, TreeTags.GRAM)


@pytest.mark.parametrize("bad", [b"", bytes(31), bytes(33)])
def test_a_sibling_that_is_no_hash_leads_nowhere(bad):
    assert fold_proof(bytes(32), 0, [bad], TreeTags.UPDATE) is None


def test_an_index_that_is_not_used_up_leads_nowhere():
    assert fold_proof(bytes(32), 2, [bytes(32)], TreeTags.UPDATE) is None
    assert fold_proof(bytes(32), -1, [bytes(32)], TreeTags.UPDATE) is None


def test_no_two_hashes_of_the_protocol_share_a_tag():
    trees = [tag for tree in TreeTags for tag in (tree.leaf, tree.node)]
    lists = [tag for each in SeatList for tag in (each.entry, each.whole)]
    assert sorted([*trees, *lists, COLUMN_TAG, CARRIED_TAG, UPDATE_COMMITMENT_TAG]) == [*range(1, 18)]
