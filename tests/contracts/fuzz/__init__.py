"""Everybody does anything, in any order, and after every call three accounts of the protocol must agree.

Where to begin: `state` says what is known of the protocol at a moment. It is found in three ways that share no code:
`model` says in plain Python what every call must do or why it must be refused, `storage` reads what the contracts
stored, and `replay` adds up the event log. `watch` holds what must never happen, whatever the three say. `stage` sets
up contracts and people, `game` makes every call in the model and on the chain and compares, `machine` lets hypothesis
choose the moves, and `exits` shows at the end of every game that all that is owed can be withdrawn.
`conftest` has the two profiles: a short one that always plays the same games (`make test`), and a long one that plays
new ones (`make fuzz`).
"""
