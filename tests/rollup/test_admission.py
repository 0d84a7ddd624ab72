"""Which actions an epoch admits, and what it says to the others."""

from dataclasses import replace

import numpy as np
import pytest

from fedblocks.aggregation.verdicts import Carried
from fedblocks.rollup.actions import sign_action, signing_domain
from fedblocks.rollup.admission import (
    DoesNotOpen,
    NotCommitted,
    SeatBarred,
    UnsignedAction,
    UnusableUpdate,
    WrongRound,
    admit_commit,
    admit_reveal,
)
from fedblocks.rollup.stf import Commit
from fedblocks.seats import SlashReason, pack_reasons
from tests.rollup.cohort import SETTLEMENT, SmallCohort


@pytest.fixture(scope="module")
def cohort():
    return SmallCohort()


def test_a_commitment_signed_by_a_client_is_for_its_seat(cohort):
    action, signature, _ = cohort.commit(cohort.genesis, 3, cohort.update())
    assert admit_commit(cohort.context, cohort.genesis, 0, action, signature) == 3


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"instance_id": 2}, "for instance 2, but instance 1 is under way"),
        ({"epoch": 2}, "for epoch 2, but epoch 1 is under way"),
        ({"attempt": 1}, "for attempt 1, but attempt 0"),
        ({"base_model_root": bytes(32)}, "for base model 0x0000"),
    ],
)
def test_a_commitment_for_another_round_is_refused_by_what_differs(cohort, change, message):
    action, signature, _ = cohort.commit(cohort.genesis, 0, cohort.update(), **change)
    with pytest.raises(WrongRound, match=message):
        admit_commit(cohort.context, cohort.genesis, 0, action, signature)


def test_a_signature_by_a_stranger_is_refused(cohort):
    action, _, _ = cohort.commit(cohort.genesis, 0, cohort.update())
    stranger = SmallCohort(9).signers[8]
    with pytest.raises(UnsignedAction, match="has no seat in the cohort of instance 1; sign with the key of a seat"):
        admit_commit(cohort.context, cohort.genesis, 0, action, sign_action(action, cohort.context.domain, stranger))


def test_a_signature_for_another_action_chain_or_contract_is_refused(cohort):
    action, signature, _ = cohort.commit(cohort.genesis, 0, cohort.update())
    other = replace(action, commitment=bytes(31) + b"\1")
    elsewhere = sign_action(action, signing_domain(1, SETTLEMENT), cohort.signers[0])
    for wrong in ((other, signature), (action, elsewhere)):
        with pytest.raises(UnsignedAction):
            admit_commit(cohort.context, cohort.genesis, 0, *wrong)


@pytest.mark.parametrize("signature", [b"", bytes(64), bytes(65), b"\xff" * 65])
def test_bytes_that_are_no_signature_are_refused(cohort, signature):
    action, _, _ = cohort.commit(cohort.genesis, 0, cohort.update())
    with pytest.raises(UnsignedAction, match="malformed signature"):
        admit_commit(cohort.context, cohort.genesis, 0, action, signature)


def test_a_client_that_was_found_guilty_takes_no_part(cohort):
    carried = replace(Carried.genesis(5), slash_reasons=pack_reasons({2: SlashReason.NOISE}))
    state = replace(cohort.genesis, carried=carried)
    action, signature, _ = cohort.commit(state, 2, cohort.update())
    with pytest.raises(SeatBarred, match="found guilty"):
        admit_commit(cohort.context, state, 0, action, signature)


def test_what_opens_its_commitment_becomes_a_submission(cohort):
    action, signature, reveal = cohort.commit(cohort.genesis, 1, cohort.update(), samples=7)
    submission = admit_reveal(cohort.context, {1: Commit(action.commitment, signature)}, reveal)
    assert (submission.seat, submission.client, submission.samples) == (1, cohort.context.cohort[1], 7)
    assert submission.update is reveal.update


def test_what_does_not_open_its_commitment_is_refused(cohort):
    action, signature, reveal = cohort.commit(cohort.genesis, 1, cohort.update())
    commits = {1: Commit(action.commitment, signature)}
    nearly = reveal.update.copy()
    nearly[-1] += 1
    for change in ({"update": nearly}, {"samples": 11}, {"salt": bytes(32)}):
        with pytest.raises(DoesNotOpen, match="do not open its commitment"):
            admit_reveal(cohort.context, commits, replace(reveal, **change))


@pytest.mark.parametrize("seat", [0, 7, -1])
def test_a_seat_that_did_not_commit_cannot_reveal(cohort, seat):
    action, signature, reveal = cohort.commit(cohort.genesis, 1, cohort.update())
    with pytest.raises(NotCommitted):
        admit_reveal(cohort.context, {1: Commit(action.commitment, signature)}, replace(reveal, seat=seat))


@pytest.mark.parametrize(
    ("update", "samples", "message"),
    [
        (np.zeros(699, dtype=np.int16), 1, r"it must be int16 of shape \(700,\), not int16 of shape \(699,\)"),
        (np.zeros(700, dtype=np.int32), 1, "not int32"),
        (np.full(700, np.nan), 1, "not float64"),
        (np.zeros(700, dtype=np.int16), 0, "declares 0 samples"),
    ],
)
def test_an_update_that_cannot_be_used_is_refused_before_anything_else(cohort, update, samples, message):
    action, signature, reveal = cohort.commit(cohort.genesis, 1, cohort.update())
    with pytest.raises(UnusableUpdate, match=message):
        admit_reveal(
            cohort.context, {1: Commit(action.commitment, signature)}, replace(reveal, update=update, samples=samples)
        )
