# pragma version 0.4.3
# SPDX-License-Identifier: Apache-2.0
"""
@title Inner products
@license Apache-2.0
@author The FedBlocks developers
@notice Inner products of values of 16 or 32 bits as they are stored: offset, many in a word. 512 bytes are taken at a time: 256
        values of an update, 128 of a model.
@dev A word whose values are spread over slots is a polynomial that has them for coefficients. Multiplied with another one whose
     slots are in reverse order, its topmost slot within 256 bits becomes the sum of the products of all pairs. No slot runs over
     into the next: the products add up to less than 2**(8 + 16 + 16) or 2**(7 + 16 + 32) in slots of 64 bits, and to less than
     2**(7 + 32 + 32) in slots of 128. So words' products are added as they are and the slot is read once. Unchecked arithmetic is
     safe for the same reason: what is cut off lies above the topmost slot, whatever the values are.

     With the stored values a = x + o and b = y + p, sum(x y) = sum(a b) - p sum(a) - o sum(b) + N o p, N being how many they are.
"""

# The offsets of 16 and 32 bits.
_OFFSET_16: constant(uint256) = 2**15
_OFFSET_32: constant(uint256) = 2**31

# Bit 0 of every slot of so many bits.
_EVERY_32: constant(uint256) = max_value(uint256) // (2**32 - 1)
_EVERY_64: constant(uint256) = max_value(uint256) // (2**64 - 1)
_EVERY_128: constant(uint256) = max_value(uint256) // (2**128 - 1)

# Values of so many bits in slots of so many.
_16_IN_32: constant(uint256) = _EVERY_32 * (2**16 - 1)
_16_IN_64: constant(uint256) = _EVERY_64 * (2**16 - 1)
_32_IN_64: constant(uint256) = _EVERY_64 * (2**32 - 1)
_32_IN_128: constant(uint256) = _EVERY_128 * (2**32 - 1)

# The second lowest of four slots of 64 bits.
_SLOT_1: constant(uint256) = (2**64 - 1) << 64

# One value of 16 bits at bit 0, 16, 32, 48 and 64.
_AT_0: constant(uint256) = 2**16 - 1
_AT_16: constant(uint256) = _AT_0 << 16
_AT_32: constant(uint256) = _AT_0 << 32
_AT_48: constant(uint256) = _AT_0 << 48
_AT_64: constant(uint256) = _AT_0 << 64


@internal
@pure
def _of_updates(left: Bytes[512], right: Bytes[512]) -> int256:
    """
    @notice The inner product of int16 with int16.
    @param left 256 values, sixteen in a word
    @param right The others
    @return Their product
    """
    lefts: uint256[2][8] = self._words(left)
    rights: uint256[2][8] = self._words(right)
    products: uint256 = 0
    # Of both sides together: they have the same offset.
    sums: uint256 = 0
    for i: uint256 in range(8):
        a: uint256[2] = lefts[i]
        b: uint256[2] = rights[i]
        sums = unsafe_add(
            sums,
            unsafe_add(
                unsafe_add(
                    unsafe_add(a[0] & _16_IN_32, (a[0] >> 16) & _16_IN_32),
                    unsafe_add(a[1] & _16_IN_32, (a[1] >> 16) & _16_IN_32),
                ),
                unsafe_add(
                    unsafe_add(b[0] & _16_IN_32, (b[0] >> 16) & _16_IN_32),
                    unsafe_add(b[1] & _16_IN_32, (b[1] >> 16) & _16_IN_32),
                ),
            ),
        )
        b[0] = (b[0] >> 192) | ((b[0] >> 64) & _SLOT_1) | ((b[0] & _SLOT_1) << 64) | (b[0] << 192)
        b[1] = (b[1] >> 192) | ((b[1] >> 64) & _SLOT_1) | ((b[1] & _SLOT_1) << 64) | (b[1] << 192)
        products = unsafe_add(
            products,
            unsafe_add(
                unsafe_add(
                    unsafe_add(
                        unsafe_mul(a[0] & _16_IN_64, b[0] & _16_IN_64),
                        unsafe_mul((a[0] >> 16) & _16_IN_64, (b[0] >> 16) & _16_IN_64),
                    ),
                    unsafe_add(
                        unsafe_mul((a[0] >> 32) & _16_IN_64, (b[0] >> 32) & _16_IN_64),
                        unsafe_mul((a[0] >> 48) & _16_IN_64, (b[0] >> 48) & _16_IN_64),
                    ),
                ),
                unsafe_add(
                    unsafe_add(
                        unsafe_mul(a[1] & _16_IN_64, b[1] & _16_IN_64),
                        unsafe_mul((a[1] >> 16) & _16_IN_64, (b[1] >> 16) & _16_IN_64),
                    ),
                    unsafe_add(
                        unsafe_mul((a[1] >> 32) & _16_IN_64, (b[1] >> 32) & _16_IN_64),
                        unsafe_mul((a[1] >> 48) & _16_IN_64, (b[1] >> 48) & _16_IN_64),
                    ),
                ),
            ),
        )
    # Multiplied by ones, the slots add up in the topmost: 512 values stay below 2**25.
    total: uint256 = unsafe_mul(sums, _EVERY_32) >> 224
    return convert((products >> 192) + 256 * _OFFSET_16 * _OFFSET_16, int256) - convert(_OFFSET_16 * total, int256)


@internal
@pure
def _with_model(left: Bytes[256], right: Bytes[512]) -> int256:
    """
    @notice The inner product of int16 with int32.
    @param left 128 values of an update, sixteen in a word
    @param right 128 values of a model, eight in a word
    @return Their product
    """
    lefts: uint256[8] = abi_decode(left, uint256[8])
    rights: uint256[2][8] = self._words(right)
    products: uint256 = 0
    left_sums: uint256 = 0
    right_sums: uint256 = 0
    for i: uint256 in range(8):
        a: uint256 = lefts[i]
        b: uint256[2] = rights[i]
        left_sums = unsafe_add(left_sums, unsafe_add(a & _16_IN_32, (a >> 16) & _16_IN_32))
        right_sums = unsafe_add(
            right_sums,
            unsafe_add(
                unsafe_add(b[0] & _32_IN_64, (b[0] >> 32) & _32_IN_64),
                unsafe_add(b[1] & _32_IN_64, (b[1] >> 32) & _32_IN_64),
            ),
        )
        # The lower half of the update's word goes with the second word of the model, the upper half with the first.
        products = unsafe_add(
            products,
            unsafe_add(
                unsafe_mul(
                    ((a & _AT_0) << 192) | ((a & _AT_32) << 96) | (a & _AT_64) | ((a >> 96) & _AT_0),
                    b[1] & _32_IN_64,
                ),
                unsafe_mul(
                    ((a & _AT_16) << 176) | ((a & _AT_48) << 80) | ((a >> 16) & _AT_64) | ((a >> 112) & _AT_0),
                    (b[1] >> 32) & _32_IN_64,
                ),
            ),
        )
        a >>= 128
        products = unsafe_add(
            products,
            unsafe_add(
                unsafe_mul(
                    ((a & _AT_0) << 192) | ((a & _AT_32) << 96) | (a & _AT_64) | ((a >> 96) & _AT_0),
                    b[0] & _32_IN_64,
                ),
                unsafe_mul(
                    ((a & _AT_16) << 176) | ((a & _AT_48) << 80) | ((a >> 16) & _AT_64) | ((a >> 112) & _AT_0),
                    (b[0] >> 32) & _32_IN_64,
                ),
            ),
        )
    left_total: uint256 = unsafe_mul(left_sums, _EVERY_32) >> 224
    right_total: uint256 = unsafe_mul(right_sums, _EVERY_64) >> 192
    return convert((products >> 192) + 128 * _OFFSET_16 * _OFFSET_32, int256) - convert(
        _OFFSET_32 * left_total + _OFFSET_16 * right_total, int256
    )


@internal
@pure
def _of_model(values: Bytes[512]) -> int256:
    """
    @notice The inner product of int32 with themselves: no other product of two models is committed to.
    @param values 128 values, eight in a word
    @return Their square
    """
    words: uint256[2][8] = self._words(values)
    products: uint256 = 0
    sums: uint256 = 0
    for i: uint256 in range(8):
        a: uint256[2] = words[i]
        b: uint256[2] = [(a[0] << 128) | (a[0] >> 128), (a[1] << 128) | (a[1] >> 128)]
        sums = unsafe_add(
            sums,
            unsafe_add(
                unsafe_add(a[0] & _32_IN_64, (a[0] >> 32) & _32_IN_64),
                unsafe_add(a[1] & _32_IN_64, (a[1] >> 32) & _32_IN_64),
            ),
        )
        products = unsafe_add(
            products,
            unsafe_add(
                unsafe_add(
                    unsafe_add(
                        unsafe_mul(a[0] & _32_IN_128, b[0] & _32_IN_128),
                        unsafe_mul((a[0] >> 32) & _32_IN_128, (b[0] >> 32) & _32_IN_128),
                    ),
                    unsafe_add(
                        unsafe_mul((a[0] >> 64) & _32_IN_128, (b[0] >> 64) & _32_IN_128),
                        unsafe_mul((a[0] >> 96) & _32_IN_128, (b[0] >> 96) & _32_IN_128),
                    ),
                ),
                unsafe_add(
                    unsafe_add(
                        unsafe_mul(a[1] & _32_IN_128, b[1] & _32_IN_128),
                        unsafe_mul((a[1] >> 32) & _32_IN_128, (b[1] >> 32) & _32_IN_128),
                    ),
                    unsafe_add(
                        unsafe_mul((a[1] >> 64) & _32_IN_128, (b[1] >> 64) & _32_IN_128),
                        unsafe_mul((a[1] >> 96) & _32_IN_128, (b[1] >> 96) & _32_IN_128),
                    ),
                ),
            ),
        )
    total: uint256 = unsafe_mul(sums, _EVERY_64) >> 192
    return convert((products >> 128) + 128 * _OFFSET_32 * _OFFSET_32, int256) - convert(
        2 * _OFFSET_32 * total, int256
    )


@internal
@pure
def _words(values: Bytes[512]) -> uint256[2][8]:
    """
    @notice Read values as words, in pairs: with two of them a round, the loops themselves cost half.
    @param values 512 bytes
    @return Their words
    """
    return abi_decode(values, uint256[2][8])
