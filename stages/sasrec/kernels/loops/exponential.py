"""The exponential of what is not above 0, as softmax needs it."""

import math

import numpy as np
from numba import types
from numba.extending import overload

from sasrec.kernels.parts import ANY_ORDER

ONE = np.float32(1)


def exp_single(x):
    """e^x for float32 x <= 0, to 2e-7 of itself, by a polynomial (Cephes, expf) that vectorises."""
    x = max(x, np.float32(-87))
    power = np.floor(x * np.float32(1.44269504) + np.float32(0.5))
    rest = x - power * np.float32(0.693359375) + power * np.float32(2.12194440e-4)
    y = np.float32(1.9875691500e-4)
    y = y * rest + np.float32(1.3981999507e-3)
    y = y * rest + np.float32(8.3334519073e-3)
    y = y * rest + np.float32(4.1665795894e-2)
    y = y * rest + np.float32(1.6666665459e-1)
    y = y * rest + np.float32(5.0000001201e-1)
    y = y * rest * rest + rest + ONE
    two_to_power = np.int32((np.int32(power) + np.int32(127)) << np.int32(23)).view(np.float32)
    return y * two_to_power


def power_of(x):
    """e^x for x <= 0, by the type of x; for compiled functions only."""
    return math.exp(x)


OPTIONS = {"forceinline": True, "fastmath": ANY_ORDER, "error_model": "numpy"}


@overload(power_of, jit_options=OPTIONS)
def _power_of_type(x):
    return exp_single if x == types.float32 else lambda x: math.exp(x)
