"""The SDK's ABI files are what the contracts compile to; the build fails when they are not."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from scripts import export_abi


@pytest.fixture
def artifacts(tmp_path: Path) -> Path:
    """A copy of the SDK's files, to spoil."""
    return Path(shutil.copytree(export_abi.ARTIFACTS, tmp_path / "abi"))


@pytest.fixture
def contracts(tmp_path: Path) -> Path:
    """One small contract with a module, where nothing is slow."""
    folder = tmp_path / "contracts"
    folder.mkdir()
    shutil.copytree(export_abi.CONTRACTS / "modules", folder / "modules")
    shutil.copy(export_abi.CONTRACTS / "SlashTreasury.vy", folder)
    return folder


def test_the_exported_files_are_what_the_contracts_compile_to(capsys: pytest.CaptureFixture[str]) -> None:
    assert export_abi.main(["--check"]) == 0, capsys.readouterr().err


def test_an_artefact_says_what_it_was_made_of() -> None:
    artifact = json.loads((export_abi.ARTIFACTS / "ModelParameterChain.json").read_text(encoding="utf-8"))
    assert artifact["contractName"] == "ModelParameterChain"
    assert artifact["compiler"]["name"] == "vyper"
    assert artifact["compiler"]["version"].startswith("0.4.3")
    assert artifact["compiler"]["evmVersion"] == "cancun"
    assert artifact["bytecode"].startswith("0x")
    assert 0 < artifact["deployedBytecodeSize"] < 24_576
    assert "contracts/ModelParameterChain.vy" in artifact["sourcesSha256"]
    assert "contracts/modules/headers.vy" in artifact["sourcesSha256"]


def test_the_same_sources_give_the_same_bytes_wherever_they_lie(
    contracts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert export_abi.main(["--contracts", "contracts", "--out", "out"]) == 0
    written = (tmp_path / "out" / "SlashTreasury.json").read_bytes()
    assert written == (export_abi.ARTIFACTS / "SlashTreasury.json").read_bytes()
    assert written.endswith(b"}\n")


def test_a_changed_source_is_named(contracts: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    arguments = ["--contracts", str(contracts), "--out", str(out)]
    export_abi.main(arguments)
    module = contracts / "modules" / "treasury.vy"
    module.write_text(module.read_text(encoding="utf-8").replace("not enough balance", "too little"), encoding="utf-8")
    capsys.readouterr()
    assert export_abi.main([*arguments, "--check"]) == 1
    assert "drifted: SlashTreasury.json: bytecode, deployedBytecode" in capsys.readouterr().err


def test_missing_spoilt_and_left_over_files_are_named(artifacts: Path) -> None:
    expected = {path.stem: path.read_text(encoding="utf-8") for path in artifacts.glob("*.json")}
    assert export_abi.drift(expected, artifacts) == []
    (artifacts / "RewardManager.json").unlink()
    (artifacts / "SlashTreasury.json").write_text("{", encoding="utf-8")
    (artifacts / "RewardTreasury.json").write_text(expected["RewardTreasury"] + "\n", encoding="utf-8")
    (artifacts / "Gone.json").write_text("{}", encoding="utf-8")
    assert export_abi.drift(expected, artifacts) == [
        "RewardManager.json: missing",
        "RewardTreasury.json: layout",
        "SlashTreasury.json: not JSON",
        "Gone.json: no such contract",
    ]


def test_an_export_removes_what_has_no_contract(contracts: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "Gone.json").write_text("{}", encoding="utf-8")
    assert export_abi.main(["--contracts", str(contracts), "--out", str(out)]) == 0
    assert [path.name for path in out.iterdir()] == ["SlashTreasury.json"]
