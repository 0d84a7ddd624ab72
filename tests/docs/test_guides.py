"""What the pages name is there: commands, files, fraud cases, thresholds, functions, vectors."""

from __future__ import annotations

import importlib
import json
import re
from dataclasses import fields
from pathlib import Path

import click
import pytest

from fedblocks.aggregation.rules import Rules
from fedblocks.cli.main import cli
from fedblocks.contracts.artifacts import load_artifact
from fedblocks.rollup.fraud.cases import FraudCase
from tests.docs.markdown import table

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
AUDITORS = (DOCS / "guides" / "auditors.md").read_text(encoding="utf-8")
NEW = [DOCS / name for name in ("index.md", "concepts.md", "quickstart.md", "threat-model.md")]
NEW += sorted((DOCS / "guides").glob("*.md"))


def rows(name: str) -> list[list[str]]:
    """The cells of the auditors' table between its two comments, without its head."""
    (part,) = re.findall(rf"<!-- {name} -->\n(.*?)<!-- end of {name} -->", AUDITORS, re.DOTALL)
    return table(part)[1:]


def names(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def calls(page: Path) -> list[str]:
    """The lines of a page that call `fedblocks`, with what is continued in the next one."""
    text = page.read_text(encoding="utf-8").replace("\\\n", " ")
    blocks = "\n".join(re.findall(r"```sh\n(.*?)```", text, re.DOTALL))
    lines = [line.partition("#")[0] for line in blocks.splitlines()]
    return [line for line in lines + re.findall(r"`([^`\n]+)`", text) if re.match(r"\s*(\.venv/bin/)?fedblocks ", line)]


@pytest.mark.parametrize("page", NEW, ids=lambda page: page.stem)
def test_every_command_that_a_page_names_is_one(page: Path) -> None:
    for line in calls(page):
        words = line.split()[1:]
        command: click.Command = cli
        context = click.Context(cli)
        while isinstance(command, click.Group) and words and not words[0].startswith("-"):
            found = command.get_command(context, words.pop(0))
            assert found is not None, f"{page.name}: {line}"
            command = found
        options = {option for parameter in command.params for option in parameter.opts} | {"--help"}
        assert {word.partition("=")[0] for word in words if word.startswith("--")} <= options, f"{page.name}: {line}"


@pytest.mark.parametrize("page", NEW, ids=lambda page: page.stem)
def test_every_target_of_make_that_a_page_names_is_one(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    text = page.read_text(encoding="utf-8")
    assert set(re.findall(r"(?:^|`)make ([a-z-]+)", text, re.MULTILINE)) <= targets


def test_every_fraud_case_guards_a_step_by_the_function_that_the_contract_has() -> None:
    found = {}
    for step, _, case, call, *_ in rows("steps"):
        number, name = case.split()
        assert FraudCase(int(number)).name == name, step
        contract, function = names(call)
        assert function in {entry.get("name") for entry in load_artifact(contract).abi}, step
        found[int(number)] = (contract, function)
    assert sorted(found) == sorted(FraudCase)
    faults = json.loads((DOCS / "vectors" / "faults.json").read_text(encoding="utf-8"))["faults"]
    assert found == {int(fault["case"]): (fault["contract"], fault["function"].partition("(")[0]) for fault in faults}


def test_every_step_has_code_vectors_a_page_and_a_test() -> None:
    for step, code, _, _, vectors, page, test in rows("steps"):
        assert all("](" in cell for cell in (code, vectors, page, test)), step
        files = re.findall(r"\]\(([^)#]+)", f"{code} {vectors} {page} {test}")
        assert all((DOCS / "guides" / file).is_file() for file in files), step


def test_every_rule_is_a_function_in_python_and_one_in_vyper_and_decides_an_epoch_of_the_vectors() -> None:
    vectors = json.loads((DOCS / "vectors" / "verdicts.json").read_text(encoding="utf-8"))["epochs"]
    epochs = {epoch["name"] for epoch in vectors}
    for rule, _, python, vyper, epoch in rows("rules"):
        module, function = names(python)[0].split(".")
        assert callable(getattr(importlib.import_module(f"fedblocks.aggregation.{module}"), function)), rule
        module, function = names(vyper)[0].split(".")
        source = (ROOT / "contracts" / "modules" / f"{module}.vy").read_text(encoding="utf-8")
        assert re.search(rf"^def {function}\(", source, re.MULTILINE), rule
        assert epoch in epochs, rule


def test_every_threshold_belongs_to_a_rule() -> None:
    named = {threshold for _, thresholds, *_ in rows("rules") for threshold in names(thresholds)}
    assert named == {field.name for field in fields(Rules)}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(DOCS)))
def test_a_page_reads_the_same_in_a_checkout_and_in_the_site(page: Path) -> None:
    """The site's Markdown wants an empty line before a list, and four spaces before a block within one."""
    fenced, before = False, ""
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
        where = f"{page.name}, line {number}"
        if re.match(r"\s*(```|~~~)", line):
            fenced = not fenced
            assert not re.match(r" {1,3}\S", line), f"{where}: a block within a list begins after four spaces"
        elif not fenced:
            item = re.match(r"(- |1\. )", line)
            plain = before.strip() and not re.match(r"\s*(- |\d+\. |#|<!--)|\s", before)
            assert not (item and plain), f"{where}: a list begins after an empty line"
            assert not (line.startswith("|") and before.strip() and not re.match(r"\||#|<!--", before)), (
                f"{where}: a table begins after an empty line"
            )
            assert not re.match(r" {1,3}(- |\d+\. )", line), f"{where}: a list within a list begins after four spaces"
        before = line
