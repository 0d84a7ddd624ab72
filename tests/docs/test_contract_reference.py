"""The contracts' reference says what the ABI has, and refuses a contract that does not say what it does."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from scripts.export_abi import CONTRACTS
from scripts.site.contract_pages import EXCEPTIONS, contract_pages
from scripts.site.natspec import Contract, NatSpec, Undocumented

from fedblocks.contracts.artifacts import load_artifact

NAMES = sorted(path.stem for path in CONTRACTS.glob("*.vy"))


@pytest.fixture(scope="module")
def pages() -> dict[str, str]:
    """The pages by their contracts' names."""
    return {Path(address).stem: text for address, text in contract_pages().items()}


@pytest.fixture
def contracts(tmp_path: Path) -> Path:
    """One small contract with its modules, to spoil."""
    folder = tmp_path / "contracts"
    folder.mkdir()
    shutil.copytree(CONTRACTS / "modules", folder / "modules")
    shutil.copytree(CONTRACTS / "interfaces", folder / "interfaces")
    for name in ("SlashTreasury", "StakingRegistry"):
        shutil.copy(CONTRACTS / f"{name}.vy", folder)
    return folder


def spoil(path: Path, old: str, new: str) -> Contract:
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1, old
    path.write_text(text.replace(old, new), encoding="utf-8")
    return Contract(path)


@pytest.mark.parametrize("name", NAMES)
def test_everything_in_the_abi_is_on_the_page(pages: dict[str, str], name: str) -> None:
    page = pages[name]
    for entry in load_artifact(name).abi:
        if entry["type"] == "event":
            assert f"{{ #event-{entry['name'].lower()} }}" in page
        elif entry["type"] == "function":
            as_call = f"### {entry['name']} {{ #{entry['name'].lower()} }}" in page
            assert as_call or re.search(rf"^\| `{entry['name']}\(", page, re.MULTILINE), entry["name"]
        elif entry["type"] == "constructor":
            constructor = page.partition("## Constructor")[2].partition("\n## ")[0]
            assert all(f"| `{each['name']}` |" in constructor for each in entry["inputs"])


@pytest.mark.parametrize("name", NAMES)
def test_every_revert_in_the_source_is_on_the_page_with_its_exception(pages: dict[str, str], name: str) -> None:
    source = (CONTRACTS / f"{name}.vy").read_text(encoding="utf-8")
    for reason in re.findall(rf'"({name}: [^"]+)"', source):
        assert (
            f"| `{reason}` | [`{EXCEPTIONS[reason]}`][fedblocks.contracts.reverts.{EXCEPTIONS[reason]}] |"
            in pages[name]
        )


def test_a_call_lists_the_reverts_of_what_it_calls_under_the_contracts_own_name(pages: dict[str, str]) -> None:
    withdraw = pages["SlashTreasury"].partition("### withdraw ")[2].partition("\n### ")[0]
    assert "SlashTreasury: caller is not the admin" in withdraw
    assert "RewardTreasury" not in pages["SlashTreasury"]


def test_a_call_lists_what_it_logs_and_its_overloads(pages: dict[str, str]) -> None:
    withdraw = pages["StakingRegistry"].partition("### withdrawStake ")[2].partition("\n### ")[0]
    assert "[`WithdrawStake`](#event-withdrawstake), [`StakeReturned`](#event-stakereturned)" in withdraw
    assert "receiver: address = msg.sender" in withdraw
    assert "`withdrawStake()`" in withdraw
    assert "`withdrawStake(address)`" in withdraw


def test_an_immutable_is_what_the_constructors_parameter_is(pages: dict[str, str]) -> None:
    assert "| `STAKE_AMOUNT()` | `uint256` | What a client stakes, in wei |" in pages["StakingRegistry"]


def test_a_docstring_is_taken_apart() -> None:
    said = NatSpec.parse(
        "@notice Does this,\n  and that.\n@dev Why.\n@param a An\n   amount\n@return One\n@return Two\n"
    )
    assert said == NatSpec("Does this, and that.", "Why.", {"a": "An amount"}, ("One", "Two"))


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ("    @notice Become a client by staking exactly STAKE_AMOUNT.\n", "", r"stake\(\)"),
        (
            "    @param receiver Who is paid; the client itself when left out\n",
            "",
            r"parameter receiver of withdrawStake",
        ),
        ("    @return How much was taken, in wei\n", "", r"what slashStake\(\) returns"),
    ],
)
def test_a_function_that_does_not_say_what_it_does_is_refused(contracts: Path, old: str, new: str, what: str) -> None:
    contract = spoil(contracts / "StakingRegistry.vy", old, new)
    with pytest.raises(Undocumented, match=what):
        all(contract.notice(function) for function in contract.functions)


def test_an_event_or_a_variable_without_a_comment_is_refused(contracts: Path) -> None:
    contract = spoil(contracts / "StakingRegistry.vy", "# A client has staked, as version 1 says it.\n", "")
    with pytest.raises(Undocumented, match="Stake has no NatSpec"):
        contract.meaning(next(event for event in contract.events if event.name == "Stake"))
    contract = spoil(contracts / "modules" / "treasury.vy", "# Who may withdraw.\n", "") and Contract(
        contracts / "SlashTreasury.vy"
    )
    with pytest.raises(Undocumented, match="ADMIN_ADDRESS"):
        contract.meaning(next(getter for getter in contract.getters if getter.name == "ADMIN_ADDRESS"))
