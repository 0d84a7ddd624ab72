"""The contracts' reference: one page for each contract, from its source and its exported artefact."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from scripts.export_abi import ARTIFACTS, CONTRACTS
from scripts.site.natspec import Contract, NatSpec, natspec_of

from fedblocks.contracts import reverts

FOLDER = "reference/contracts"
ORDER = (
    "StakingRegistry",
    "RewardManager",
    "ModelParameterChain",
    "SlashingManager",
    "SubmissionVerifier",
    "VectorVerifier",
    "VerdictVerifier",
    "DataDemands",
    "SlashTreasury",
    "RewardTreasury",
)
"""As a reader meets them; a contract that is missing here comes last."""


def contract_pages(folder: Path = CONTRACTS) -> dict[str, str]:
    """The pages of all contracts of a folder, by their address in the site.

    Raises:
        Undocumented: if something that anyone can call has no text.
    """
    names = sorted((path.stem for path in folder.glob("*.vy")), key=lambda name: (name not in ORDER, _place(name)))
    return {f"{FOLDER}/{name}.md": "\n".join(_page(Contract(folder / f"{name}.vy"))) for name in names}


def _place(name: str) -> tuple[int, str]:
    return (ORDER.index(name) if name in ORDER else len(ORDER), name)


def _exceptions() -> dict[str, str]:
    """Which exception of the SDK a reason becomes."""
    found: dict[str, str] = {}
    for name, each in vars(reverts).items():
        reasons = getattr(each, "reason", ())
        for reason in (reasons,) if isinstance(reasons, str) else reasons:
            found[reason] = name
    return found


EXCEPTIONS = _exceptions()


def _page(contract: Contract) -> Iterator[str]:
    said = natspec_of(contract.tree)
    path = ARTIFACTS / f"{contract.name}.json"
    size = f"{json.loads(path.read_text(encoding='utf-8'))['deployedBytecodeSize']:,}" if path.exists() else "?"
    yield f"# {contract.name}\n\n{said.notice}\n"
    if said.dev:
        yield f"{said.dev}\n"
    yield (
        f"[Source](../../../contracts/{contract.name}.vy), {size} bytes of code. Amounts are in wei, periods in "
        "seconds. A call that reverts changes nothing. The reverts listed are the contract's own; a call to another "
        "contract can also revert with one of that contract's.\n"
    )
    yield "## Constructor\n"
    yield from _arguments(contract.constructor, contract.notice(contract.constructor))
    yield from _reverts(contract, contract.constructor)
    changing = [each for each in contract.functions if each.is_mutable]
    reading = [each for each in contract.functions if not each.is_mutable]
    yield "## Calls\n"
    for each in changing:
        yield from _function(contract, each)
    if reading:
        yield "## Views\n"
        for each in reading:
            yield from _function(contract, each)
    yield "## Parameters and state\n"
    yield "| view | gives | what it is |\n|---|---|---|"
    for each in contract.getters:
        taken = ", ".join(_kind(argument.typ) for argument in each.arguments)
        yield f"| `{each.name}({taken})` | {_code(_kind(each.return_type))} | {_cell(contract.meaning(each))} |"
    yield from _events(contract)
    for struct in contract.structs:
        yield f"\n### {struct.name} {{ #struct-{struct.name.lower()} }}\n\n| field | type |\n|---|---|"
        yield from (f"| `{name}` | {_code(_kind(kind))} |" for name, kind in struct.member_types.items())
    yield ""


def _function(contract: Contract, function: Any) -> Iterator[str]:
    said = contract.notice(function)
    name = "(ether without a call)" if function.is_fallback else f"{function.name}"
    yield f"### {name} {{ #{function.name.lower().strip('_')} }}\n"
    if not function.is_fallback:
        yield f"```python\n{_signature(function)}\n```\n"
    yield f"{said.notice}\n"
    if said.dev:
        yield f"*{said.dev}*\n" if "*" not in said.dev else f"{said.dev}\n"
    yield from _arguments(function, said)
    if function.return_type is not None:
        yield "Returns: " + "; ".join(_cell(each) for each in said.returns) + ".\n"
    events = contract.emits(function)
    if events:
        yield "Logs: " + ", ".join(f"[`{each}`](#event-{each.lower()})" for each in events) + ".\n"
    yield from _reverts(contract, function)
    if not function.is_fallback:
        selectors = [f"`{selector:#010x}` `{text}`" for text, selector in function.method_ids.items()]
        yield '??? abstract "Selector"\n' if len(selectors) == 1 else '??? abstract "Selectors"\n'
        yield from (f"    - {each}" for each in selectors)
        yield ""


def _signature(function: Any) -> str:
    optional = {each.name: each.default_value.node_source_code for each in function.keyword_args}
    arguments = [
        f"{each.name}: {_kind(each.typ)}" + (f" = {optional[each.name]}" if each.name in optional else "")
        for each in function.arguments
    ]
    result = "" if function.return_type is None else f" -> {_kind(function.return_type)}"
    decorator = f"@{function.mutability.value}\n" if function.mutability.value != "nonpayable" else ""
    text = f"{decorator}def {function.name}({', '.join(arguments)}){result}"
    if len(text) - len(decorator) > 100:
        text = f"{decorator}def {function.name}(\n" + "".join(f"    {each},\n" for each in arguments) + f"){result}"
    return text


def _arguments(function: Any, said: NatSpec) -> Iterator[str]:
    if function.arguments:
        yield "| argument | type | what it is |\n|---|---|---|"
        for each in function.arguments:
            yield f"| `{each.name}` | {_linked(each.typ)} | {_cell(said.params[each.name])} |"
        yield ""


def _reverts(contract: Contract, function: Any) -> Iterator[str]:
    reasons = contract.reverts(function)
    if not reasons:
        return
    yield "| reverts with | in the SDK |\n|---|---|"
    for reason in reasons:
        name = EXCEPTIONS.get(reason)
        exception = f"[`{name}`][fedblocks.contracts.reverts.{name}]" if name else "`ContractReverted`"
        yield f"| `{reason}` | {exception} |"
    yield ""


def _events(contract: Contract) -> Iterator[str]:
    if contract.events:
        yield "\n## Events\n"
    for each in contract.events:
        yield f"### {each.name} {{ #event-{each.name.lower()} }}\n\n{contract.meaning(each)}\n"
        yield "| field | type | |\n|---|---|---|"
        for (name, kind), indexed in zip(each.arguments.items(), each.indexed, strict=True):
            yield f"| `{name}` | {_linked(kind)} | {'indexed' if indexed else ''} |"
        yield ""
    if contract.structs:
        yield "\n## Structs\n"


def _kind(kind: Any) -> str:
    """A type's name in the source, structs by theirs."""
    return str(getattr(kind, "name", None) or kind) if not hasattr(kind, "value_type") else str(kind)


def _linked(kind: Any) -> str:
    text = _kind(kind)
    return (
        f"[`{text}`](#struct-{text.lower()})"
        if hasattr(kind, "member_types") and hasattr(kind, "name")
        else _code(text)
    )


def _code(text: str) -> str:
    return f"`{text}`"


def _cell(text: str) -> str:
    """Text within a table."""
    return text.replace("|", "\\|").removesuffix(".")
