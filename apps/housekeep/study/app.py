"""`lmgt study --app housekeep`: trainings of the skills in a generated home, under judges and shift rules."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from apps.housekeep.domain import SEAMS
from apps.housekeep.episodes.load import BUILTIN_FOLDER, ENDING
from apps.housekeep.knowledge.judges import knowledge, make_context
from apps.housekeep.study.training import NOISY, POINTS, cell_config, train
from lmgt_core.errors import UserError
from lmgt_core.judging.registry import make_judge
from lmgt_core.rules.make import make_rule
from lmgt_core.study.app import Field, Result, Settings, check_shares


class HousekeepApp:
    """The cells: one training of the relevance network each, its judge not gated."""

    name = "housekeep"
    presets = Path(__file__).parent / "presets"
    fields: Mapping[str, Field] = {
        "home": Field("train_home_1", "generated home that is tidied"),
        "rule": Field("raw", "shift rule"),
        "judge": Field(NOISY, "judge (noisy: the expert, which reads the truth, made to err)"),
        "accuracy": Field(1.0, "accuracy of the noisy judge (0: always wrong, 1: always right)"),
        "scale": Field(1.0, "size of a shift (units of reward: one object put right is 1)"),
        "judge_share": Field(0.5, "share of the training after which a fading rule's judge has no say"),
        "reward": Field("sparse", "the task's own reward, sparse or dense"),
        "steps": Field(1600, "skills of a training"),
    }
    metrics: Mapping[str, str] = {
        "object_success": "share of misplaced objects put right at the end of training, without any shift",
        "net_success": "the same minus those put wrong, without any shift",
        "mean_object_success": "mean object success over the training's evaluations",
        "mean_net_success": "mean net success over the training's evaluations",
        "judgments": "judgments that the training used, repeated questions included",
        "train_seconds": "seconds of training (wall clock, with evaluations)",
    }

    def check(self, settings: Settings) -> None:
        """UserError for what cannot be run."""
        s: Any = settings
        homes = sorted(path.name.removesuffix(ENDING) for path in BUILTIN_FOLDER.glob(f"*{ENDING}"))
        if s["home"] not in homes:
            raise UserError(f"home {s['home']}: no such generated home; choose one of {', '.join(homes)}")
        check_shares(settings, "accuracy", "judge_share")
        if s["steps"] < POINTS:
            raise UserError(f"steps {s['steps']}: is {POINTS} or more")
        if s["reward"] not in ("sparse", "dense"):
            raise UserError(f"reward {s['reward']}: choose one of sparse, dense")
        config = cell_config(settings)
        make_judge(config.judge, make_context(knowledge(None, None)))
        make_rule(config.rule, config.scale, config.steps, horizon=config.horizon, seams=SEAMS[config.algorithm])

    def run(self, settings: Settings, seed: int) -> Result:
        """Trains once."""
        return train(settings, seed)


APP = HousekeepApp()
