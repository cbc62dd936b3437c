"""JSON values of an episode, each checked: finite numbers of a shape, printable names, whole numbers.

Every reader raises `FieldError` for a value that cannot be used.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

MAX_NAME = 300  # characters


class FieldError(ValueError):
    """A field of an episode that cannot be used: its name, and what is wrong with it."""

    def __init__(self, name: str, wrong: str) -> None:
        super().__init__(f"{name}: {wrong}")
        self.wrong = wrong


def read(raw: Mapping[str, Any], name: str) -> Any:
    """The field's value, whatever it is."""
    if name not in raw:
        raise FieldError(name, "is missing")
    return raw[name]


def read_list(raw: Mapping[str, Any], name: str, count: int | None = None) -> list[Any]:
    """The field's list, of `count` entries where that is given."""
    value = read(raw, name)
    if not isinstance(value, list):
        raise FieldError(name, f"is {described(value)}, not a list")
    if count is not None and len(value) != count:
        raise FieldError(name, f"has {len(value)} entries; it must have {count}")
    return value


def read_names(raw: Mapping[str, Any], name: str, most: int) -> list[str]:
    """The field's one to `most` names."""
    value = read_list(raw, name)
    if not 1 <= len(value) <= most:
        raise FieldError(name, f"has {len(value)} entries; it must have 1 to {most}")
    return [as_text(entry, name) for entry in value]


def as_text(value: Any, name: str) -> str:
    """`value` as a printable name."""
    if not isinstance(value, str):
        raise FieldError(name, f"holds {described(value)} where a name must be")
    if not 0 < len(value) <= MAX_NAME or not value.isprintable():
        raise FieldError(name, f"holds a name that is empty, longer than {MAX_NAME} characters or not printable")
    return value


def as_whole(value: Any, name: str) -> int:
    """`value` as a whole number from 0 on."""
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**53:
        raise FieldError(name, f"is {described(value)}; it must be a whole number from 0 on")
    return value


def as_numbers(value: Any, name: str, shape: tuple[int, ...], meaning: str = "") -> NDArray[np.float64]:
    """`value` as finite numbers of exactly this shape."""
    if not isinstance(value, list):
        raise FieldError(name, f"is {described(value)}, not a list of numbers")
    try:
        numbers = np.array(value)
    except (ValueError, OverflowError):
        raise FieldError(name, f"has rows of different lengths; it must be {_times(shape)}{meaning}") from None
    if numbers.dtype.kind not in "fiub":  # a list with text in it becomes an array of text, one with null of objects
        raise FieldError(name, "holds something that is no number")
    if numbers.shape != shape:
        raise FieldError(name, f"is {_times(numbers.shape)} numbers; it must be {_times(shape)}{meaning}")
    if not np.isfinite(numbers).all():
        raise FieldError(name, "holds NaN or an infinity")
    return numbers.astype(np.float64)


def described(value: Any) -> str:
    """What a JSON value is, in JSON's words."""
    kinds = {str: "text", dict: "an object", list: "a list", type(None): "null", bool: "true or false"}
    return kinds.get(type(value), "a number" if not isinstance(value, int) else "the number " + str(value)[:20])


def _times(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))
