"""A run directory as a report reads it: finished or not, of whatever app."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lmgt_core.errors import UserError
from lmgt_core.files import read_json
from lmgt_core.training.run_log import INCIDENTAL, TABLES, read_config, read_rows
from lmgt_core.training.statistics import summarise

NO_JUDGE = "none"
COUNTERS = frozenset({"seed", "episode", "episodes", "decisions", "steps_total", "primitive_steps", "n"})
META = INCIDENTAL | {"format", "prompt", "app"}
SeedTable = Mapping[int, Sequence[Mapping[str, float]]]  # seed -> rows in order, numbers only


@dataclass(frozen=True)
class ReportRun:
    """What one run directory says; absent parts are empty, and `finished` says whether a summary was written."""

    name: str
    path: Path
    config: Mapping[str, Any]
    summary: Mapping[str, Any]
    results: Mapping[int, Mapping[str, Any]]
    episodes: SeedTable
    evaluations: SeedTable

    @property
    def finished(self) -> bool:
        return bool(self.summary)

    @property
    def settings(self) -> dict[str, Any]:
        """Every setting under a dotted name, without provenance."""
        flat: dict[str, Any] = {}
        for name, value in self.config.items():
            if name == "settings" and isinstance(value, Mapping):
                flat |= flatten(value)
            elif name not in META:
                flat |= flatten({name: value})
        if isinstance(prompt := self.config.get("prompt"), Mapping):
            flat |= flatten({"prompt": prompt})
        return flat

    @property
    def provenance(self) -> dict[str, Any]:
        """The config with the fields of `lmgt_core.training.provenance`, wherever the app put them."""
        inner = self.config.get("provenance")
        return {**self.config, **(inner if isinstance(inner, Mapping) else {})}

    def field(self, name: str) -> Any:
        """A field of the summary, else a setting of that name, else None."""
        value = self.summary.get(name)
        if value is None:
            value = self.config.get("app") if name == "app" else self.settings.get(name)
        return value

    @property
    def judge(self) -> str:
        return str(self.field("judge") or NO_JUDGE)

    @property
    def is_baseline(self) -> bool:
        """Whether no judge was asked."""
        return self.judge == NO_JUDGE

    @property
    def judge_kind(self) -> str:
        """What the judge is, in the words of JudgeKind; "no judge" for none."""
        if self.is_baseline:
            return "no judge"
        kind = self.field("judge_kind") or self.audit.get("kind")
        return str(kind) if kind else "kind not recorded"

    @property
    def group(self) -> str:
        """The app and environment: runs of one group are compared with one another."""
        names = [str(self.field(name)) for name in ("app", "env") if self.field(name)]
        return ": ".join(names) or "unnamed app"

    @property
    def audit(self) -> Mapping[str, Any]:
        audit = self.summary.get("audit")
        return audit if isinstance(audit, Mapping) and audit.get("n") else {}

    @property
    def gate_on(self) -> bool | None:
        """Whether the gate was in force; None when nothing says so."""
        for value in (self.audit.get("gated"), self.settings.get("gate")):
            if isinstance(value, bool):
                return value and self.settings.get("gate") is not False
        return None

    @property
    def silent(self) -> bool:
        """Whether the gate let no judgment through."""
        return bool(self.audit.get("silent")) and self.gate_on is not False

    @property
    def seeds(self) -> list[int]:
        """The seeds that the run was asked for, or that were seen."""
        asked = self.field("seeds")
        if isinstance(asked, Sequence) and not isinstance(asked, str):
            return [int(seed) for seed in asked]
        return sorted({*self.results, *self.episodes, *self.evaluations})

    @property
    def metrics(self) -> dict[str, dict[str, Any]]:
        """{name: {mean, iqm, ci95, n}}: the summary's, else of each seed's last evaluation; counters left out."""
        given = self.summary.get("metrics")
        if isinstance(given, Mapping):
            found = {name: dict(value) for name, value in given.items() if isinstance(value, Mapping)}
        else:
            found = {name: summarise(list(values.values())) for name, values in self.last_values.items()}
        order = {name: position for position, name in enumerate(self.evaluated)}
        return dict(sorted(found.items(), key=lambda item: (order.get(item[0], len(order)), item[0])))

    @property
    def evaluated(self) -> list[str]:
        """The metrics in evaluations.csv, in its columns' order."""
        columns = dict.fromkeys(name for rows in self.evaluations.values() for row in rows for name in row)
        return [name for name in columns if name not in COUNTERS and not name.endswith("_seconds")]

    @property
    def last_values(self) -> dict[str, dict[int, float]]:
        """{metric: {seed: value}} of each seed's last evaluation, or, without one, of its result."""
        values: dict[str, dict[int, float]] = {}
        for seed in self.seeds:
            rows, result = self.evaluations.get(seed), self.results.get(seed, {}).get("metrics", {})
            last = {name: rows[-1][name] for name in self.evaluated if name in rows[-1]} if rows else result
            for name, value in last.items():
                if isinstance(value, int | float):
                    values.setdefault(name, {})[seed] = float(value)
        return values

    @property
    def judge_stats(self) -> Mapping[str, Any]:
        stats = self.summary.get("judge_stats")
        return stats if isinstance(stats, Mapping) and not self.is_baseline else {}

    @property
    def wall_seconds(self) -> float | None:
        """Seconds of training, added up over seeds, or None when nobody wrote them down."""
        for name in ("wall_seconds", "seconds"):
            if isinstance(value := self.summary.get(name), int | float):
                return float(value)
            parts = [result.get(name) for result in self.results.values()]
            if parts and all(isinstance(part, int | float) for part in parts):
                return float(sum(part for part in parts if part is not None))
        return None

    @property
    def status(self) -> str:
        """How far the run has come."""
        if self.finished:
            return "finished"
        recorded = [*self.episodes.values(), *self.evaluations.values()]
        decisions = max((int(rows[-1].get("decisions", 0)) for rows in recorded if rows), default=0)
        return f"unfinished: {len(self.results)} of {len(self.seeds)} seeds done, furthest at {decisions:,} decisions"


def load_runs(paths: Sequence[Path]) -> list[ReportRun]:
    """The runs in `paths`, each once, with names that tell them apart; UserError for a folder that is not a run."""
    unique = list({path.resolve(): path for path in paths}.values())
    if not unique:
        raise UserError("no run was named; give one or more folders that a train command wrote with --out")
    names = [path.resolve().name for path in unique]
    clashing = len(set(names)) < len(names)
    return [
        load_run(path, f"{path.resolve().parent.name}/{name}" if clashing else name)
        for path, name in zip(unique, names, strict=True)
    ]


def load_run(path: Path, name: str) -> ReportRun:
    """The run in `path`; UserError naming the file when a part of it is damaged."""
    config = read_config(path)
    summary = read_json(path / "summary.json") if (path / "summary.json").exists() else {}
    results = {int(f.parent.name): read_json(f) for f in path.glob("seeds/*/result.json") if f.parent.name.isdigit()}
    for file, value in ((path / "summary.json", summary), *((path / f"seeds/{s}", r) for s, r in results.items())):
        if not isinstance(value, dict):
            raise UserError(f"{file}: holds no JSON object; the file was damaged")
    episodes, evaluations = (_by_seed(read_rows(path, table)) for table in TABLES)
    return ReportRun(name, path, config, summary, dict(sorted(results.items())), episodes, evaluations)


def flatten(settings: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """{"a": {"b": 1}} as {"a.b": 1}."""
    flat: dict[str, Any] = {}
    for name, value in settings.items():
        if isinstance(value, Mapping):
            flat |= flatten(value, f"{prefix}{name}.")
        else:
            flat[prefix + name] = value
    return flat


def _by_seed(rows: Sequence[Mapping[str, str]]) -> dict[int, list[dict[str, float]]]:
    seeds: dict[int, list[dict[str, float]]] = {}
    for row in rows:
        numbers = {name: value for name, text in row.items() if (value := _number(text)) is not None}
        seeds.setdefault(int(row["seed"]), []).append(numbers)
    return seeds


def _number(text: str) -> float | None:
    """The finite number that `text` is; None for words and empty cells."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
