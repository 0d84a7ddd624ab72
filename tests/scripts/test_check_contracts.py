"""The static analysis finds each kind of mistake in a contract that has it, and nothing in one that has not."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from scripts.check_contracts import RULES, Finding, analyse

from scripts import check_contracts

HEAD = """# pragma version 0.4.3
# pragma evm-version cancun
from .modules import payments

interface Other:
    def poke() -> uint256: nonpayable
    def look() -> uint256: view

OWNER: immutable(address)
OTHER: immutable(address)
count: uint256
total: HashMap[address, uint256]

event Done:
    pass

@deploy
def __init__(owner: address, other: address):
    assert owner != empty(address), "Bad: owner is missing"
    OWNER = owner
    OTHER = other

@internal
@view
def _only_owner():
    assert msg.sender == OWNER, "Bad: caller is not the owner"

@internal
def _set(number: uint256):
    self.count = number

"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    contracts = tmp_path / "contracts"
    (contracts / "modules").mkdir(parents=True)
    shutil.copy(check_contracts.ROOT / "contracts" / "modules" / "payments.vy", contracts / "modules")
    return contracts


def findings(folder: Path, body: str) -> set[str]:
    (folder / "Bad.vy").write_text(HEAD + body, encoding="utf-8")
    return {each.rule for each in analyse(folder) if each.where.startswith("Bad.")}


POKE = "    n: uint256 = extcall Other(OTHER).poke()\n"
PAY = '    assert payments._send(msg.sender, 1), "Bad: refused"\n'
VIEW = "@external\n@view\ndef f(other: address) -> uint256:\n"
OWNED = "@external\ndef f():\n    self._only_owner()\n"


@pytest.mark.parametrize(
    ("rule", "body"),
    [
        ("unchecked-call", OWNED + "    log Done()\n    ok: bool = payments._send(msg.sender, 1)\n"),
        ("unchecked-call", OWNED + "    log Done()\n    payments._send(msg.sender, 1)\n"),
        ("unchecked-call", OWNED + '    log Done()\n    raw_call(OWNER, b"")\n'),
        (
            "effects-after-call",
            OWNED + "    log Done()\n" + POKE + "    self.count = n\n",
        ),
        ("effects-after-call", OWNED + "    log Done()\n    self.count += extcall Other(OTHER).poke()\n"),
        (
            "effects-after-call",
            OWNED + "    log Done()\n" + POKE + "    self._set(n)\n",
        ),
        (
            "effects-after-call",
            OWNED
            + "    log Done()\n    for i: uint256 in range(3):\n        self.count += i\n"
            + "        n: uint256 = extcall Other(OTHER).poke()\n",
        ),
        (
            "effects-after-call",
            OWNED + "    log Done()\n" + PAY + "    self.total[msg.sender] = 0\n",
        ),
        ("open-to-anyone", "@external\ndef f():\n    self.count = 1\n    log Done()\n"),
        (
            "open-to-anyone",
            "@external\ndef f():\n    self.count = 1\n    log Done()\n"
            '    assert payments._send(msg.sender, 1), "Bad: refused"\n',
        ),
        ("revert-without-name", OWNED + "    assert self.count == 0\n"),
        ("revert-without-name", OWNED + '    assert self.count == 0, "the count is not zero"\n'),
        ("revert-without-name", OWNED + '    raise "Good: another contract\'s name"\n'),
        ("revert-without-name", OWNED + "    assert self.count == 0, UNREACHABLE\n"),
        (
            "large-loop",
            OWNED + "    n: uint256 = 0\n    for i: uint256 in range(300):\n"
            "        for j: uint256 in range(300):\n            n += 1\n",
        ),
        ("forbidden", OWNED + "    selfdestruct(msg.sender)\n"),
        ("forbidden", OWNED + "    log Done()\n    send(msg.sender, 1)\n"),
        ("forbidden", OWNED + '    assert tx.origin == msg.sender, "Bad: a contract"\n'),
        (
            "forbidden",
            OWNED + '    assert raw_call(OTHER, b"", revert_on_failure=False), "Bad: refused"\n    log Done()\n',
        ),
        ("forbidden", OWNED + '    raw_call(OTHER, b"", is_delegate_call=True)\n    log Done()\n'),
        ("forbidden", OWNED + "    n: uint256 = unsafe_add(self.count, 1)\n"),
        ("forbidden", OWNED + "    made: address = create_minimal_proxy_to(OTHER)\n"),
        ("silent-change", OWNED + "    self.count = 1\n"),
        ("silent-change", OWNED + '    assert payments._send(msg.sender, 1), "Bad: refused"\n'),
        (
            "foreign-target",
            VIEW + "    return staticcall Other(other).look()\n",
        ),
        (
            "foreign-target",
            "@external\n@view\ndef f(other: address) -> uint256:\n    found: Other = Other(other)\n"
            "    return staticcall found.look()\n",
        ),
        ("balance-equality", OWNED + '    assert self.balance == self.count, "Bad: something is missing"\n'),
    ],
)
def test_a_bad_contract_is_found(folder: Path, rule: str, body: str) -> None:
    assert rule in findings(folder, body)


@pytest.mark.parametrize(
    "body",
    [
        "",
        OWNED + "    self.count = 1\n    log Done()\n    n: uint256 = extcall Other(OTHER).poke()\n",
        OWNED + "    n: uint256 = staticcall Other(OTHER).look()\n    self._set(n)\n    log Done()\n",
        OWNED + '    log Done()\n    assert payments._send(msg.sender, 1), "Bad: refused"\n',
        "@external\n@payable\ndef f():\n    held: uint256 = self.total[msg.sender]\n"
        '    assert held == 0, "Bad: there already"\n    self.total[msg.sender] = msg.value\n    log Done()\n',
        "@external\n@view\ndef f() -> uint256:\n    other: Other = Other(OTHER)\n    return staticcall other.look()\n",
        OWNED + "    for i: uint256 in range(self.count, bound=1024):\n        for j: uint256 in range(64):\n"
        "            self.count += 1\n    log Done()\n",
        OWNED + '    assert self.balance >= self.count, "Bad: something is missing"\n',
    ],
)
def test_a_sound_contract_is_left_alone(folder: Path, body: str) -> None:
    assert findings(folder, body) == set()


def test_every_rule_has_a_bad_contract_and_a_line_in_the_document() -> None:
    marks = test_a_bad_contract_is_found.pytestmark  # type: ignore[attr-defined]
    assert {case[0] for case in marks[0].args[1]} == set(RULES)
    document = check_contracts.ACCEPTED.read_text(encoding="utf-8")
    for rule in RULES:
        assert f"| `{rule}` | " in document


def test_the_contracts_have_no_finding_that_is_not_accepted(capsys: pytest.CaptureFixture[str]) -> None:
    assert check_contracts.main([]) == 0, capsys.readouterr().err


def test_a_new_finding_and_a_stale_acceptance_are_named(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "Bad.vy").write_text(HEAD + OWNED + "    self.count = 1\n", encoding="utf-8")
    document = tmp_path / "accepted.md"
    document.write_text("| `forbidden` | `Bad.gone` | it was once needed |\n", encoding="utf-8")
    arguments = ["--contracts", str(folder), "--accepted", str(document)]
    assert check_contracts.main(arguments) == 1
    said = capsys.readouterr().err
    assert "Bad.f, line 33: silent-change" in said
    assert "accepts forbidden of Bad.gone, which is not found any more" in said
    document.write_text("| `silent-change` | `Bad.f` | nobody looks at it |\n", encoding="utf-8")
    assert check_contracts.main(arguments) == 0
    assert "1 findings, all of them accepted" in capsys.readouterr().out


def test_an_acceptance_needs_a_reason(tmp_path: Path) -> None:
    document = tmp_path / "accepted.md"
    document.write_text("| `forbidden` | `Bad.f` |  |\n", encoding="utf-8")
    assert check_contracts.accepted(document) == {}
    assert str(Finding("forbidden", "Bad.f", 3)).startswith("Bad.f, line 3: forbidden: ")
