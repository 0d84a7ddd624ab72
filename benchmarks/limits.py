"""What the machine can do at most: read memory, and multiply.

No method that reads every update once and takes every product once is faster than either.
"""

from __future__ import annotations

import platform
from typing import Any

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba import njit, prange, types
from numba.extending import intrinsic
from numpy.typing import NDArray

_PARTS = 64
_SUMS = 16
STEP_PRODUCTS = _SUMS * 32
"""Products of int16 that one step of `multiplied` takes: sixteen vectors of thirty-two."""


@njit(parallel=True, nogil=True)
def read_once(words: NDArray[np.int64]) -> NDArray[np.int64]:
    """Read int64[m] once, with all threads."""
    count = len(words)
    found = np.zeros(_PARTS, dtype=np.int64)
    for part in prange(_PARTS):
        own = words[part * count // _PARTS : (part + 1) * count // _PARTS]
        value = np.int64(0)
        for k in range(len(own)):
            value ^= own[k]
        found[part] = value
    return found


def _multiply_code(typing_context: Any, steps: Any, seed: Any) -> Any:
    """`steps` times sixteen vector products that wait for nothing but themselves, all in registers."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        int16, int32, int64 = ir.IntType(16), ir.IntType(32), ir.IntType(64)
        vector, products, narrow = (
            ir.VectorType(kind, lanes) for kind, lanes in ((int16, 32), (int32, 32), (int32, 16))
        )
        value = builder.trunc(arguments[1], int16)
        rows = []
        for index in range(8):
            row = ir.Constant(vector, list(range(index, index + 32)))
            rows.append(builder.insert_element(row, value, int32(index)))
        before, step, done = builder.block, builder.append_basic_block("step"), builder.append_basic_block("done")
        builder.branch(step)
        builder.position_at_end(step)
        at = builder.phi(int64)
        at.add_incoming(int64(0), before)
        sums = [builder.phi(narrow) for _ in range(_SUMS)]
        # The rows are the same in every step, but the compiler must not know it.
        register = "=v,0" if platform.machine() in ("x86_64", "AMD64") else "=w,0"
        hide = ir.FunctionType(vector, [vector])
        wide = [builder.sext(builder.asm(hide, "", register, [row], True), products) for row in rows]
        for index, total in enumerate(sums):
            product = builder.mul(wide[index // 4], wide[4 + index % 4])
            even, odd = (
                builder.shuffle_vector(
                    product,
                    ir.Constant(products, ir.Undefined),
                    ir.Constant(narrow, [2 * lane + side for lane in range(16)]),
                )
                for side in (0, 1)
            )
            total.add_incoming(ir.Constant(narrow, None), before)
            total.add_incoming(builder.add(total, builder.add(even, odd)), step)
        following = builder.add(at, int64(1))
        at.add_incoming(following, step)
        builder.cbranch(builder.icmp_signed("<", following, arguments[0]), step, done)
        builder.position_at_end(done)
        added = sums[0].incomings[1][0]
        for total in sums[1:]:
            added = builder.add(added, total.incomings[1][0])
        result = int64(0)
        for lane in range(16):
            result = builder.add(result, builder.sext(builder.extract_element(added, int32(lane)), int64))
        return result

    return types.int64(types.int64, types.int64), generate


_multiply: Any = intrinsic(_multiply_code)


@njit(parallel=True, nogil=True)
def multiplied(steps: int, seed: int) -> NDArray[np.int64]:
    """Take `steps` times STEP_PRODUCTS products, shared by all threads."""
    found = np.zeros(_PARTS, dtype=np.int64)
    for part in prange(_PARTS):
        found[part] = _multiply((part + 1) * steps // _PARTS - part * steps // _PARTS, seed + part)
    return found
