"""What a training computed, as JSON, and on what: for storing it, and for comparing it with what was stored.

Tables are kept as the SHA-256 of their rows, without the columns that are measured (`*_seconds`); final metrics and the
judge's counts are kept in clear. A column, metric or count that the stored numbers do not have is left out of a
comparison, so that later versions may tell more.
"""

import csv
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from tests.golden.runs import Run

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = (
    "numpy",
    "scipy",
    "torch",
    "tensorflow-cpu",
    "tf-agents",
    "stable-baselines3",
    "gymnasium",
    "mujoco",
    "ale-py",
)
TABLES = ("episodes", "evaluations")
MEASURED = ("seconds", "cache_hits")  # of the judge's counts: times, and what an earlier run may have left
GATE = ("thresholds", "silent")  # of an audit: what was let through


def lmgt(*words: str) -> subprocess.CompletedProcess[str]:
    """The ended command, in a process of its own: on one thread and the CPU, whatever else this one did before."""
    surroundings = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": "", "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, "-m", "apps.cli", *words]
    return subprocess.run(command, cwd=ROOT, env=surroundings, capture_output=True, text=True, check=False)


def computed(run: Run, folder: Path, stored: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """What `run` computes, at a new `folder`; of its columns, metrics and counts those `stored`, or all."""
    shown = folder.with_suffix(".json")
    done = lmgt(*run.words, *(["--json", str(shown)] if run.shows_rows else ["--out", str(folder)]))
    assert done.returncode == 0, done.stderr[-3000:]
    if run.shows_rows:
        return row_numbers(shown, stored)
    return study_numbers(folder, stored) if run.words[0] == "study" else run_numbers(folder, stored)


def row_numbers(path: Path, stored: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Of a table that a command wrote with --json: its rows, without those of metrics that are not stored."""
    rows = json.loads(path.read_text())["rows"]
    if stored is not None:
        metrics = {row.get("metric") for row in stored["rows"]}
        rows = [row for row in rows if row.get("metric") in metrics]
    before = [None] * len(rows) if stored is None or len(stored["rows"]) != len(rows) else stored["rows"]
    return {"rows": [chosen(row, known) for row, known in zip(rows, before, strict=True)]}


def run_numbers(folder: Path, stored: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Of a run folder: the audit's gate, and for each seed its tables, final metrics and judge's counts."""
    audit = json.loads((folder / "summary.json").read_text()).get("audit") or {}
    found: dict[str, Any] = {"gate": {name: audit.get(name) for name in GATE}, "seeds": {}}
    for result in sorted(folder.glob("seeds/*/result.json")):
        seed, told = result.parent.name, json.loads(result.read_text())
        before = None if stored is None else stored["seeds"][seed]
        stats = told["judge_stats"]
        found["seeds"][seed] = {
            "metrics": chosen(told["metrics"], before and before["metrics"]),
            "judge_stats": None if stats is None else chosen(stats, before and before["judge_stats"]),
            **{name: table(result.parent / f"{name}.csv", before and before[name]) for name in TABLES},
        }
    return plain(found)


def study_numbers(folder: Path, stored: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Of a study's folder: the metrics of each cell, named by its seed and the settings that are not the app's own."""
    defaults = json.loads((folder / "plan.json").read_text())["defaults"]
    found = {}
    for result in folder.glob("results/*.json"):
        told = json.loads(result.read_text())
        own = {name: value for name, value in told["settings"].items() if value != defaults[name]}
        cell = json.dumps({**own, "seed": told["seed"]}, sort_keys=True)
        found[cell] = chosen(told["metrics"], stored and stored["cells"].get(cell))
    return plain({"cells": dict(sorted(found.items()))})


def chosen(values: Mapping[str, Any], stored: Mapping[str, Any] | None) -> dict[str, Any]:
    """`values` without measured ones: those that are stored, or all."""
    kept = {name: value for name, value in values.items() if not name.endswith("_seconds") and name not in MEASURED}
    return kept if stored is None else {name: value for name, value in kept.items() if name in stored}


def table(path: Path, stored: Mapping[str, Any] | None) -> dict[str, Any]:
    """Columns, number of rows and digest of a CSV file's text; no columns where there is no file."""
    lines = list(csv.reader(path.read_text().splitlines())) if path.exists() else [[]]
    wanted = [name for name in lines[0] if not name.endswith("_seconds")]
    if stored is not None:
        wanted = [name for name in stored["columns"].split(",") if name in wanted]
    places = [lines[0].index(name) for name in wanted]
    text = "\n".join(",".join(line[place] for place in places) for line in lines[1:])
    return {
        "columns": ",".join(wanted),
        "rows": len(lines) - 1,
        "sha256": hashlib.sha256(text.encode()).hexdigest(),
    }


def plain(found: Any) -> dict[str, Any]:
    """As it is after it was written and read; Python writes a float so that the same bits are read."""
    read: dict[str, Any] = json.loads(json.dumps(found))
    return read


def surroundings() -> dict[str, str]:
    """Packages, and the kind of processor, on which the bits of a neural network's numbers depend."""
    import torch

    found = {"python": sys.version.split()[0]}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "absent"
    return {**found, "cpu_capability": torch.backends.cpu.get_cpu_capability(), "cpu_vendor": cpu_vendor()}


def cpu_vendor() -> str:
    """As Linux names it: linear algebra libraries choose their code by it; "" elsewhere."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    return next((line.split(":")[1].strip() for line in lines if line.startswith("vendor_id")), "")
