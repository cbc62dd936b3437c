"""One run directory: what was run, what happened, and how to go on after a kill.

    config.json                everything resolved, and the provenance
    audit.json                 what the judge's audit found, for whoever trains further seeds
    episodes.csv               one row an episode of training, sorted by (seed, episode); merged from the seeds' own
    evaluations.csv            one row an evaluation, sorted by (seed, decisions); merged likewise
    summary.json               written last: a run without it is unfinished
    seeds/N/episodes.csv       written by whichever process runs seed N, on the disk as soon as it is recorded
    seeds/N/evaluations.csv
    seeds/N/result.json        written when the seed is finished
    checkpoints/seed_N.pt      the latest checkpoint
    tensorboard/seed_N/        scalars; those of --wandb lie in wandb/

The report looks for these columns: `decisions` (taken in training so far), `return` (unshifted) in episodes.csv, and
in evaluations.csv any number of metrics beside `decisions`. Columns named `*_seconds` are measured: they may differ
between a killed and an unkilled run, everything else may not.
"""

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from lmgt_core.errors import UserError
from lmgt_core.files import TEMPORARY, plain, read_json, to_json, write_atomic, write_json_atomic
from lmgt_core.training.keyed_csv import Cell, KeyedCsv, csv_line, read_table
from lmgt_core.training.tensorboard_log import TensorBoardLog
from lmgt_core.training.wandb_log import WandbLog

FORMAT = "lmgt-run-1"
TABLES = {"episodes": ("seed", "episode"), "evaluations": ("seed", "decisions")}  # name -> key
FORMER = {"min_precision": 0.75}  # defaults that have changed; a run goes on with what its own audit found
INCIDENTAL = frozenset(  # fields of config.json that may change when a run is resumed
    {
        "command",
        "versions",
        "git_revision",
        "platform",
        "host",
        "provenance",
        "started",
        "out",
        "resume",
        "workers",
        "json",
    }
)


class RunLog:
    """The writer of one run directory; use `create` in the process that starts the run and `open` in its workers.

    Seeds may run in parallel, each written by one process at a time (a lock keeps a second one out).
    """

    def __init__(self, path: Path, config: Mapping[str, Any], wandb: str | None = None) -> None:
        self.path = path
        self.config = config
        self.wandb = wandb
        self._tables: dict[tuple[int, str], KeyedCsv] = {}
        self._scalars: dict[int, list[TensorBoardLog | WandbLog]] = {}

    @classmethod
    def create(
        cls,
        path: Path | str,
        config: Mapping[str, Any],
        resume: bool = False,
        defaults: Mapping[str, Any] | None = None,
        renamed: Mapping[str, str] | None = None,
    ) -> "RunLog":
        """The log of a new run in `path`, or of the run that is there when `resume` and its config is the same.

        Seeds may differ: a run can be given more of them, also by several commands at once. A setting that the run
        there does not know counts as the same where it is among `defaults` (nobody gave it), and so does one that had
        another default then. `renamed` gives the present names of settings that had others.

        UserError when the folder holds a run and `resume` is False, a run with another config (naming the first field
        that differs), or anything that is not a run. Nothing that is there is ever deleted.
        """
        path = Path(path)
        config = {**plain(config), "format": FORMAT}
        if path.exists() and not path.is_dir():
            raise UserError(f"{path}: is a file; --out names a folder")
        if (path / "config.json").exists():
            _check_resumable(path, config, resume, plain(defaults or {}), renamed or {})
            _remove_temporaries(path)
            return cls(path, config)
        foreign = sorted(p.name for p in path.iterdir() if not p.name.endswith(TEMPORARY)) if path.exists() else []
        if foreign and (path / "config.json").exists():  # another command has just begun the same run
            return cls.create(path, config, resume, defaults, renamed)
        if foreign:
            raise UserError(f"{path}: holds {foreign[0]} but no run (no config.json); name a new folder with --out")
        write_json_atomic(path / "config.json", config)
        return cls(path, config)

    @classmethod
    def open(cls, path: Path | str, wandb: str | None = None) -> "RunLog":
        """The log of the run that `create` made in `path`, for a worker process or a reader.

        Scalars go to the W&B project `wandb` too, where one is named.
        """
        return cls(Path(path), read_config(path), wandb)

    def record_episode(self, seed: int, row: Mapping[str, Cell]) -> None:
        """Puts an episode on the disk; `row` has "episode", its number within the seed.

        A row that is there already (a resumed run recomputing from its last checkpoint) is compared, not written twice;
        a value that does not exist (an efficiency of nothing) is None or left out, and an empty cell.
        """
        self.record_episodes(seed, [row])

    def record_episodes(self, seed: int, rows: Iterable[Mapping[str, Cell]]) -> None:
        """Puts these episodes on the disk as `record_episode` would one by one, waiting for the disk once."""
        self._table(seed, "episodes").extend({"seed": seed, **row} for row in rows)

    def record_evaluation(self, seed: int, row: Mapping[str, Cell]) -> None:
        """Puts an evaluation on the disk; `row` has "decisions" (taken so far); compared as episodes are."""
        self._table(seed, "evaluations").append({"seed": seed, **row})

    def scalar(self, seed: int, name: str, value: float, step: int) -> None:
        """Adds a scalar of one seed, to TensorBoard's files and to W&B where it was asked for."""
        if seed not in self._scalars:
            self._scalars[seed] = [TensorBoardLog(self.path / "tensorboard" / f"seed_{seed}")]
            if self.wandb is not None:
                self._scalars[seed].append(WandbLog(self.wandb, self.path, seed, self.config))
        for log in self._scalars[seed]:
            log.scalar(name, value, step)

    def save_checkpoint(self, seed: int, content: bytes) -> None:
        """Replaces the seed's checkpoint by `content`."""
        write_atomic(self._checkpoint(seed), content)

    def load_checkpoint(self, seed: int) -> bytes | None:
        """The seed's latest checkpoint, or None when none was saved."""
        path = self._checkpoint(seed)
        return path.read_bytes() if path.exists() else None

    def finish_seed(self, seed: int, result: Mapping[str, Any]) -> None:
        """Marks a seed as finished with its `result`, lets go of its files and merges the tables."""
        self.close(seed)
        write_json_atomic(self._seed_folder(seed) / "result.json", result)
        self.merge()

    def seed_result(self, seed: int) -> dict[str, Any] | None:
        """What `finish_seed` was given, or None while the seed is not finished."""
        path = self._seed_folder(seed) / "result.json"
        return dict(read_json(path)) if path.exists() else None

    def results(self) -> dict[int, dict[str, Any]]:
        """What `finish_seed` was given, by seed, of all seeds that are finished, whoever trained them."""
        seeds = sorted(int(p.parent.name) for p in self.path.glob("seeds/*/result.json"))
        return {seed: result for seed in seeds if (result := self.seed_result(seed)) is not None}

    @property
    def seeds(self) -> list[int]:
        """The seeds of the run: those that it was begun with, and those that it was given later and has finished."""
        return sorted({*self.config["settings"]["seeds"], *self.results()})

    @property
    def audit(self) -> dict[str, Any] | None:
        """What `keep_audit` was given, or None."""
        path = self.path / "audit.json"
        return dict(read_json(path)) if path.exists() else None

    def keep_audit(self, audit: Mapping[str, Any]) -> None:
        """Keeps the judge's audit, so that whoever goes on with the run does not ask again."""
        if self.audit is None:
            write_json_atomic(self.path / "audit.json", audit)

    def abandon(self) -> None:
        """Takes the folder away where it holds nothing but the config; whatever was asked or trained stays."""
        if [path.name for path in self.path.iterdir()] == ["config.json"]:
            (self.path / "config.json").unlink()
            self.path.rmdir()

    def rows(self, table: str) -> list[dict[str, str]]:
        """The rows recorded so far in "episodes" or "evaluations", of all seeds, sorted by their key, as text."""
        return read_rows(self.path, table)

    def merge(self) -> None:
        """Writes the run's episodes.csv and evaluations.csv from what the seeds have recorded so far.

        When several workers finish at once an older merge may win: `write_summary`, in the parent, merges last.
        """
        for table in TABLES:
            if rows := read_rows(self.path, table):
                columns = list(dict.fromkeys(name for row in rows for name in row))
                lines = [csv_line(columns), *(csv_line([row.get(name, "") for name in columns]) for row in rows)]
                write_atomic(self.path / f"{table}.csv", "".join(lines))

    def write_summary(self, summary: Mapping[str, Any]) -> None:
        """Merges the tables and writes summary.json, which marks the run as finished."""
        text = to_json(summary)  # a summary that does not fit into JSON must not leave a merged, "finished" folder
        self.close()
        self.merge()
        write_atomic(self.path / "summary.json", text)

    def close(self, seed: int | None = None) -> None:
        """Lets go of the files of one seed, or of all; recording again opens them again."""
        for table in [key for key in self._tables if seed in (None, key[0])]:
            self._tables.pop(table).close()
        for scalars in [key for key in self._scalars if seed in (None, key)]:
            for log in self._scalars.pop(scalars):
                log.close()

    def __enter__(self) -> "RunLog":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _table(self, seed: int, name: str) -> KeyedCsv:
        if (seed, name) not in self._tables:
            self._tables[seed, name] = KeyedCsv(self._seed_folder(seed) / f"{name}.csv", TABLES[name])
        return self._tables[seed, name]

    def _seed_folder(self, seed: int) -> Path:
        return self.path / "seeds" / str(seed)

    def _checkpoint(self, seed: int) -> Path:
        return self.path / "checkpoints" / f"seed_{seed}.pt"


def read_config(path: Path | str) -> dict[str, Any]:
    """config.json of the run in `path`; UserError when the folder is not a run."""
    file = Path(path) / "config.json"
    if not file.is_file():
        raise UserError(f"{path}: is not a run (no config.json); name a folder that a train command wrote with --out")
    config = read_json(file)
    if not isinstance(config, dict) or config.get("format") != FORMAT:
        raise UserError(f"{file}: is not a run's config (format is not {FORMAT}); name a folder that train wrote")
    return config


def read_rows(path: Path | str, table: str) -> list[dict[str, str]]:
    """What the seeds of a run have recorded in "episodes" or "evaluations", sorted by key; [] when nothing.

    Reads the seeds' own files, so a killed or still running run shows everything that it acknowledged; where they were
    not kept, the merged file.
    """
    path, key = Path(path), TABLES[table]
    files = sorted(path.glob(f"seeds/*/{table}.csv")) or [path / f"{table}.csv"]
    rows = []
    for file in files:
        if file.exists():
            columns, lines = read_table(file, key)
            rows += [dict(zip(columns, cells, strict=True)) for cells in lines]
    return sorted(rows, key=lambda row: tuple(int(row[name]) for name in key))


def first_difference(before: Any, now: Any, field: str = "") -> tuple[str, Any, Any] | None:
    """(field, value before, value now) of the first difference between two JSON values; None when they are equal.

    Fields are visited in alphabetical order and named with dots; a field that one side lacks has the value "(absent)".
    """
    if isinstance(before, dict) and isinstance(now, dict):
        for key in sorted(before.keys() | now.keys()):
            inner = f"{field}.{key}" if field else key
            if difference := first_difference(before.get(key, "(absent)"), now.get(key, "(absent)"), inner):
                return difference
        return None
    same = before == now and isinstance(before, bool) is isinstance(now, bool)  # True == 1, but not as a setting
    return None if same else (field, before, now)


def _check_resumable(
    path: Path, config: Mapping[str, Any], resume: bool, defaults: Mapping[str, Any], renamed: Mapping[str, str]
) -> None:
    there = read_config(path)
    if not resume:
        raise UserError(f"{path}: holds a run already; continue it with --resume or name another folder with --out")
    before_all, now_all = (_compared(c) for c in (there, config))
    known, told = before_all.get("settings"), now_all.get("settings")
    if isinstance(known, dict) and isinstance(told, dict):
        before_all["settings"] = known = {renamed.get(name, name): value for name, value in known.items()}
        for name in told.keys() - known.keys() & defaults.keys():
            del told[name]
        for name in told.keys() & defaults.keys() & FORMER.keys():
            if known.get(name) == FORMER[name]:
                told[name] = FORMER[name]
    if difference := first_difference(before_all, now_all):
        field, before, now = difference
        raise UserError(
            f"{path}: --resume needs the same settings, but {field} was {before!r} and is now {now!r}; "
            "give it the old value or name another folder with --out"
        )


def _compared(config: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a config that have to be the same when its run goes on, settings in a copy of their own."""
    fields = {name: value for name, value in config.items() if name not in INCIDENTAL}
    if isinstance(settings := fields.get("settings"), dict):
        fields["settings"] = {name: value for name, value in settings.items() if name != "seeds"}
    return fields


def _remove_temporaries(path: Path) -> None:
    """Removes what a kill left of `write_atomic`; only our own names, so nothing of the user's is touched."""
    for file in _own_temporaries(path):
        file.unlink(missing_ok=True)


def _own_temporaries(path: Path) -> Iterator[Path]:
    for folder in (path, path / "checkpoints", *path.glob("seeds/*")):
        for name in os.listdir(folder) if folder.is_dir() else []:
            if name.startswith(".") and name.endswith(TEMPORARY):
                yield folder / name
