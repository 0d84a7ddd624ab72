"""A job with four clients, and their nodes."""

import pytest
from flwr.app import Array, ArrayRecord, MetricRecord

from fedblocks.engines.flower import FedBlocksStrategy
from tests.flower import tiny
from tests.flower.app.tinyapp import task
from tests.flower.inside.grid import DirectGrid, Node, tiny_app
from tests.flower.scene import a_copy_of, open_scene


class Stage:
    """A scene, its nodes, and what a ServerApp does with them."""

    def __init__(self, scene):
        self.scene = scene
        self.trained = []
        self.nodes = {100 + number: self.node(number) for number in range(4)}
        self.grid = DirectGrid(self.nodes)

    def node(self, number, **options):
        """A node of the client's own; another one each time, as after a restart."""
        app = tiny_app(trained=self.trained, **options)
        return Node.of(self.scene.client_settings(number), number, app)

    def start(self, rounds=2, *, timeout=0.0, accuracy=None, settings=None, evaluate_fn=None, **options):
        def evaluate(epoch, arrays):
            values = {name: array.numpy() for name, array in arrays.items()}
            measured = task.accuracy(values, *task.test_data()) if accuracy is None else accuracy
            return MetricRecord({"accuracy": measured})

        options = {"fraction_evaluate": 0.0, "min_available_nodes": 1, **options}
        strategy = FedBlocksStrategy(settings or self.scene.aggregator_settings, **options)
        initial = ArrayRecord({name: Array(array) for name, array in task.initial().items()})
        return strategy.start(
            self.grid, initial, num_rounds=rounds, timeout=timeout or 5.0, evaluate_fn=evaluate_fn or evaluate
        )


@pytest.fixture(scope="session")
def opened(tmp_path_factory):
    """The job, as it was opened."""
    with open_scene(tmp_path_factory.mktemp("scene"), epochs=3, **tiny.stage(4)) as scene:
        yield scene


@pytest.fixture(scope="session")
def expected(opened, tmp_path_factory):
    """The headers that the engine in one process gives for two epochs."""
    with a_copy_of(opened, tmp_path_factory.mktemp("local")) as scene:
        scene.play_locally([tiny.TinyTrainer(number) for number in range(4)], tiny.evaluate, 2)
        return scene.headers()


@pytest.fixture
def stage(opened, expected, tmp_path):
    with a_copy_of(opened, tmp_path) as scene:
        yield Stage(scene)
