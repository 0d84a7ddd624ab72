"""A job from its request to the last refund on a running chain, as it is typed."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from fedblocks.chain.node import Anvil
from fedblocks.cli.exit_codes import ExitCode
from fedblocks.deployments import Deployment
from fedblocks.training.job import DataRequirement, JobRequest
from tests.anvil import AGGREGATOR, FIRST_CLIENT, USER, Roles
from tests.cli.conftest import Ended, Home
from tests.rollup.running import Running, open_instance


@pytest.fixture
def people(home: Home, staked: Roles, deployment: Deployment) -> Home:
    """A user, an aggregator and two of the staked clients, each with an account."""
    home.configure(staked.node, deployment)
    for alias, index in {"user": USER, "aggregator": AGGREGATOR, "carol": FIRST_CLIENT}.items():
        home.account(staked.node, index, alias)
    return home


def act(home: Home, alias: str, *arguments: object) -> Ended:
    return home.run(*arguments, "--account", alias, "--passphrase-file", home.passphrase, "--yes", "--json")


def finished(running: Running) -> int:
    """An instance with one posted epoch whose challenge window has passed."""
    running.submitter.submit(running.executed().header)
    running.roles.node.increase_time(running.roles.user.chain.challenge_window() + 1)
    return int(running.sequencer.context.instance_id)


def test_an_instance_is_finalized_stopped_settled_and_paid_out(people: Home, staked: Roles, tmp_path: Path) -> None:
    instance = finished(open_instance(staked, tmp_path / "run"))
    early = act(people, "user", "job", "settle", instance)
    assert early.code == ExitCode.REVERTED
    assert "instance is not closed" in early.stderr
    unsettled = act(people, "carol", "job", "claim", instance)
    assert unsettled.code == ExitCode.MISSING
    assert f"`fedblocks job settle {instance}`" in unsettled.stderr

    shown = people.run("finalize", instance, "--account", "carol", "--dry-run", "--json")
    assert (shown.code, shown.json["finalized"]) == (ExitCode.OK, [])
    assert act(people, "carol", "finalize", instance).json["finalized"] == [1]
    again = act(people, "carol", "finalize", instance)
    assert (again.code, again.json["finalized"]) == (ExitCode.OK, [])
    assert again.json["waiting"] == "no posted epoch is left to be made final"

    nothing = act(people, "carol", "slash", "execute", instance)
    assert (nothing.code, nothing.json["slashed"], nothing.json["transactions"]) == (ExitCode.OK, [], [])
    assert act(people, "user", "job", "stop", instance).code == ExitCode.OK
    settled = act(people, "user", "job", "settle", instance).json
    assert settled["billedEpochs"] == 1

    before = staked.node.connection.balance(staked.cohort[0])
    claimed = act(people, "carol", "job", "claim", instance).json
    (payment,) = claimed["transactions"]
    assert claimed["reward"] * 6 <= settled["clientsTotal"]
    assert staked.node.connection.balance(staked.cohort[0]) == before + claimed["reward"] - payment["fee"]
    refund = act(people, "user", "job", "claim", instance).json
    assert refund["refund"] == settled["refund"] > 0
    assert [each["function"] for each in refund["transactions"]] == ["withdrawRefund"]
    assert act(people, "user", "job", "claim", instance).code == ExitCode.MISSING
    assert act(people, "aggregator", "bond", "withdraw", instance).code == ExitCode.OK


def test_what_was_sent_is_in_the_index_with_its_outcome(people: Home, staked: Roles, tmp_path: Path) -> None:
    from fedblocks.monitor.monitor import Monitor, index_database
    from fedblocks.monitor.views import OwnState

    instance = finished(open_instance(staked, tmp_path / "run"))
    (sent,) = act(people, "carol", "finalize", instance).json["transactions"]
    assert people.run("index").code == ExitCode.OK
    with (
        Monitor.of(staked.user, index_database(people.folder / "index.sqlite")) as monitor,
        monitor.snapshot() as snapshot,
    ):
        (own,) = snapshot.own_transactions()
    assert "0x" + own.transaction_hash.hex() == sent["hash"]
    assert (own.what, own.state, own.fee) == ("ModelParameterChain.finalizeEpoch", OwnState.SUCCEEDED, sent["fee"])


def test_a_final_verdict_takes_the_stake_once(people: Home, staked: Roles, tmp_path: Path) -> None:
    running = open_instance(staked, tmp_path / "run")
    updates = running.cohort.update

    def lazy() -> np.ndarray:
        """The first seat sends nothing, the others as ever."""
        running.cohort.update = updates  # type: ignore[method-assign]
        return np.zeros(running.cohort.context.d, np.int16)

    running.cohort.update = lazy  # type: ignore[method-assign]
    instance = finished(running)
    early = act(people, "user", "slash", "execute", instance)
    assert (early.code, early.json["slashed"]) == (ExitCode.OK, [])
    assert act(people, "user", "finalize", instance).code == ExitCode.OK
    treasury = staked.user.slash_treasury.balance()
    taken = act(people, "user", "slash", "execute", instance)
    stake = staked.user.deployment.parameters.stake_amount
    assert taken.json["slashed"] == [{"client": staked.cohort[0], "epoch": 1, "reason": "zero", "amount": stake}]
    assert staked.user.slash_treasury.balance() - treasury == stake
    again = act(people, "user", "slash", "execute", instance)
    assert (again.code, again.json["transactions"]) == (ExitCode.OK, [])
    assert "all of those stakes are gone" in again.stderr
    refused = act(people, "carol", "withdraw")
    assert refused.code == ExitCode.REVERTED
    assert "was slashed: `fedblocks slash list --client" in refused.stderr


def test_an_epoch_that_is_right_is_not_challenged_and_one_that_is_missing_is_named(
    people: Home, staked: Roles, tmp_path: Path
) -> None:
    running = open_instance(staked, tmp_path / "run")
    running.submitter.submit(running.executed().header)
    data = ("--data", running.blobs.url)
    right = act(people, "carol", "challenge", 1, 1, *data)
    assert (right.code, right.json["fault"], right.json["transactions"]) == (ExitCode.OK, None, [])
    absent = act(people, "carol", "challenge", 1, 2, *data)
    assert absent.code == ExitCode.MISSING
    assert "has 1 posted epochs" in absent.stderr


def test_a_lie_is_shown_in_a_dry_run_and_overturned_for_real(people: Home, staked: Roles, tmp_path: Path) -> None:
    from tests.cli.test_watch import Liar

    running = open_instance(staked, tmp_path / "run", Liar)
    running.submitter.submit(running.executed().header)
    command = ("challenge", 1, 1, "--data", running.blobs.url)
    shown = people.run(*command, "--account", "carol", "--dry-run", "--json")
    assert shown.code == ExitCode.MISMATCH
    assert "is not the mean" in shown.json["fault"]["found"]
    assert running.posted == 1
    proved = act(people, "carol", *command)
    assert proved.code == ExitCode.OK, proved.stderr
    assert proved.json["transactions"][0]["sent"] is True
    assert running.posted == 0


def test_a_request_draws_a_cohort_of_signed_profiles_and_opens_the_instance(
    people: Home, staked: Roles, node: Anvil
) -> None:
    profiles = people.folder / "profiles"
    profiles.mkdir()
    words = ("--domain", "digits", "--modality", "image", "--shape", "1x8x8", "--labels", "0,1,2", "--samples", 60)
    for number in range(5):
        alias = people.account(node, FIRST_CLIENT + number, f"client-{number}")
        signed = people.run("job", "profile", *words, "--account", alias, "--passphrase-file", people.passphrase)
        assert signed.code == ExitCode.OK, signed.stderr
        (profiles / f"{number}.json").write_text(signed.stdout)
    forged = json.loads((profiles / "4.json").read_text())
    (profiles / "4.json").write_text(json.dumps({**forged, "samples": 61}))
    (profiles / "5.json").write_text("{}")
    wanted = JobRequest(
        architecture="logistic",
        input_shape=(1, 8, 8),
        classes=10,
        target_accuracy_ppm=900_000,
        maximum_epochs=3,
        cohort_size=4,
        requirement=DataRequirement("digits", "image", (1, 8, 8)),
    )
    file = people.folder / "job.json"
    file.write_text(wanted.to_json())
    aggregator = node.signer(AGGREGATOR).address
    command = ("job", "request", file, "--profiles", profiles, "--aggregator", aggregator)
    opened = act(people, "user", *command)
    assert opened.code == ExitCode.OK, opened.stderr
    assert "5.json is no data profile: 'client' is missing" in opened.stderr
    assert opened.json["jobHash"] == "0x" + wanted.hash().hex()
    assert set(opened.json["cohort"]) == set(staked.cohort[:4])
    assert opened.json["price"] == opened.json["transactions"][0]["value"]
    instance = opened.json["instanceId"]
    assert staked.user.chain.instance(instance).user == node.signer(USER).address
    assert act(people, "aggregator", "bond", "deposit", instance).code == ExitCode.OK

    file.write_text(wanted.to_json().replace('"cohort_size":4', '"cohort_size":5'))
    few = act(people, "user", *command)
    assert few.code == ExitCode.USAGE
    assert "needs 5 clients and 4 fit" in few.stderr
    for arguments in (
        ("job", "request", people.folder / "none.json", *command[3:]),
        (*command[:4], people.folder, *command[5:]),
    ):
        assert act(people, "user", *arguments).code != ExitCode.OK
