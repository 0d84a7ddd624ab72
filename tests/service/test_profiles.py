"""Profiles over HTTP: each client's own, and its latest."""

import time
from dataclasses import replace

import pytest

from fedblocks.rollup.actions import sign_action
from fedblocks.service.client import NodeProblem
from fedblocks.service.settings import ServiceSettings
from fedblocks.training.profile import DataProfile, SignedProfile, sign_profile
from tests.rollup.cohort import SETTLEMENT, signer
from tests.service.running import ThreadedNode

NOW = int(time.time())


def profile(index=0, **changes):
    account = signer(index)
    own = DataProfile(account.address, "fashion", "image", "1x28x28", "0,3,9", 600, NOW)
    return sign_profile(replace(own, **changes), account, chain_id=31337, settlement=SETTLEMENT)


def test_a_profile_comes_out_as_it_went_in_and_can_be_checked(client):
    client.publish_profile(31337, SETTLEMENT, profile())
    client.publish_profile(31337, SETTLEMENT, profile())
    (wire,) = client.profiles()
    own = DataProfile(
        wire.client, wire.domain, wire.modality, wire.input_shape, wire.labels, wire.samples, wire.issued_at
    )
    SignedProfile(own, bytes.fromhex(wire.signature[2:])).verify(wire.chain_id, wire.settlement)
    assert own == profile().profile


def test_the_latest_of_each_client_is_kept(client):
    client.publish_profile(31337, SETTLEMENT, profile(samples=900, issued_at=NOW - 5))
    client.publish_profile(31337, SETTLEMENT, profile())
    for stale in (profile(samples=900, issued_at=NOW - 5), profile(samples=700)):
        with pytest.raises(NodeProblem, match="later than this one") as caught:
            client.publish_profile(31337, SETTLEMENT, stale)
        assert caught.value.status == 409
    assert [each.samples for each in client.profiles()] == [600]


def test_pages_follow_one_another(node, client):
    for index in range(5):
        client.publish_profile(31337, SETTLEMENT, profile(index))
    page = node.http.get("/v1/profiles", params={"limit": 2}).json()
    clients = [each["client"] for each in page["profiles"]]
    while page["next"]:
        page = node.http.get("/v1/profiles", params={"limit": 2, "after": page["next"]}).json()
        clients += [each["client"] for each in page["profiles"]]
    assert clients == sorted(signer(index).address for index in range(5))


@pytest.mark.parametrize(
    ("signed", "status", "says"),
    [
        (lambda: replace(profile(), profile=replace(profile().profile, samples=9999)), 403, "is not signed by it"),
        (lambda: replace(profile(), signature=profile(1).signature), 403, "is not signed by it"),
        (lambda: forged(domain="Fashion"), 422, "domain"),
        (lambda: forged(labels="9,3"), 422, "labels"),
        (lambda: profile(issued_at=NOW + 10_000), 422, "in the future"),
    ],
)
def test_what_its_client_has_not_signed_or_could_not_is_refused(client, signed, status, says):
    with pytest.raises(NodeProblem, match=says) as caught:
        client.publish_profile(31337, SETTLEMENT, signed())
    assert caught.value.status == status
    assert list(client.profiles()) == []


def forged(**changes):
    """A profile that its client has signed although it is none."""
    from fedblocks.rollup.actions import signing_domain

    own = replace(profile().profile, **changes)
    return SignedProfile(own, sign_action(own, signing_domain(31337, SETTLEMENT), signer(0)))


def test_a_deployment_that_is_not_served_is_named(client):
    with pytest.raises(NodeProblem, match="is not served here"):
        client.publish_profile(1, SETTLEMENT, profile())


def test_there_is_room_for_so_many_clients(instance):
    with ThreadedNode(f"sqlite:///{instance.database}", instance.blobs, ServiceSettings(profiles=1)) as node:
        from fedblocks.service.client import MpsClient

        with MpsClient(node.url, tries=1) as client:
            client.publish_profile(31337, SETTLEMENT, profile(0))
            with pytest.raises(NodeProblem, match="use another node"):
                client.publish_profile(31337, SETTLEMENT, profile(1))
            client.publish_profile(31337, SETTLEMENT, profile(0, issued_at=NOW + 1))
