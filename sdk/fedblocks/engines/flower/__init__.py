"""The Flower engine: a Flower app becomes stake-secured by adding a few lines.

`Flower <https://flower.ai>`_ brings models and clients together: a *ServerApp* with a strategy on one side, a
*ClientApp* on every data owner's machine (its *SuperNode*) on the other. FedBlocks adds what Flower has no opinion
about: who may take part, what a bad update costs, and a record that anyone can check. To the ServerApp that is another
strategy, :class:`~fedblocks.engines.flower.strategy.FedBlocksStrategy`; to the ClientApp one mod,
:func:`~fedblocks.engines.flower.mod.fedblocks_mod`. The app's own training function stays as it is.

An epoch is two exchanges instead of one. In the first the client trains and answers with a signed commitment only; in
the second, when the commitments are closed on chain and the client has seen that itself, it answers with the update.

Read in this order: :mod:`~fedblocks.engines.flower.layout` (tensors as one vector),
:mod:`~fedblocks.engines.flower.wire` (what the messages hold), :mod:`~fedblocks.engines.flower.mod` (the client),
:mod:`~fedblocks.engines.flower.engine` and :mod:`~fedblocks.engines.flower.strategy` (the aggregator). This package
alone imports ``flwr``, and only when one of its two names is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fedblocks.engines.flower.mod import fedblocks_mod
    from fedblocks.engines.flower.strategy import FedBlocksStrategy

__all__ = ["FedBlocksStrategy", "fedblocks_mod"]


def __getattr__(name: str) -> Any:
    # A client that loads its mod must not pay for the aggregator's database, nor the other way round.
    if name == "fedblocks_mod":
        from fedblocks.engines.flower.mod import fedblocks_mod

        return fedblocks_mod
    if name == "FedBlocksStrategy":
        from fedblocks.engines.flower.strategy import FedBlocksStrategy

        return FedBlocksStrategy
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
