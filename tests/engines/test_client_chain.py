"""What a client looks up before it trains and before it reveals."""

from dataclasses import replace

import pytest

from fedblocks.aggregation.rules import Rules
from fedblocks.engines.client_chain import ClientChain, NotOnChain, NotYetOnChain
from fedblocks.engines.flower.settings import ClientSettings
from fedblocks.rollup.entries import commit_entry
from fedblocks.rollup.lists import SeatList, entries, list_root
from fedblocks.training.client import FederatedClient, RoundTask
from tests.flower import tiny
from tests.flower.scene import open_scene


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    with open_scene(tmp_path_factory.mktemp("scene"), epochs=2, **tiny.stage(4)) as scene:
        yield scene


@pytest.fixture
def chain(scene):
    snapshot = scene.node.snapshot()
    settings = ClientSettings.load(scene.client_settings(0))
    yield ClientChain.open(replace(settings, patience=0))
    scene.node.revert(snapshot)


def close(scene, *, without=()):
    """Close the commitments of epoch 1; the commitments, and the hashes of the list's entries."""
    context = scene.job.context
    task = RoundTask(context, 1, 0, scene.job.genesis, context.genesis_root, scene.job.genesis[:0])
    commits, contents = [], [None] * 4
    for number, signer in enumerate(scene.clients):
        trained = tiny.TinyTrainer(number).train(task.base, 1)
        commit = FederatedClient(signer, None, scene.secret(number)).commit(task, trained.update, trained.samples)
        seat = context.seat_of(signer.address)
        commits.append(commit)
        if number not in without:
            contents[seat] = commit_entry(seat, signer.address, commit.action.commitment, commit.signature)
    root = list_root(contents, SeatList.COMMITS)
    scene.aggregator.chain.close_commits(context.instance_id, 1, 0, root)
    return commits, entries(contents, SeatList.COMMITS)


def test_an_instance_is_as_it_was_opened(scene, chain):
    assert chain.context(scene.job.instance_id, Rules()) == scene.job.context


def test_other_rules_than_those_on_chain_are_refused(scene, chain):
    with pytest.raises(NotOnChain, match="rules"):
        chain.context(scene.job.instance_id, Rules(run=2))


def test_another_chain_or_contract_is_refused(scene, chain):
    chain.check_place(31337, scene.user.chain.address)
    with pytest.raises(NotOnChain, match="the chain 1"):
        chain.check_place(1, scene.user.chain.address)
    with pytest.raises(NotOnChain, match="ModelParameterChain"):
        chain.check_place(31337, scene.user.staking.address)


def test_the_first_epoch_starts_from_the_genesis_model(scene, chain):
    context = scene.job.context
    chain.check_task(context, 1, 0, context.genesis_root)
    with pytest.raises(NotOnChain, match="base model"):
        chain.check_task(context, 1, 0, bytes([1]) * 32)


def test_an_epoch_that_cannot_be_under_way_yet_is_waited_for_and_then_refused(scene, chain):
    with pytest.raises(NotYetOnChain, match="epoch 1 of instance 1"):
        chain.check_task(scene.job.context, 2, 0, scene.job.context.genesis_root)
    with pytest.raises(NotYetOnChain, match="attempt 1"):
        chain.check_task(scene.job.context, 1, 1, scene.job.context.genesis_root)


def test_nothing_is_revealed_before_the_commitments_are_closed(scene, chain):
    snapshot = scene.node.snapshot()
    commits, listed = close(scene)
    chain.check_closed(scene.job.context, commits[0], listed)
    scene.node.revert(snapshot)
    with pytest.raises(NotYetOnChain, match="the closing of epoch 1"):
        chain.check_closed(scene.job.context, commits[0], listed)


def test_a_commitment_that_was_left_out_is_not_opened(scene, chain):
    commits, listed = close(scene, without=(2,))
    chain.check_closed(scene.job.context, commits[0], listed)
    with pytest.raises(NotOnChain, match="at seat"):
        chain.check_closed(scene.job.context, commits[2], listed)


def test_a_list_that_was_not_closed_does_not_open_anything(scene, chain):
    commits, listed = close(scene)
    seat = scene.job.context.seat_of(commits[0].client)
    other = (seat + 1) % 4
    forged = listed[: 32 * other] + bytes(32) + listed[32 * other + 32 :]
    with pytest.raises(NotOnChain, match="commitments with the root"):
        chain.check_closed(scene.job.context, commits[0], forged)
    with pytest.raises(NotOnChain):
        chain.check_closed(scene.job.context, commits[0], listed + bytes(32))


def test_a_block_counts_when_it_is_deep_enough(scene, chain):
    settings = ClientSettings.load(scene.client_settings(0))
    careful = ClientChain.open(replace(settings, patience=0, confirmations=2))
    commits, listed = close(scene)
    with pytest.raises(NotYetOnChain):
        careful.check_closed(scene.job.context, commits[0], listed)
    scene.node.mine(2)
    careful.check_closed(scene.job.context, commits[0], listed)
