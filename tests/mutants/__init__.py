"""Do the tests of the contracts notice? `make mutants` breaks the contracts on purpose, one line at a time, and looks.

`table` lists what is broken and why it would matter, `__main__` breaks it in a copy and runs the tests against that.
"""
