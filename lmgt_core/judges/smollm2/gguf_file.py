"""A GGUF file: its metadata, and its tensors as float32.

The `gguf` package's own reader takes three seconds over the 98,000 strings of a tokenizer, this one a tenth of one; the
arithmetic of quantized blocks is the package's. Format (version 2 and 3, little-endian):
https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
"""

import mmap
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lmgt_core.errors import UserError

NUMBERS = {0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<?", 10: "<Q", 11: "<q", 12: "<d"}
STRING, ARRAY = 8, 9


class Tensor(NamedTuple):
    """Where a tensor lies: `shape` as written, the fastest dimension first; `kind` of quantization; byte `offset`."""

    shape: tuple[int, ...]
    kind: int
    offset: int


@dataclass(eq=False)
class GgufFile:
    """An opened GGUF file; UserError where `path` is missing, cut short or no such file."""

    path: Path
    metadata: dict[str, Any] = field(init=False, default_factory=dict)
    tensors: dict[str, Tensor] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        try:
            with self.path.open("rb") as file:
                self._bytes = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            self._position = 0
            self._read_header()
        except OSError as error:
            raise UserError(f"{self.path}: cannot be opened ({error.strerror or error})") from None
        except (ValueError, KeyError, IndexError, struct.error, UnicodeDecodeError) as error:
            raise UserError(f"{self.path}: not a GGUF file, or a damaged one ({error})") from None

    def value(self, key: str) -> Any:
        """The metadata value called `key`; UserError where there is none."""
        if key not in self.metadata:
            raise UserError(f"{self.path}: the GGUF file does not say {key}")
        return self.metadata[key]

    def load(self, name: str) -> NDArray[np.float32]:
        """The tensor called `name`, dequantized, slowest dimension first; UserError where the file ends before it."""
        from gguf import GGML_QUANT_SIZES, GGMLQuantizationType
        from gguf.quants import dequantize

        tensor = self.tensors[name]
        kind = GGMLQuantizationType(tensor.kind)
        block, size = GGML_QUANT_SIZES[kind]
        length = int(np.prod(tensor.shape)) // block * size
        raw = np.frombuffer(self._bytes[tensor.offset : tensor.offset + length], np.uint8)
        if len(raw) < length:
            raise UserError(f"{self.path}: the GGUF file is cut short in tensor {name}")
        rows = raw.reshape(*reversed(tensor.shape[1:]), -1)
        if kind is GGMLQuantizationType.F32:
            return rows.view(np.float32).copy()
        return np.asarray(dequantize(rows, kind), np.float32)

    def _read_header(self) -> None:
        if self._bytes[:4] != b"GGUF":
            raise ValueError("its first bytes are not GGUF")
        self._position = 4
        version = self._number("<I")
        if version not in (2, 3):
            raise ValueError(f"version {version}")
        tensors, values = self._number("<Q"), self._number("<Q")
        for _ in range(values):
            key = self._string()
            self.metadata[key] = self._value(self._number("<I"))
        found = [self._tensor_info() for _ in range(tensors)]
        alignment = self.metadata.get("general.alignment", 32)
        start = -(-self._position // alignment) * alignment
        self.tensors = {name: t._replace(offset=start + t.offset) for name, t in found}

    def _number(self, form: str) -> Any:
        (value,) = struct.unpack_from(form, self._bytes, self._position)
        self._position += struct.calcsize(form)
        return value

    def _string(self) -> str:
        length = self._number("<Q")
        end = self._position + length
        if end > len(self._bytes):
            raise ValueError("cut short")
        text = self._bytes[self._position : end].decode()
        self._position = end
        return text

    def _value(self, kind: int) -> Any:
        if kind == STRING:
            return self._string()
        if kind != ARRAY:
            return self._number(NUMBERS[kind])
        inner, count = self._number("<I"), self._number("<Q")
        if count > len(self._bytes):
            raise ValueError("cut short")
        read: Callable[[], Any] = self._string if inner == STRING else lambda: self._value(inner)
        return [read() for _ in range(count)]

    def _tensor_info(self) -> tuple[str, Tensor]:
        name = self._string()
        shape = tuple(self._number("<Q") for _ in range(self._number("<I")))
        return name, Tensor(shape, self._number("<I"), self._number("<Q"))
