"""What a node refuses: whoever is not who it says, whatever is for something else, and what would do it harm."""

import json
import socket
import time
from contextlib import suppress
from dataclasses import replace

import httpx
import pytest

from fedblocks.rollup.actions import sign_action, signing_domain
from fedblocks.rollup.keccak import keccak256
from fedblocks.rollup.records import ActionKind
from fedblocks.rollup.sequencer import instance_key
from fedblocks.service.client import MpsClient, NodeProblem
from fedblocks.service.settings import ServiceSettings
from fedblocks.types import Seat
from tests.rollup.cohort import signer
from tests.rollup.instance import StoredInstance
from tests.service.running import ThreadedNode
from tests.service.sending import COMMITS, REVEALS, body_of, commit_body, refused, reveal_headers


def stored(instance):
    return instance.store.actions(instance.key, instance.sequencer.next_epoch, instance.sequencer.attempt)


@pytest.fixture
def closed(instance):
    """The round with everybody's commitment, closed."""
    parts = instance.round()
    for action, signature, _ in parts.values():
        instance.sequencer.accept_commit(action, signature)
    instance.sequencer.close_commits()
    return parts


class TestLostUpdates:
    """An update that was acknowledged and that the disk has lost."""

    @pytest.fixture
    def lost(self, node, instance, closed):
        """The parts of a round that was executed since, of which seat 0's update is gone, and where it lay."""
        for action, _, reveal in closed.values():
            headers = reveal_headers(action, reveal)
            assert node.http.post(REVEALS, headers=headers, content=body_of(reveal)).status_code == 200
        instance.sequencer.execute(lambda _: 1)
        address = keccak256(body_of(closed[0][2]))
        instance.blobs.discard(address)
        return closed, address

    def test_it_is_taken_again_and_the_acknowledgement_is_the_same(self, node, instance, lost):
        parts, address = lost
        action, _, reveal = parts[0]
        (before,) = [r for r in instance.store.actions(instance.key, 1, 0, ActionKind.REVEAL) if r.seat == 0]
        answer = node.http.post(REVEALS, headers=reveal_headers(action, reveal), content=body_of(reveal))
        assert (answer.status_code, answer.json()["signature"]) == (200, "0x" + before.acknowledgement.hex())
        assert instance.blobs.get(address) == body_of(reveal)
        assert len(instance.store.actions(instance.key, 1, 0, ActionKind.REVEAL)) == len(parts)
        response = node.http.post(REVEALS, headers=reveal_headers(action, reveal), content=body_of(reveal))
        refused(response, 409, "wrong-round")

    def test_other_bytes_are_refused_and_not_kept(self, node, instance, lost):
        parts, address = lost
        action, _, reveal = parts[0]
        other = bytearray(body_of(reveal))
        other[-1] ^= 1
        before = blobs_of(instance)
        response = node.http.post(REVEALS, headers=reveal_headers(action, reveal), content=bytes(other))
        refused(response, 422, "does-not-open")
        for body in (body_of(reveal)[:-2], body_of(reveal) + b"\0\0"):
            assert node.http.post(REVEALS, headers=reveal_headers(action, reveal), content=body).status_code in (
                413,
                422,
            )
        assert not instance.blobs.has(address)
        assert blobs_of(instance) == before

    def test_who_cannot_open_the_commitment_sends_nothing(self, node, instance, lost):
        parts, address = lost
        action, _, reveal = parts[0]
        for change in (
            {"salt": "0x" + "11" * 32},
            {"samples": str(reveal.samples + 1)},
            {"update_root": "0x" + "22" * 32},
        ):
            headers = reveal_headers(action, reveal, **change)
            refused(node.http.post(REVEALS, headers=headers, content=body_of(reveal)), 422, "does-not-open")
        headers = reveal_headers(action, reveal, attempt="7")
        refused(node.http.post(REVEALS, headers=headers, content=body_of(reveal)), 409, "wrong-round")
        assert not instance.blobs.has(address)

    def test_one_that_is_there_is_not_taken_again(self, node, lost):
        parts, _ = lost
        action, _, reveal = parts[1]
        response = node.http.post(REVEALS, headers=reveal_headers(action, reveal), content=body_of(reveal))
        refused(response, 409, "wrong-round")

    def test_it_counts_against_the_limit_of_its_client(self, instance, lost):
        parts, address = lost
        action, _, reveal = parts[0]
        settings = ServiceSettings(actions_per_minute=1)
        with ThreadedNode(f"sqlite:///{instance.database}", instance.blobs, settings) as node:
            for status in (200, 429):
                response = node.http.post(REVEALS, headers=reveal_headers(action, reveal), content=body_of(reveal))
                assert response.status_code == status
                instance.blobs.discard(address)


def blobs_of(instance):
    return {path.name for path in (instance.folder / "blobs").rglob("*") if path.is_file()}


class TestCommits:
    def test_a_commitment_signed_for_anything_else_is_nobodys(self, node, instance):
        action, _, _ = instance.round([0])[0]
        context, own = instance.cohort.context, instance.cohort.signers[0]
        for domain, signed, key in (
            (signing_domain(1, context.settlement), action, own),
            (signing_domain(31337, "0x" + "12" * 20), action, own),
            (context.domain, replace(action, instance_id=2), own),
            (context.domain, replace(action, epoch=2), own),
            (context.domain, replace(action, attempt=1), own),
            (context.domain, replace(action, commitment=bytes(32)), own),
            (context.domain, action, signer(77)),
        ):
            body = commit_body(instance, action, sign_action(signed, domain, key))
            refused(node.http.post(COMMITS, json=body), 403, "unsigned-action", says="sign with the key of a seat")
        assert stored(instance) == []

    def test_the_other_signature_of_the_same_key_is_refused(self, node, instance):
        action, signature, _ = instance.round([0])[0]
        order = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
        high = order - int.from_bytes(signature[32:64], "big")
        other = signature[:32] + high.to_bytes(32, "big") + bytes([55 - signature[64]])
        response = node.http.post(COMMITS, json=commit_body(instance, action, other))
        refused(response, 403, "unsigned-action", says="lower half")

    def test_a_commitment_of_an_epoch_before_cannot_be_replayed(self, node, instance):
        old = instance.round([0])[0]
        instance.run_epoch()
        response = node.http.post(COMMITS, json=commit_body(instance, *old[:2]))
        refused(response, 409, "wrong-round", says="for epoch 1, but epoch 2")
        fresh = commit_body(instance, *old[:2], epoch=2, baseModelRoot="0x" + instance.sequencer.state.model_root.hex())
        refused(node.http.post(COMMITS, json=fresh), 403, "unsigned-action")

    def test_a_commitment_cannot_be_changed(self, node, instance):
        first, second = instance.round([0])[0], instance.round([0])[0]
        assert node.http.post(COMMITS, json=commit_body(instance, *first[:2])).status_code == 200
        refused(node.http.post(COMMITS, json=commit_body(instance, *second[:2])), 409, "already-committed")
        assert [record.commitment for record in stored(instance)] == [first[0].commitment]

    def test_after_the_closing_none_slips_in(self, node, instance):
        parts = instance.round()
        instance.sequencer.accept_commit(*parts[0][:2])
        root = instance.sequencer.close_commits()
        refused(node.http.post(COMMITS, json=commit_body(instance, *parts[1][:2])), 409, "wrong-phase")
        assert instance.sequencer.close_commits() == root
        assert len(stored(instance)) == 1


class TestReveals:
    def test_nobody_but_who_committed_gets_a_byte_in(self, node, instance, closed):
        action, _, reveal = closed[0]
        other = closed[1][2]
        for change in (
            {"salt": "0x" + "00" * 32},
            {"samples": "11"},
            {"update_root": "0x" + other.update_root.hex()},
            {"seat": "1"},
        ):
            headers = reveal_headers(action, reveal, **change)
            response = node.http.post(REVEALS, content=body_of(reveal), headers=headers)
            refused(response, 422, "does-not-open")
        assert "fedblocks_update_bytes_received_total 0.0" in node.http.get("/metrics").text

    def test_another_round_and_another_seat_are_named(self, node, closed):
        action, _, reveal = closed[0]
        for change, kind in (
            ({"epoch": "2"}, "wrong-round"),
            ({"attempt": "1"}, "wrong-round"),
            ({"seat": "60"}, "not-committed"),
        ):
            response = node.http.post(REVEALS, content=b"", headers=reveal_headers(action, reveal, **change))
            refused(response, 409, kind)

    def test_nothing_is_revealed_before_the_closing_nor_while_it_executes(self, node, instance):
        parts = instance.round([0, 1, 2, 3])
        for action, signature, _ in parts.values():
            instance.sequencer.accept_commit(action, signature)
        send = {seat: (reveal_headers(action, reveal), body_of(reveal)) for seat, (action, _, reveal) in parts.items()}
        headers, body = send[0]
        refused(node.http.post(REVEALS, content=body, headers=headers), 409, "wrong-phase", says="open")
        instance.sequencer.close_commits()
        for seat in (1, 2, 3):
            assert node.http.post(REVEALS, content=send[seat][1], headers=send[seat][0]).status_code == 200

        def evaluate(model):
            # What is acknowledged is counted, and what comes while it is counted is not acknowledged.
            refused(node.http.post(REVEALS, content=body, headers=headers), 409, "wrong-phase", says="executing")
            return 1

        assert instance.sequencer.execute(evaluate).header.participants == 0b1110

    def test_a_body_of_another_size_or_content_leaves_nothing(self, node, instance, closed):
        action, _, reveal = closed[0]
        headers, body = reveal_headers(action, reveal), body_of(reveal)
        changed = bytes([body[0] ^ 1]) + body[1:]
        post = node.http.post
        refused(post(REVEALS, content=body[:-2], headers=headers), 422, "unusable-update", says="1400 bytes, got 1398")
        refused(post(REVEALS, content=body + b"xx", headers=headers), 413, "body-too-large")
        refused(post(REVEALS, content=iter([body[:-2]]), headers=headers), 422, "unusable-update")
        refused(post(REVEALS, content=iter([body, b"x"]), headers=headers), 413, "body-too-large")
        refused(post(REVEALS, content=changed, headers=headers), 422, "does-not-open")
        refused(post(REVEALS, content=body, headers=headers | {"content-type": "text/plain"}), 415, "wrong-media-type")
        assert len(stored(instance)) == 5, "the commitments alone"
        assert list(instance.blobs.spool.iterdir()) == []
        assert post(REVEALS, content=body, headers=headers).status_code == 200

    def test_a_missing_or_malformed_header_is_named(self, node, closed):
        action, _, reveal = closed[0]
        headers = reveal_headers(action, reveal)
        for name in headers:
            if name != "content-type":
                less = {key: value for key, value in headers.items() if key != name}
                refused(
                    node.http.post(REVEALS, content=b"", headers=less), 422, "invalid-request", says="Field required"
                )
        for change in ({"samples": "-1"}, {"samples": "1" * 79}, {"salt": "00"}, {"seat": "64"}, {"epoch": "1e3"}):
            response = node.http.post(REVEALS, content=b"", headers=reveal_headers(action, reveal, **change))
            refused(response, 422, "invalid-request")

    def test_a_client_that_stalls_is_sent_away_and_may_send_again(self, node, instance, closed):
        action, _, reveal = closed[0]
        head = "".join(f"{name}: {value}\r\n" for name, value in reveal_headers(action, reveal).items())
        with socket.create_connection(node.address, timeout=20) as connection:
            connection.sendall(f"POST {REVEALS} HTTP/1.1\r\nhost: x\r\ncontent-length: 1400\r\n{head}\r\n".encode())
            connection.sendall(body_of(reveal)[:1000])
            assert b"408" in connection.recv(4096).split(b"\r\n")[0]
        assert list(instance.blobs.spool.iterdir()) == []
        assert node.http.post(REVEALS, content=body_of(reveal), headers=reveal_headers(action, reveal)).is_success

    def test_more_uploads_than_the_node_takes_are_told_to_wait(self, instance, closed):
        settings = ServiceSettings(uploads=1, idle_seconds=5)
        with ThreadedNode(f"sqlite:///{instance.database}", instance.blobs, settings) as node:
            action, _, reveal = closed[0]
            head = "".join(f"{name}: {value}\r\n" for name, value in reveal_headers(action, reveal).items())
            with socket.create_connection(node.address, timeout=20) as connection:
                connection.sendall(f"POST {REVEALS} HTTP/1.1\r\nhost: x\r\ncontent-length: 1400\r\n{head}\r\n".encode())
                while "uploads_in_progress 1.0" not in node.http.get("/metrics").text:
                    time.sleep(0.01)
                other = closed[1]
                response = node.http.post(
                    REVEALS, content=body_of(other[2]), headers=reveal_headers(other[0], other[2])
                )
                refused(response, 503, "busy")
                assert int(response.headers["retry-after"]) > 0
                connection.sendall(body_of(reveal))
                assert b"200" in connection.recv(4096).split(b"\r\n")[0]


class TestPaths:
    def test_a_number_of_two_deployments_has_to_be_said_in_full(self, node, instance):
        record = instance.store.get_instance(instance.key)
        other = replace(record, key=replace(record.key, chain_id=5))
        instance.store.add_instance(other)
        refused(node.http.get("/v1/instances/1"), 409, "ambiguous-instance", says=f"5-{other.key.contract}-1")
        full = node.http.get(f"/v1/instances/5-{other.key.contract.lower()}-1").json()
        assert (full["chainId"], full["instanceId"]) == (5, 1)
        assert instance_key(instance.cohort.context) == record.key


class TestPatience:
    def test_headers_that_never_end_are_not_waited_for(self, node):
        with socket.create_connection(node.address, timeout=20) as connection:
            connection.sendall(b"GET /healthz HTTP/1.1\r\nhost: x\r\nx-slow: ")
            assert connection.recv(100) == b"", "the node closes the connection"

    def test_headers_that_are_too_large_are_refused(self, node):
        refused(node.http.get("/healthz", headers={"x-large": "a" * 16_384}), 431, "headers-too-large")
        with suppress(httpx.TransportError):  # it may close the connection before all of them were sent
            assert node.http.get("/healthz", headers={"x-large": "a" * 1_000_000}).is_client_error
        assert node.http.get("/healthz").is_success

    def test_a_line_break_in_a_header_does_not_pass(self, node):
        with socket.create_connection(node.address, timeout=20) as connection:
            connection.sendall(b"GET /healthz HTTP/1.1\r\nhost: x\r\nbad\x00name: 1\r\n\r\n")
            assert b" 400 " in connection.recv(4096).split(b"\r\n")[0]

    def test_too_many_requests_are_told_how_long_to_wait(self, instance):
        settings = ServiceSettings(reads_per_second=0.5, read_burst=2, writes_per_second=0.5, write_burst=1)
        with ThreadedNode(f"sqlite:///{instance.database}", instance.blobs, settings) as node:
            assert [node.http.get("/v1/instances").status_code for _ in range(3)] == [200, 200, 429]
            response = node.http.get("/v1/instances", headers={"x-forwarded-for": "203.0.113.9"})
            refused(response, 429, "too-many-requests")
            assert 1 <= int(response.headers["retry-after"]) <= 2
            assert node.http.get("/healthz").is_success
            assert [node.http.post(COMMITS, json={}).status_code for _ in range(2)] == [422, 429]

    def test_a_client_of_the_cohort_has_a_rate_of_its_own(self, instance):
        settings = ServiceSettings(actions_per_minute=2, write_burst=1000)
        with ThreadedNode(f"sqlite:///{instance.database}", instance.blobs, settings) as node:
            bodies = [commit_body(instance, *part[:2]) for part in instance.round([0, 1]).values()]
            assert [node.http.post(COMMITS, json=bodies[0]).status_code for _ in range(3)] == [200, 200, 429]
            assert node.http.post(COMMITS, json=bodies[1]).status_code == 200

    def test_storage_that_is_gone_is_a_problem_that_names_no_path(self, node, instance, monkeypatch):
        from fedblocks.storage.database import StorageGone

        def gone(*_):
            raise StorageGone("postgresql+psycopg://fedblocks@db/secret")

        monkeypatch.setattr(node.app.state.serving.node.store, "ping", gone)
        response = node.http.get("/readyz")
        refused(response, 503, "storage-gone")
        assert "secret" not in response.text

    def test_a_fault_of_the_node_is_told_without_what_went_wrong(self, node, monkeypatch):
        def fail(*_):
            raise RuntimeError("the salt is 0xdeadbeef")

        monkeypatch.setattr(node.app.state.serving.node.store, "ping", fail)
        response = node.http.get("/readyz")
        assert response.status_code == 500
        assert json.loads(response.text)["type"] == "urn:fedblocks:problem:internal"
        assert "salt" not in response.text


def test_a_seat_that_was_found_guilty_is_barred(node, instance):
    current = instance.store.rounds.current(instance.key)
    instance.sequencer.attempt = 1
    instance.store.rounds.begin(instance.key, replace(current, attempt=1, barred=(Seat(2),)))
    parts = instance.round([2])
    refused(node.http.post(COMMITS, json=commit_body(instance, *parts[2][:2])), 403, "seat-barred")


def test_the_typed_client_tells_what_the_node_said(instance, node):
    with MpsClient(node.url, tries=1) as client, pytest.raises(NodeProblem, match="knows no instance 9") as caught:
        client.instance(9)
    assert (caught.value.status, caught.value.kind) == (404, "unknown-instance")


def test_a_round_of_another_instance_does_not_count(node, instance, tmp_path):
    other = StoredInstance(tmp_path / "other")
    action, signature, _ = other.round([0])[0]
    body = commit_body(instance, replace(action, commitment=bytes(32)), signature)
    refused(node.http.post(COMMITS, json=body), 403, "unsigned-action")
