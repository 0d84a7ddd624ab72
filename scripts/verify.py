"""Write what an explorer needs to verify a deployment's contracts: `python scripts/verify.py --deployment FILE`.

For each contract three files, which stand alone:

    <Contract>.json             Vyper's standard JSON input: all sources, interfaces and modules included, and settings
    <Contract>.arguments.txt    the constructor's arguments, ABI-encoded, in hex without 0x
    <Contract>.about.json       address, transaction, compiler, arguments in plain, and the hashes of the code

Nothing is written that does not compile to what was deployed. Needs Vyper, and neither ape nor a node.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import re
import sys
from pathlib import Path
from typing import Any

import vyper
from eth_utils.crypto import keccak
from vyper.cli.vyper_compile import compile_files
from vyper.cli.vyper_json import compile_json

from fedblocks.contracts.artifacts import load_artifact
from fedblocks.contracts.creation import Creation, constructor_arguments, immutable_values
from fedblocks.deployments import CONTRACTS, Deployment
from fedblocks.exceptions import FedBlocksError

ROOT = Path(__file__).resolve().parent.parent
OUTPUTS = ["abi", "layout", "evm.bytecode", "evm.deployedBytecode"]


class SourcesDiffer(FedBlocksError, ValueError):
    """These sources are not what was deployed."""

    def __init__(self, contract: str, expected: str, compiled: str) -> None:
        super().__init__(
            f"{contract}: these sources compile to bytecode {compiled}, but {expected} was deployed; check out the "
            "version of FedBlocks that deployed it"
        )


def standard_json(contract: str, root: Path = ROOT) -> dict[str, Any]:
    """A contract as Vyper's standard JSON input, complete in itself."""
    artifact = load_artifact(contract)
    source = f"contracts/{contract}.vy"
    # Vyper names sources as seen from where it runs.
    with contextlib.chdir(root):
        bundle = compile_files([source], ["solc_json"], ["."], False)[Path(source)]["solc_json"]
    return {
        "language": "Vyper",
        "sources": {path: {"content": each["content"]} for path, each in sorted(bundle["sources"].items())},
        "settings": {
            "evmVersion": artifact.evm_version,
            "optimize": _optimisation(bundle["sources"][source]["content"]),
            "search_paths": ["."],
            "outputSelection": {source: OUTPUTS},
        },
    }


def _optimisation(source: str) -> str:
    """What a contract is optimised for: its source says so, where it is not gas."""
    said = re.search(r"^# pragma optimize (\w+)$", source, re.MULTILINE)
    return said[1] if said else "gas"


def write_bundles(deployment: Deployment, folder: Path, root: Path = ROOT) -> list[Path]:
    """Write the files of all ten contracts into a folder.

    Raises:
        SourcesDiffer: if the sources in `root` are not what was deployed.
    """
    addresses = {name: deployment.address(name) for name in CONTRACTS}
    parameters = deployment.parameters.with_admins(deployment.deployer)
    arguments = constructor_arguments(parameters, addresses)
    values = immutable_values(parameters, addresses)
    bundles = {}
    for name in CONTRACTS:
        bundles[name] = standard_json(name, root)
        found = _bytecode_hash(name, bundles[name])
        if found != deployment.contracts[name].bytecode_hash:
            raise SourcesDiffer(name, "0x" + deployment.contracts[name].bytecode_hash.hex(), "0x" + found.hex())

    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, bundle in bundles.items():
        deployed = deployment.contracts[name]
        creation = Creation(name, 0, deployed.address, arguments[name], values[name], load_artifact(name))
        about = {
            "contract": f"contracts/{name}.vy:{name}",
            "chainId": deployment.chain_id,
            "address": deployed.address,
            "transactionHash": "0x" + deployed.transaction_hash.hex(),
            "compiler": {"name": "vyper", "version": f"v{vyper.__long_version__}"},
            "settings": {"evmVersion": bundle["settings"]["evmVersion"], "optimize": bundle["settings"]["optimize"]},
            "license": "Apache-2.0",
            "constructorArguments": {
                item["name"]: value
                for item, value in zip(creation.artifact.constructor_inputs, creation.arguments, strict=True)
            },
            "bytecodeHash": "0x" + creation.artifact.bytecode_hash.hex(),
            "codeHash": "0x" + creation.code_hash.hex(),
        }
        for suffix, text in (
            (".json", json.dumps(bundle, indent=2)),
            (".arguments.txt", creation.encoded_arguments.hex()),
            (".about.json", json.dumps(about, indent=2)),
        ):
            path = folder / (name + suffix)
            path.write_text(text + "\n", encoding="utf-8")
            written.append(path)
    return written


def _bytecode_hash(contract: str, bundle: dict[str, Any]) -> bytes:
    source = f"contracts/{contract}.vy"
    only = bundle | {"settings": bundle["settings"] | {"outputSelection": {source: ["evm.bytecode"]}}}
    compiled = compile_json(only)["contracts"][source][contract]["evm"]["bytecode"]["object"]
    return keccak(bytes.fromhex(compiled.removeprefix("0x")))


def default_folder(deployment: Path) -> Path:
    """Where a deployment's files go: beside its deployments file."""
    return deployment.with_name(deployment.stem + ".verification")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Write what an explorer needs to verify a deployment's contracts.")
    parser.add_argument("--deployment", type=Path, required=True, help="the deployments file")
    parser.add_argument("--out", type=Path, help="the folder to write; beside the deployments file, when left out")
    options = parser.parse_args(arguments)
    try:
        deployment = Deployment.load(options.deployment)
        for path in write_bundles(deployment, options.out or default_folder(options.deployment)):
            print(path)
    except FedBlocksError as error:
        print(f"verify: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
