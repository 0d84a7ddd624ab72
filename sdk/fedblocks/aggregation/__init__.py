"""Aggregation: exact integers from updates to verdicts, without a chain, an engine or a disk.

Read in this order: :mod:`~fedblocks.aggregation.fixed_point` (models as integers),
:mod:`~fedblocks.aggregation.gram` (all inner products), :mod:`~fedblocks.aggregation.krum` and
:mod:`~fedblocks.aggregation.stats` (figures of a client), :mod:`~fedblocks.aggregation.rules` and
:mod:`~fedblocks.aggregation.evidence`, :mod:`~fedblocks.aggregation.suspicion` and
:mod:`~fedblocks.aggregation.verdicts` (what follows from them), :mod:`~fedblocks.aggregation.mean` (the step).
"""
