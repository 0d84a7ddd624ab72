"""The server's side."""

from flwr.app import Array, ArrayRecord, Context, MetricRecord
from flwr.serverapp import Grid, ServerApp

from fedblocks.engines.flower import FedBlocksStrategy
from tinyapp import task

app = ServerApp()


@app.main()
def main(grid: Grid, context: Context) -> None:
    config = context.run_config
    strategy = FedBlocksStrategy(config["aggregator"], fraction_evaluate=0.0, min_available_nodes=config["nodes"])
    initial = ArrayRecord({name: Array(array) for name, array in task.initial().items()})
    strategy.start(
        grid,
        initial,
        num_rounds=config["num-server-rounds"],
        timeout=config["timeout"],
        evaluate_fn=lambda epoch, arrays: MetricRecord(
            {"accuracy": task.accuracy({name: array.numpy() for name, array in arrays.items()}, *task.test_data())}
        ),
    )
