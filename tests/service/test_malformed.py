"""What is not written as it should be: refused with a problem that says where, and it changes nothing."""

import pytest

from tests.service.sending import COMMITS, commit_body, refused


@pytest.fixture
def instance(standing_instance):
    yield standing_instance
    assert standing_instance.store.actions(standing_instance.key, 1, 0) == []


@pytest.fixture
def node(standing_node):
    return standing_node


class TestCommits:
    @pytest.mark.parametrize(
        ("change", "kind", "says"),
        [
            ({"chainId": 1}, "wrong-round", "for chain 1, but chain 31337"),
            ({"settlement": "0x" + "12" * 20}, "wrong-round", "for contract 0x1212"),
            ({"instanceId": 2}, "wrong-round", "for instance 2, but instance 1"),
            ({"epoch": 2}, "wrong-round", "for epoch 2, but epoch 1"),
            ({"attempt": 1}, "wrong-round", "for attempt 1, but attempt 0"),
            ({"baseModelRoot": "0x" + "11" * 32}, "wrong-round", "for base model 0x1111"),
        ],
    )
    def test_what_is_for_another_round_is_named(self, node, instance, change, kind, says):
        action, signature, _ = instance.round([0])[0]
        response = node.http.post(COMMITS, json=commit_body(instance, action, signature, **change))
        refused(response, 409, kind, says=says)

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"{",
            b"[]",
            b"null",
            b'{"chainId": NaN}',
            b'"\\ud800"',
            b"\xff\xfe",
            b"[" * 5000,
            b'{"epoch": ' + b"9" * 5000 + b"}",
        ],
    )
    def test_what_is_no_commitment_is_a_problem_and_not_a_fault(self, node, body):
        response = node.http.post(COMMITS, content=body, headers={"content-type": "application/json"})
        assert response.status_code in (400, 422), response.text
        assert response.headers["content-type"] == "application/problem+json"

    @pytest.mark.parametrize(
        "change", [{"epoch": "1"}, {"epoch": 1.5}, {"epoch": True}, {"epoch": -1}, {"epoch": 2**70}, {"extra": 1}]
    )
    def test_numbers_are_numbers_and_nothing_is_left_over(self, node, instance, change):
        action, signature, _ = instance.round([0])[0]
        response = node.http.post(COMMITS, json=commit_body(instance, action, signature, **change))
        refused(response, 422, "invalid-request")

    @pytest.mark.parametrize("announced", [True, False])
    def test_a_body_that_is_too_large_is_not_read(self, node, announced):
        def pieces():
            for _ in range(64):
                yield b" " * 4096

        content = b" " * 200_000 if announced else pieces()
        response = node.http.post(COMMITS, content=content, headers={"content-type": "application/json"})
        refused(response, 413, "body-too-large", says="at most 16384")


class TestPaths:
    @pytest.mark.parametrize(
        "name",
        [
            "..%2f..%2fetc%2fpasswd",
            "....//....//etc/passwd",
            "%2e%2e/%2e%2e/rollup.sqlite",
            "00",
            "0x" + "g" * 64,
            "A" * 63,
            "a" * 64 + "%00",
            "a" * 64 + "%0d%0aset-cookie:%20x",
            "%c0%ae%c0%ae%2f" + "a" * 58,
        ],
    )
    def test_only_a_hash_names_a_blob(self, node, name):
        response = node.http.get("/v1/blobs/" + name)
        assert response.status_code in (404, 422)
        assert "set-cookie" not in response.headers

    def test_a_blob_that_is_not_there_is_not_found(self, node):
        refused(node.http.get("/v1/blobs/" + "ab" * 32), 404, "blob-missing")

    @pytest.mark.parametrize("name", ["0", "-1", "1%20", "01", "1'--", "9" * 40, "1-0x00-1"])
    def test_an_instances_name_is_a_number_or_whole(self, node, name):
        assert node.http.get(f"/v1/instances/{name}").status_code == 422
