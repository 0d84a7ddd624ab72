"""Blobs over HTTP: whole, in part, from a copy, and taken up where a connection broke."""

import os

import pytest

from fedblocks.rollup.keccak import keccak256
from fedblocks.service.client import MpsClient, NodeProblem
from fedblocks.service.transfer import WrongBlob

CONTENT = bytes(range(256)) * 5000
ADDRESS = keccak256(CONTENT)
PATH = f"/v1/blobs/{ADDRESS.hex()}"


@pytest.fixture
def node(standing_node):
    return standing_node


@pytest.fixture(autouse=True)
def blob(standing_instance):
    """Put anew for every test, in case one has spoilt it."""
    standing_instance.blobs.discard(ADDRESS)
    assert standing_instance.blobs.put(CONTENT) == ADDRESS


def test_a_blob_comes_whole_and_may_be_kept_for_ever(node):
    response = node.http.get(PATH)
    assert (response.status_code, response.content) == (200, CONTENT)
    assert response.headers["etag"] == f'"{ADDRESS.hex()}"'
    assert "immutable" in response.headers["cache-control"]
    assert node.http.get("/v1/blobs/0x" + ADDRESS.hex().upper()).content == CONTENT
    head = node.http.head(PATH)
    assert (head.status_code, head.content, head.headers["content-length"]) == (200, b"", str(len(CONTENT)))


@pytest.mark.parametrize("tag", [f'"{ADDRESS.hex()}"', "*", f'W/"{ADDRESS.hex()}"', f'"x", "{ADDRESS.hex()}"'])
def test_who_has_a_copy_is_sent_none(node, tag):
    response = node.http.get(PATH, headers={"if-none-match": tag})
    assert (response.status_code, response.content) == (304, b"")


@pytest.mark.parametrize(
    ("asked", "part"),
    [
        ("bytes=0-9", slice(0, 10)),
        ("bytes=300000-", slice(300_000, None)),
        ("bytes=-7", slice(-7, None)),
        ("bytes=-99999999", slice(0, None)),
        ("bytes=1279999-2000000", slice(1_279_999, None)),
    ],
)
def test_a_range_is_sent_alone(node, asked, part):
    response = node.http.get(PATH, headers={"range": asked})
    assert (response.status_code, response.content) == (206, CONTENT[part])
    start = range(len(CONTENT))[part].start
    assert response.headers["content-range"] == f"bytes {start}-{start + len(response.content) - 1}/{len(CONTENT)}"


@pytest.mark.parametrize("asked", ["bytes=1280000-", "bytes=99999999-100000000", "bytes=-0"])
def test_a_range_outside_is_refused_with_the_size(node, asked):
    response = node.http.get(PATH, headers={"range": asked})
    assert (response.status_code, response.headers["content-range"]) == (416, f"bytes */{len(CONTENT)}")


@pytest.mark.parametrize(
    "headers",
    [
        {"range": "bytes=0-1,5-6"},
        {"range": "bytes=9-2"},
        {"range": "bytes=-"},
        {"range": "lines=1-2"},
        {"range": "bytes=0-1", "if-range": '"another"'},
    ],
)
def test_what_is_no_single_range_gets_the_whole(node, headers):
    response = node.http.get(PATH, headers=headers)
    assert (response.status_code, len(response.content)) == (200, len(CONTENT))


def test_a_fetch_that_broke_is_taken_up_where_it_broke(node, client, tmp_path):
    target, before = tmp_path / "model", sent(node)
    (tmp_path / "model.part").write_bytes(CONTENT[:1_000_000])
    assert client.fetch(ADDRESS, target).read_bytes() == CONTENT
    assert sent(node) - before == len(CONTENT) - 1_000_000


def sent(node):
    """Bytes of blobs that the node has sent so far."""
    lines = node.http.get("/metrics").text.splitlines()
    (line,) = (line for line in lines if line.startswith("fedblocks_blob_bytes_sent_total"))
    return float(line.split()[1])


def test_a_fetch_that_was_whole_but_for_its_name_sends_nothing_again(client, tmp_path):
    (tmp_path / "model.part").write_bytes(CONTENT)
    assert client.fetch(ADDRESS, tmp_path / "model").read_bytes() == CONTENT


def test_bytes_that_are_not_the_blobs_are_not_taken(standing_instance, client, tmp_path):
    path = standing_instance.blobs.path_of(ADDRESS)
    with open(path, "r+b") as file:  # noqa: PTH123
        file.write(os.urandom(8))
    with pytest.raises(WrongBlob, match="ask another node"):
        client.fetch(ADDRESS, tmp_path / "model")
    with pytest.raises(WrongBlob):
        client.blob(ADDRESS)
    assert list(tmp_path.glob("model*")) == []


def test_a_blob_that_nobody_has_is_a_problem(client: MpsClient, tmp_path):
    with pytest.raises(NodeProblem, match="no blob 0x1111") as caught:
        client.fetch(b"\x11" * 32, tmp_path / "model")
    assert caught.value.status == 404
