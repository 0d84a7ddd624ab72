"""What a client says about its data, without showing them.

A profile has the domain (``fashion``), the modality (``image``), the shape of a sample, the classes that occur and the
number of samples. It is computed from the data, signed with EIP-712 by the client's own key, and published; matching
reads it. Nobody can check it against data that never leave their owner: a client that lies gets into cohorts where it
trains badly, and staking is what that can cost it.

In the signed text a shape is written ``1x28x28`` and a set of classes ``0,3,9``, ascending. There is one way to
write each, and what is written in another way is refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from eth_utils.address import is_checksum_address

from fedblocks.exceptions import FedBlocksError
from fedblocks.rollup.actions import (
    DataProfile,
    MalformedSignature,
    TypedDataSigner,
    WrongSigner,
    check_signature,
    sign_action,
    signing_domain,
)
from fedblocks.training.datasets import LabelArray
from fedblocks.training.job import InvalidJob, check_labels, check_shape, check_word
from fedblocks.types import Address, Timestamp

_SHAPE = re.compile(r"[1-9][0-9]{0,9}(x[1-9][0-9]{0,9}){0,7}")
_LABELS = re.compile(r"(0|[1-9][0-9]{0,4})(,[1-9][0-9]{0,4})*")


class InvalidProfile(FedBlocksError, ValueError):
    """A field of a data profile is out of range, or not written in the one way that it can be."""

    def __init__(self, field_name: str, why: str) -> None:
        super().__init__(f"the data profile's {field_name} {why}")
        self.field_name, self.why = field_name, why


class ForgedProfile(FedBlocksError, ValueError):
    """A data profile was not signed by the client that it is about."""

    def __init__(self, client: Address, why: str) -> None:
        super().__init__(f"the data profile of {client} is not signed by it: {why}")
        self.client = client


@dataclass(frozen=True)
class SignedProfile:
    """A profile with its client's signature; made by :func:`sign_profile`.

    Attributes:
        signature: 65 bytes, over the EIP-712 ``DataProfile``.
    """

    profile: DataProfile
    signature: bytes

    def verify(self, chain_id: int, settlement: Address) -> None:
        """Check that the profile can be read and that its client signed it for this deployment.

        Args:
            settlement: the address of ModelParameterChain.

        Raises:
            InvalidProfile: if a field is out of range.
            ForgedProfile: if the signature is not the client's.
        """
        check_profile(self.profile)
        domain = signing_domain(chain_id, settlement)
        try:
            check_signature(self.profile, domain, self.signature, self.profile.client)
        except (MalformedSignature, WrongSigner) as error:
            raise ForgedProfile(self.profile.client, str(error)) from error


def sign_profile(profile: DataProfile, signer: TypedDataSigner, *, chain_id: int, settlement: Address) -> SignedProfile:
    """Sign a profile, as its client, for one deployment.

    Raises:
        InvalidProfile: if a field is out of range.
        ForgedProfile: if it is another client's.
    """
    check_profile(profile)
    signed = SignedProfile(profile, sign_action(profile, signing_domain(chain_id, settlement), signer))
    signed.verify(chain_id, settlement)
    return signed


def profile_of(
    labels: LabelArray,
    input_shape: tuple[int, ...],
    *,
    client: Address,
    domain: str,
    modality: str,
    issued_at: Timestamp,
) -> DataProfile:
    """Compute a client's profile from its data.

    Args:
        labels: int64[n], the classes of its samples.
        input_shape: one sample's shape.
        domain, modality: words in lower case.

    Raises:
        InvalidProfile: if there are no samples, or a word, the shape or a class is out of range.
    """
    if len(labels) == 0:
        raise InvalidProfile("samples", "are none")
    profile = DataProfile(
        client=client,
        domain=domain,
        modality=modality,
        input_shape="x".join(map(str, input_shape)),
        labels=",".join(str(label) for label in np.unique(labels).tolist()),
        samples=len(labels),
        issued_at=issued_at,
    )
    check_profile(profile)
    return profile


def shape_of(profile: DataProfile) -> tuple[int, ...]:
    """The shape of one of the client's samples.

    Raises:
        InvalidProfile: if it is not written like ``1x28x28``.
    """
    if not _SHAPE.fullmatch(profile.input_shape):
        raise InvalidProfile("input_shape", f"must be written like 1x28x28, not {profile.input_shape!r}")
    shape = tuple(int(dimension) for dimension in profile.input_shape.split("x"))
    _check("input_shape", check_shape, shape)
    return shape


def labels_of(profile: DataProfile) -> tuple[int, ...]:
    """The classes that the client has samples of, ascending.

    Raises:
        InvalidProfile: if they are not written like ``0,3,9``.
    """
    if not _LABELS.fullmatch(profile.labels):
        raise InvalidProfile("labels", f"must be written like 0,3,9, not {profile.labels[:80]!r}")
    labels = tuple(int(label) for label in profile.labels.split(","))
    _check("labels", check_labels, labels)
    return labels


def check_profile(profile: DataProfile) -> None:
    """Raise InvalidProfile unless every field is in range and written in its one way."""
    if not is_checksum_address(profile.client):
        raise InvalidProfile("client", f"must be a checksummed address, not {profile.client!r}")
    _check("domain", check_word, profile.domain)
    _check("modality", check_word, profile.modality)
    shape_of(profile)
    labels = labels_of(profile)
    if not len(labels) <= profile.samples < 2**63:
        raise InvalidProfile("samples", f"are {profile.samples}; there must be one of each of {len(labels)} classes")
    if not 0 <= profile.issued_at < 2**63:
        raise InvalidProfile("issued_at", f"must be seconds since 1970, not {profile.issued_at}")


def _check(name: str, check: Callable[[str, object], None], value: object) -> None:
    # A job's words and shapes and a profile's are the same things; only who is to blame differs.
    try:
        check(name, value)
    except InvalidJob as invalid:
        raise InvalidProfile(name, invalid.why) from invalid
