"""ape's own fork: `--network arbitrum:mainnet-fork:foundry`, in a process and with a home of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from fedblocks.deployments import CONTRACTS, Deployment

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.slow


def test_ape_deploys_to_a_fork_of_arbitrum(upstream: str, tmp_path: Path) -> None:
    # ape keeps what it learns of a fork's contracts and takes it for the real chain's: so its folder is temporary.
    home = tmp_path / ".ape"
    home.mkdir()
    (home / "ape-config.yaml").write_text(
        f"node: {{arbitrum: {{mainnet: {{uri: '{upstream}'}}}}}}\n"
        "foundry: {fork: {arbitrum: {mainnet: {upstream_provider: node}}}}\n",
        encoding="utf-8",
    )
    binaries = Path(sys.executable).parent
    environment = {
        "PATH": os.pathsep.join([str(binaries), "/usr/bin", "/bin"]),
        "HOME": str(tmp_path),
        "APE_DATA_FOLDER": str(home),
        "LANG": "C.UTF-8",
    }
    file = tmp_path / "deployment.json"
    command = [
        str(binaries / "ape"),
        "run",
        "deploy",
        "--network",
        "arbitrum:mainnet-fork:foundry",
        "--output",
        str(file),
    ]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "10/10 SlashingManager" in done.stderr
    deployment = Deployment.load(file)
    assert deployment.chain_id == 42161
    assert tuple(deployment.contracts) == CONTRACTS
