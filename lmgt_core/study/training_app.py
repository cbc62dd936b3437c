"""A study of any app's trainings: every setting of its `train` command can be varied."""

import atexit
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, field, fields, replace
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from lmgt_core.errors import UserError
from lmgt_core.guidance.guidance import Guidance
from lmgt_core.study.app import Field, Result, Scalar, Settings
from lmgt_core.training.config import TrainingConfig, check_training
from lmgt_core.training.driver import CACHE, Training, train_one
from lmgt_core.training.run_log import RunLog

AUDITS: dict[tuple[Training, TrainingConfig], Mapping[str, Any]] = {}  # of this process


@dataclass(frozen=True)
class TrainingStudy:
    """The cells are trainings of `training`; a setting is a flag of its command, under the field's name.

    Judges are audited and gated as in the command. Each question is asked once in a study, whatever it trains.
    """

    name: str
    training: Training
    config: type[TrainingConfig]
    about: Mapping[str, str]
    """Settings that a study may vary -> their meaning with the unit (an axis' label)."""
    metrics: Mapping[str, str]
    """Metrics -> their meaning and unit; `train_seconds` is added."""
    presets: Path
    defaults: Mapping[str, Scalar] = field(default_factory=dict)
    """Where a study's default is another than the command's."""
    extra: Callable[[dict[str, Any]], dict[str, Any]] = lambda settings: settings
    """Turns settings into the config's fields, where they differ."""
    cache: Path | None = None
    """The file of judgments (default: one that goes when the process ends)."""

    @cached_property
    def fields(self) -> Mapping[str, Field]:
        """Every setting of a cell, by name."""
        own = self.defaults
        found = {f.name: f.default for f in fields(self.config) if f.default is not MISSING}
        return {
            name: Field(own[name] if name in own else found[name], about, optional=found.get(name) is None)
            for name, about in self.about.items()
        }

    def in_folder(self, folder: Path) -> "TrainingStudy":
        """The same study with its judgments in the study's folder, where all processes and later commands find them."""
        return replace(self, cache=folder / CACHE)

    def check(self, settings: Settings) -> None:
        """UserError naming the setting that does not fit; nothing is run."""
        config = self._config(settings, Path("unused"), 0)
        check_training(config, self.training.least_steps)
        self.training.check(config)
        self.training.guidance(config)

    def run(self, settings: Settings, seed: int) -> Result:
        """The metrics of one training."""
        with tempfile.TemporaryDirectory() as folder:
            config = self._config(settings, Path(folder) / "run", seed)
            RunLog.create(config.out, {"app": self.name}).close()
            guidance = self._audited(config)
            result = train_one(self.training, config, guidance.audit, seed, lambda done: None, guidance)
        if unknown := self.metrics.keys() - result["metrics"].keys() - {"judgments"}:
            raise UserError(f"study of {self.name}: a training gave no {min(unknown)}")
        judged = {"judgments": float((result["judge_stats"] or {}).get("judgments", 0))}
        known = {**result["metrics"], **judged, "train_seconds": result["seconds"]}
        return {name: known[name] for name in (*self.metrics, "train_seconds")}

    def _audited(self, config: TrainingConfig) -> Guidance:
        """The config's guidance; a process audits a judge once, whatever the budget, the seed and the rule."""
        key = (self.training, replace(config, out=Path(), seeds=(), steps=0, evaluate_every=None, rule="", scale=0.0))
        guidance: Guidance = self.training.guidance(config).audited(AUDITS.get(key))
        AUDITS[key] = guidance.audit
        return guidance

    def _config(self, settings: Settings, out: Path, seed: int) -> TrainingConfig:
        given: dict[str, Any] = self.extra(dict(settings))
        return replace(self.config(), **given, out=out, seeds=(seed,), cache=self.cache or judgments())


@cache
def judgments() -> Path:
    """A file for the judgments of this process, which goes when the process ends."""
    folder = tempfile.TemporaryDirectory(prefix="lmgt-study-")
    atexit.register(folder.cleanup)
    return Path(folder.name) / CACHE
