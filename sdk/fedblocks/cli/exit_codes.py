"""How the command ends, for scripts that call it."""

from enum import IntEnum


class ExitCode(IntEnum):
    """The exit codes of `fedblocks`."""

    OK = 0
    FAILED = 1
    """Something went wrong that has no code of its own."""
    USAGE = 2
    """The command line was wrong (click's own code)."""
    MISSING = 3
    """Something that is needed is not there: a node, a data set, a file."""
    MISMATCH = 4
    """What was checked is not what it should be."""
    REVERTED = 5
    """A contract refused."""
    INTERRUPTED = 130
