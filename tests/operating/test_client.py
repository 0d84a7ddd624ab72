"""A client's process, between a service that may lie, a chain, and its own end at any moment."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fedblocks.aggregation.rules import Rules
from fedblocks.chain.outbox import Outbox
from fedblocks.chain.outbox_records import IntentState
from fedblocks.chain.outbox_store import OutboxStore
from fedblocks.engines.intake import opened_commits
from fedblocks.operating.config import ChainConfig
from fedblocks.operating.holding import FolderHeld
from fedblocks.rollup.keccak import keccak256
from fedblocks.rollup.lists import SeatList
from fedblocks.rollup.records import ActionKind
from fedblocks.rollup.store import RollupStore
from fedblocks.service.client import MpsClient, NodeAway
from fedblocks.storage.errors import StorageFull
from tests.faults.proxy import Fault, FaultyNode, Script
from tests.operating.stage import SAMPLES, Stage, samples
from tests.service.running import ThreadedNode


def records(stage: Stage) -> list[dict[str, Any]]:
    folder = stage.folder / "state" / stage.signer.address.lower() / "records"
    return [json.loads(path.read_text()) for path in sorted(folder.glob("*/*.json"))]


def refusals(stage: Stage) -> str:
    return "\n".join(str(each["why"]) for each in stage.said("refused"))


def test_an_epoch_from_the_profile_to_the_proof(stage):
    client = stage.client()
    assert client.turn()
    assert stage.stored() == ["commit"]
    assert not client.turn(), "it waits until commitments are closed"
    task = stage.others_commit()
    stage.close()
    assert client.turn()
    assert stage.stored() == ["commit", "reveal"]
    stage.post(task)
    client._follow_all()
    assert [each["outcome"] for each in records(stage)] == ["posted"]
    assert records(stage)[0]["reveal_acknowledgement"]
    assert [each["samples"] for each in stage.said("profile published")] == [SAMPLES]
    assert [record.profile.client for record in stage.store.profiles.list()] == [stage.signer.address]
    assert refusals(stage) == ""


def test_nothing_is_revealed_while_only_the_service_says_that_commitments_are_closed(stage):
    client = stage.client()
    client.turn()
    stage.others_commit()
    stage.sequencer.close_commits()
    for _ in range(3):
        assert not client.turn()
    assert stage.stored() == ["commit"]


def test_nothing_is_revealed_for_a_root_whose_list_nobody_shows(stage):
    client = stage.client()
    client.turn()
    stage.others_commit()
    stage.submitter.close_commits(1, 0, stage.sequencer.close_commits())
    client.turn()
    assert stage.stored() == ["commit"]
    assert "404" in refusals(stage)


def test_nothing_is_revealed_for_a_list_without_the_own_commitment(stage):
    client = stage.client()
    client.turn()
    stage.others_commit()
    stage.sequencer.close_commits()
    opened = bytearray(opened_commits(stage.sequencer))
    opened[1 + 32 * stage.seat : 33 + 32 * stage.seat] = bytes(32)
    root = stage.blobs.put(bytes(opened))
    stage.submitter.close_commits(1, 0, root)
    client.turn()
    assert stage.stored() == ["commit"]
    assert f"at seat {stage.seat} of the commitments" in refusals(stage)
    assert [bool(each["commit_acknowledgement"]) for each in records(stage)] == [True], "the evidence is kept"


def test_nothing_is_revealed_for_a_list_of_another_kind(stage):
    client = stage.client()
    client.turn()
    stage.others_commit()
    stage.sequencer.close_commits()
    other = bytes([SeatList.STATS.whole]) + opened_commits(stage.sequencer)[1:]
    stage.submitter.close_commits(1, 0, stage.blobs.put(other))
    client.turn()
    assert stage.stored() == ["commit"]
    assert "a list of commitments" in refusals(stage)


def test_a_base_model_that_is_not_on_chain_is_not_trained(stage, monkeypatch):
    told = MpsClient.round
    false = stage.sequencer.state.model + np.int32(1)

    def lie(self: MpsClient, name: str) -> Any:
        return told(self, name).model_copy(update={"base_model_root": "0x" + "17" * 32})

    monkeypatch.setattr(MpsClient, "round", lie)
    client = stage.client()
    client.turn()
    assert stage.stored() == []
    assert "a base model with the root 0x1717" in refusals(stage)
    monkeypatch.setattr(MpsClient, "round", told)
    monkeypatch.setattr(MpsClient, "model", lambda *_: false)
    client.turn()
    assert stage.stored() == []
    assert len(stage.said("refused")) == 2
    monkeypatch.undo()
    client.turn()
    assert stage.stored() == ["commit"], "a service that was repaired is served"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"chain_id": 5}, "the chain 5"),
        ({"settlement": "0x" + "ab" * 20}, "ModelParameterChain"),
        ({"rules": ["2", *map(str, Rules().words()[1:])]}, "rules with the hash"),
        ({"job_blob": None}, "does not publish the job's text"),
    ],
)
def test_another_instance_than_the_one_on_chain_is_refused(stage, monkeypatch, change, says):
    told = MpsClient.instance
    monkeypatch.setattr(MpsClient, "instance", lambda self, name: told(self, name).model_copy(update=change))
    stage.client().turn()
    assert stage.stored() == []
    assert says in refusals(stage)


def test_an_instance_that_the_aggregator_has_not_opened_yet_is_waited_for(stage, tmp_path):
    (tmp_path / "empty").mkdir()
    RollupStore(f"sqlite:///{tmp_path}/empty/rollup.sqlite").close()
    signer = stage.roles.aggregator.sender.signer
    with ThreadedNode(f"sqlite:///{tmp_path}/empty/rollup.sqlite", stage.blobs, account=signer) as node:
        client = stage.client(service=node.url)
        client.turn()
        client.turn()
        client.close()
    assert [each["kind"] for each in stage.said("waiting")] == ["foreign-deployment", "unknown-instance"]
    assert refusals(stage) == ""


def test_a_job_that_was_not_agreed_to_is_refused(stage):
    stage.client(jobs=("0x" + "00" * 32,)).turn()
    assert "which is not among the configuration's jobs" in refusals(stage)


def test_a_job_that_wants_too_much_is_refused(stage):
    stage.client(max_samples_per_epoch=15).turn()
    assert "wants 16 samples" in refusals(stage)


def test_another_job_than_before_is_refused(stage):
    client = stage.client()
    client.turn()
    client.close()
    (pinned,) = (stage.folder / "state" / "jobs").iterdir()
    pinned.write_text(replace(stage.job.request, seed=99).to_json())
    again = stage.client()
    again.turn()
    assert "another job than before" in refusals(stage)


def test_who_was_killed_before_its_commitment_left_commits_to_the_same_update(stage, monkeypatch):
    def away(*_: object) -> None:
        raise NodeAway("http://node", 1, "it was killed")

    with monkeypatch.context() as patched:
        patched.setattr(MpsClient, "commit", away)
        client = stage.client()
        client.turn()
        client.close()
    assert stage.stored() == []
    pages = written_pages(stage)
    x, y = samples(99)
    np.savez(stage.folder / "other.npz", x=x, y=y)
    data = replace(stage.config().data, file=stage.folder / "other.npz")
    stage.client(data=data).turn()
    assert stage.stored() == ["commit"]
    assert written_pages(stage) == pages
    assert not stage.said("trained"), "with other data it would have committed to something else"


def test_who_lost_the_answer_to_its_commitment_gets_it_after_the_closing(stage, monkeypatch):
    send = MpsClient.commit

    def lost(*arguments: Any) -> None:
        send(*arguments)
        raise NodeAway("http://node", 1, "the answer was lost")

    with monkeypatch.context() as patched:
        patched.setattr(MpsClient, "commit", lost)
        client = stage.client()
        client.turn()
        client.close()
    assert stage.stored() == ["commit"]
    assert records(stage) == []
    stage.others_commit()
    stage.close()
    stage.client().turn()
    assert stage.stored() == ["commit", "reveal"]
    assert records(stage)[0]["commit_acknowledgement"]


def test_who_comes_too_late_with_its_commitment_waits_for_the_next_epoch(stage, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr(MpsClient, "commit", lambda *_: (_ for _ in ()).throw(NodeAway("http://node", 1, "away")))
        client = stage.client()
        client.turn()
    task = stage.others_commit()
    stage.close()
    assert not client.turn()
    assert [each["epoch"] for each in stage.said("too late")] == [1]
    stage.post(task)
    client.turn()
    assert stage.stored() == ["commit"], "of epoch 2"


def test_an_update_that_was_acknowledged_and_is_not_counted_is_evidence(stage, monkeypatch):
    client = stage.client()
    client.turn()
    task = stage.others_commit()
    stage.close()
    client.turn()
    assert records(stage)[0]["reveal_acknowledgement"]
    # The aggregator forgets it: its database has lost the row, or never meant to keep it.
    real = stage.sequencer._recorded.read

    def forgetful(*arguments: Any) -> Any:
        parts = real(*arguments)
        parts.submissions.pop(stage.seat, None)
        return parts

    monkeypatch.setattr(stage.sequencer._recorded, "read", forgetful)
    stage.post(task)
    client._follow_all()
    assert records(stage)[0]["outcome"] == "omitted"
    (said,) = stage.said("epoch omitted")
    assert said["level"] == "error"
    assert Path(said["evidence"]).is_file()


def lose(stage: Stage, how: str) -> Path:
    """Let the disk lose the client's update; where it lay."""
    records = stage.store.actions(stage.sequencer.intake.record.key, 1, 0, ActionKind.REVEAL)
    (address,) = [record.update_blob for record in records if record.seat == stage.seat]
    path = Path(stage.blobs.path_of(address))
    if how == "gone":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:-1])
    return path


@pytest.mark.parametrize("how", ["gone", "cut off"])
@pytest.mark.parametrize("when", ["closed", "posted", "restarted"])
def test_an_update_that_the_service_has_lost_is_sent_again_while_it_is_at_hand(stage, how, when):
    client = stage.client()
    client.turn()
    task = stage.others_commit()
    stage.close()
    client.turn()
    if when != "closed":
        stage.post(task)
    if when == "restarted":
        client.close()
        client = stage.client()
        client.turn()
    before = records(stage)
    kept = (path := lose(stage, how)).name
    client._follow_all()
    assert keccak256(path.read_bytes()).hex() == kept
    assert [each["epoch"] for each in stage.said("update sent again")] == [1]
    assert [each["reveal_acknowledgement"] for each in records(stage)][:1] == [before[0]["reveal_acknowledgement"]]
    client._follow_all()
    assert len(stage.said("update sent again")) == 1
    if when == "closed":
        stage.post(task)
        header = stage.store.epochs(stage.sequencer.intake.record.key)[0].header
        assert header.participants >> stage.seat & 1
    assert refusals(stage) == ""


def test_an_update_that_was_not_acknowledged_is_not_shown_to_anybody(stage):
    client = stage.client()
    client.turn()
    client._follow_all()
    assert stage.stored() == ["commit"]
    assert stage.said("update sent again") == []


def test_a_claim_that_was_mined_before_its_process_ended_is_written_down_by_the_next(stage, monkeypatch):
    client = stage.client(claim_rewards=True)
    number = stage.play_out(client)
    stage.roles.aggregator.rewards.collect_training_fees(number)

    def full(*_: object, **__: object) -> None:
        raise StorageFull("outbox.sqlite")

    with monkeypatch.context() as patched:
        patched.setattr(OutboxStore, "mined", full)
        client._follow_all()
    assert "no space left" in refusals(stage)
    assert stage.roles.user.rewards.reward(number, stage.signer.address) == 0
    client.close()
    stage.client(claim_rewards=True).run(until_done=True)
    url = f"sqlite:///{stage.folder / 'state' / 'outbox.sqlite'}"
    with Outbox.open(url, stage.roles.user.connection, stage.signer) as outbox:
        assert [intent.state for intent in outbox.intents()] == [IntentState.CONFIRMED]


def test_who_starts_again_after_the_end_still_learns_what_became_of_its_updates(stage):
    client = stage.client()
    stage.play_out(client)
    client.close()
    assert [each["outcome"] for each in records(stage)] == [""]
    client = stage.client()
    client.run(until_done=True)
    # The node still shows epoch 2, for which the client has committed; nobody will ever post it.
    assert [each["outcome"] for each in records(stage)] == ["final", "void"]
    assert len(stage.said("finished")) == 1


def test_a_seat_is_found_although_the_next_node_behind_the_address_knows_of_no_instance_yet(stage):
    with FaultyNode(stage.roles.node.url, lag=1_000_000) as faulty:
        chain = ChainConfig(network=faulty.url, deployment=stage.folder / "deployment.json")
        client = stage.client(chain=chain)
        faulty.plan = Script([None] + [Fault.STALE] * 4, ["eth_call"])  # how many instances; who is in the cohort
        client.turn()
        assert faulty.seen[Fault.STALE] == 4
        assert stage.stored() == []
        client._look_for_seats()
        client.turn()
        assert stage.stored() == ["commit"]
        client.close()


def test_a_reward_is_not_missed_because_two_states_go_by_the_number_of_one_block(stage):
    """A node that makes the next block may say what is in it already, of the block before; asked again, it does not."""
    with FaultyNode(stage.roles.node.url, lag=1) as faulty:
        chain = ChainConfig(network=faulty.url, deployment=stage.folder / "deployment.json")
        client = stage.client(chain=chain, claim_rewards=True)
        number = stage.play_out(client)
        client._follow_all()
        stage.roles.aggregator.rewards.collect_training_fees(number)
        owed = stage.roles.user.rewards.reward(number, stage.signer.address)
        assert owed > 0
        before = client._block() - 1
        settled, reward = type(client.fedblocks.rewards).user_instance, type(client.fedblocks.rewards).reward
        rewards, looks = client.fedblocks.rewards, []

        def moving(instance: Any, block: Any) -> Any:
            looks.append(block)
            return settled(rewards, instance, block if len(looks) == 1 else before)

        rewards.user_instance = moving
        rewards.reward = lambda instance, address, block: reward(rewards, instance, address, before)
        assert not client._is_over(number)
        assert not client._is_paid(number)
        assert len(looks) == 3
        del rewards.user_instance, rewards.reward
        assert client._is_over(number)
        assert stage.roles.user.rewards.reward(number, stage.signer.address) == 0
        assert len(stage.said("reward claimed")) == 1
        client.close()


def test_who_has_no_stake_trains_nothing(stage):
    stage.roles.clients[0].staking.unregister()
    client = stage.client()
    client.turn()
    client.turn()
    assert stage.stored() == []
    assert len(stage.said("no stake")) == 1, "said once"


def test_a_folder_of_state_is_one_process_s(stage):
    client = stage.client()
    with pytest.raises(FolderHeld, match="another process works with"):
        stage.client()
    client.close()
    stage.client().close()


def test_a_damaged_page_costs_its_epoch_and_nothing_else(stage):
    client = stage.client()
    client.turn()
    (page,) = written_pages(stage)
    path = next((stage.folder / "state").rglob("00001-0"))
    path.write_bytes(page[:-1])
    task = stage.others_commit()
    stage.close()
    client.turn()
    assert stage.stored() == ["commit"]
    assert "is damaged" in refusals(stage)
    stage.post(task)
    client.turn()
    assert stage.stored() == ["commit"], "of epoch 2"


def written_pages(stage: Stage) -> list[bytes]:
    return [path.read_bytes() for path in sorted((stage.folder / "state").rglob("0000?-?"))]
