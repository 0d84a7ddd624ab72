"""Case by case: what clients handed in is refuted where it is wrong, and nowhere else."""

from __future__ import annotations

from typing import Any

import boa
import numpy as np
import pytest
from eth_utils import keccak
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fedblocks.rollup.actions import CURVE_ORDER, Acknowledgement, action_hash, update_commitment
from fedblocks.rollup.admission import revealed_hash
from fedblocks.rollup.vectors import vector_root
from tests.contracts.committed import Epoch, address_word, changed, client, entry, field_of, signed, word
from tests.contracts.world import NO_HASH, deployer_of, mock

SUBMISSION, LAST_UPDATE, CENSORSHIP = 1, 9, 11
NO_FAULT = "SubmissionVerifier: no fault"
WRONG_LENGTHS = [1, 31, 32, 4 * 32, 5 * 32 - 1, 5 * 32 + 1, 6 * 32, 2112]

drawn = settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@pytest.fixture(scope="module")
def disputed() -> Any:
    return mock("DisputedChain")


@pytest.fixture(scope="module")
def verifier(disputed: Any) -> Any:
    return deployer_of("SubmissionVerifier").deploy(disputed.address)


@pytest.fixture
def epoch(disputed: Any) -> Epoch:
    return Epoch(disputed)


@pytest.fixture
def second(disputed: Any) -> Epoch:
    """The epoch after one in which seats 0 and 4 were absent; seats 2 and 4 are now."""
    return Epoch(disputed, number=2, participants=0b01011, previous=Epoch(disputed, participants=0b01110))


def mirrored(signature: bytes) -> bytes:
    """The other signature that anyone can make of one."""
    s = CURVE_ORDER - int.from_bytes(signature[32:64], "big")
    return signature[:32] + word(s) + bytes([55 - signature[64]])


SIGNATURES = {
    "mirrored": mirrored,
    "with v = 0": lambda signature: signature[:64] + b"\x00",
    "with v = 1": lambda signature: signature[:64] + b"\x01",
    "with v = 29": lambda signature: signature[:64] + b"\x1d",
    "with the other v": lambda signature: signature[:64] + bytes([55 - signature[64]]),
    "with r = 0": lambda signature: bytes(32) + signature[32:],
    "with s = 0": lambda signature: signature[:32] + bytes(32) + signature[64:],
    "with r beyond the curve": lambda signature: b"\xff" * 32 + signature[32:],
    "with r at the order": lambda signature: word(CURVE_ORDER) + signature[32:],
    "with s beyond the curve": lambda signature: signature[:32] + b"\xff" * 32 + signature[64:],
    "with r off the curve": lambda signature: word(5) + word(1) + b"\x1b",
    "of zeros": lambda signature: bytes(65),
    "of ones": lambda signature: b"\xff" * 65,
}


class Prosecution:
    """A challenger at work."""

    def __init__(self, verifier: Any, disputed: Any, sender: Any) -> None:
        self.verifier, self.disputed, self.sender = verifier, disputed, sender

    def submission(self, epoch: Epoch, seat: int, **changes: Any) -> None:
        epoch.hold()
        self.verifier.challengeSubmission(
            epoch.header.words,
            seat,
            changes.get("submissions", epoch.submissions),
            changes.get("content", epoch.contents[seat] if seat < epoch.n else b""),
            changes.get("commits", epoch.committed),
            sender=self.sender,
        )

    def last_update(self, epoch: Epoch, seat: int, **changes: Any) -> None:
        epoch.hold()
        before = epoch.previous or epoch
        self.verifier.challengeLastUpdate(
            epoch.header.words,
            changes.get("previous", before.header.words),
            seat,
            changes.get("submissions", epoch.submissions),
            changes.get("content", epoch.contents[seat] if seat < epoch.n else b""),
            changes.get("previous_submissions", before.submissions),
            changes.get("previous_content", before.contents[seat] if seat < before.n else b""),
            sender=self.sender,
        )

    def censorship(self, epoch: Epoch, seat: int, acknowledgement: bytes, **changes: Any) -> None:
        epoch.hold()
        update, samples, salt = (changes.get(name, REVEAL[name]) for name in REVEAL)
        header = changes.get("header", epoch.header)
        self.verifier.challengeCensorship(
            header.words, seat, update, samples, salt, acknowledgement, sender=self.sender
        )

    def proves(self, case: int) -> bool:
        """Whether the last challenge overturned the epoch, for this case, in the challenger's name."""
        return (self.disputed.overturned(), self.disputed.challenger()) == (case, self.sender)


REVEAL = {"update": keccak(text="an update"), "samples": 77, "salt": keccak(text="a salt")}


@pytest.fixture
def prosecution(verifier: Any, disputed: Any, stranger: Any) -> Prosecution:
    return Prosecution(verifier, disputed, stranger)


def recommit(epoch: Epoch, seat: int, content: bytes) -> None:
    """Hand in another submission for a seat, its commit being in the commits list."""
    epoch.contents[seat] = content
    epoch.commits[seat] = content[:161]


def test_it_disputes_the_chain_it_was_deployed_for(verifier: Any, disputed: Any) -> None:
    assert verifier.MODEL_PARAMETER_CHAIN() == disputed.address


def test_it_is_not_deployed_for_an_account(stranger: Any) -> None:
    with boa.reverts("SubmissionVerifier: model parameter chain is not a contract"):
        deployer_of("SubmissionVerifier").deploy(stranger)


# F1


@pytest.mark.parametrize("seat", range(5))
def test_an_honest_submission_has_no_fault(prosecution: Prosecution, epoch: Epoch, seat: int) -> None:
    with boa.reverts(NO_FAULT):
        prosecution.submission(epoch, seat)


@pytest.mark.parametrize("n", [4, 64])
def test_the_last_seat_of_any_cohort_is_judged(prosecution: Prosecution, disputed: Any, n: int) -> None:
    epoch = Epoch(disputed, n=n, participants=2**n - 1)
    with boa.reverts(NO_FAULT):
        prosecution.submission(epoch, n - 1)
    recommit(epoch, n - 1, epoch.submission(n - 1, samples=0))
    prosecution.submission(epoch, n - 1)
    assert prosecution.proves(SUBMISSION)


@pytest.mark.parametrize("name", ["seat", "client", "commitment", "signature", "update root", "samples", "salt"])
def test_a_participants_submission_with_a_changed_field_is_a_fault(
    prosecution: Prosecution, epoch: Epoch, name: str
) -> None:
    before = field_of(epoch.contents[1], name)
    recommit(epoch, 1, changed(epoch.contents[1], name, bytes([before[0] ^ 1]) + before[1:]))
    prosecution.submission(epoch, 1)
    assert prosecution.proves(SUBMISSION)


def test_a_participants_last_update_is_not_this_cases_business(prosecution: Prosecution, epoch: Epoch) -> None:
    recommit(epoch, 1, changed(epoch.contents[1], "last update root", b"\xff" * 32))
    with boa.reverts(NO_FAULT):
        prosecution.submission(epoch, 1)


def test_a_submission_without_samples_is_a_fault(prosecution: Prosecution, epoch: Epoch) -> None:
    recommit(epoch, 1, epoch.submission(1, samples=0))
    prosecution.submission(epoch, 1)
    assert prosecution.proves(SUBMISSION)


@pytest.mark.parametrize("samples", [1, 2**256 - 1])
def test_any_other_number_of_samples_is_none(prosecution: Prosecution, epoch: Epoch, samples: int) -> None:
    recommit(epoch, 1, epoch.submission(1, samples=samples))
    with boa.reverts(NO_FAULT):
        prosecution.submission(epoch, 1)


def test_another_clients_submission_in_a_seat_is_a_fault(prosecution: Prosecution, epoch: Epoch) -> None:
    recommit(epoch, 1, epoch.contents[0])
    prosecution.submission(epoch, 1)
    assert prosecution.proves(SUBMISSION)


def test_a_commitment_that_another_client_signed_is_a_fault(prosecution: Prosecution, epoch: Epoch) -> None:
    commitment = field_of(epoch.contents[1], "commitment")
    signature = signed(client(0), action_hash(epoch.commit(commitment), epoch.domain))
    recommit(epoch, 1, changed(epoch.contents[1], "signature", signature))
    prosecution.submission(epoch, 1)
    assert prosecution.proves(SUBMISSION)


@pytest.mark.parametrize(
    "other",
    [{"instance_id": 2}, {"epoch": 2}, {"attempt": 1}, {"base_model_root": NO_HASH}, {"commitment": NO_HASH}],
    ids=lambda other: next(iter(other)),
)
def test_a_signature_for_another_action_is_a_fault(
    prosecution: Prosecution, epoch: Epoch, other: dict[str, Any]
) -> None:
    action = epoch.commit(field_of(epoch.contents[1], "commitment"), **other)
    signature = signed(client(1), action_hash(action, epoch.domain))
    recommit(epoch, 1, changed(epoch.contents[1], "signature", signature))
    prosecution.submission(epoch, 1)
    assert prosecution.proves(SUBMISSION)


@pytest.mark.parametrize("form", SIGNATURES)
def test_a_signature_is_a_fault_when_it_comes(prosecution: Prosecution, epoch: Epoch, form: str) -> None:
    forged = SIGNATURES[form](field_of(epoch.contents[1], "signature"))
    recommit(epoch, 1, changed(epoch.contents[1], "signature", forged))
    prosecution.submission(epoch, 1)
    assert prosecution.proves(SUBMISSION)


@pytest.mark.parametrize("seat", [1, 2], ids=["participant", "absent"])
@pytest.mark.parametrize("size", [1, 161, 288, 290, 320])
def test_a_submission_of_another_length_is_a_fault(
    prosecution: Prosecution, epoch: Epoch, seat: int, size: int
) -> None:
    epoch.contents[seat] = (epoch.contents[seat] + bytes(31))[:size]
    prosecution.submission(epoch, seat)
    assert prosecution.proves(SUBMISSION)


@pytest.mark.parametrize("seat", [1, 2], ids=["participant", "absent"])
def test_a_seat_without_an_entry_is_a_fault(prosecution: Prosecution, epoch: Epoch, seat: int) -> None:
    epoch.contents[seat] = b""
    assert epoch.submissions[32 * seat : 32 * seat + 32] == NO_HASH
    prosecution.submission(epoch, seat)
    assert prosecution.proves(SUBMISSION)


def test_an_entry_of_nothing_is_a_fault(prosecution: Prosecution, epoch: Epoch) -> None:
    """The hash of the tag alone: its content is as empty as that of no entry."""
    honest = epoch.submissions
    epoch.submission_entries = honest[:32] + keccak(b"\x07") + honest[64:]
    prosecution.submission(epoch, 1, content=b"")
    assert prosecution.proves(SUBMISSION)


def test_an_entry_that_there_is_does_not_pass_for_none(prosecution: Prosecution, epoch: Epoch) -> None:
    with boa.reverts("SubmissionVerifier: submission does not open"):
        prosecution.submission(epoch, 1, content=b"")


@pytest.mark.parametrize("size", [0, *WRONG_LENGTHS])
def test_a_submissions_list_of_another_length_is_a_fault(prosecution: Prosecution, epoch: Epoch, size: int) -> None:
    epoch.submission_entries = (epoch.submissions + bytes(2112))[:size]
    prosecution.submission(epoch, 1)
    assert prosecution.proves(SUBMISSION)


@pytest.mark.parametrize("size", [0, *WRONG_LENGTHS])
def test_a_commits_list_of_another_length_is_a_fault(prosecution: Prosecution, epoch: Epoch, size: int) -> None:
    epoch.commit_entries = (epoch.committed + bytes(2112))[:size]
    prosecution.submission(epoch, 1)
    assert prosecution.proves(SUBMISSION)


def test_a_participant_that_is_not_in_the_commits_list_is_a_fault(prosecution: Prosecution, epoch: Epoch) -> None:
    epoch.commits[1] = b""
    prosecution.submission(epoch, 1)
    assert prosecution.proves(SUBMISSION)


def test_a_participant_that_committed_to_something_else_is_a_fault(prosecution: Prosecution, epoch: Epoch) -> None:
    epoch.commits[1] = epoch.submission(1, samples=101)[:161]
    prosecution.submission(epoch, 1)
    assert prosecution.proves(SUBMISSION)


def test_a_commit_in_another_seats_place_is_a_fault(prosecution: Prosecution, epoch: Epoch) -> None:
    epoch.commits[2], epoch.commits[1] = epoch.commits[1], b""
    prosecution.submission(epoch, 1)
    assert prosecution.proves(SUBMISSION)


def test_a_seat_may_commit_and_never_reveal(prosecution: Prosecution, epoch: Epoch) -> None:
    epoch.commits[2] = epoch.commits[1]
    with boa.reverts(NO_FAULT):
        prosecution.submission(epoch, 2)


@pytest.mark.parametrize("name", ["seat", "client", "commitment", "signature", "update root", "samples", "salt"])
@pytest.mark.parametrize("place", [0, -1], ids=["first byte", "last byte"])
def test_an_absent_seats_submission_that_says_more_is_a_fault(
    prosecution: Prosecution, epoch: Epoch, name: str, place: int
) -> None:
    value = bytearray(field_of(epoch.contents[2], name))
    value[place] ^= 0x80
    epoch.contents[2] = changed(epoch.contents[2], name, bytes(value))
    prosecution.submission(epoch, 2)
    assert prosecution.proves(SUBMISSION)


def test_an_absent_seats_last_update_is_not_this_cases_business(prosecution: Prosecution, epoch: Epoch) -> None:
    epoch.contents[2] = changed(epoch.contents[2], "last update root", b"\xff" * 32)
    with boa.reverts(NO_FAULT):
        prosecution.submission(epoch, 2)


def test_a_complete_submission_of_an_absent_seat_is_a_fault(prosecution: Prosecution, disputed: Any) -> None:
    everybody = Epoch(disputed, participants=0b11111)
    epoch = Epoch(disputed)
    recommit(epoch, 2, everybody.contents[2])
    prosecution.submission(epoch, 2)
    assert prosecution.proves(SUBMISSION)


def test_the_commits_need_not_open_when_the_submission_is_at_fault(prosecution: Prosecution, epoch: Epoch) -> None:
    recommit(epoch, 1, epoch.submission(1, samples=0))
    prosecution.submission(epoch, 1, commits=b"whatever")
    assert prosecution.proves(SUBMISSION)


def test_the_commits_of_a_good_submission_must_be_those_committed_to(prosecution: Prosecution, epoch: Epoch) -> None:
    with boa.reverts("SubmissionVerifier: list of commits does not open"):
        prosecution.submission(epoch, 1, commits=bytes(160))


def test_the_list_must_be_the_one_committed_to(prosecution: Prosecution, epoch: Epoch) -> None:
    for other in (b"", bytes(160), epoch.submissions[:-1]):
        with boa.reverts("SubmissionVerifier: list of submissions does not open"):
            prosecution.submission(epoch, 1, submissions=other)


def test_the_content_must_be_the_one_committed_to(prosecution: Prosecution, epoch: Epoch) -> None:
    for other in (epoch.contents[0], bytes(289), epoch.contents[1][:-1]):
        with boa.reverts("SubmissionVerifier: submission does not open"):
            prosecution.submission(epoch, 1, content=other)


@pytest.mark.parametrize("seat", [5, 64, 255, 256, 2**256 - 1])
def test_there_is_nothing_beyond_the_cohort(prosecution: Prosecution, second: Epoch, seat: int) -> None:
    with boa.reverts("SubmissionVerifier: seat does not open"):
        prosecution.submission(second, seat)
    with boa.reverts("SubmissionVerifier: seat does not open"):
        prosecution.last_update(second, seat)
    with boa.reverts("SubmissionVerifier: seat does not open"):
        prosecution.censorship(second, seat, acknowledged(second, 2))


def test_only_a_pending_epoch_is_judged(
    prosecution: Prosecution, verifier: Any, disputed: Any, epoch: Epoch, second: Epoch
) -> None:
    epoch.contents[1] = b""
    epoch.hold()
    header = second.header.words
    with boa.reverts("SubmissionVerifier: header is not a pending epoch's"):
        verifier.challengeSubmission(header, 1, second.submissions, second.contents[1], second.committed)
    with boa.reverts("SubmissionVerifier: header is not a pending epoch's"):
        verifier.challengeLastUpdate(header, header, 1, second.submissions, second.contents[1], b"", b"")
    with boa.reverts("SubmissionVerifier: header is not a pending epoch's"):
        verifier.challengeCensorship(header, 2, *REVEAL.values(), acknowledged(second, 2))


@drawn
@given(content=st.binary(max_size=320), seat=st.integers(0, 4))
def test_whatever_is_committed_to_as_a_submission_gets_a_verdict(
    prosecution: Prosecution, epoch: Epoch, content: bytes, seat: int
) -> None:
    """It lies in the list as its hash, or as none."""
    with boa.env.anchor():
        epoch.contents[seat] = content
        prosecution.submission(epoch, seat)
        assert prosecution.proves(SUBMISSION)
        prosecution.last_update(epoch, seat)
        assert prosecution.proves(LAST_UPDATE)


@drawn
@given(data=st.data(), seat=st.integers(0, 4))
def test_a_bit_anywhere_but_in_the_last_update_makes_a_fault(
    prosecution: Prosecution, disputed: Any, data: st.DataObject, seat: int
) -> None:
    bit = data.draw(st.integers(0, 8 * 289 - 1).filter(lambda bit: not 193 <= bit // 8 < 225))
    with boa.env.anchor():
        epoch = Epoch(disputed)
        content = bytearray(epoch.contents[seat])
        content[bit // 8] ^= 1 << bit % 8
        recommit(epoch, seat, bytes(content))
        prosecution.submission(epoch, seat)
        assert prosecution.proves(SUBMISSION)


@drawn
@given(entries=st.binary(max_size=2112).filter(lambda entries: len(entries) != 160))
def test_whatever_is_committed_to_as_a_list_gets_a_verdict(
    prosecution: Prosecution, disputed: Any, entries: bytes
) -> None:
    with boa.env.anchor():
        epoch = Epoch(disputed)
        epoch.commit_entries = entries
        prosecution.submission(epoch, 1)
        assert prosecution.proves(SUBMISSION)
        epoch.submission_entries = entries
        prosecution.submission(epoch, 1)
        assert prosecution.proves(SUBMISSION)
        prosecution.last_update(epoch, 1)
        assert prosecution.proves(LAST_UPDATE)


# F6


@pytest.mark.parametrize("d", [1, 4096, 4097, 8192, 8193, 20_481, 70_000])
def test_in_epoch_one_nobody_has_a_last_update(prosecution: Prosecution, disputed: Any, d: int) -> None:
    zeros = vector_root(np.zeros(d, dtype=np.int16))
    epoch = Epoch(disputed, d=d)
    epoch.contents = [changed(content, "last update root", zeros) for content in epoch.contents]
    for seat in range(epoch.n):
        with boa.reverts(NO_FAULT):
            prosecution.last_update(epoch, seat)
    epoch.contents[2] = changed(epoch.contents[2], "last update root", NO_HASH)
    prosecution.last_update(epoch, 2)
    assert prosecution.proves(LAST_UPDATE)


def test_the_largest_vector_has_a_root_of_zeros_too(prosecution: Prosecution, disputed: Any) -> None:
    expected = vector_root(np.zeros(1, dtype=np.int16))
    for _ in range(18):
        expected = keccak(b"\x02" + expected + expected)
    epoch = Epoch(disputed, d=2**30)
    epoch.contents[1] = changed(epoch.contents[1], "last update root", expected)
    with boa.reverts(NO_FAULT):
        prosecution.last_update(epoch, 1)
    epoch.d = 2**29
    prosecution.last_update(epoch, 1)
    assert prosecution.proves(LAST_UPDATE)


def test_in_epoch_one_what_is_said_of_the_epoch_before_is_not_looked_at(
    prosecution: Prosecution, epoch: Epoch, second: Epoch
) -> None:
    assert epoch.number == 1
    prosecution.last_update(
        epoch, 1, previous=second.header.words, previous_submissions=b"whatever", previous_content=b"whatever"
    )
    assert prosecution.proves(LAST_UPDATE)


@pytest.mark.parametrize("seat", range(5))
def test_an_honest_last_update_has_no_fault(prosecution: Prosecution, second: Epoch, seat: int) -> None:
    """Of the five there are seats that took part in both epochs, in either and in none."""
    with boa.reverts(NO_FAULT):
        prosecution.last_update(second, seat)


@pytest.mark.parametrize("seat", range(5))
def test_a_last_update_that_was_not_revealed_last_is_a_fault(
    prosecution: Prosecution, second: Epoch, seat: int
) -> None:
    assert second.previous is not None
    before = second.previous.contents[seat]
    older = field_of(before, "last update root" if second.previous.took_part(seat) else "update root")
    second.contents[seat] = changed(second.contents[seat], "last update root", older)
    prosecution.last_update(second, seat)
    assert prosecution.proves(LAST_UPDATE)


def test_a_malformed_submission_has_no_last_update(prosecution: Prosecution, second: Epoch) -> None:
    second.contents[1] = second.contents[1] + b"\x00"
    prosecution.last_update(second, 1)
    assert prosecution.proves(LAST_UPDATE)


@pytest.mark.parametrize("size", [0, *WRONG_LENGTHS])
def test_a_malformed_list_has_no_last_updates(prosecution: Prosecution, second: Epoch, size: int) -> None:
    second.submission_entries = (second.submissions + bytes(2112))[:size]
    prosecution.last_update(second, 1)
    assert prosecution.proves(LAST_UPDATE)


@pytest.mark.parametrize("size", [0, 1, 288, 290, 320])
def test_a_malformed_submission_of_the_epoch_before_is_not_this_ones_fault(
    prosecution: Prosecution, second: Epoch, size: int
) -> None:
    assert second.previous is not None
    second.previous.contents[1] = (second.previous.contents[1] + bytes(31))[:size]
    with boa.reverts(NO_FAULT):
        prosecution.last_update(second, 1)


@pytest.mark.parametrize("size", [0, *WRONG_LENGTHS])
def test_a_malformed_list_of_the_epoch_before_is_not_this_ones_fault(
    prosecution: Prosecution, second: Epoch, size: int
) -> None:
    assert second.previous is not None
    second.previous.submission_entries = (second.previous.submissions + bytes(2112))[:size]
    with boa.reverts(NO_FAULT):
        prosecution.last_update(second, 1)


def test_the_epoch_before_must_be_the_one_before(prosecution: Prosecution, second: Epoch, epoch: Epoch) -> None:
    with boa.reverts("SubmissionVerifier: previous header is not the one before"):
        prosecution.last_update(second, 1, previous=epoch.header.words)


def test_what_is_brought_of_either_epoch_must_open(prosecution: Prosecution, second: Epoch) -> None:
    for name in ("submissions", "previous_submissions"):
        with boa.reverts("SubmissionVerifier: list of submissions does not open"):
            prosecution.last_update(second, 1, **{name: bytes(160)})
    for name in ("content", "previous_content"):
        with boa.reverts("SubmissionVerifier: submission does not open"):
            prosecution.last_update(second, 1, **{name: bytes(289)})


# F8


def acknowledged(epoch: Epoch, seat: int, /, account: Any = None, **changes: Any) -> bytes:
    """The aggregator's signature that it has a seat's reveal."""
    commitment = update_commitment(REVEAL["update"], REVEAL["samples"], REVEAL["salt"], client(seat).address)
    commit_hash = action_hash(epoch.commit(commitment, **changes), epoch.domain)
    action = Acknowledgement(revealed_hash(commit_hash))
    return signed(account or epoch.aggregator, action_hash(action, epoch.domain))


def test_an_acknowledged_reveal_that_is_left_out_is_a_fault(prosecution: Prosecution, epoch: Epoch) -> None:
    prosecution.censorship(epoch, 2, acknowledged(epoch, 2))
    assert prosecution.proves(CENSORSHIP)


def test_an_acknowledged_reveal_that_is_taken_in_is_no_fault(prosecution: Prosecution, epoch: Epoch) -> None:
    with boa.reverts(NO_FAULT):
        prosecution.censorship(epoch, 1, acknowledged(epoch, 1))


def test_the_last_of_64_seats_can_be_censored(prosecution: Prosecution, disputed: Any) -> None:
    epoch = Epoch(disputed, n=64, participants=2**63 - 1)
    prosecution.censorship(epoch, 63, acknowledged(epoch, 63))
    assert prosecution.proves(CENSORSHIP)


def test_an_acknowledgement_counts_for_its_own_seat(prosecution: Prosecution, epoch: Epoch) -> None:
    with boa.reverts("SubmissionVerifier: acknowledgement does not open"):
        prosecution.censorship(epoch, 2, acknowledged(epoch, 1))


@pytest.mark.parametrize("name", REVEAL)
def test_an_acknowledgement_counts_for_its_own_reveal(prosecution: Prosecution, epoch: Epoch, name: str) -> None:
    other: Any = 78 if name == "samples" else NO_HASH
    with boa.reverts("SubmissionVerifier: acknowledgement does not open"):
        prosecution.censorship(epoch, 2, acknowledged(epoch, 2), **{name: other})


@pytest.mark.parametrize(
    "other",
    [{"instance_id": 2}, {"epoch": 2}, {"attempt": 1}, {"base_model_root": NO_HASH}],
    ids=lambda other: next(iter(other)),
)
def test_an_acknowledgement_counts_for_its_own_round(
    prosecution: Prosecution, epoch: Epoch, other: dict[str, Any]
) -> None:
    with boa.reverts("SubmissionVerifier: acknowledgement does not open"):
        prosecution.censorship(epoch, 2, acknowledged(epoch, 2, **other))


def test_an_acknowledged_commitment_is_not_an_acknowledged_reveal(prosecution: Prosecution, epoch: Epoch) -> None:
    """The aggregator answers to both, and only who revealed can have been left out."""
    commitment = update_commitment(REVEAL["update"], REVEAL["samples"], REVEAL["salt"], client(2).address)
    action = Acknowledgement(action_hash(epoch.commit(commitment), epoch.domain))
    with boa.reverts("SubmissionVerifier: acknowledgement does not open"):
        prosecution.censorship(epoch, 2, signed(epoch.aggregator, action_hash(action, epoch.domain)))


def test_only_the_aggregator_acknowledges(prosecution: Prosecution, epoch: Epoch) -> None:
    with boa.reverts("SubmissionVerifier: acknowledgement does not open"):
        prosecution.censorship(epoch, 2, acknowledged(epoch, 2, account=client(2)))


@pytest.mark.parametrize("form", SIGNATURES)
def test_an_acknowledgement_counts_for_nothing_when_its_signature_comes(
    prosecution: Prosecution, epoch: Epoch, form: str
) -> None:
    with boa.reverts("SubmissionVerifier: acknowledgement does not open"):
        prosecution.censorship(epoch, 2, SIGNATURES[form](acknowledged(epoch, 2)))


@pytest.mark.parametrize("size", [0, 1, 32, 64])
def test_a_short_acknowledgement_is_none(prosecution: Prosecution, epoch: Epoch, size: int) -> None:
    with boa.reverts("SubmissionVerifier: acknowledgement does not open"):
        prosecution.censorship(epoch, 2, acknowledged(epoch, 2)[:size])


def test_a_signature_of_nobodys_is_not_that_of_the_zero_address(verifier: Any, disputed: Any, epoch: Epoch) -> None:
    """A key that cannot be recovered reads as zero; an epoch that nobody posted must not match it."""
    zero = "0x" + "00" * 20
    disputed.hold((epoch.header.hash, zero, epoch.n, epoch.d, NO_HASH), epoch.clients)
    forged = word(5) + word(1) + b"\x1b"
    with boa.reverts("SubmissionVerifier: acknowledgement does not open"):
        verifier.challengeCensorship(epoch.header.words, 2, *REVEAL.values(), forged)


def test_the_helpers_write_what_the_specification_says(epoch: Epoch) -> None:
    content = epoch.contents[1]
    assert len(content) == 289
    assert content[:64] == word(1) + address_word(client(1).address)
    assert epoch.submissions[32:64] == entry(0x07, content) == keccak(b"\x07" + content)
