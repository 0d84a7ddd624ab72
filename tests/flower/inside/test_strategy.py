"""An epoch over Flower, seen from the ServerApp."""

import json

import numpy as np
import pytest

pytest.importorskip(
    "flwr", reason="flwr has an environment of its own: tests/flower/test_network.py starts these there"
)

from flwr.app import ConfigRecord, Message, RecordDict

from fedblocks.aggregation.rules import Rules
from fedblocks.chain.events import LogsIncomplete
from fedblocks.engines.flower import FedBlocksStrategy, wire
from fedblocks.engines.flower.engine import NobodyAnswered
from fedblocks.engines.flower.strategy import NothingMeasured
from fedblocks.engines.refusals import NoBond, NotTheAggregator, OtherRules
from fedblocks.rollup.responder import Responder
from tests.flower import tiny
from tests.flower.inside.grid import Node, tiny_app
from tests.flower.scene import PARAMETERS


def test_headers_are_those_of_the_engine_in_one_process(stage, expected):
    result = stage.start()
    assert stage.scene.headers() == expected
    model = {name: array.numpy() for name, array in result.arrays.items()}
    (last,) = stage.scene.stored_headers()[1:]
    assert tiny.evaluate(tiny.LAYOUT.model(model)) == last.metric
    assert sorted(result.evaluate_metrics_serverapp) == [1, 2]
    assert result.train_metrics_clientapp[2]["train_loss"] == pytest.approx(0.5)


def test_the_model_keeps_its_order_and_what_is_not_floating(stage):
    result = stage.start(1)
    assert list(result.arrays) == ["weight", "seen", "bias"]
    assert result.arrays["seen"].numpy() == 0


def test_clients_evaluate_as_with_flowers_own_strategies(stage):
    result = stage.start(1, fraction_evaluate=1.0)
    assert result.evaluate_metrics_clientapp[1]["seen"] == pytest.approx(7)


def test_nothing_but_hashes_and_metrics_comes_before_the_commitments_are_closed(stage):
    stage.start(1)
    commits, reveals = stage.grid.replies[:4], stage.grid.replies[4:]
    assert [list(reply.content) for reply in commits] == [[wire.RECORD, "metrics"]] * 4
    assert not any(reply.content.array_records for reply in commits)
    assert sum(len(value) for value in commits[0].content[wire.RECORD].values() if isinstance(value, bytes)) == 129
    assert len(reveals) == 4


def test_vectors_travel_as_raw_integers(stage):
    stage.start(1)
    array = stage.grid.replies[-1].content[wire.VECTOR]["vector"]
    assert (array.dtype, array.shape, len(array.data)) == ("int16", (tiny.LAYOUT.d,), 2 * tiny.LAYOUT.d)


def test_a_node_that_comes_back_under_another_number_reveals_from_its_notebook(stage, expected):
    def restart(phase):
        if phase == "reveal" and 102 in stage.nodes:
            del stage.nodes[102]
            stage.nodes[202] = stage.node(2)

    stage.grid.before = restart
    stage.start(1)
    assert stage.scene.headers() == expected[:1]


def test_a_client_that_does_not_answer_is_absent_and_nothing_else(stage):
    del stage.nodes[101]
    reports = []
    stage.start(1, on_epoch=reports.append)
    seat = stage.scene.job.context.seat_of(stage.scene.clients[1].address)
    assert [report.header.participants for report in reports] == [0b1111 & ~(1 << seat)]
    assert [report.header.slash_reasons for report in reports] == [0]
    assert "no node has answered" in reports[0].refused[stage.scene.clients[1].address]


def test_strangers_and_garbage_change_nothing(stage, expected):
    def garbage(message, context):
        zeros = {"instance": 1, "epoch": 1, "attempt": 0, "base-model-root": b"", "commitment": b"", "signature": b""}
        return Message(RecordDict({wire.RECORD: ConfigRecord(zeros)}), reply_to=message)

    def forged(message, context):
        request = wire.request_of(message.content)
        root = stage.scene.job.context.genesis_root
        claims = {"instance": 1, "epoch": request.epoch, "attempt": 0, "base-model-root": root, "commitment": root}
        return Message(RecordDict({wire.RECORD: ConfigRecord({**claims, "signature": bytes(65)})}), reply_to=message)

    settings = stage.scene.client_settings(0)
    stage.nodes |= {
        1: Node.of(settings, 0, lambda message, context: 1 / 0),
        2: Node.of(settings, 0, garbage),
        3: Node.of(settings, 0, forged),
        4: Node.of(settings, 0, tiny_app(mods=())),
        5: Node(tiny_app(), {}),
    }
    stage.start(1)
    assert stage.scene.headers() == expected[:1]


def test_a_commitment_that_another_node_repeats_counts_for_its_signer_once(stage, expected):
    def copy(message, context):
        if wire.request_of(message.content).phase == "commit":
            return stage.nodes[100].answer(message, context)
        return Message(RecordDict({}), reply_to=message)

    stage.nodes[900] = Node.of(stage.scene.client_settings(0), 0, copy)
    stage.start(1)
    assert stage.scene.headers() == expected[:1]


def test_a_round_that_nobody_answers_is_not_closed_and_can_be_asked_for_again(stage, expected):
    nodes, stage.grid.nodes = stage.grid.nodes, {number: Node(tiny_app(), {}) for number in (1, 2)}
    with pytest.raises(NobodyAnswered):
        stage.start(timeout=0.2)
    assert stage.scene.user.chain.epoch(1, 1).commits_closed_at == 0
    stage.grid.nodes = nodes
    stage.start(1)
    assert stage.scene.headers() == expected[:1]


def test_a_run_goes_on_where_the_last_one_ended(stage, expected):
    stage.start(1)
    assert stage.scene.headers() == expected[:1]
    stage.start(2)
    assert stage.scene.headers() == expected


def settling(stage):
    """The aggregator's settings, with the wish to settle."""
    path = stage.scene.aggregator_settings
    path.write_text(path.read_text() + "settle = true\nchain_seconds = 1\n")
    return path


def let_the_window_pass(stage, *, stop):
    """What user and time do after an epoch."""

    def pass_(report):
        if stop:
            stage.scene.user.jobs.stop(stage.scene.job.instance_id)
        stage.scene.node.increase_time(PARAMETERS.challenge_window + 1)

    return pass_


def test_who_is_asked_to_settle_stays_until_all_is_paid_and_the_bond_is_back(stage, expected):
    scene, number = stage.scene, stage.scene.job.instance_id
    settings = settling(stage)
    stage.start(1, accuracy=1.0, settings=settings, on_epoch=let_the_window_pass(stage, stop=True))
    assert scene.user.chain.instance(number).finalized_epochs == 1
    assert scene.user.rewards.user_instance(number).settled
    assert not scene.user.chain.bond(number, scene.aggregator.sender.address)
    headers, block = scene.headers(), scene.node.connection.block_number()
    stage.start(3, settings=settings)
    assert scene.headers() == headers
    assert scene.node.connection.block_number() == block, "nothing is sent twice"


def test_a_node_that_leaves_demands_out_ends_neither_the_run_nor_the_settlement(stage, monkeypatch):
    real, failures = Responder.poll, []

    def behind(responder):
        if len(failures) < 2:  # after the epoch, and while the instance is waited for
            failures.append(responder)
            raise LogsIncomplete("a demand holds epoch 1 of instance 1, it shows none")
        return real(responder)

    def stopped(report):
        stage.scene.user.jobs.stop(stage.scene.job.instance_id)

    def pass_time(seconds):
        stage.scene.node.increase_time(PARAMETERS.challenge_window + 1)

    monkeypatch.setattr(Responder, "poll", behind)
    monkeypatch.setattr("fedblocks.engines.flower.closing.time.sleep", pass_time)
    stage.start(1, accuracy=1.0, settings=settling(stage), on_epoch=stopped)
    assert len(failures) == 2
    assert len(stage.scene.headers()) == 1
    assert stage.scene.user.rewards.user_instance(stage.scene.job.instance_id).settled


def test_epochs_that_are_due_become_final_while_the_next_ones_are_trained(stage, expected):
    stage.start(2, settings=settling(stage), on_epoch=let_the_window_pass(stage, stop=False))
    state = stage.scene.user.chain.instance(stage.scene.job.instance_id)
    assert (state.posted_epochs, state.finalized_epochs) == (2, 2)
    assert stage.scene.user.chain.bond(stage.scene.job.instance_id, stage.scene.aggregator.sender.address), (
        "one is left"
    )
    assert stage.scene.headers() == expected


def test_a_model_that_is_good_enough_is_not_trained_again(stage):
    stage.start(1, accuracy=1.0)
    stage.start(3, accuracy=1.0)
    assert len(stage.scene.headers()) == 1


def test_a_run_that_died_between_the_exchanges_is_taken_up_without_training_again(stage, expected):
    class Died(Exception):
        pass

    def die(phase):
        if phase == "reveal":
            raise Died

    stage.grid.before = die
    with pytest.raises(Died):
        stage.start()
    assert len(stage.trained) == 4
    stage.grid.before = lambda phase: None
    stage.start(1)
    assert stage.scene.headers() == expected[:1]
    assert len(stage.trained) == 4


@pytest.mark.parametrize("accuracy", [1.5, -0.1, float("nan")])
def test_an_accuracy_that_is_none_is_refused(stage, accuracy):
    with pytest.raises(NothingMeasured):
        stage.start(1, accuracy=accuracy)


def test_somebody_has_to_measure_the_model(stage):
    strategy = FedBlocksStrategy(stage.scene.aggregator_settings)
    with pytest.raises(NothingMeasured, match="no evaluate_fn"):
        strategy.start(stage.grid, None)


def test_who_takes_part_is_not_sampled(stage):
    with pytest.raises(TypeError, match="fraction_train"):
        FedBlocksStrategy(stage.scene.aggregator_settings, fraction_train=0.5)


def test_another_account_than_the_named_one_is_refused(stage):
    home = stage.scene.aggregator_settings.parent
    (home / "key.json").write_text((stage.scene.clients_folder / "0.json").read_text())
    with pytest.raises(NotTheAggregator):
        stage.start(1)


def test_an_aggregator_without_a_bond_is_refused(stage):
    scene = stage.scene
    again = scene.user.jobs.open(
        scene.job.request, scene.job.draw, scene.aggregator.sender.address, genesis=scene.job.genesis
    )
    text = scene.aggregator_settings.read_text()
    scene.aggregator_settings.write_text(text.replace("instance = 1", f"instance = {json.dumps(again.instance_id)}"))
    with pytest.raises(NoBond):
        stage.start(1)


def test_other_rules_than_those_on_chain_are_refused(stage):
    with pytest.raises(OtherRules):
        stage.start(1, rules=Rules(run=2))


def test_metrics_that_cannot_be_averaged_stop_nothing(stage, expected):
    def spoil(content):
        content["metrics"]["extra"] = float(np.inf)
        return content

    stage.nodes[101] = stage.node(1, change=spoil)
    stage.start(1)
    assert stage.scene.headers() == expected[:1]
