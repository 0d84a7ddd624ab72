"""The snippet of the README, run as it stands there."""

import json
import re
from pathlib import Path

from eth_account import Account

from fedblocks.training.profile import profile_of, sign_profile
from fedblocks.types import Timestamp
from tests.anvil import AGGREGATOR, FIRST_CLIENT, USER, Roles

README = Path(__file__).parents[2] / "README.md"


def snippet() -> str:
    (code,) = re.findall(r"<!-- snippet.*?-->\n```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    return code


def test_the_snippet_has_at_most_fifteen_lines():
    assert len([line for line in snippet().splitlines() if line.strip()]) <= 15


def test_the_snippet_opens_a_job(staked: Roles, deployment, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    deployment.save(Path("deployment.json"))
    key = staked.node.signer(USER)._account.key
    Path("user.json").write_text(json.dumps(Account.encrypt(key, "secret", kdf="pbkdf2", iterations=1000)))
    Path("user.pass").write_text("secret\n")
    profiles = [
        sign_profile(
            profile_of(
                [0, 1, 2] * 40,
                (1, 8, 8),
                client=address,
                domain="digits",
                modality="image",
                issued_at=Timestamp(1_700_000_000),
            ),
            staked.node.signer(FIRST_CLIENT + index),
            chain_id=staked.node.chain_id,
            settlement=staked.user.chain.address,
        )
        for index, address in enumerate(staked.cohort)
    ]
    exec(
        snippet(),
        {
            "url": staked.node.url,
            "keyfile": Path("user.json"),
            "passphrase_file": Path("user.pass"),
            "profiles": profiles,
            "aggregator": staked.node.signer(AGGREGATOR).address,
        },
    )
    assert capsys.readouterr().out == "0 epochs posted so far\n"
    instance = staked.user.rewards.user_instance(1)
    assert instance.number_of_epochs == 10
    assert set(instance.clients) <= set(staked.cohort)
    assert len(instance.clients) == 4
