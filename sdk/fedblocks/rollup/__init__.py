"""The micro-rollup (the MPS chain): signed actions in, headers out, and everything that it takes to check them.

Read in this order: :mod:`~fedblocks.rollup.actions` (what is signed), :mod:`~fedblocks.rollup.admission` (what is let
in), :mod:`~fedblocks.rollup.stf` (the state transition function), :mod:`~fedblocks.rollup.sequencer` (the one writer),
:mod:`~fedblocks.rollup.submitter` (to the chain), :mod:`~fedblocks.rollup.replay` (for whoever does not believe it).
Beneath them lie hashing (keccak, merkle, vectors, header) and storage (blobs, store).
"""
