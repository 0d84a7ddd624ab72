"""Running FedBlocks for weeks: the processes of a client and of an aggregator.

Each is one process with one configuration file, one key and one folder of state. It may be killed at any instant and
started again; what it has promised is on disk before it is promised. Read in this order:
:mod:`~fedblocks.operating.config` (what an operator decides), :mod:`~fedblocks.operating.client` (a data owner's
process), :mod:`~fedblocks.operating.instance` and :mod:`~fedblocks.operating.aggregator` (an aggregator's). Between
the two is the node of :mod:`fedblocks.service`.
"""
