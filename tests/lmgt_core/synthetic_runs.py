"""Run directories as training writes them, made by RunLog from made-up numbers."""

from pathlib import Path
from typing import Any

import numpy as np

from lmgt_core.training.run_log import RunLog
from lmgt_core.training.statistics import summarise

AUDIT = {
    "judge": "minilm:1",
    "kind": "embedding model",
    "n": 600,
    "accuracy": 0.71,
    "baseline": 0.5,
    "auc": 0.74,
    "auc_ci95": [0.7, 0.78],
    "min_precision": 0.75,
    "held_out": {"n": 300, "coverage": 0.42, "precision": 0.81, "precision_ci95": [0.76, 0.86]},
    "held_out_ok": True,
    "gated": True,
    "silent": False,
}


def write_run(
    folder: Path,
    judge: str = "none",
    kind: str = "",
    level: float = 0.0,
    seeds: tuple[int, ...] = (0, 1, 2),
    audit: dict[str, Any] | None = None,
    finish: bool = True,
    config: dict[str, Any] | None = None,
    summary: dict[str, Any] | None = None,
) -> Path:
    """A run whose `object_success` rises to about `level`; with `finish` False the last seed stops half-way."""
    rng = np.random.default_rng(len(judge) + int(100 * level))
    settings = {"judge": judge, "rule": "raw", "steps": 400, "seeds": list(seeds), "gate": True, **(config or {})}
    made = {"command": f"lmgt test train --judge {judge}", "git_revision": "abc", "versions": {"numpy": "1.26.4"}}
    last: dict[int, float] = {}
    with RunLog.create(folder, {"app": "test", "settings": settings, **made}) as log:
        for seed in seeds:
            length = 40 if finish or seed != seeds[-1] else 20
            for episode in range(length):
                step, progress = 10 * (episode + 1), (episode + 1) / 40
                value = float(np.clip(level * progress + rng.normal(0, 0.03), 0, 1))
                log.record_episode(seed, {"episode": episode, "decisions": step, "return": 4 * value, "scene": "house"})
                if step % 100 == 0:
                    row = {"decisions": step, "episodes": 20, "object_success": value, "net_success": value - 0.1}
                    log.record_evaluation(seed, row)
                    last[seed] = value
            if length == 40:
                result = {"metrics": {"object_success": last[seed], "net_success": last[seed] - 0.1}, "seconds": 20.0}
                log.finish_seed(seed, result)
        if finish:
            whole = {
                "app": "test",
                "env": "house.json.gz",
                "algorithm": "drrn",
                "control": "skills",
                "judge": judge,
                "judge_kind": kind or "no judge",
                "rule": "raw",
                "seeds": list(seeds),
                "steps": 400,
                "seconds": 60.0,
                "metrics": {
                    "object_success": summarise(list(last.values())),
                    "net_success": summarise([value - 0.1 for value in last.values()]),
                },
                "judge_stats": {"judgments": 900, "cache_hits": 700, "unreadable": 2, "abstained": 90, "seconds": 15.0},
                "audit": audit or {},
            }
            log.write_summary({**whole, **(summary or {})})
    return folder
