"""Keeping the garbage collector from stopping the screen.

A picture of ten thousand clients is some hundred thousand objects, none of them in a cycle. The collector goes through
all of them again and again while they are made, and once more whenever it looks at everything, which stops every thread
for up to a second. So it rests while a picture is made, and what was made is set aside from what it looks at. Objects
still go when nobody needs them any more; only cycles that were made meanwhile stay, until everything is looked at after
all, once in a long while.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

PICTURES_BETWEEN = 300
"""Pictures after which everything is looked at once."""

_made = 0


@contextmanager
def without_collecting() -> Iterator[None]:
    """Make many objects that are going to stay."""
    global _made
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        _made += 1
        if _made % PICTURES_BETWEEN == 0:
            gc.unfreeze()
            gc.collect()
        gc.freeze()
        if was_on:
            gc.enable()
