"""TensorBoard scalars, written without the package tensorboard, which only whoever looks at them needs.

An event file is a row of records: the length in bytes, the message, and a checksum of either (TFRecord, CRC-32C). The
messages are tensorflow.Event in protobuf's encoding, of which scalars need eight fields.
"""

import os
import struct
import time
from pathlib import Path
from typing import IO

import numpy as np

VARINT, DOUBLE, BYTES, FLOAT = 0, 1, 2, 5  # protobuf's wire types
START = b"\x08\x01"  # SessionLog{status: START}


class TensorBoardLog:
    """Appends scalars to a new event file in `folder`; every scalar has left the process when `scalar` returns."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._file: IO[bytes] | None = None

    def scalar(self, name: str, value: float, step: int) -> None:
        """Adds one point of the curve `name`; NaN is kept, TensorBoard marks it."""
        if self._file is None:
            self._open(step)
        point = _field(1, BYTES, name.encode()) + _field(2, FLOAT, np.array(value, dtype="<f4").tobytes())
        self._write(_field(2, VARINT, _varint(step)) + _field(5, BYTES, _field(1, BYTES, point)))

    def close(self) -> None:
        """Closes the event file; the next scalar starts another."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _open(self, step: int) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        # TensorBoard sorts a folder's event files by name, so a resumed run's must come after the killed run's.
        stamp = f"{time.time():.6f}".rjust(18, "0")
        self._file = open(self.folder / f"events.out.tfevents.{stamp}.{os.getpid()}.lmgt", "xb")  # noqa: SIM115
        self._write(_field(3, BYTES, b"brain.Event:2"))
        # A START makes TensorBoard drop what an earlier, killed process wrote at this step or later.
        self._write(_field(2, VARINT, _varint(step)) + _field(7, BYTES, START))

    def _write(self, fields: bytes) -> None:
        assert self._file is not None  # opened by scalar
        self._file.write(record(_field(1, DOUBLE, struct.pack("<d", time.time())) + fields))
        self._file.flush()


def record(message: bytes) -> bytes:
    """The message as a record of an event file."""
    length = struct.pack("<Q", len(message))
    return length + _masked_checksum(length) + message + _masked_checksum(message)


def _field(number: int, wire: int, content: bytes) -> bytes:
    """A field of a protobuf message; BYTES are preceded by their length."""
    return bytes([number << 3 | wire]) + (_varint(len(content)) if wire == BYTES else b"") + content


def _varint(value: int) -> bytes:
    """A number of at least 0, seven bits a byte, the lowest first."""
    parts = bytearray()
    while value > 0x7F:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*parts, value])


def _table() -> tuple[int, ...]:
    """What one byte does to a CRC-32C."""
    table = []
    for crc in range(256):
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
        table.append(crc)
    return tuple(table)


_CRC = _table()


def _masked_checksum(content: bytes) -> bytes:
    """CRC-32C, turned and shifted as TFRecord asks, so that a checksum of checksums is no special case."""
    crc = 0xFFFFFFFF
    for byte in content:
        crc = crc >> 8 ^ _CRC[(crc ^ byte) & 0xFF]
    crc ^= 0xFFFFFFFF
    return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)
