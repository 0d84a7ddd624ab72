"""The micro-rollup behind HTTP, so that clients, aggregators and watchers may be on different machines.

A node answers what the store knows and takes in signed actions; it executes nothing and sends no transactions. Several
may serve one database. Nothing changes without the signature of a key of the cohort, and whatever a client is told that
matters it can check: hashes against the chain, acknowledgements against the aggregator's address.

:func:`~fedblocks.service.app.create_app` makes the application, :mod:`~fedblocks.service.server` runs it, and
:class:`~fedblocks.service.client.MpsClient` talks to it. Needs the extra ``[network]``.
"""
