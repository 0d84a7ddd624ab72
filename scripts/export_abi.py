"""Write the contracts' ABI and code into the SDK, or check that what is there is what the sources compile to.

    python scripts/export_abi.py            writes sdk/fedblocks/abi/<Contract>.json
    python scripts/export_abi.py --check    exits 1 and names every file that has drifted

It runs Vyper alone: the code is the same as ape's, and nobody needs ape to build the SDK.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import vyper
from vyper.cli.vyper_compile import compile_files

ROOT = Path(__file__).resolve().parent.parent
CONTRACTS = ROOT / "contracts"
ARTIFACTS = ROOT / "sdk" / "fedblocks" / "abi"


def compile_contracts(folder: Path = CONTRACTS) -> dict[str, str]:
    """The artefact of every contract in a folder, as the text of its file, by its name."""
    paths = [str(source.relative_to(folder.parent)) for source in sorted(folder.glob("*.vy"))]
    # Vyper names sources as seen from where it runs.
    with contextlib.chdir(folder.parent):
        outputs = compile_files(paths, ["abi", "bytecode", "bytecode_runtime", "layout"], ["."], False)
        # It gives its list of sources only by itself.
        bundles = compile_files(paths, ["solc_json"], ["."], False)
    artifacts = {}
    for path, output in outputs.items():
        name = Path(path).stem
        artifacts[name] = render(name, output, bundles[path]["solc_json"]["sources"])
    return artifacts


def render(name: str, output: dict[str, Any], sources: dict[str, Any]) -> str:
    """One contract's artefact: the same bytes for the same sources, on any machine."""
    creation = bytes.fromhex(output["bytecode"].removeprefix("0x"))
    runtime = bytes.fromhex(output["bytecode_runtime"].removeprefix("0x"))
    if creation.count(runtime) != 1:
        raise AssertionError(f"{name}: the runtime code does not lie once within the creation code")
    artifact = {
        "contractName": name,
        "abi": sorted(output["abi"], key=_signature),
        "bytecode": output["bytecode"],
        # The runtime code is a part of the creation code. The constructor appends the immutables to it.
        "deployedBytecodeOffset": creation.index(runtime),
        "deployedBytecodeSize": len(runtime),
        "deployedBytecodeSha256": hashlib.sha256(runtime).hexdigest(),
        "immutables": sorted(_immutables(output["layout"].get("code_layout", {})), key=lambda entry: entry["offset"]),
        "compiler": {"name": "vyper", "version": vyper.__long_version__, "evmVersion": _evm_version(name, sources)},
        "sourcesSha256": {
            path: hashlib.sha256(source["content"].encode()).hexdigest() for path, source in sorted(sources.items())
        },
    }
    return json.dumps(artifact, indent=2) + "\n"


def drift(expected: dict[str, str], folder: Path) -> list[str]:
    """What differs between the artefacts as compiled and the files in a folder, one line for each file."""
    lines = []
    for name, text in sorted(expected.items()):
        path = folder / f"{name}.json"
        if not path.exists():
            lines.append(f"{path.name}: missing")
        elif path.read_text(encoding="utf-8") != text:
            lines.append(f"{path.name}: {', '.join(_changed_keys(text, path.read_text(encoding='utf-8')))}")
    lines += [f"{path.name}: no such contract" for path in sorted(folder.glob("*.json")) if path.stem not in expected]
    return lines


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Export the contracts' ABI and code into the SDK.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when a file has drifted")
    parser.add_argument("--contracts", type=Path, default=CONTRACTS, help="the folder of the sources")
    parser.add_argument("--out", type=Path, default=ARTIFACTS, help="the folder of the artefacts")
    options = parser.parse_args(arguments)

    artifacts = compile_contracts(options.contracts.resolve())
    if options.check:
        lines = drift(artifacts, options.out)
        for line in lines:
            print(f"drifted: {line}", file=sys.stderr)
        if lines:
            print("`make abi` brings them up to date", file=sys.stderr)
        return 1 if lines else 0

    options.out.mkdir(parents=True, exist_ok=True)
    for stale in options.out.glob("*.json"):
        if stale.stem not in artifacts:
            stale.unlink()
    for name, text in artifacts.items():
        path = options.out / f"{name}.json"
        path.write_text(text, encoding="utf-8")
        print(path)
    return 0


def _evm_version(name: str, sources: dict[str, Any]) -> str:
    source = next(each["content"] for path, each in sources.items() if Path(path).name == f"{name}.vy")
    found = re.search(r"^# pragma evm-version (\w+)$", source, re.MULTILINE)
    if found is None:
        raise AssertionError(f"{name}: the source does not say for which EVM it is")
    return found[1]


def _signature(entry: dict[str, Any]) -> tuple[str, str, str]:
    return entry["type"], entry.get("name", ""), json.dumps(entry.get("inputs", []))


def _immutables(layout: dict[str, Any], prefix: str = "") -> Iterator[dict[str, Any]]:
    for name, entry in layout.items():
        if "offset" in entry:
            yield {"name": prefix + name, **entry}
        else:
            yield from _immutables(entry, f"{prefix}{name}.")  # a module's own


def _changed_keys(expected: str, found: str) -> list[str]:
    try:
        old, new = json.loads(found), json.loads(expected)
    except json.JSONDecodeError:
        return ["not JSON"]
    return [key for key in sorted(old.keys() | new.keys()) if old.get(key) != new.get(key)] or ["layout"]


if __name__ == "__main__":
    sys.exit(main())
