"""The server's side."""

from flwr.app import Array, ArrayRecord, Context, MetricRecord
from flwr.serverapp import Grid, ServerApp

from digitsapp import task
from fedblocks.engines.flower import FedBlocksStrategy

app = ServerApp()


@app.main()
def main(grid: Grid, context: Context) -> None:
    config = context.run_config
    x, y = task.load("test")
    strategy = FedBlocksStrategy(config["aggregator"], fraction_evaluate=0.0, min_available_nodes=config["nodes"])
    strategy.start(
        grid,
        ArrayRecord({name: Array(array) for name, array in task.initial(config["seed"]).items()}),
        num_rounds=config["num-server-rounds"],
        timeout=config["timeout"],
        evaluate_fn=lambda epoch, arrays: MetricRecord(
            {"accuracy": task.accuracy({name: array.numpy() for name, array in arrays.items()}, x, y)}
        ),
    )
