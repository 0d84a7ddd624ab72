# pragma version 0.4.3
# SPDX-License-Identifier: Apache-2.0
"""
@title Wide arithmetic
@license Apache-2.0
@author The FedBlocks developers
@notice Compares products that do not fit a word, and takes roots.
"""

# Products of integers below this, and their differences, fit a word.
_HALF_WORD: constant(int256) = 2**127


@internal
@pure
def _compared(root: int256, left: int256, right: int256) -> int256:
    """
    @notice Compare a square with a product, exactly.
    @param root What is squared; it and the others are any integers but the least one
    @param left One factor
    @param right The other
    @return 1, 0 or -1: root**2 is above, equal to or below left * right
    """
    if abs(root) < _HALF_WORD and abs(left) < _HALF_WORD and abs(right) < _HALF_WORD:
        difference: int256 = unsafe_sub(unsafe_mul(root, root), unsafe_mul(left, right))
        return 1 if difference > 0 else (-1 if difference < 0 else 0)
    if (left < 0) != (right < 0) and left != 0 and right != 0:
        return 1
    square: uint256[2] = self._product(abs(root), abs(root))
    product: uint256[2] = self._product(abs(left), abs(right))
    if square[0] == product[0] and square[1] == product[1]:
        return 0
    return 1 if square[0] > product[0] or (square[0] == product[0] and square[1] > product[1]) else -1


@internal
@pure
def _product(left: int256, right: int256) -> uint256[2]:
    """
    @notice The product of two integers in two words.
    @dev 2**256 leaves the remainder 1 when it is divided by 2**256 - 1: so the remainder of the product is the sum of its two
         words, less 2**256 - 1 where that sum is not below it, and the upper word is what is left without the lower one.
    @param left One factor, not negative
    @param right The other, not negative
    @return The upper word and the lower one
    """
    a: uint256 = convert(left, uint256)
    b: uint256 = convert(right, uint256)
    low: uint256 = unsafe_mul(a, b)
    sum_of_words: uint256 = uint256_mulmod(a, b, max_value(uint256))
    borrow: uint256 = 1 if sum_of_words < low else 0
    return [unsafe_sub(unsafe_sub(sum_of_words, low), borrow), low]


@internal
@pure
def _root(square: int256) -> int256:
    """
    @notice The square root, floored.
    @param square An integer, not negative
    @return Its root
    """
    return convert(isqrt(convert(square, uint256)), int256)
