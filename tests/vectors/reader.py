"""A second reader of the protocol's bytes, written from docs/proofs.md and docs/protocol.md alone.

It shares no code with the SDK, and is as plain as it can be: integers, bytes and keccak.
"""

from __future__ import annotations

from collections.abc import Sequence

from eth_utils.crypto import keccak

UPDATE, MODEL = (2, 0x01, 0x02), (4, 0x03, 0x04)
"""Kinds of vectors: bytes of a value, tag of a chunk, tag of a node."""

Kind = tuple[int, int, int]
CHUNK, LEAF = 256, 4096
NOTHING = bytes(32)


def number(text: str) -> int:
    return int(text)


def numbers(texts: Sequence[str]) -> list[int]:
    return [int(text) for text in texts]


def raw(text: str) -> bytes:
    assert text.startswith("0x")
    return bytes.fromhex(text[2:])


def tagged(tag: int, *parts: bytes) -> bytes:
    return keccak(bytes([tag]) + b"".join(parts))


def plain(value: int, width: int) -> bytes:
    return value.to_bytes(width, "big")


def offset(value: int, width: int) -> bytes:
    return plain(value + (1 << (8 * width - 1)), width)


def word(value: int) -> bytes:
    return plain(value, 32)


def address_word(address: str) -> bytes:
    return bytes(12) + raw(address)


# Vectors


def counted(kind: Kind, d: int, start: int, step: int) -> list[int]:
    bits = 8 * kind[0]
    return [(start + k * step) % (1 << bits) - (1 << (bits - 1)) for k in range(d)]


def wire(values: Sequence[int], kind: Kind) -> bytes:
    return b"".join(offset(value, kind[0]) for value in values)


def unwired(data: bytes, kind: Kind) -> list[int]:
    width = kind[0]
    half = 1 << (8 * width - 1)
    return [int.from_bytes(data[at : at + width], "big") - half for at in range(0, len(data), width)]


def chunk_hashes(values: Sequence[int], kind: Kind) -> list[bytes]:
    hashes = []
    for start in range(0, len(values), CHUNK):
        part = list(values[start : start + CHUNK])
        hashes.append(tagged(kind[1], wire(part + [0] * (CHUNK - len(part)), kind)))
    return hashes


def zeros(height: int, kind: Kind) -> bytes:
    node = tagged(kind[1], wire([0] * CHUNK, kind))
    for _ in range(height):
        node = tagged(kind[2], node, node)
    return node


def gram_zeros(height: int) -> bytes:
    node = NOTHING
    for _ in range(height):
        node = tagged(0x0F, node, node)
    return node


def folded(nodes: Sequence[bytes], fillings: Sequence[bytes], tag: int) -> bytes:
    """The root over some nodes, with one filling a level for what is missing; a level for each filling."""
    level = list(nodes)
    for filling in fillings:
        level += [filling] * (len(level) % 2)
        level = [tagged(tag, a, b) for a, b in zip(level[::2], level[1::2], strict=True)]
    assert len(level) == 1
    return level[0]


def levels(count: int) -> int:
    return (count - 1).bit_length()


def leaf_roots(values: Sequence[int], kind: Kind) -> list[bytes]:
    """The subtree roots of every 4,096 values."""
    chunks, roots = chunk_hashes(values, kind), []
    filling = [zeros(height, kind) for height in range(4)]
    for start in range(0, len(chunks), 16):
        part = chunks[start : start + 16]
        roots.append(folded(part + [filling[0]] * (16 - len(part)), filling, kind[2]))
    return roots


def vector_root(values: Sequence[int], kind: Kind) -> bytes:
    roots = leaf_roots(values, kind)
    return folded(roots, [zeros(4 + height, kind) for height in range(levels(len(roots)))], kind[2])


def climbed(node: bytes, index: int, proof: Sequence[bytes], tag: int) -> bytes:
    """Where a node leads through its siblings."""
    for sibling in proof:
        node = tagged(tag, sibling, node) if index % 2 else tagged(tag, node, sibling)
        index //= 2
    assert index == 0
    return node


# Lists of seats

COMMITS, SUBMISSIONS, STATS, ROWS = (0x05, 0x06), (0x07, 0x08), (0x09, 0x0A), (0x0B, 0x0C)


def entry(content: bytes | None, tags: tuple[int, int]) -> bytes:
    return NOTHING if content is None else tagged(tags[0], content)


def list_root(contents: Sequence[bytes | None], tags: tuple[int, int]) -> bytes:
    return tagged(tags[1], *(entry(content, tags) for content in contents))


FIGURES = [8, 8, 8, 8, 12, 8, 12, 8, -1, 8, 8, 8, -1, 8, -1, 8, 8, -1, -1, 16]
"""Bytes of a client's figures; below zero where they are plain."""

COHORT_FIGURES = [-1, 8, 12, 8, 8, 8, 12, -8, 24, 24, -1]


def packed(values: Sequence[int], widths: Sequence[int]) -> bytes:
    pairs = zip(values, widths, strict=True)
    return b"".join(offset(value, width) if width > 0 else plain(value, -width) for value, width in pairs)


COUNTER_BITS = [3, 2, 2, 3, 3, 3]


def packed_counters(counters: Sequence[int]) -> int:
    result, shift = 0, 0
    for value, bits in zip(counters, COUNTER_BITS, strict=True):
        assert 0 <= value < 1 << bits
        result |= value << shift
        shift += bits
    return result


def carried(counters: Sequence[Sequence[int]], weights: Sequence[int], products: Sequence[int]) -> bytes:
    seats = zip(counters, weights, products, strict=True)
    return b"".join(plain(packed_counters(c), 4) + plain(w, 5) + offset(m, 14) for c, w, m in seats)


# Signatures and hashes of the instance


def separator(chain_id: int, contract: str) -> bytes:
    domain = keccak(b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)")
    return keccak(domain + keccak(b"FedBlocks") + keccak(b"2") + word(chain_id) + address_word(contract))


def action_hash(domain_separator: bytes, type_name: str, members: Sequence[bytes]) -> bytes:
    return keccak(b"\x19\x01" + domain_separator + keccak(keccak(type_name.encode()) + b"".join(members)))


COMMIT_UPDATE = (
    "CommitUpdate(uint256 instanceId,uint256 epoch,uint256 attempt,bytes32 baseModelRoot,bytes32 commitment)"
)


def commitment(update_root: bytes, samples: int, salt: bytes, client: str) -> bytes:
    return tagged(0x10, update_root, word(samples), salt, address_word(client))


def cohort_hash(cohort: Sequence[str]) -> bytes:
    return keccak(word(32) + word(len(cohort)) + b"".join(map(address_word, cohort)))


# The Gram tree


def running_products(left: Sequence[int], right: Sequence[int]) -> list[int]:
    """The running sums of an inner product, one for each leaf."""
    sums, total = [], 0
    for start in range(0, len(left), LEAF):
        total += sum(a * b for a, b in zip(left[start : start + LEAF], right[start : start + LEAF], strict=True))
        sums.append(total)
    return sums


def gram_rows(
    updates: Sequence[Sequence[int]],
    last: Sequence[Sequence[int]],
    delta: Sequence[int],
    model: Sequence[int],
    absent: set[int],
) -> list[list[list[int]]]:
    """By leaf and row, the entries; the last row is the common one."""
    moved = [last[seat] if seat in absent else update for seat, update in enumerate(updates)]
    rows = [[running_products(x, v) for v in (*updates, *last, delta, model)] for x in moved]
    common = [running_products(v, v) for v in (*updates, *last)] + [running_products(u, delta) for u in updates]
    common += [running_products(delta, delta), running_products(model, model)]
    return [[[sums[leaf] for sums in row] for row in (*rows, common)] for leaf in range(-(-len(model) // LEAF))]


def row_bytes(row: Sequence[int]) -> bytes:
    return packed(row, [8] * (len(row) - 1) + [12])


def gram_leaf(column: Sequence[bytes], rows: Sequence[bytes]) -> bytes:
    return tagged(0x0E, tagged(0x0D, *column), list_root(rows, ROWS))


def gram_root(leaves: Sequence[bytes]) -> bytes:
    return folded(leaves, [gram_zeros(height) for height in range(levels(len(leaves)))], 0x0F)


# The step


def mean(updates: Sequence[Sequence[int]], weights: Sequence[int]) -> list[int]:
    total = sum(weights)
    columns = zip(*updates, strict=True)
    return [sum(w * u for w, u in zip(weights, column, strict=True)) // total for column in columns]


def stepped(base: Sequence[int], delta: Sequence[int]) -> list[int]:
    return [max(-(1 << 31), min((1 << 31) - 1, w + g)) for w, g in zip(base, delta, strict=True)]
