"""Reads an .npy file that holds a pickled object, without trusting it.

A pickle names what is called to rebuild it, and even numpy's own constructors can be led astray by hostile arguments.
So nothing that a file names is ever called: the names that numpy's pickles use stand for the small classes below, which
check their bytes, and any other name is refused.
"""

import io
import math
import pickle
import pickletools
import re
from typing import Any

import numpy as np

MODULES = ("numpy.core.multiarray", "numpy._core.multiarray")  # before and since numpy 2
MAX_CELLS = 2**26


class PickleError(ValueError):
    """Why a file is not read, in one line."""


class _DType:
    """Stands for numpy.dtype: a kind of number, text or object, and its byte order."""

    def __init__(self, code: str, *_: Any) -> None:
        if not isinstance(code, str) or not re.fullmatch(r"[iu][1248]|U\d{1,4}|O8?", code):
            raise PickleError(f"it has the element type {str(code)[:20]!r}; votes are whole numbers and text")
        self.code, self.order = code, "="

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        if state[1] not in ("<", ">", "|", "="):
            raise PickleError("it has an element type of unknown byte order")
        self.order = "=" if state[1] == "|" else state[1]

    def values(self, content: Any, count: int) -> Any:
        """`count` values as a flat array, or as the list itself for objects."""
        if self.code.startswith("O"):
            if not isinstance(content, list) or len(content) != count:
                raise PickleError("it has an array with too few or too many objects")
            return content
        dtype = np.dtype(self.order + self.code)
        if not isinstance(content, bytes) or len(content) != count * dtype.itemsize or not dtype.itemsize:
            raise PickleError("it has an array with too few or too many bytes")
        return np.frombuffer(content, dtype)


class _NdArray:
    """Stands for numpy.ndarray, which numpy's pickles only mention."""

    def __init__(self, *_: Any) -> None:
        raise PickleError("it calls numpy.ndarray")

    def __setstate__(self, _: Any) -> None:
        raise PickleError("it changes numpy.ndarray")


class _Array:
    """Stands for numpy's _reconstruct: an array that is filled by the state which follows."""

    value: Any = None

    def __init__(self, *_: Any) -> None:
        pass

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, shape, dtype, fortran, content = state
        if not isinstance(shape, tuple) or not all(type(n) is int and n >= 0 for n in shape) or len(shape) > 8:
            raise PickleError("it has an array of no sensible shape")
        count = math.prod(shape)
        if count > MAX_CELLS or not isinstance(dtype, _DType):
            raise PickleError(f"it has an array of {count} elements, or of an unknown type")
        flat = dtype.values(content, count)
        if isinstance(flat, list):
            self.value = flat[0] if shape == () else flat
        else:
            self.value = flat.reshape(shape, order="F" if fortran else "C")


class _Scalar:
    """Stands for numpy's scalar: one number or text."""

    def __new__(cls, dtype: Any, content: Any = b"") -> Any:
        if not isinstance(dtype, _DType) or dtype.code.startswith("O"):
            raise PickleError("it has a single value of unknown type")
        return dtype.values(content, 1)[0].item()

    def __setstate__(self, _: Any) -> None:
        raise PickleError("it changes a single value")


# Every stand-in has __setstate__, so that a BUILD on the class itself cannot set its attributes.
KNOWN: dict[tuple[str, str], type] = {("numpy", "ndarray"): _NdArray, ("numpy", "dtype"): _DType}
KNOWN |= {(module, "_reconstruct"): _Array for module in MODULES} | {(module, "scalar"): _Scalar for module in MODULES}


class _FloatDType(_DType):
    """The same, and floating-point numbers as well."""

    def __init__(self, code: str, *_: Any) -> None:
        if code in ("f4", "f8"):
            self.code, self.order = code, "="
        else:
            super().__init__(code)


class _Unpickler(pickle.Unpickler):
    def __init__(self, file: io.BytesIO, floats: bool) -> None:
        super().__init__(file)
        self.known = KNOWN | ({("numpy", "dtype"): _FloatDType} if floats else {})

    def find_class(self, module: str, name: str) -> Any:
        try:
            return self.known[module, name]
        except KeyError:
            raise PickleError(f"it asks for {module}.{name}, which is refused"[:150]) from None


def read_object_npy(content: bytes, floats: bool = False) -> Any:
    """The object in an .npy file; arrays in its dictionary are numpy arrays (of objects: flat lists). PickleError for
    anything that is not whole numbers (with `floats`: any numbers) and text."""
    file = io.BytesIO(content)
    try:
        version = np.lib.format.read_magic(file)  # type: ignore[no-untyped-call]
        read_header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, dtype = read_header(file)  # type: ignore[no-untyped-call]
    except Exception as error:  # a hostile header can fail anywhere in numpy's and Python's parsers
        raise PickleError(f"it is not an .npy file: {_line(error)}") from None
    if dtype != np.dtype(object) or shape != ():
        raise PickleError(f"it holds an array of {dtype} and no votes")
    pickled = content[file.tell() :]
    try:
        _check_memo(pickled)
        return _plain(_Unpickler(io.BytesIO(pickled), floats).load())
    except PickleError:
        raise
    except Exception as error:  # a damaged pickle can fail in any way
        raise PickleError(f"it is cut off or damaged: {_line(error)}") from None


def _check_memo(pickled: bytes) -> None:
    """PickleError for a memo index beyond the file's length, for which the unpickler would reserve any memory asked."""
    for operation, argument, _ in pickletools.genops(pickled):
        if operation.name.endswith("PUT") and argument is not None and int(argument) > len(pickled):
            raise PickleError("it is damaged: a memo index out of range")


def _plain(value: Any) -> Any:
    """The value of the outermost array, with the arrays in its dictionary as numpy arrays."""
    value = value.value if isinstance(value, _Array) else value
    if isinstance(value, dict):
        return {key: inner.value if isinstance(inner, _Array) else inner for key, inner in value.items()}
    return value


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:120] or type(error).__name__
