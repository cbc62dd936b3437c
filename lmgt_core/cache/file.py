"""Opening the cache's SQLite file, without ever harming one that is not ours or no longer whole."""

import os
import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

from lmgt_core.errors import UserError

APPLICATION_ID = 0x4C4D4754  # "LMGT", in the file's header: https://www.sqlite.org/fileformat.html
VERSION = 1  # of the table, as the header's user_version
BUSY_SECONDS = 60.0
WAY_OUT = "delete it or choose another --cache"
_SCHEMA = """
CREATE TABLE judgments (
    key BLOB PRIMARY KEY,  -- SHA-256 of judge id, NUL, prompt digest
    judge TEXT NOT NULL, system TEXT NOT NULL, user TEXT NOT NULL, facts TEXT NOT NULL,
    verdict TEXT NOT NULL, good REAL, neutral REAL, bad REAL, reply TEXT NOT NULL, reason TEXT NOT NULL,
    seconds REAL NOT NULL, prompt_tokens INTEGER NOT NULL, reply_tokens INTEGER NOT NULL, dollars REAL NOT NULL
) STRICT"""


@contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Turns what SQLite says about the file into a UserError that names it."""
    try:
        yield
    except sqlite3.OperationalError as error:  # full disk, locked, unwritable
        raise UserError(f"{path}: the judge cache cannot be used ({error}); choose another --cache") from None
    except sqlite3.DatabaseError as error:
        if type(error) is not sqlite3.DatabaseError:  # a subclass stands for a mistake in this program
            raise
        raise UserError(f"{path}: the judge cache is damaged ({error}); {WAY_OUT}") from None


def open_cache_file(path: Path) -> sqlite3.Connection:
    """A connection to the cache in `path`, which is made if it is not there.

    UserError when it is damaged, another program's, of another version, or cannot be written; it is then unchanged.
    """
    left_over = [f for f in (Path(f"{path}-wal"), Path(f"{path}-shm")) if f.exists()]  # look before the file itself
    if not path.exists():
        if left_over:  # SQLite would play it back into the new file
            raise UserError(f"{left_over[0]}: left over from a cache that is gone; delete it or choose another --cache")
        _create(path)
    _check_header(path)
    _check_content(path)
    with storage_errors(path):
        return _connect(path)


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)
    connection.execute("PRAGMA synchronous=NORMAL")
    return connection


def _create(path: Path) -> None:
    """Makes the file whole under another name and links it to `path`, unless another process was quicker."""
    new = path.with_name(f".{path.name}.{secrets.token_hex(8)}.new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        new.touch(exist_ok=False)
        with storage_errors(path), closing(_connect(new)) as connection:
            connection.execute("BEGIN")
            connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version={VERSION}")
            connection.execute(_SCHEMA)
            connection.execute("COMMIT")
            connection.execute("PRAGMA journal_mode=WAL")
        link_new(new, path)
    except OSError as error:
        raise UserError(
            f"{path}: the judge cache cannot be made here ({error.strerror}); choose another --cache"
        ) from None
    finally:
        with suppress(OSError):  # not made, or renamed
            new.unlink()


def link_new(new: Path, path: Path) -> None:
    """Makes `path` a name of `new`, unless it names a file already."""
    try:
        os.link(new, path)  # unlike a rename, it never replaces a file
    except FileExistsError:
        pass
    except OSError:  # a file system without hard links
        if not path.exists():
            os.rename(new, path)


def _check_header(path: Path) -> None:
    """UserError unless the first 100 bytes are those of our kind of file; read by hand, so SQLite touches nothing."""
    try:
        with open(path, "r+b") as file:  # for writing too: a cache that cannot be written is told now
            header = file.read(100)
    except OSError as error:
        raise UserError(
            f"{path}: the judge cache cannot be opened ({error.strerror}); choose another --cache"
        ) from None
    if len(header) < 100 or not header.startswith(b"SQLite format 3\0"):
        raise UserError(f"{path}: not a judge cache, or a damaged one; {WAY_OUT}")
    version, application = int.from_bytes(header[60:64], "big"), int.from_bytes(header[68:72], "big")
    if application != APPLICATION_ID:
        raise UserError(f"{path}: another program's SQLite file, not a judge cache; choose another --cache")
    if version != VERSION:
        raise UserError(f"{path}: a judge cache of version {version}, this lmgt has {VERSION}; {WAY_OUT}")


def _check_content(path: Path) -> None:
    """UserError when pages are missing or damaged; reads only (about 1 s for each GB)."""
    while True:
        before = path.stat()
        try:
            return _read_through(path)
        except UserError:
            after = path.stat()
            if (before.st_mtime_ns, before.st_size) == (after.st_mtime_ns, after.st_size):
                raise  # else another process wrote meanwhile, and what was read may be half old, half new


def _read_through(path: Path) -> None:
    mode = "mode=ro"
    if not Path(f"{path}-wal").exists():  # all pages are in the file
        mode += "&immutable=1"  # else SQLite would make a log only to read, and leave it there
        _check_size(path)
    uri = f"file:{quote(str(path.absolute()))}?{mode}"
    with storage_errors(path), closing(sqlite3.connect(uri, uri=True, timeout=BUSY_SECONDS)) as connection:
        connection.execute("SELECT count(*) FROM judgments WHERE 0")
        (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if verdict != "ok":
        raise UserError(f"{path}: the judge cache is damaged ({' '.join(verdict.split())}); {WAY_OUT}")


def _check_size(path: Path) -> None:
    """UserError unless the file is as long as its header says: SQLite takes a last page that is cut for zeros."""
    with open(path, "rb") as file:
        header = file.read(100)
        size = file.seek(0, os.SEEK_END)
    page, pages = int.from_bytes(header[16:18], "big"), int.from_bytes(header[28:32], "big")
    if size != page * pages:
        raise UserError(f"{path}: the judge cache is damaged ({size} of {page * pages} bytes); {WAY_OUT}")
