"""A process that has imported everything, and makes others of itself: a node or a client in 20 ms instead of 3 s.

What it makes are real processes of their own, with sockets and databases that they open themselves; each can be killed
and dies with its parent. It has no thread and has run no parallel kernel when it forks, which is what makes that safe.
Commands come as JSON, one a line, on standard input; answers go to standard output.
"""

from __future__ import annotations

import ctypes
import importlib
import json
import os
import random
import resource
import signal
import sys
import time
import traceback
from pathlib import Path
from typing import Any

_DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG of prctl(2)
_IMPORTED = (
    "fedblocks.cli.node",
    "fedblocks.cli.client",
    "fedblocks.cli.aggregator",
    "fedblocks.cli.watch",
    "fedblocks.cli.connecting",
    "fedblocks.chain.provider",
    "fedblocks.operating.client",
    "fedblocks.operating.aggregator",
    "fedblocks.operating.toml",
    "fedblocks.service.app",
    "fedblocks.service.server",
    "fedblocks.rollup.keccak",
    "fedblocks.aggregation.kernels",
    "sqlalchemy.dialects.sqlite",
    "sqlalchemy.dialects.postgresql.psycopg",
    "uvicorn.protocols.http.h11_impl",
    "uvicorn.lifespan.on",
    "uvicorn.loops.auto",
    "torch.nn",
    "httpcore",
    "fsspec.implementations.local",
    "scipy.linalg",
    "Crypto.Cipher.AES",
)


def main() -> None:
    """Serve until standard input ends."""
    _die_with_parent()
    os.environ |= {"OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    for name in _IMPORTED:
        try:
            importlib.import_module(name)
        except ImportError:
            if name.startswith("fedblocks"):
                raise
    import numpy as np
    import torch

    from fedblocks.rollup.keccak import _hash_range

    torch.set_num_threads(1)
    # A kernel that runs in one thread: half of numba is loaded when the first one is used.
    _hash_range(np.zeros((8, 8), dtype=np.uint8), 0, np.zeros((8, 4), dtype=np.uint64), 0, 8)
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    print("ready", file=answers, flush=True)
    for line in sys.stdin:
        asked = json.loads(line)
        print(json.dumps(_answer(asked)), file=answers, flush=True)


def _answer(asked: dict[str, Any]) -> int | None:
    if asked["what"] == "start":
        return _fork(asked)
    try:
        pid, status = os.waitpid(asked["pid"], os.WNOHANG)
    except ChildProcessError:
        return -1
    return None if pid == 0 else os.waitstatus_to_exitcode(status)


def _fork(asked: dict[str, Any]) -> int:
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        _become(asked)
        code = _run(asked["module"], asked["arguments"])
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _become(asked: dict[str, Any]) -> None:
    """What is not to be shared with the parent, or is to be different."""
    os.setsid()
    _die_with_parent()
    log = os.open(asked["log"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    if asked["piped"]:
        log = _piped(log)
    for target in (1, 2):
        os.dup2(log, target)
    os.closerange(3, 1024)
    os.environ["HOME"] = str(Path(asked["log"]).parent)
    random.seed()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if asked["skew"]:
        real, skew = time.time, float(asked["skew"])
        time.time = lambda: real() + skew  # type: ignore[assignment]


def _piped(log: int) -> int:
    """A pipe into the log, so that a process whose disk is full can still say so, as to systemd's journal."""
    out, into = os.pipe()
    if os.fork() == 0:
        os.close(into)
        while piece := os.read(out, 65536):
            os.write(log, piece)
        os._exit(0)
    return into


def _run(module: str, arguments: list[str]) -> int:
    command = getattr(importlib.import_module(module), module.rpartition(".")[2])
    try:
        command.main(args=arguments, prog_name=module)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    return 0


def _die_with_parent() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)


if __name__ == "__main__":
    main()
