"""Training: what a user asks for, who is chosen, what a client does, and how clients cheat in simulations.

A reader may begin with :mod:`~fedblocks.training.job` (what is asked for), then
:mod:`~fedblocks.training.matching` (who is drawn), :mod:`~fedblocks.training.trainer` (an epoch at a client) and
:mod:`~fedblocks.training.quantise` (how floats become what the protocol speaks of). Nothing is imported here, so that
matching does not cost the import of PyTorch.
"""
