"""Finding and proving what is wrong with a posted epoch.

- :mod:`~fedblocks.rollup.fraud.cases`: the fraud cases, and what is sent to the chain about them;
- :mod:`~fedblocks.rollup.fraud.published`: what can be had of an epoch's data, from blobs and from answered demands;
- :mod:`~fedblocks.rollup.fraud.openings`: how a piece is opened under its root;
- :mod:`~fedblocks.rollup.fraud.challenges`: the arguments of every case;
- :mod:`~fedblocks.rollup.fraud.prover`: ``find_fault``, which looks for the first thing that does not follow.

docs/proofs.md is the specification.
"""
