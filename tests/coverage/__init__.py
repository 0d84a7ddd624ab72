"""Which branches of the contracts the tests take: `make coverage` writes docs/coverage.md.

titanoboa has a plugin for coverage.py, which is not used: it knows lines, and of branches only `if`, while these
contracts branch in `assert` (whose line counts as covered although it has never failed) and in `and` and `or`. So this
looks at the bytecode: every conditional jump that the compiler made for an expression of ours must have been seen taken
and not taken.
"""
