"""Pickles of plain data, read without running any code.

A pickle is a program for a stack machine, which may call any function by its name. Two steps close
it. First its instructions are read one after another, none is executed, and all but those that make
plain values are refused. Then it is unpickled by an unpickler that knows no function of Python at
all: the few names that NumPy writes into pickles of arrays lead to two classes here, which keep
what they are given. Only numbers, text, bytes, lists, tuples, dicts and arrays of numbers can come
out of it.

    numpy._reconstruct(ndarray, (0,), b"b")  and its state (version, shape, dtype, fortran, bytes)
    numpy.dtype("u1", False, True)           and its state (version, byte order, ...)

Reference: Python's pickletools; PEP 574.
"""

import io
import pickle
import pickletools
import re
from math import prod
from typing import Any

import numpy as np

REFUSED = {
    *("PERSID", "BINPERSID", "EXT1", "EXT2", "EXT4", "NEWOBJ_EX", "NEXT_BUFFER", "INST", "OBJ"),
    *("INT", "LONG", "FLOAT", "STRING", "UNICODE", "GET", "PUT"),  # of the oldest protocol
}
MEMO_PUTS = {"BINPUT", "LONG_BINPUT"}
NUMBER = re.compile(r"[<>|=]?[biuf][1248]|\?")
MOST_NAMED = 100  # characters of a name in a message
DEEPEST = 20  # nested values


class Dtype:
    """What `numpy.dtype` is called with."""

    def __init__(self, code: Any, *more: Any):
        self.code = code.decode() if isinstance(code, bytes) else str(code)
        self.order = "="

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        order = state[1]
        self.order = order.decode() if isinstance(order, bytes) else str(order)

    @property
    def dtype(self) -> np.dtype:
        """The type of numbers. Raises `ValueError` for any other."""
        if not NUMBER.fullmatch(self.code) or self.order not in ("<", ">", "=", "|"):
            raise ValueError(f"it holds an array of {self.code!r}, which are not numbers")
        return np.dtype(self.code).newbyteorder(self.order)


class Array:
    """What the functions that make an array are called with."""

    def __init__(self, *arguments: Any):
        self.state: Any = None

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.state = state

    def array(self) -> np.ndarray:
        """The array. Raises `ValueError` if it is none of numbers."""
        if not isinstance(self.state, tuple) or len(self.state) != 5:
            raise ValueError("it holds an array without values")
        _, shape, dtype, fortran, values = self.state
        if not isinstance(dtype, Dtype):
            raise ValueError("it holds an array of no type")
        if isinstance(values, str):  # of Python 2
            values = values.encode("latin-1")
        return _array_of(values, dtype, shape, fortran)


def _array_of(values: Any, dtype: Dtype, shape: Any, fortran: Any) -> np.ndarray:
    size = prod(shape) * dtype.dtype.itemsize
    if not isinstance(values, (bytes, bytearray)) or len(values) != size:
        raise ValueError(f"it holds an array of the shape {shape} that has other values")
    return np.frombuffer(values, dtype.dtype).reshape(shape, order="F" if fortran else "C")


class FlatArray(Array):
    """An array as protocol 5 keeps it: bytes, type, shape, order."""

    def __init__(self, values: Any, dtype: Any, shape: Any, order: Any = "C"):
        self.state = (1, shape, dtype, order == "F", bytes(values))


class Scalar(Array):
    """One number: its type and its bytes."""

    def __init__(self, dtype: Any, values: Any):
        self.state = (1, (), dtype, False, values)


def encoded(text: str, encoding: str) -> bytes:
    """Bytes, as Python 3 writes them for Python 2."""
    if encoding not in ("latin1", "latin-1"):
        raise ValueError(f"it holds text in {encoding!r}")
    return text.encode("latin-1")


KNOWN = {
    ("numpy", "ndarray"): Array,
    ("numpy", "dtype"): Dtype,
    ("_codecs", "encode"): encoded,
    **{(f"numpy.{core}.multiarray", "_reconstruct"): Array for core in ("core", "_core")},
    **{(f"numpy.{core}.multiarray", "scalar"): Scalar for core in ("core", "_core")},
    **{(f"numpy.{core}.numeric", "_frombuffer"): FlatArray for core in ("core", "_core")},
}


class ClosedUnpickler(pickle.Unpickler):
    """An unpickler that knows the names of `KNOWN` and no others."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in KNOWN:
            named = f"{module}.{name}"[:MOST_NAMED]
            raise pickle.UnpicklingError(f"it asks for {named}, and no code is run to read a file")
        return KNOWN[module, name]


def unpickled(blob: bytes) -> Any:
    """The plain values in a pickle, tuples as lists; text of Python 2 as Latin-1.

    Raises `ValueError` and what pickle raises.
    """
    _refuse_instructions(blob)
    return _plain(ClosedUnpickler(io.BytesIO(blob), encoding="latin1").load(), {})


def _refuse_instructions(blob: bytes) -> None:
    """Refuse a pickle with other instructions than those of plain values, or with absurd numbers."""
    for count, (code, argument, _) in enumerate(pickletools.genops(blob), start=1):
        if code.name in REFUSED:
            raise ValueError(f"it has the instruction {code.name}, which plain data do not need")
        # memory is allocated for all numbers below it
        if code.name in MEMO_PUTS and (argument or 0) > count:
            raise ValueError("it numbers what it has not made")


def _plain(value: Any, done: dict[int, Any], depth: int = 0) -> Any:
    """The value with the arrays made. done: what was made of each object, since one may be in many
    places.
    """
    if depth > DEEPEST:
        raise ValueError("it is nested too deeply")
    if not isinstance(value, (Array, dict, list, tuple)):
        return value
    if id(value) not in done:
        done[id(value)] = _made(value, done, depth + 1)
    return done[id(value)]


def _made(value: Any, done: dict[int, Any], depth: int) -> Any:
    if isinstance(value, Array):
        return value.array()
    if isinstance(value, dict):
        return {key: _plain(inner, done, depth) for key, inner in value.items()}
    return [_plain(inner, done, depth) for inner in value]
