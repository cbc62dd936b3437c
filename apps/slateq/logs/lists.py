"""Arrow's lists as NumPy arrays that are as wide as the longest, and back."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from apps.slateq.logs.schema import arrow


def padded(column: Any, fill: float, least: int = 0) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """[B, M] the lists of an Arrow array, `fill` after the end of each, and their lengths [B]; a null has none.

    M is the length of the longest, and at least `least`.
    """
    lengths = lengths_of(column)
    flat = column.flatten().to_numpy(zero_copy_only=False)
    width = int(lengths.max(initial=least))
    if len(flat) == width * len(lengths):
        return flat.reshape(len(lengths), width), lengths
    out = np.full((len(lengths), width), fill, flat.dtype)
    out[np.arange(width) < lengths[:, None]] = flat
    return out, lengths


def lengths_of(column: Any) -> NDArray[np.int64]:
    """[B] the lengths of the lists of an Arrow array; 0 for a null."""
    lengths = column.value_lengths()
    return np.asarray(lengths.fill_null(0).to_numpy(zero_copy_only=False), np.int64)


def list_array(values: NDArray[Any], lengths: NDArray[np.int64] | None = None, type_: Any = None) -> Any:
    """An Arrow array of lists: the first `lengths` [B] of each row of `values` [B, M]; all of them by default."""
    pa = arrow()
    rows, width = values.shape
    counts = np.full(rows, width) if lengths is None else lengths
    flat = values.ravel() if lengths is None else values[np.arange(width) < counts[:, None]]
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(flat, type_))


def array_of(column: Any) -> Any:
    """An Arrow column in one piece."""
    pa = arrow()
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
