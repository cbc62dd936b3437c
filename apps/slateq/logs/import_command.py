"""`lmgt slateq import`: a Parquet file of one's own becomes a log, or one line says where it is wrong."""

from itertools import chain
from typing import Any

from apps.slateq.logs.check import (
    SessionCheck,
    checked_click,
    checked_more,
    checked_propensities,
    checked_slates,
)
from apps.slateq.logs.column_map import ColumnMap, Theirs, read_map
from apps.slateq.logs.config import ImportConfig
from apps.slateq.logs.lists import lengths_of, list_array
from apps.slateq.logs.reader import open_parquet
from apps.slateq.logs.schema import NOTHING, SCORES, SLATES, arrow, arrow_schema
from apps.slateq.logs.writer import parquet_writer
from lmgt_core.errors import UserError
from lmgt_core.terminal.progress import progress

BATCH = 16_384  # rows that are in memory, and of a row group


def main(config: ImportConfig) -> int:
    """Writes the log and returns how many slates it holds."""
    given = read_map(config.columns)
    source = open_parquet(config.source)
    columns = ColumnMap.of(config.source, given, source.schema_arrow.names)
    if config.out.exists() and config.out.samefile(config.source):
        raise UserError(f"--out {config.out}: is the file that is read; name another")
    if not source.metadata.num_rows:
        raise UserError(f"{config.source}: holds no rows")
    sessions, begin = SessionCheck(), 0
    batches = source.iter_batches(batch_size=BATCH, columns=list(columns.names.values()))
    first = next(batches)
    schema = _schema(Theirs.of(columns, 0, first), config)
    with parquet_writer(config.out, schema) as writer, progress("rows", source.metadata.num_rows) as bar:
        for batch in chain([first], batches):
            writer.write_table(_table(Theirs.of(columns, begin, batch), sessions, schema))
            begin += len(batch)
            bar.advance(len(batch))
    print(f"{config.out}: {begin:,} slates in {len(sessions.seen):,} sessions")
    return begin


def _schema(rows: Theirs, config: ImportConfig) -> Any:
    pa = arrow()
    ids = rows.list_column("candidates").type.value_type
    extra: dict[str, Any] = {n: None for n in ("propensities", "marginals", "context", "features") if rows.has(n)}
    extra |= {name: pa.list_(pa.float32()) for name in rows.columns if name.startswith(SCORES)}
    extra |= {name: pa.list_(pa.int32()) for name in rows.columns if name.startswith(SLATES)}
    session = rows.columns["session"].type
    return arrow_schema(
        {"world": None, "from": config.source.name},
        pa.string() if pa.types.is_string(session) else pa.int64(),
        pa.string() if pa.types.is_string(ids) else pa.int64(),
        extra,
    )


def _table(rows: Theirs, sessions: SessionCheck, schema: Any) -> Any:
    """The rows as a log has them; UserError for the first that is wrong."""
    pa = arrow()
    step, time = sessions.steps(rows)
    slate, lengths, candidates = checked_slates(rows)
    counts = lengths_of(rows.columns["candidates"])
    propensities = checked_propensities(rows, lengths)
    click, reward = checked_click(rows, slate, lengths, candidates)
    arrays = {
        "session": rows.columns["session"],
        "step": pa.array(step),
        "time": pa.array(time),
        "candidates": rows.columns["candidates"],
        "slate": list_array(slate, lengths),
        "propensity": pa.array(propensities["propensity"]),
        "click": pa.array(click, mask=click == NOTHING),
        "reward": pa.array(reward),
    }
    for name in ("propensities", "marginals"):
        if name in propensities:
            arrays[name] = list_array(propensities[name], lengths)
    for name, (values, given) in checked_more(rows, candidates, counts, lengths).items():
        arrays[name] = list_array(values, given)
    return pa.Table.from_arrays([arrays[f.name].cast(f.type) for f in schema], schema=schema)
