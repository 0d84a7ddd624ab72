"""One client, seen from the messages that it gets."""

import numpy as np
import pytest

pytest.importorskip(
    "flwr", reason="flwr has an environment of its own: tests/flower/test_network.py starts these there"
)

from flwr.app import Array, ArrayRecord, ConfigRecord, Message, MessageType, MetricRecord, RecordDict

from fedblocks.engines.flower import wire
from fedblocks.training.client import RoundTask
from tests.flower import tiny
from tests.flower.app.tinyapp import task


@pytest.fixture
def quick(stage):
    """The stage with clients that wait for nothing."""
    for number in range(4):
        with stage.scene.client_settings(number).open("a") as file:
            file.write("patience = 0\n")
    return stage


def round_task(stage, *, base=None, epoch=1, attempt=0):
    job = stage.scene.job
    return RoundTask(job.context, epoch, attempt, job.genesis if base is None else base, b"", job.genesis[:0])


def model():
    return wire.AppModel.of(ArrayRecord({name: Array(array) for name, array in task.initial().items()}))


def commit_request(stage, **changes):
    rest = RecordDict({"config": ConfigRecord({"server-round": 1})})
    return wire.commit_request(round_task(stage, **changes), model(), rest)


def ask(stage, content, node=100, kind=MessageType.TRAIN):
    (reply,) = stage.grid.send_and_receive([Message(content, node, kind)])
    return reply


def refusal(stage, content):
    """Why a request is refused; the app must not have trained."""
    reply = ask(stage, content)
    assert reply.has_error(), list(reply.content)
    assert stage.trained == []
    return reply.error.reason


def test_who_is_asked_twice_answers_the_same_and_trains_once(quick):
    first, second = (ask(quick, commit_request(quick)) for _ in range(2))
    assert wire.read_commit(first.content) == wire.read_commit(second.content)
    quick.nodes[100] = quick.node(0)
    third = ask(quick, commit_request(quick))
    assert wire.read_commit(third.content) == wire.read_commit(first.content)
    assert quick.trained == [0]


def test_a_server_without_fedblocks_gets_nothing(quick):
    content = RecordDict({"arrays": model().arrays(quick.scene.job.genesis), "config": ConfigRecord()})
    assert "FedBlocks strategy only" in refusal(quick, content)


def test_evaluation_passes_unchanged(quick):
    content = RecordDict({"arrays": model().arrays(quick.scene.job.genesis), "config": ConfigRecord()})
    assert ask(quick, content, kind=MessageType.EVALUATE).content["metrics"]["seen"] == 7


def test_another_base_model_than_the_one_on_chain_is_refused(quick):
    base = quick.scene.job.genesis.copy()
    base[5] += 1
    assert "base model with the root" in refusal(quick, commit_request(quick, base=base))


def test_an_epoch_or_attempt_that_is_not_under_way_is_refused(quick):
    assert "is not on chain" in refusal(quick, commit_request(quick, epoch=2))
    assert "is not on chain" in refusal(quick, commit_request(quick, attempt=1))


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("chain-id", 1, "the chain 1"),
        ("settlement", "0x" + "11" * 20, "ModelParameterChain"),
        ("instance", 9, "rules"),
        ("epoch", -1, "epoch is -1"),
        ("epoch", "1", "must be of the type int"),
        ("phase", "steal", "steal"),
        ("rules", [1, 2], "words"),
        ("layout", "[", "do not fit"),
        ("layout", '[["weight", "float32", [2]]]', "order"),
        ("order", ["weight"], "order"),
    ],
)
def test_a_request_that_is_not_what_it_should_be_is_refused(quick, name, value, reason):
    content = commit_request(quick)
    content[wire.RECORD][name] = value
    assert reason in refusal(quick, content)


def test_a_base_model_of_another_size_is_refused(quick):
    content = commit_request(quick, base=np.zeros(3, dtype=np.int32))
    assert "must be" in refusal(quick, content)


def test_nothing_is_revealed_before_the_chain_says_that_commitments_are_closed(quick):
    ask(quick, commit_request(quick))
    reply = ask(quick, wire.reveal_request(round_task(quick), bytes(4 * 32)))
    assert reply.has_error()
    assert "at seat" in reply.error.reason


def test_who_has_committed_to_nothing_reveals_nothing(quick):
    assert "committed to nothing" in refusal(quick, wire.reveal_request(round_task(quick), bytes(4 * 32)))


def test_a_client_without_a_seat_declines(quick):
    quick.nodes[100].config["fedblocks"] = str(quick.scene.aggregator_settings.with_name("stranger.toml"))
    text = quick.scene.client_settings(0).read_text().replace("0.json", "key.json")
    quick.scene.aggregator_settings.with_name("stranger.toml").write_text(text)
    assert "has no seat" in refusal(quick, commit_request(quick))


def _without_samples(content):
    content["metrics"] = MetricRecord({"train_loss": 1.0})
    return content


def _not_finite(content):
    arrays = {name: array.numpy().copy() for name, array in content["arrays"].items()}
    arrays["bias"][0] = np.inf
    content["arrays"] = ArrayRecord({name: Array(array) for name, array in arrays.items()})
    return content


def _without_bias(content):
    content["arrays"] = ArrayRecord({"weight": content["arrays"]["weight"]})
    return content


def _without_arrays(content):
    return RecordDict({"metrics": content["metrics"]})


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (_without_samples, "num-examples"),
        (_not_finite, "NaN or infinite"),
        (_without_bias, "bias is missing"),
        (_without_arrays, "one ArrayRecord"),
    ],
)
def test_an_app_that_returns_no_model_makes_no_commitment(quick, change, reason):
    quick.nodes[100] = quick.node(0, change=change)
    reply = ask(quick, commit_request(quick))
    assert reason in reply.error.reason
    quick.nodes[100] = quick.node(0)
    assert not ask(quick, commit_request(quick)).has_error()


def test_an_app_finds_the_base_model_as_floats(quick):
    seen = {}

    def look(content):
        seen.update(content)
        return content

    base = quick.scene.job.genesis
    quick.nodes[100] = quick.node(0, change=look)
    ask(quick, commit_request(quick))
    trained = tiny.TinyTrainer(0).train(base, 1).update
    arrays = {name: array.numpy() for name, array in seen["arrays"].items()}
    assert tiny.LAYOUT.update(arrays, base).tolist() == trained.tolist()
