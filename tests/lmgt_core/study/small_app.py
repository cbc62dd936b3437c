"""An app whose trainings take no time, for the tests of the study framework; its numbers are known."""

import os
import signal
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from lmgt_core.errors import UserError
from lmgt_core.study.app import Field, Result, Settings
from lmgt_core.study.plan import Plan
from lmgt_core.study.study_file import parse_plan

STUDY = """\
question: How good is it?
vary:
  rule: [plain, clever]
  accuracy: [0.5, 0.7, 0.9]
fixed:
  world: flat
also:
  - {rule: none}
seeds: 4
show:
  x: accuracy
  by: rule
  metrics: [score]
  break_even: true
"""


class SmallApp:
    """score = accuracy - 0.6 (clever: twice that), plus a little noise that the seed decides; without a rule 0."""

    name = "small"
    presets = Path(__file__).parent
    fields: Mapping[str, Field] = {
        "rule": Field("plain", "the rule"),
        "accuracy": Field(0.5, "accuracy of the judge"),
        "world": Field("flat", "the world"),
        "judge": Field("x", "the judge", optional=True),
        "size": Field(3, "size"),
        "loud": Field(False, "loudness"),
    }
    metrics: Mapping[str, str] = {"score": "score (points)", "train_seconds": "seconds"}

    def check(self, settings: Settings) -> None:
        if settings["rule"] not in ("plain", "clever", "none"):
            raise UserError(f"rule {settings['rule']}: choose one of plain, clever, none")

    def run(self, settings: Settings, seed: int) -> Result:
        if (log := os.environ.get("SMALL_APP_LOG")) is not None:  # one line a training, for the tests of claims
            with open(log, "a") as file:
                file.write(f"{settings['rule']} {settings['accuracy']} {seed}\n")
        if "SMALL_APP_DIES" in os.environ:
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(float(os.environ.get("SMALL_APP_SECONDS", "0")))
        gain = {"none": 0.0, "plain": 1.0, "clever": 2.0}[str(settings["rule"])]
        noise = np.random.default_rng(seed).normal(0, 0.01)
        return {"score": gain * (float(settings["accuracy"] or 0) - 0.6) + noise, "train_seconds": time.perf_counter()}


APP = SmallApp()
TARGET = "tests.lmgt_core.study.small_app:APP"


def small_plan(text: str = STUDY) -> Plan:
    """The study above, or another one."""
    return parse_plan(text, Path("small.yaml"), APP)
