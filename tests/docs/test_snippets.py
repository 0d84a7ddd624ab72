"""The Python of the guides, run as it stands there, page by page from top to bottom."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from eth_account import Account

from fedblocks.deployments import Deployment
from tests.anvil import FIRST_CLIENT, Roles
from tests.rollup.instance import StoredInstance
from tests.service.running import ThreadedNode

GUIDES = Path(__file__).parents[2] / "docs" / "guides"
SNIPPET = re.compile(r"<!-- snippet.*?-->\n```python\n(.*?)```", re.DOTALL)


def snippets(page: str) -> list[str]:
    return SNIPPET.findall((GUIDES / page).read_text(encoding="utf-8"))


def hashes(instance: StoredInstance) -> list[str]:
    """Of the headers that are stored, in the order of their epochs."""
    return [epoch.header.hash().hex() for epoch in instance.store.epochs(instance.key)]


@pytest.fixture
def stored(tmp_path: Path, deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> StoredInstance:
    """An instance with two epochs and a deployment, in the folder where snippets look for them: the current one."""
    monkeypatch.chdir(tmp_path)
    deployment.save(Path("deployment.json"))
    instance = StoredInstance(tmp_path)
    for _ in range(2):
        instance.run_epoch()
    return instance


def test_what_integrators_are_shown_works(
    roles: Roles, stored: StoredInstance, capsys: pytest.CaptureFixture[str]
) -> None:
    key = roles.node.signer(FIRST_CLIENT)._account.key
    Path("key.json").write_text(json.dumps(Account.encrypt(key, "secret", kdf="pbkdf2", iterations=1000)))
    Path("passphrase").write_text("secret\n")
    Path("passphrase").chmod(0o600)
    with ThreadedNode(f"sqlite:///{stored.database}", stored.blobs) as node:
        names = {
            "url": roles.node.url,
            "keyfile": Path("key.json"),
            "passphrase_file": Path("passphrase"),
            "node": node.url,
        }
        said = []
        for code in snippets("integrators.md"):
            exec(code, names)
            said.append(capsys.readouterr().out.splitlines())
    connected, refused, followed, served, judged = said
    assert connected[:2] == ["at stake: 0 ETH", "would send: stake 0.1 ETH"]
    assert re.fullmatch(r"in block \d+ for 0\.\d+ ETH", connected[2])
    assert len(refused) == 1
    assert "StakingRegistry: client is already staked" in refused[0]
    client = roles.clients[0].sender.address
    assert followed == [f"1 stakes so far, the last of {client}", "1 clients are staked"]
    assert served == [f"epoch {number} 0x{digest}" for number, digest in enumerate(hashes(stored), 1)]
    honest = [f"{seat} NONE accepted" for seat in range(8)]
    assert judged == [*honest[:3], "3 ZERO excluded", *honest[4:]]


def test_what_auditors_are_shown_works(
    roles: Roles, stored: StoredInstance, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = {"folder": tmp_path, "url": roles.node.url}
    replayed, watched = snippets("auditors.md")
    exec(replayed, names)
    lines = capsys.readouterr().out.splitlines()
    assert lines == [f"1 {number} {digest}" for number, digest in enumerate(hashes(stored), 1)]
    exec(watched, names)
    assert capsys.readouterr().out == "", "nothing is posted on this chain"
