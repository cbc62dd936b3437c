"""A Parquet file that is whole or not there, written a row group at a time."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from apps.slateq.logs.schema import arrow
from lmgt_core.errors import UserError
from lmgt_core.files import TEMPORARY, sync_folder


@contextmanager
def parquet_writer(path: Path, schema: Any) -> Iterator[Any]:
    """A `pyarrow.parquet.ParquetWriter` of `schema`; `path` appears when the block is left without an error.

    UserError when the place cannot be written to.
    """
    arrow()
    import pyarrow.parquet as parquet

    temporary = path.with_name(f".{path.name}.{secrets.token_hex(6)}{TEMPORARY}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with parquet.ParquetWriter(temporary, schema, compression="zstd") as writer:
            yield writer
        with open(temporary, "rb") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
        sync_folder(path.parent)
    except OSError as error:
        raise UserError(f"{path}: cannot be written ({error.strerror or error})") from error
    finally:
        temporary.unlink(missing_ok=True)
