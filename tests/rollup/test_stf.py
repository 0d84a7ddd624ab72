"""The state transition function: pure, total on what was admitted, the same bits for everyone."""

from dataclasses import replace

import numpy as np
import pytest

from fedblocks.aggregation.fixed_point import WrongVector
from fedblocks.aggregation.mean import NothingToAverage, apply_delta, weighted_delta
from fedblocks.aggregation.verdicts import Carried
from fedblocks.rollup.admission import admit_reveal
from fedblocks.rollup.state import RollupState, WrongGenesisModel
from fedblocks.rollup.stf import InvalidSubmission, execute
from fedblocks.rollup.vectors import subtree_roots, vector_root
from fedblocks.seats import SlashReason, pack_reasons
from tests.rollup.cohort import SmallCohort


@pytest.fixture(scope="module")
def cohort():
    return SmallCohort()


@pytest.fixture(scope="module")
def first(cohort):
    commits, reveals = cohort.round(cohort.genesis)
    return commits, {seat: admit_reveal(cohort.context, commits, reveal) for seat, reveal in reveals.items()}


def header_of(cohort, state, commits, submissions):
    transition = execute(cohort.context, state, 0, commits, submissions)
    return transition.seal(cohort.context, state, 123, bytes(32)), transition


def test_an_epoch_moves_the_model_by_the_weighted_mean_of_the_accepted(cohort, first):
    header, transition = header_of(cohort, cohort.genesis, *first)
    updates = np.stack([first[1][seat].update for seat in range(5)])
    delta = weighted_delta(updates, transition.judgement.carried.weights)
    assert np.array_equal(transition.data.delta, delta)
    assert np.array_equal(transition.data.next_model, apply_delta(cohort.model, delta))
    assert header.next_model_root == vector_root(transition.data.next_model)
    assert header.base_model_root == cohort.context.genesis_root
    assert header.previous_header_hash == cohort.context.genesis_hash
    assert (header.epoch, header.participants, header.metric) == (1, 0b11111, 123)


def test_the_order_of_arrival_changes_nothing(cohort, first):
    commits, submissions = first
    backwards = dict(reversed(commits.items())), dict(reversed(submissions.items()))
    assert header_of(cohort, cohort.genesis, *backwards)[0] == header_of(cohort, cohort.genesis, *first)[0]


def test_where_the_updates_lie_changes_nothing_and_side_by_side_they_are_not_copied(cohort, first):
    commits, submissions = first
    matrix = np.stack([submissions[seat].update for seat in range(5)])
    together = {seat: replace(own, update=matrix[seat]) for seat, own in submissions.items()}
    apart = {seat: replace(own, update=own.update.copy()) for seat, own in submissions.items()}
    header, transition = header_of(cohort, cohort.genesis, commits, together)
    assert header == header_of(cohort, cohort.genesis, commits, apart)[0]
    assert np.shares_memory(transition.last_updates, matrix)


def test_headers_follow_one_another(cohort, first):
    header, transition = header_of(cohort, cohort.genesis, *first)
    state = transition.after(header)
    commits, reveals = cohort.round(state)
    submissions = {seat: admit_reveal(cohort.context, commits, reveal) for seat, reveal in reveals.items()}
    second, _ = header_of(cohort, state, commits, submissions)
    assert second.previous_header_hash == header.hash()
    assert second.base_model_root == header.next_model_root
    assert second.epoch == 2


def test_every_part_of_a_submission_is_in_the_header(cohort, first):
    commits, submissions = first
    plain, _ = header_of(cohort, cohort.genesis, commits, submissions)
    own = submissions[2]
    update = own.update.copy()
    update[-1] ^= 1
    for change in (
        {"samples": 11},
        {"salt": bytes(32)},
        {"update": update, "subtrees": subtree_roots(update[np.newaxis])[0]},
        {"commit": replace(own.commit, signature=bytes(65))},
    ):
        changed, _ = header_of(cohort, cohort.genesis, commits, {**submissions, 2: replace(own, **change)})
        assert changed.submissions_root != plain.submissions_root
    without = {seat: commit for seat, commit in commits.items() if seat != 2}
    assert header_of(cohort, cohort.genesis, without, submissions)[0].commits_root != plain.commits_root


def test_an_absent_client_keeps_its_last_update_and_its_counters(cohort, first):
    header, transition = header_of(cohort, cohort.genesis, *first)
    state = transition.after(header)
    commits, reveals = cohort.round(state, [0, 1, 2, 3])
    submissions = {seat: admit_reveal(cohort.context, commits, reveal) for seat, reveal in reveals.items()}
    second, moved = header_of(cohort, state, commits, submissions)
    assert second.participants == 0b01111
    assert np.array_equal(moved.last_updates[4], first[1][4].update)
    assert moved.last_roots[4] == first[1][4].update_root
    assert moved.judgement.carried.counters[4] == state.carried.counters[4]
    assert moved.judgement.carried.weights[4] == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"samples": 0}, "declares 0 samples"),
        ({"seat": 3}, "is not for the seat of this client"),
        ({"client": "0x0000000000000000000000000000000000000001"}, "is not for the seat of this client"),
    ],
)
def test_a_submission_that_cannot_be_part_of_the_epoch_is_refused(cohort, first, change, message):
    commits, submissions = first
    with pytest.raises(InvalidSubmission, match=message):
        execute(cohort.context, cohort.genesis, 0, commits, {**submissions, 2: replace(submissions[2], **change)})


def test_an_update_of_the_wrong_size_is_refused_with_its_client(cohort, first):
    commits, submissions = first
    short = replace(submissions[2], update=submissions[2].update[:-1])
    with pytest.raises(WrongVector, match=r"the update of seat 2 \(0x.*\) must be int16 of shape \(700,\)"):
        execute(cohort.context, cohort.genesis, 0, commits, {**submissions, 2: short})


def test_a_guilty_client_is_refused(cohort, first):
    carried = replace(Carried.genesis(5), slash_reasons=pack_reasons({2: SlashReason.ZERO}))
    with pytest.raises(InvalidSubmission, match="found guilty"):
        execute(cohort.context, replace(cohort.genesis, carried=carried), 0, *first)


def test_an_epoch_in_which_nobody_is_accepted_is_no_epoch(cohort, first):
    with pytest.raises(NothingToAverage, match="needs at least one accepted update"):
        execute(cohort.context, cohort.genesis, 0, first[0], {})


def test_training_starts_from_the_model_whose_root_is_on_chain(cohort):
    other = cohort.model.copy()
    other[0] += 1
    with pytest.raises(WrongGenesisModel, match="is on chain"):
        RollupState.genesis(cohort.context, other)
    with pytest.raises(WrongVector):
        RollupState.genesis(cohort.context, cohort.model[1:])
