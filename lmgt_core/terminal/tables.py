"""Tables for people, and the same rows for programs."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lmgt_core.files import write_json_atomic

Row = Mapping[str, Any]
LOG_WIDTH = 160  # characters
ABSENT = "–"  # no value; never 0, which is one


def print_table(rows: Sequence[Row], title: str = "", columns: Sequence[str] | None = None, note: str = "") -> None:
    """Prints `rows` as a table with their keys, or `columns`, as headings."""
    from rich.box import SIMPLE
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    if not rows:
        print(f"{title}: no rows" if title else "no rows")
        return
    names = column_names(rows) if columns is None else list(columns)
    table = Table(title=title or None, box=SIMPLE, title_justify="left", caption=note or None, caption_justify="left")
    for name in names:
        table.add_column(Text(name), justify="right" if _all_numbers(rows, name) else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell(row.get(name))) for name in names))  # Text: a [bracket] in a name is not markup
    console = Console()
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console = Console(width=LOG_WIDTH)  # a log has no width: the usual 80 would fold every cell
    console.print(table)


def write_rows(path: Path | str, rows: Sequence[Row]) -> None:
    """Writes {"rows": [...]} to `path`, the same columns that are printed, for `--json FILE`."""
    write_json_atomic(path, {"rows": [dict(row) for row in rows]})


def column_names(rows: Sequence[Row]) -> list[str]:
    """Every key of `rows`, in the order in which they first come up."""
    return list(dict.fromkeys(name for row in rows for name in row))


def cell(value: Any) -> str:
    """`value` as it is shown: three significant digits, intervals as [low, high], nothing as a dash."""
    if value is None or value == "":
        return ABSENT
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return number(value)
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {cell(item)}" for name, item in value.items()) or ABSENT
    if isinstance(value, Sequence) and not isinstance(value, str):
        inner = ", ".join(cell(item) for item in value)
        return f"[{inner}]" if len(value) == 2 and all(isinstance(item, float) for item in value) else inner or ABSENT
    return str(value)


def number(value: float) -> str:
    """A float with about three significant digits and no exponent between 0.001 and a billion."""
    size = abs(value)
    if size >= 1e9 or 0 < size < 1e-3:
        return f"{value:.2e}"
    if size >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if size >= 10 else f"{value:.3f}"


def _all_numbers(rows: Sequence[Row], name: str) -> bool:
    values = [row[name] for row in rows if row.get(name) is not None]
    return bool(values) and all(isinstance(v, int | float) and not isinstance(v, bool) for v in values)
