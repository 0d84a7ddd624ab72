"""Engines: how an aggregator reaches its clients. They all do what
:class:`fedblocks.training.aggregator.Engine` says; :mod:`~fedblocks.engines.local` has everybody in one process.
"""
