# pragma version 0.4.3
# pragma evm-version cancun
# SPDX-License-Identifier: Apache-2.0
"""
@title SubmissionVerifier
@license Apache-2.0
@author The FedBlocks developers
@notice Overturns an epoch that is wrong about what its clients handed in: a submission that is not its client's, a last update
        that is not the last, a reveal that was acknowledged and left out.
@dev What the aggregator has committed to is only ever compared, never converted or calculated with: whatever it is, there is a
     verdict.
"""

from .interfaces import IDisputes
from .interfaces import IRewardManager
from .modules import actions
from .modules import disputes
from .modules import headers
from .modules import lists
from .modules import merkle


initializes: disputes
exports: disputes.MODEL_PARAMETER_CHAIN


# Where the parts of a submission begin; its first 161 bytes are the commit.
CLIENT: constant(uint256) = 32
COMMITMENT: constant(uint256) = 64
SIGNATURE: constant(uint256) = 96
UPDATE_ROOT: constant(uint256) = 161
LAST_UPDATE_ROOT: constant(uint256) = 193
SAMPLES: constant(uint256) = 225
SALT: constant(uint256) = 257

# The root of an update of 4,096 zeros.
ZERO_LEAF: constant(bytes32) = 0xde4e59694afe087cac2427c2ebbabe38426d11fd8eb22f6a703ba61c273cf0fd
# The most levels above the leaves that a vector can have.
MAX_TOP: constant(uint256) = 18


_REWARD_MANAGER: immutable(address)


@deploy
def __init__(modelParameterChain: address):
    """
    @param modelParameterChain Whose epochs it disputes
    """
    disputes.__init__("SubmissionVerifier", modelParameterChain)
    _REWARD_MANAGER = staticcall IDisputes(modelParameterChain).REWARD_MANAGER()


@external
def challengeSubmission(
    header: headers.Header, seat: uint256, submissions: Bytes[2112], content: Bytes[320], commits: Bytes[2112]
):
    """
    @notice Case F1: a submission is malformed, not the seat's client's, unsigned, not in the commits list, does not open its
            commitment or has no samples; or an absent seat's is not empty.
    @param header The header of a pending epoch
    @param seat The seat
    @param submissions The entries of the submissions list
    @param content The seat's submission; empty when there is none
    @param commits The entries of the commits list; not looked at when the submission itself is at fault, or the seat absent
    """
    n: uint256 = disputes._disputed(header).cohortSize
    fault: bool = True
    if self._open(header.submissionsRoot, n, seat, submissions, content):
        client: address = staticcall IRewardManager(_REWARD_MANAGER).getClient(header.instanceId, seat)
        if self._took_part(header, seat):
            fault = not (
                self._is_complete(header, seat, client, content)
                and self._is_committed(header.commitsRoot, n, seat, content, commits)
            )
        else:
            fault = not self._is_empty(seat, client, content)
    disputes._overturn(header, fault, disputes.SUBMISSION)


@external
def challengeLastUpdate(
    header: headers.Header,
    previous: headers.Header,
    seat: uint256,
    submissions: Bytes[2112],
    content: Bytes[320],
    previousSubmissions: Bytes[2112],
    previousContent: Bytes[320],
):
    """
    @notice Case F6: a seat's last update is not the one that it last revealed, or not the zero vector when it never did.
    @param header The header of a pending epoch
    @param previous The header before it; this and what is under it is not looked at in epoch 1
    @param seat The seat
    @param submissions The entries of the submissions list
    @param content The seat's submission; empty when there is none
    @param previousSubmissions The entries of the previous epoch's submissions list
    @param previousContent The seat's submission of the previous epoch; empty when there is none
    """
    dispute: IDisputes.Dispute = disputes._disputed(header)
    fault: bool = True
    if self._open(header.submissionsRoot, dispute.cohortSize, seat, submissions, content):
        last: bytes32 = extract32(content, LAST_UPDATE_ROOT)
        if header.epoch == 1:
            fault = last != self._zero_root(dispute.d)
        else:
            disputes._check_previous(header, previous)
            # What is malformed in the epoch before is that epoch's fault and says nothing about this one.
            fault = False
            if self._open(
                previous.submissionsRoot, dispute.cohortSize, seat, previousSubmissions, previousContent
            ):
                revealed: uint256 = UPDATE_ROOT if self._took_part(previous, seat) else LAST_UPDATE_ROOT
                fault = last != extract32(previousContent, revealed)
    disputes._overturn(header, fault, disputes.LAST_UPDATE)


@external
def challengeCensorship(
    header: headers.Header,
    seat: uint256,
    updateRoot: bytes32,
    samples: uint256,
    salt: bytes32,
    acknowledgement: Bytes[65],
):
    """
    @notice Case F8: a reveal that the aggregator has acknowledged is left out.
    @param header The header of a pending epoch
    @param seat The seat
    @param updateRoot The root of the update that was revealed
    @param samples How many samples it was trained on
    @param salt The commitment's salt
    @param acknowledgement The aggregator's signature
    """
    dispute: IDisputes.Dispute = disputes._disputed(header)
    assert seat < dispute.cohortSize, "SubmissionVerifier: seat does not open"
    client: address = staticcall IRewardManager(_REWARD_MANAGER).getClient(header.instanceId, seat)
    commitment: bytes32 = actions._commitment(updateRoot, convert(samples, bytes32), salt, client)
    commit_hash: bytes32 = actions._commit_hash(disputes.MODEL_PARAMETER_CHAIN, header, commitment)
    assert actions._is_signed_by(
        actions._acknowledgement_hash(disputes.MODEL_PARAMETER_CHAIN, commit_hash),
        acknowledgement,
        dispute.aggregator,
    ), "SubmissionVerifier: acknowledgement does not open"
    disputes._overturn(header, not self._took_part(header, seat), disputes.CENSORSHIP)


@internal
@pure
def _took_part(header: headers.Header, seat: uint256) -> bool:
    return (header.participants >> seat) & 1 == 1


@internal
@pure
def _open(root: bytes32, n: uint256, seat: uint256, submissions: Bytes[2112], content: Bytes[320]) -> bool:
    """
    @notice Make sure that this is what was committed to for a seat.
    @param root The root of the submissions list
    @param n The size of the cohort
    @param seat The seat
    @param submissions The list's entries
    @param content The seat's submission; empty when there is none
    @return Whether list and submission have the length that they must have
    """
    assert seat < n, "SubmissionVerifier: seat does not open"
    assert (
        lists._root(submissions, lists.SUBMISSIONS) == root
    ), "SubmissionVerifier: list of submissions does not open"
    if len(submissions) != 32 * n:
        return False
    entry: bytes32 = lists._entry(submissions, seat)
    if entry == empty(bytes32) and len(content) == 0:
        return False
    assert entry == keccak256(
        concat(lists.SUBMISSION, content)
    ), "SubmissionVerifier: submission does not open"
    return len(content) == lists.SUBMISSION_SIZE


@internal
@view
def _is_complete(header: headers.Header, seat: uint256, client: address, content: Bytes[320]) -> bool:
    """
    @notice Whether a participant's submission opens a commitment that the seat's client has signed for this epoch.
    @param header The epoch's header
    @param seat The seat
    @param client The seat's client
    @param content The submission
    @return Whether it does, and has samples
    """
    commitment: bytes32 = extract32(content, COMMITMENT)
    samples: bytes32 = extract32(content, SAMPLES)
    return (
        extract32(content, 0) == convert(seat, bytes32)
        and extract32(content, CLIENT) == convert(client, bytes32)
        and samples != empty(bytes32)
        and commitment
        == actions._commitment(extract32(content, UPDATE_ROOT), samples, extract32(content, SALT), client)
        and actions._is_signed_by(
            actions._commit_hash(disputes.MODEL_PARAMETER_CHAIN, header, commitment),
            slice(content, SIGNATURE, 65),
            client,
        )
    )


@internal
@pure
def _is_committed(root: bytes32, n: uint256, seat: uint256, content: Bytes[320], commits: Bytes[2112]) -> bool:
    """
    @notice Whether the commit that a submission begins with is the seat's in the commits list.
    @param root The root of the commits list
    @param n The size of the cohort
    @param seat The seat
    @param content The submission
    @param commits The list's entries
    @return Whether it is, and the list has the length that it must have
    """
    assert lists._root(commits, lists.COMMITS) == root, "SubmissionVerifier: list of commits does not open"
    if len(commits) != 32 * n:
        return False
    return lists._entry(commits, seat) == keccak256(concat(lists.COMMIT, slice(content, 0, UPDATE_ROOT)))


@internal
@pure
def _is_empty(seat: uint256, client: address, content: Bytes[320]) -> bool:
    """
    @notice Whether the submission of an absent seat says who has it, what its last update was, and nothing else.
    @param seat The seat
    @param client The seat's client
    @param content The submission
    @return Whether all the rest is zero
    """
    # Commitment, signature and update root are 129 bytes.
    return content == concat(
        convert(seat, bytes32),
        convert(client, bytes32),
        empty(bytes32),
        empty(bytes32),
        empty(bytes32),
        empty(bytes32),
        0x00,
        extract32(content, LAST_UPDATE_ROOT),
        empty(bytes32),
        empty(bytes32),
    )


@internal
@pure
def _zero_root(d: uint256) -> bytes32:
    """
    @notice The root of an update of zeros.
    @param d The number of its values
    @return Its root
    """
    root: bytes32 = ZERO_LEAF
    for _: uint256 in range(merkle._top(merkle._leaves(d)), bound=MAX_TOP):
        root = keccak256(concat(merkle.UPDATE_NODE, root, root))
    return root
