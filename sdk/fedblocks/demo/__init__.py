"""`fedblocks demo`: the whole protocol on one machine, with real parts.

A real EVM node, real contracts, a real data set, real training, real slashing and real payouts; only the clients'
machines are one machine, and the chain's clock is moved on instead of waited for.
"""
