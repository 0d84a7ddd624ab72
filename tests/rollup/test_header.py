"""A header's bytes and hash are the contract's, and impossible headers are refused by field."""

import re
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import eth_abi
import pytest
from eth_utils import keccak, to_checksum_address
from hypothesis import given
from hypothesis import strategies as st

from fedblocks.rollup.header import (
    GENESIS_DOMAIN,
    HEADER_DOMAIN,
    HEADER_SIZE,
    NUMBERS,
    RULES_DOMAIN,
    Header,
    WrongHeader,
    WrongHeaderSize,
    cohort_hash,
    encode_word,
    genesis_hash,
    rules_hash,
)
from fedblocks.seats import SlashReason, pack_reasons

ABI = (
    "(uint256,uint256,uint256,bytes32,bytes32,bytes32,bytes32,bytes32,bytes32,bytes32,bytes32,"
    "uint256,uint256,uint256,bytes32,uint256,bytes32)"
)
uints = st.integers(0, 2**256 - 1)
hashes = st.binary(min_size=32, max_size=32)
CLIENTS = [to_checksum_address(f"0x{k:040x}") for k in range(0xA1, 0xA6)]


@st.composite
def headers(draw: st.DrawFn) -> Header:
    participants = draw(st.integers(0, 2**64 - 1))
    given_fields: dict[str, Any] = {
        field.name: draw(uints if field.name in NUMBERS else hashes) for field in fields(Header)
    }
    given_fields["participants"] = participants
    given_fields["excluded"] = participants & draw(st.integers(0, 2**64 - 1))
    reasons = draw(st.dictionaries(st.integers(0, 63), st.sampled_from(SlashReason), max_size=5))
    given_fields["slash_reasons"] = pack_reasons(reasons)
    return Header(**given_fields)


def to_snake(name: str) -> str:
    return re.sub(r"(?<=[a-z])([A-Z])", lambda upper: "_" + upper[1].lower(), name)


def plain_header(**changes: Any) -> Header:
    values: dict[str, Any] = {
        field.name: k if field.name in NUMBERS else bytes([k]) * 32 for k, field in enumerate(fields(Header), start=1)
    }
    return Header(**values | {"participants": 0b1111, "excluded": 0b0100, "slash_reasons": 0} | changes)


@given(headers())
def test_the_bytes_are_the_abis(header: Header) -> None:
    assert header.encode() == eth_abi.encode([ABI], [header.as_tuple()])
    assert len(header.encode()) == HEADER_SIZE == 544


@given(headers())
def test_decoding_gives_back_the_header(header: Header) -> None:
    assert Header.decode(header.encode()) == header == Header.from_tuple(header.as_tuple())


@given(headers(), st.integers(0, 16), st.integers(0, 31))
def test_every_byte_counts_in_the_hash(header: Header, word: int, byte: int) -> None:
    data = bytearray(header.encode())
    data[32 * word + byte] ^= 1
    assert keccak(HEADER_DOMAIN + data) != header.hash() == keccak(HEADER_DOMAIN + header.encode())


def test_the_order_of_the_words_is_the_contracts() -> None:
    source = (Path(__file__).parents[2] / "contracts/modules/headers.vy").read_text()
    struct = source.split("struct Header:")[1].split("\n\n")[0]
    members = re.findall(r"^    (\w+): (\w+)$", struct, re.MULTILINE)
    assert [to_snake(name) for name, _ in members] == [field.name for field in fields(Header)]
    assert {to_snake(name) for name, kind in members if kind == "uint256"} == NUMBERS


def test_the_domains_are_the_protocols() -> None:
    assert keccak(text="FedBlocks.Header.v2") == HEADER_DOMAIN
    assert keccak(text="FedBlocks.Genesis.v2") == GENESIS_DOMAIN
    assert keccak(text="FedBlocks.Rules.v2") == RULES_DOMAIN


@pytest.mark.parametrize("size", [0, 543, 545])
def test_bytes_of_another_size_are_no_header(size: int) -> None:
    with pytest.raises(WrongHeaderSize, match=f"544 bytes .* got {size}"):
        Header.decode(bytes(size))
    with pytest.raises(WrongHeaderSize):
        Header.from_tuple(plain_header().as_tuple()[:-1])


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("epoch", -1, r"must be an integer in 0\.\.2\^256 - 1"),
        ("metric", 2**256, r"must be an integer in 0\.\.2\^256 - 1"),
        ("metric", bytes(32), r"must be an integer in 0\.\.2\^256 - 1"),
        ("gram_root", bytes(31), "must be 32 bytes"),
        ("gram_root", 5, "must be 32 bytes"),
        ("participants", 1 << 64 | 0b1111, "has seats beyond 63"),
        ("excluded", 0b10100, "seats 0x10 did not take part"),
        ("slash_reasons", 7 << 8, "seat 2 has no reason 7"),
    ],
)
def test_what_no_contract_would_take_is_refused_by_field(field: str, value: Any, reason: str) -> None:
    with pytest.raises(WrongHeader, match=rf"header's {field} .*: {reason}") as caught:
        plain_header(**{field: value})
    assert caught.value.field == field


def test_bytes_that_hold_an_impossible_header_are_refused() -> None:
    data = bytearray(plain_header().encode())
    data[32 * 12 + 31] = 0xFF
    with pytest.raises(WrongHeader, match="did not take part"):
        Header.decode(bytes(data))


def test_a_header_is_replaced_never_changed() -> None:
    header = plain_header()
    with pytest.raises(AttributeError):
        header.epoch = 3  # type: ignore[misc, assignment]
    assert replace(header, metric=812_300).hash() != header.hash()


def test_the_cohort_hash_is_that_of_the_abi_and_minds_the_seats() -> None:
    words = [32, len(CLIENTS), *(int(client, 16) for client in CLIENTS)]
    assert cohort_hash(CLIENTS) == keccak(b"".join(map(encode_word, words)))
    assert cohort_hash(CLIENTS[::-1]) != cohort_hash(CLIENTS)


def test_the_rules_hash_is_the_domain_and_the_words() -> None:
    assert rules_hash([1, 2**256 - 1]) == keccak(RULES_DOMAIN + bytes(31) + b"\x01" + b"\xff" * 32)
    with pytest.raises(ValueError, match=r"-1 is not in 0\.\.2\^256 - 1"):
        rules_hash([-1])


def test_the_genesis_hash_binds_everything_that_is_fixed_at_the_start() -> None:
    given_values = (412346, CLIENTS[0], 7, b"\x01" * 32, 1_000_000, b"\x02" * 32, b"\x03" * 32)
    words = b"".join(
        (
            encode_word(412346),
            bytes(12) + bytes.fromhex(CLIENTS[0][2:]),
            encode_word(7),
            b"\x01" * 32,
            encode_word(1_000_000),
            b"\x02" * 32,
            b"\x03" * 32,
        )
    )
    assert genesis_hash(*given_values) == keccak(GENESIS_DOMAIN + words)  # type: ignore[arg-type]
    others = (1, CLIENTS[1], 8, bytes(32), 2, bytes(32), bytes(32))
    for k, other in enumerate(others):
        changed = (*given_values[:k], other, *given_values[k + 1 :])
        assert genesis_hash(*changed) != genesis_hash(*given_values)  # type: ignore[arg-type]
