"""`lmgt judge cache stats|export|import|prune FILE`: what is in a file of judgments, and moving it about."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from tyro.conf import Positional

from lmgt_core.cache.file import open_cache_file, storage_errors
from lmgt_core.errors import UserError
from lmgt_core.files import write_atomic
from lmgt_core.judging.judgment import Verdict
from lmgt_core.terminal.tables import print_table, write_rows

TEXTS = ("judge", "system", "user", "facts", "verdict", "reply", "reason")
NUMBERS = ("seconds", "dollars")
COUNTS = ("prompt_tokens", "reply_tokens")
PROBABILITIES = ("good", "neutral", "bad")
COLUMNS = ("key", *TEXTS, *PROBABILITIES, *NUMBERS, *COUNTS)
BATCH = 1000  # rows a transaction


@dataclass(frozen=True)
class CacheConfig:
    """Look into a file of judgments, write it out as JSON lines, read such lines in, or take a judge out."""

    action: Positional[Literal["stats", "export", "import", "prune"]]
    """stats, export, import or prune."""
    file: Positional[Path]
    """The cache: judgments.sqlite of a run, or any --cache."""
    lines: Path | None = None
    """The file of JSON lines that export writes and import reads."""
    judge: str | None = None
    """What export and prune are limited to: judges whose id contains this text; prune demands it."""
    json: Path | None = None
    """Write what stats found there as well."""


def main(config: CacheConfig) -> list[dict[str, Any]]:
    """Does what is asked, and returns the statistics of the cache afterwards."""
    if config.action != "import" and not config.file.exists():
        raise UserError(f"{config.file}: no such cache; a run keeps one as judgments.sqlite")
    if config.action in ("export", "import") and config.lines is None:
        raise UserError(f"--lines: {config.action} needs a file of JSON lines")
    if config.action == "prune" and not config.judge:
        raise UserError("--judge: prune takes out the judgments of one judge; name a part of its id (see stats)")
    entries = list(read_lines(config.lines)) if config.action == "import" and config.lines is not None else []
    with closing(open_cache_file(config.file)) as connection, storage_errors(config.file):
        if config.action == "export" and config.lines is not None:
            print(f"{config.lines}: {export_lines(connection, config.lines, config.judge):,} judgments written")
        elif config.action == "import":
            print(f"{config.file}: {import_entries(connection, entries):,} of {len(entries):,} judgments were new")
        elif config.action == "prune":
            print(f"{config.file}: {prune(connection, config.judge or ''):,} judgments taken out")
        rows = statistics(connection)
    size = config.file.stat().st_size
    print_table(rows, title=f"{config.file}: {sum(r['judgments'] for r in rows):,} judgments, {size:,} bytes")
    if config.json is not None:
        write_rows(config.json, rows)
    return rows


def statistics(connection: sqlite3.Connection) -> list[dict[str, Any]]:
    """A row a judge: how many judgments of each verdict, and what they cost."""
    rows = connection.execute(
        "SELECT judge, count(*), sum(verdict = 'good'), sum(verdict = 'neutral'), sum(verdict = 'bad'), "
        "sum(seconds), sum(prompt_tokens), sum(reply_tokens), sum(dollars) "
        "FROM judgments GROUP BY judge ORDER BY judge"
    )
    names = ("judge", "judgments", "good", "neutral", "bad", "seconds", "prompt_tokens", "reply_tokens", "dollars")
    return [dict(zip(names, row, strict=True)) for row in rows]


def export_lines(connection: sqlite3.Connection, out: Path, judge: str | None) -> int:
    """Writes the judgments, of judges whose id contains `judge`, as JSON lines; returns their number."""
    chosen = connection.execute(
        f"SELECT {', '.join(COLUMNS)} FROM judgments WHERE instr(judge, ?) ORDER BY judge, key", (judge or "",)
    )
    lines = []
    for key, *values in chosen:
        entry = {"key": key.hex(), **dict(zip(COLUMNS[1:], values, strict=True))}
        lines.append(json.dumps(entry, ensure_ascii=False) + "\n")
    write_atomic(out, "".join(lines))
    return len(lines)


def read_lines(path: Path) -> Iterator[dict[str, Any]]:
    """The judgments in a file that `export` wrote; UserError naming the line that is none."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"--lines {path}: cannot be read ({error})") from None
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip():
            try:
                yield checked(json.loads(line))
            except (ValueError, TypeError, KeyError) as error:
                raise UserError(f"--lines {path}: line {number} is no judgment ({error})") from None


def checked(entry: dict[str, Any]) -> dict[str, Any]:
    """`entry` with its key as bytes; ValueError, TypeError or KeyError where something in it is wrong."""
    if not isinstance(entry, dict) or set(entry) != set(COLUMNS):
        raise ValueError(f"its fields are not {', '.join(COLUMNS)}")
    key = bytes.fromhex(entry["key"])
    if len(key) != 32:
        raise ValueError("its key has not 32 bytes")
    if any(not isinstance(entry[name], str) for name in TEXTS):
        raise TypeError("a text is none")
    if entry["verdict"] not in (Verdict.GOOD, Verdict.NEUTRAL, Verdict.BAD):
        raise ValueError(f"its verdict is {entry['verdict']!r}")
    given = [entry[name] for name in PROBABILITIES]
    if given != [None] * 3 and not all(isinstance(p, float | int) and 0 <= p <= 1 for p in given):
        raise ValueError("its probabilities are not three numbers from 0 to 1, or null")
    if any(not isinstance(entry[name], float | int) or entry[name] < 0 for name in (*NUMBERS, *COUNTS)):
        raise ValueError("a cost is not a number of at least 0")
    return {**entry, "key": key}


def import_entries(connection: sqlite3.Connection, entries: list[dict[str, Any]]) -> int:
    """Adds judgments that are not there yet; those that are stay as they are. Returns how many were new."""
    before = connection.total_changes
    marks = ", ".join("?" * len(COLUMNS))
    for start in range(0, len(entries), BATCH):
        with connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany(
                f"INSERT OR IGNORE INTO judgments ({', '.join(COLUMNS)}) VALUES ({marks})",
                [[entry[name] for name in COLUMNS] for entry in entries[start : start + BATCH]],
            )
    return connection.total_changes - before


def prune(connection: sqlite3.Connection, judge: str) -> int:
    """Takes out the judgments of judges whose id contains `judge`, and returns their number."""
    with connection:
        connection.execute("BEGIN IMMEDIATE")
        taken = connection.execute("DELETE FROM judgments WHERE instr(judge, ?)", (judge,)).rowcount
    connection.execute("VACUUM")
    return taken
