"""Talking to a node: connection, signers, transactions, events, and a node of one's own for development.

Nothing here knows a contract by name; :mod:`fedblocks.contracts` does.
"""
