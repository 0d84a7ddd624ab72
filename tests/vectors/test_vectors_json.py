"""The published test vectors, worked out again by a reader and a judge that share no code with the SDK."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from eth_abi.abi import encode as abi_encode
from eth_keys.datatypes import PrivateKey, Signature
from eth_utils.crypto import keccak
from vyper.cli.vyper_compile import compile_files

from fedblocks.aggregation.suspicion import Suspicion
from scripts import export_vectors
from tests.vectors import judging, reader
from tests.vectors.reader import MODEL, UPDATE, number, numbers, raw, tagged

FOLDER = export_vectors.VECTORS
CONTRACTS = export_vectors.ROOT / "contracts"


@cache
def load(name: str) -> dict[str, Any]:
    return json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))


def kind_of(vector: dict[str, Any]) -> reader.Kind:
    return {"update": UPDATE, "model": MODEL}[vector["kind"]]


# The files


@pytest.fixture(scope="module")
def expected() -> dict[str, str]:
    return export_vectors.export()


def test_the_files_are_what_the_code_computes(expected: dict[str, str]) -> None:
    assert export_vectors.drift(expected, FOLDER) == []


def test_changed_missing_and_left_over_files_are_named(expected: dict[str, str], tmp_path: Path) -> None:
    for name, text in expected.items():
        (tmp_path / f"{name}.json").write_text(text, encoding="utf-8")
    assert export_vectors.drift(expected, tmp_path) == []
    (tmp_path / "trees.json").unlink()
    (tmp_path / "epoch.json").write_text(expected["epoch"].replace("1", "2", 1), encoding="utf-8")
    (tmp_path / "gone.json").write_text("{}", encoding="utf-8")
    assert export_vectors.drift(expected, tmp_path) == [
        "trees.json: missing",
        "epoch.json: changed",
        "gone.json: left over",
    ]


def test_a_check_writes_nothing_and_an_export_mends(
    expected: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export_vectors, "export", lambda: expected)
    assert export_vectors.main(["--check", "--out", str(tmp_path)]) == 1
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "gone.json").write_text("{}", encoding="utf-8")
    assert export_vectors.main(["--out", str(tmp_path)]) == 0
    assert export_vectors.main(["--check", "--out", str(tmp_path)]) == 0


def test_they_are_small() -> None:
    assert sum(path.stat().st_size for path in FOLDER.glob("*.json")) < 410_000


# Trees


@pytest.mark.parametrize("index", range(8))
def test_a_vectors_tree_is_made_of_its_values(index: int) -> None:
    vector = load("trees")["vectors"][index]
    kind, d = kind_of(vector), number(vector["d"])
    values = reader.counted(kind, d, number(vector["start"]), number(vector["step"]))
    assert keccak(reader.wire(values, kind)) == raw(vector["wireHash"])
    assert reader.chunk_hashes(values, kind) == [raw(each) for each in vector["chunkHashes"]]
    assert reader.leaf_roots(values, kind) == [raw(each) for each in vector["subtreeRoots"]]
    assert reader.vector_root(values, kind) == raw(vector["root"])
    proof = [raw(each) for each in vector["proofOfLastChunk"]]
    assert len(proof) == number(vector["depth"])
    chunk = reader.chunk_hashes(values, kind)[-1]
    last = len(vector["chunkHashes"]) - 1
    assert reader.climbed(chunk, last, proof, kind[2]) == raw(vector["root"])


def test_vectors_of_all_lengths_at_the_edges_of_chunks_and_leaves_are_there() -> None:
    lengths = {(vector["kind"], number(vector["d"])) for vector in load("trees")["vectors"]}
    assert lengths == {(kind, d) for kind in ("update", "model") for d in (1, 255, 4096, 4097)}


def test_subtrees_of_zeros_are_hashed_from_below() -> None:
    trees = load("trees")
    for name, kind in (("update", UPDATE), ("model", MODEL)):
        for height, root in enumerate(trees["zeroSubtrees"][name]):
            assert reader.zeros(height, kind) == raw(root)
    assert [reader.gram_zeros(height) for height in range(19)] == [raw(root) for root in trees["zeroGramSubtrees"]]


# Signatures


def encoded(kind: str, value: Any) -> bytes:
    match kind:
        case "uint256":
            return reader.word(number(value))
        case "bytes32":
            return raw(value)
        case "address":
            return reader.address_word(value)
        case "string":
            return keccak(value.encode())
    raise AssertionError(kind)


@pytest.mark.parametrize("index", range(4))
def test_an_action_is_hashed_and_signed_as_a_wallet_does_it(index: int) -> None:
    domain, action = load("signatures")["domain"], load("signatures")["actions"][index]
    members = [member.split() for member in action["type"].split("(")[1].rstrip(")").split(",")]
    assert list(action["message"]) == [name for _, name in members]
    values = [encoded(kind, action["message"][name]) for kind, name in members]
    own = reader.separator(number(domain["chainId"]), domain["verifyingContract"])
    assert own == raw(domain["separator"])
    assert keccak(action["type"].encode()) == raw(action["typeHash"])
    digest = reader.action_hash(own, action["type"], values)
    assert digest == raw(action["hash"])
    signature = raw(action["signature"])
    key = PrivateKey(raw(action["privateKey"]))
    assert key.public_key.to_checksum_address() == action["signer"]
    assert (
        Signature(signature[:64] + bytes([signature[64] - 27])).recover_public_key_from_msg_hash(digest)
        == key.public_key
    )


def test_acknowledgements_are_of_the_commitment_and_of_its_reveal() -> None:
    commit, stored, revealed, _ = load("signatures")["actions"]
    assert stored["message"]["actionHash"] == commit["hash"]
    assert raw(revealed["message"]["actionHash"]) == tagged(0x12, raw(commit["hash"]))


def test_a_commitment_binds_update_samples_salt_and_client() -> None:
    own = load("signatures")["commitment"]
    made = reader.commitment(raw(own["updateRoot"]), number(own["samples"]), raw(own["salt"]), own["client"])
    assert made == raw(own["hash"])
    assert raw(load("signatures")["actions"][0]["message"]["commitment"]) == made


# Two epochs


class Replayed:
    """What a second watcher knows after each epoch, from the inputs alone."""

    def __init__(self) -> None:
        instance = load("epoch")["instance"]
        self.n, self.d = len(instance["cohort"]), number(instance["d"])
        self.rules = dict(zip(load("verdicts")["names"]["rules"], numbers(instance["rules"]), strict=True))
        self.model = reader.counted(MODEL, self.d, number(instance["modelStart"]), number(instance["modelStep"]))
        self.last = [[0] * self.d for _ in range(self.n)]
        self.delta = [0] * self.d
        self.head = raw(instance["genesisHash"])
        nothing = dict.fromkeys(load("verdicts")["names"]["counters"], 0)
        self.carried = judging.Before([], [0] * self.n, [0] * self.n, [nothing] * self.n, 0)

    def play(self, epoch: dict[str, Any]) -> Played:
        updates = {int(seat): reader.unwired(raw(own["update"]), UPDATE) for seat, own in epoch["reveals"].items()}
        absent = set(range(self.n)) - set(updates)
        stacked = [updates.get(seat, [0] * self.d) for seat in range(self.n)]
        rows = reader.gram_rows(stacked, self.last, self.delta, self.model, absent)
        columns = [reader.leaf_roots(update, UPDATE) for update in stacked]
        samples = {int(seat): number(own["samples"]) for seat, own in epoch["reveals"].items()}
        products = judging.Products(rows[-1][:-1], rows[-1][-1])
        outcome = judging.judge(products, samples, self.carried, self.rules)
        delta = reader.mean(stacked, outcome.after.weights)
        played = Played(self, dict(updates), self.last, self.model, rows, columns, outcome, delta, self.head)
        self.last = [updates.get(seat, self.last[seat]) for seat in range(self.n)]
        self.delta, self.model = delta, played.next_model
        self.carried, self.head = outcome.after, raw(epoch["headerHash"])
        return played


class Played:
    """One epoch, worked out again."""

    def __init__(
        self,
        replayed: Replayed,
        updates: dict[int, list[int]],
        last: list[list[int]],
        base: list[int],
        rows: list[list[list[int]]],
        columns: list[list[bytes]],
        outcome: judging.Outcome,
        delta: list[int],
        head: bytes,
    ) -> None:
        self.n, self.updates, self.last, self.base = replayed.n, updates, last, base
        self.rows, self.columns, self.outcome, self.delta, self.head = rows, columns, outcome, delta, head
        self.next_model = reader.stepped(base, delta)

    def stats(self) -> list[bytes | None]:
        contents: list[bytes | None] = [None] * self.n
        for seat, own in self.outcome.stats.items():
            verdict = self.outcome.verdicts[seat]
            evidence = judging.REASONS.index(verdict.evidence)
            contents[seat] = reader.packed([*own.values(), evidence, verdict.badness], [*reader.FIGURES, -1, -1])
        return [*contents, reader.packed(list(self.outcome.cohort.values()), reader.COHORT_FIGURES)]

    def carried(self) -> bytes:
        after = self.outcome.after
        return reader.carried([list(each.values()) for each in after.counters], after.weights, after.products)


@pytest.fixture(scope="module")
def played() -> list[tuple[dict[str, Any], Played]]:
    replayed = Replayed()
    return [(epoch, replayed.play(epoch)) for epoch in load("epoch")["epochs"]]


def test_the_genesis_hash_binds_chain_cohort_model_and_rules() -> None:
    instance, domains = load("epoch")["instance"], load("epoch")["domains"]
    assert raw(domains["genesis"]) == keccak(b"FedBlocks.Genesis.v2")
    assert raw(domains["rules"]) == keccak(b"FedBlocks.Rules.v2")
    rules = keccak(raw(domains["rules"]) + b"".join(map(reader.word, numbers(instance["rules"]))))
    assert rules == raw(instance["rulesHash"])
    cohort = reader.cohort_hash(instance["cohort"])
    assert cohort == raw(instance["cohortHash"])
    root = reader.vector_root(Replayed().model, MODEL)
    assert root == raw(instance["modelRoot"])
    fields = [reader.word(number(instance["chainId"])), reader.address_word(instance["settlement"])]
    fields += [reader.word(number(instance["instanceId"])), root, reader.word(number(instance["d"])), rules, cohort]
    assert keccak(raw(domains["genesis"]) + b"".join(fields)) == raw(instance["genesisHash"])
    for private, client in zip(instance["privateKeys"], instance["cohort"], strict=True):
        assert PrivateKey(raw(private)).public_key.to_checksum_address() == client


def test_in_the_second_epoch_a_seat_has_committed_and_is_absent() -> None:
    first, second = load("epoch")["epochs"]
    assert [len(first["reveals"]), len(second["reveals"])] == [5, 4]
    assert [len(first["commits"]), len(second["commits"])] == [5, 5]


def test_commitments_are_signed_for_the_epoch_and_listed(played: list[tuple[dict[str, Any], Played]]) -> None:
    instance = load("epoch")["instance"]
    own_domain = reader.separator(number(instance["chainId"]), instance["settlement"])
    for epoch, _ in played:
        contents = []
        for listed in epoch["commits"]:
            made, signature = raw(listed["commitment"]), raw(listed["signature"])
            header = epoch["header"]
            members = [reader.word(number(header[name])) for name in ("instanceId", "epoch", "attempt")]
            members += [raw(header["baseModelRoot"]), made]
            digest = reader.action_hash(own_domain, reader.COMMIT_UPDATE, members)
            key = Signature(signature[:64] + bytes([signature[64] - 27])).recover_public_key_from_msg_hash(digest)
            assert key.to_checksum_address() == listed["client"] == instance["cohort"][number(listed["seat"])]
            content = reader.word(number(listed["seat"])) + reader.address_word(listed["client"]) + made + signature
            assert reader.entry(content, reader.COMMITS) == raw(listed["entry"])
            contents.append(content)
        assert reader.list_root(contents, reader.COMMITS) == raw(epoch["header"]["commitsRoot"])


def test_submissions_open_their_commitments_and_are_listed(played: list[tuple[dict[str, Any], Played]]) -> None:
    cohort = load("epoch")["instance"]["cohort"]
    for epoch, own in played:
        contents = []
        for seat in range(own.n):
            last_root = reader.vector_root(own.last[seat], UPDATE)
            made, signature, root, samples, salt = bytes(32), bytes(65), bytes(32), 0, bytes(32)
            if seat in own.updates:
                reveal = epoch["reveals"][str(seat)]
                root = reader.vector_root(own.updates[seat], UPDATE)
                samples, salt = number(reveal["samples"]), raw(reveal["salt"])
                made, signature = (
                    reader.commitment(root, samples, salt, cohort[seat]),
                    raw(epoch["commits"][seat]["signature"]),
                )
            head = reader.word(seat) + reader.address_word(cohort[seat])
            content = head + made + signature + root + last_root + reader.word(samples) + salt
            listed = epoch["submissions"][seat]
            assert content == raw(listed["content"])
            assert len(content) == 289
            assert reader.entry(content, reader.SUBMISSIONS) == raw(listed["entry"])
            fields = [seat, cohort[seat], made, signature, root, last_root, samples, salt]
            assert [
                str(f) if isinstance(f, int) else f if isinstance(f, str) else "0x" + f.hex() for f in fields
            ] == list(listed.values())[:-2]
            contents.append(content)
        assert reader.list_root(contents, reader.SUBMISSIONS) == raw(epoch["header"]["submissionsRoot"])


def test_every_leaf_of_the_gram_tree_follows_from_the_updates(played: list[tuple[dict[str, Any], Played]]) -> None:
    for epoch, own in played:
        assert own.rows[-1] == [numbers(row) for row in epoch["gram"]["rows"]]
        leaves = []
        for leaf, given in enumerate(epoch["gram"]["leaves"]):
            column = [roots[leaf] for roots in own.columns]
            rows = [reader.row_bytes(row) for row in own.rows[leaf]]
            assert column == [raw(each) for each in given["column"]]
            assert tagged(0x0D, *column) == raw(given["columnRoot"])
            assert rows == [raw(each) for each in given["rows"]]
            assert reader.list_root(rows, reader.ROWS) == raw(given["rowsRoot"])
            leaves.append(reader.gram_leaf(column, rows))
            assert leaves[-1] == raw(given["leaf"])
        assert len(leaves) == 2
        assert reader.gram_root(leaves) == raw(epoch["header"]["gramRoot"])


def test_figures_and_verdicts_are_listed(played: list[tuple[dict[str, Any], Played]]) -> None:
    names = load("epoch")["names"]
    for epoch, own in played:
        contents = own.stats()
        assert set(map(str, own.outcome.stats)) == set(epoch["stats"])
        for seat, given in epoch["stats"].items():
            found = own.outcome.stats[int(seat)]
            assert list(found) == names["clientFigures"]
            assert list(found.values()) == numbers(given["figures"])
            verdict = own.outcome.verdicts[int(seat)]
            assert [judging.REASONS.index(verdict.evidence), verdict.badness] == numbers(
                [given["evidence"], given["badness"]]
            )
            content = contents[int(seat)]
            assert content == raw(given["content"])
            assert len(raw(given["content"])) == 143
            assert reader.entry(content, reader.STATS) == raw(given["entry"])
        assert list(own.outcome.cohort.values()) == numbers(epoch["cohort"]["figures"])
        assert contents[-1] == raw(epoch["cohort"]["content"])
        assert len(raw(epoch["cohort"]["content"])) == 114
        assert reader.entry(contents[-1], reader.STATS) == raw(epoch["cohort"]["entry"])
        assert reader.list_root(contents, reader.STATS) == raw(epoch["header"]["statsRoot"])


def test_what_is_carried_over_follows_from_the_verdicts(played: list[tuple[dict[str, Any], Played]]) -> None:
    for epoch, own in played:
        after = own.outcome.after
        for seat, given in enumerate(epoch["carried"]["seats"]):
            assert list(after.counters[seat].values()) == numbers(given["counters"])
            assert reader.packed_counters(numbers(given["counters"])) == number(given["packedCounters"])
            assert [after.weights[seat], after.products[seat]] == numbers([given["weight"], given["M"]])
        assert own.carried() == raw(epoch["carried"]["content"])
        assert tagged(0x11, own.carried()) == raw(epoch["header"]["carriedRoot"])


def test_the_next_model_is_the_base_and_the_floored_mean(played: list[tuple[dict[str, Any], Played]]) -> None:
    for epoch, own in played:
        assert own.delta[:8] == numbers(epoch["firstDelta"])
        assert own.next_model[:8] == numbers(epoch["firstNextModel"])
        assert reader.vector_root(own.delta, UPDATE) == raw(epoch["header"]["deltaRoot"])
        assert reader.vector_root(own.base, MODEL) == raw(epoch["header"]["baseModelRoot"])
        assert reader.vector_root(own.next_model, MODEL) == raw(epoch["header"]["nextModelRoot"])
    first = played[0][1]
    assert own_ends(first) == [(1 << 31) - 1, -(1 << 31)], "both ends saturate"


def own_ends(own: Played) -> list[int]:
    assert own.base[0] + own.delta[0] > (1 << 31) - 1
    assert own.base[2] + own.delta[2] < -(1 << 31)
    return [own.next_model[0], own.next_model[2]]


def test_the_header_sums_the_epoch_up(played: list[tuple[dict[str, Any], Played]]) -> None:
    document = load("epoch")
    assert raw(document["domains"]["header"]) == keccak(b"FedBlocks.Header.v2")
    for index, (epoch, own) in enumerate(played):
        header = epoch["header"]
        assert list(header) == document["names"]["header"]
        assert number(header["epoch"]) == index + 1
        assert raw(header["previousHeaderHash"]) == own.head
        assert number(header["participants"]) == sum(1 << seat for seat in own.updates)
        assert number(header["excluded"]) == sum(1 << seat for seat in own.outcome.excluded)
        assert number(header["slashReasons"]) == own.outcome.after.slash_reasons
        for name in ("attempt", "metric", "dataLocator"):
            assert header[name] == epoch[name]
        words = [raw(value) if value.startswith("0x") else reader.word(number(value)) for value in header.values()]
        assert len(words) == 17
        assert keccak(raw(document["domains"]["header"]) + b"".join(words)) == raw(epoch["headerHash"])


# Verdicts


def names_of_verdicts() -> list[str]:
    return [epoch["name"] for epoch in load("verdicts")["epochs"]]


def before_of(carried: dict[str, Any]) -> judging.Before:
    names = load("verdicts")["names"]["counters"]
    return judging.Before(
        participants=numbers(carried["participants"]),
        weights=numbers(carried["weights"]),
        products=numbers(carried["M"]),
        counters=[dict(zip(names, numbers(each), strict=True)) for each in carried["counters"]],
        slash_reasons=number(carried["slashReasons"]),
    )


@pytest.mark.parametrize("name", names_of_verdicts())
def test_a_second_judge_comes_to_the_same_verdicts(name: str) -> None:
    document = load("verdicts")
    epoch = next(each for each in document["epochs"] if each["name"] == name)
    rules = dict(zip(document["names"]["rules"], numbers(epoch["rules"]), strict=True))
    products = judging.Products([numbers(row) for row in epoch["rows"]], numbers(epoch["commonRow"]))
    samples = {int(seat): number(own) for seat, own in epoch["samples"].items()}
    outcome = judging.judge(products, samples, before_of(epoch["before"]), rules)

    assert {str(seat): list(own.values()) for seat, own in outcome.stats.items()} == {
        seat: numbers(own) for seat, own in epoch["figures"].items()
    }
    assert list(outcome.cohort.values()) == numbers(epoch["cohort"])
    for seat, given in epoch["judgements"].items():
        own, slashed = outcome.verdicts[int(seat)], int(seat) in outcome.slashed
        assert own.evidence == given["evidence"]
        assert (own.evidence if slashed else "NONE") == given["slashed"]
        assert [each for each in given["suspicions"] if each != "EVIDENCE"] == own.suspicions
        assert ("EVIDENCE" in given["suspicions"]) == (own.evidence != "NONE" and not slashed)
        assert own.badness == number(given["ownBadness"])
        assert outcome.badness[int(seat)] == number(given["badness"])
        assert (int(seat) in outcome.excluded) == given["excluded"]
    assert sorted(outcome.excluded) == numbers(epoch["excluded"])
    assert outcome.after == before_of(epoch["after"])


def test_every_evidence_and_every_suspicion_is_in_some_epoch() -> None:
    judgements = [own for epoch in load("verdicts")["epochs"] for own in epoch["judgements"].values()]
    assert {own["evidence"] for own in judgements} == set(judging.REASONS)
    assert {own["slashed"] for own in judgements} == set(judging.REASONS)
    assert {each for own in judgements for each in own["suspicions"]} == {each.name for each in Suspicion}


def test_an_epoch_of_every_kind_leaves_somebody_alone() -> None:
    for epoch in load("verdicts")["epochs"]:
        assert any(number(own["badness"]) == 0 and own["evidence"] == "NONE" for own in epoch["judgements"].values())


# The step


@pytest.mark.parametrize("index", range(5))
def test_a_mean_is_floored(index: int) -> None:
    given = load("aggregation")["means"][index]
    updates = [numbers(update) for update in given["updates"]]
    assert reader.mean(updates, numbers(given["weights"])) == numbers(given["delta"])


def test_a_step_saturates() -> None:
    steps = load("aggregation")["steps"]
    assert reader.stepped(numbers(steps["base"]), numbers(steps["delta"])) == numbers(steps["next"])
    plain_sums = [a + b for a, b in zip(numbers(steps["base"]), numbers(steps["delta"]), strict=True)]
    assert plain_sums != numbers(steps["next"])


# Faults


def typed(kind: str, value: Any) -> Any:
    """An argument as an ABI encoder takes it."""
    if kind.endswith("]"):
        return [typed(kind[: kind.rindex("[")], each) for each in value]
    if kind.startswith("("):
        return tuple(typed(part, each) for part, each in zip(split(kind[1:-1]), value, strict=True))
    return raw(value) if kind.startswith("bytes") else number(value)


def split(kinds: str) -> list[str]:
    """The types of a list of arguments, tuples left whole."""
    parts, depth = [""], 0
    for letter in kinds:
        depth += (letter == "(") - (letter == ")")
        if letter == "," and not depth:
            parts.append("")
        else:
            parts[-1] += letter
    return parts


def calldata(call: dict[str, Any]) -> bytes:
    kinds = split(call["function"].split("(", 1)[1][:-1])
    arguments = [typed(kind, each) for kind, each in zip(kinds, call["arguments"], strict=True)]
    return keccak(call["function"].encode())[:4] + abi_encode(kinds, arguments)


def calls() -> list[dict[str, Any]]:
    faults = load("faults")["faults"]
    withheld = next(fault for fault in faults if fault["name"] == "WITHHELD")
    others = [{"contract": "DataDemands"} | withheld[name] for name in ("demand", "answer")]
    return faults + others


def test_there_is_a_fault_of_every_case() -> None:
    document = load("faults")
    assert {fault["name"]: fault["case"] for fault in document["faults"]} == document["cases"]
    assert sorted(map(int, document["cases"].values())) == list(range(1, 13))


@pytest.mark.parametrize("index", range(14))
def test_the_calldata_is_that_of_the_arguments(index: int) -> None:
    call = calls()[index]
    assert len(calldata(call)) == number(call["calldataSize"])
    assert keccak(calldata(call)) == raw(call["calldataHash"])


def test_a_demand_is_named_by_header_and_position() -> None:
    withheld = next(fault for fault in load("faults")["faults"] if fault["name"] == "WITHHELD")
    header, *position = withheld["demand"]["arguments"]
    named = raw(load("epoch")["epochs"][1]["headerHash"]) + b"".join(map(reader.word, numbers(position)))
    demand_id = str(int.from_bytes(keccak(named), "big"))
    assert header == list(load("epoch")["epochs"][1]["header"].values())
    assert withheld["arguments"] == [demand_id]
    assert withheld["answer"]["arguments"][0] == demand_id


@pytest.mark.parametrize("contract", ["SubmissionVerifier", "VectorVerifier", "VerdictVerifier", "DataDemands"])
def test_the_functions_are_the_contracts(contract: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(CONTRACTS.parent)
    path = f"contracts/{contract}.vy"
    functions = compile_files([path], ["method_identifiers"], ["."], False)[Path(path)]["method_identifiers"]
    own = [call["function"] for call in calls() if call["contract"] == contract]
    assert own
    assert set(own) <= set(functions)


def test_each_lie_is_told_in_a_header_of_its_own_and_the_honest_ones_are_not_accused() -> None:
    honest = [list(epoch["header"].values()) for epoch in load("epoch")["epochs"]]
    accused = [fault for fault in load("faults")["faults"] if fault["name"] not in ("CENSORSHIP", "WITHHELD")]
    assert all(fault["arguments"][0] not in honest for fault in accused)
    # What a seat was told when it revealed, and who can see the data, is not in the header.
    left = [fault for fault in load("faults")["faults"] if fault["name"] == "CENSORSHIP"]
    assert [fault["arguments"][0] in honest for fault in left] == [True]
