"""What is handed to an explorer stands alone: recompiled in an empty folder it is what lies on the chain."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from eth_abi import encode
from eth_utils import keccak
from filelock import FileLock

from fedblocks.chain.node import Anvil
from fedblocks.chain.transactions import TransactionSender
from fedblocks.contracts.deploy import deploy_protocol
from fedblocks.deployments import CONTRACTS, Deployment, ProtocolParameters
from fedblocks.units import ether
from scripts import verify

VYPER_JSON = str(Path(sys.executable).parent / "vyper-json")


@dataclass(frozen=True)
class Bundles:
    node: Anvil
    deployment: Deployment
    folder: Path


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Iterator[Bundles]:
    # Compiling ten contracts takes most of a minute. The addresses and transactions of a new node are always the same,
    # so that one set of bundles serves the nodes of all workers.
    base = tmp_path_factory.getbasetemp()
    shared = (base if worker_id == "master" else base.parent) / "bundles"
    file = shared / "arbitrum-sepolia.json"
    with Anvil(accounts=3) as node:
        # Values that occur nowhere by themselves.
        parameters = ProtocolParameters(stake_amount=ether("0.123"), base_fee=ether("0.0456"), slash_margin=4321)
        deployment = deploy_protocol(TransactionSender(node.connection, node.signer(1)), parameters)
        with FileLock(f"{shared}.lock"):
            if not file.exists():
                deployment.save(shared / "unfinished" / file.name)
                assert verify.main(["--deployment", str(shared / "unfinished" / file.name)]) == 0
                (shared / "unfinished" / file.with_suffix(".verification").name).rename(
                    file.with_suffix(".verification")
                )
                deployment.save(file)
        assert Deployment.load(file) == deployment
        yield Bundles(node, deployment, file.with_name("arbitrum-sepolia.verification"))


def recompile(bundles: Bundles, contract: str, empty: Path) -> dict[str, Any]:
    """Compile one bundle where there is nothing else."""
    shutil.copy(bundles.folder / f"{contract}.json", empty)
    done = subprocess.run(
        [VYPER_JSON, f"{contract}.json"], cwd=empty, env={}, capture_output=True, text=True, timeout=60, check=True
    )
    output = json.loads(done.stdout)
    assert [each for each in output.get("errors", []) if each["severity"] == "error"] == []
    return output["contracts"][f"contracts/{contract}.vy"][contract]  # type: ignore[no-any-return]


@pytest.mark.parametrize("contract", CONTRACTS)
def test_a_bundle_alone_gives_the_code_on_the_chain(bundles: Bundles, tmp_path: Path, contract: str) -> None:
    compiled = recompile(bundles, contract, tmp_path)
    creation = bytes.fromhex(compiled["evm"]["bytecode"]["object"].removeprefix("0x"))
    runtime = bytes.fromhex(compiled["evm"]["deployedBytecode"]["object"].removeprefix("0x"))
    arguments = bytes.fromhex((bundles.folder / f"{contract}.arguments.txt").read_text(encoding="ascii"))
    deployed = bundles.deployment.contracts[contract]

    # What was sent is the bundle's creation code and the arguments, to the byte.
    sent = bundles.node.connection.web3.eth.get_transaction(deployed.transaction_hash)  # type: ignore[arg-type]
    assert bytes(sent["input"]) == creation + arguments

    # What lies there is the bundle's runtime code and then the immutables, as many bytes as its layout says.
    code = bundles.node.connection.code(deployed.address)
    assert code[: len(runtime)] == runtime
    assert len(code) == len(runtime) + _length(compiled["layout"].get("code_layout", {}))

    # Immutables included: the bundle's constructor, run where it was run then, leaves the same bytes.
    left = bundles.node.connection.web3.eth.call(
        {"from": bundles.deployment.deployer, "data": creation + arguments},
        deployed.block - 1,
    )
    assert bytes(left) == code

    inputs = next(entry["inputs"] for entry in compiled["abi"] if entry["type"] == "constructor")
    about = json.loads((bundles.folder / f"{contract}.about.json").read_text(encoding="utf-8"))
    plain = [about["constructorArguments"][item["name"]] for item in inputs]
    assert encode([item["type"] for item in inputs], plain) == arguments


def _length(layout: dict[str, Any]) -> int:
    return sum(entry["length"] if "length" in entry else _length(entry) for entry in layout.values())


@pytest.mark.parametrize("contract", CONTRACTS)
def test_a_bundle_says_how_it_was_compiled(bundles: Bundles, contract: str) -> None:
    about = json.loads((bundles.folder / f"{contract}.about.json").read_text(encoding="utf-8"))
    deployed = bundles.deployment.contracts[contract]
    assert about["compiler"]["version"].startswith("v0.4.3+commit.")
    assert about["settings"] == {
        "evmVersion": "cancun",
        "optimize": "codesize" if contract == "VectorVerifier" else "gas",
    }
    assert about["address"] == deployed.address
    assert about["transactionHash"] == "0x" + deployed.transaction_hash.hex()
    assert about["codeHash"] == "0x" + keccak(bundles.node.connection.code(deployed.address)).hex()
    if contract == "StakingRegistry":
        assert about["constructorArguments"]["stakeAmount"] == ether("0.123")
        assert about["constructorArguments"]["slashingManager"] == bundles.deployment.address("SlashingManager")


def test_sources_that_were_not_deployed_are_refused(bundles: Bundles, tmp_path: Path) -> None:
    shutil.copytree(verify.ROOT / "contracts", tmp_path / "contracts")
    module = tmp_path / "contracts" / "modules" / "treasury.vy"
    module.write_text(module.read_text(encoding="utf-8").replace("not enough balance", "too little"), encoding="utf-8")
    with pytest.raises(verify.SourcesDiffer, match="SlashTreasury: these sources compile to"):
        verify.write_bundles(bundles.deployment, tmp_path / "out", tmp_path)
    assert not (tmp_path / "out").exists()


def test_three_files_for_each_contract_lie_beside_the_deployments_file(bundles: Bundles) -> None:
    suffixes = (".json", ".arguments.txt", ".about.json")
    written = {path.name for path in bundles.folder.iterdir()}
    assert written == {name + suffix for name in CONTRACTS for suffix in suffixes}


def test_a_missing_deployments_file_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert verify.main(["--deployment", str(tmp_path / "absent.json")]) == 1
    assert "there is no deployments file" in capsys.readouterr().err
