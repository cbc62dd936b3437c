"""`lmgt study --app control`: trainings and measurements of judges on the classic control tasks."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from apps.control.cartpole_variants import ORIGINAL, VARIANTS, cartpole
from apps.control.study.judges import check_judge
from apps.control.study.training import GOALS, POINTS, train
from lmgt_core.errors import UserError
from lmgt_core.judging.prompt import STRATEGIES
from lmgt_core.judging.registry import NONE
from lmgt_core.rules.cards import Seam
from lmgt_core.rules.make import make_rule
from lmgt_core.study.app import Field, Result, Settings, check_shares, horizon_of


class ControlApp:
    """The cells: one training of a DQN that serves every rule, or one measurement of a judge."""

    name = "control"
    presets = Path(__file__).parent / "presets"
    fields: Mapping[str, Field] = {
        "measure": Field("training", "what is measured: training, or judging (no training)"),
        "env": Field("CartPole-v1", "task"),
        "target": Field("", "task that the trained policy is also tried in (empty: none)"),
        "rule": Field("raw", "shift rule"),
        "judge": Field("noisy", "judge"),
        "accuracy": Field(1.0, "accuracy of the judge (0: always wrong, 1: always right)"),
        "noise": Field(0.0, "noise of the graded judge (standard deviation; its opinions lie in [-1, 1])"),
        "granularity": Field("binary", "granularity of a judgment"),
        "taught_on": Field("CartPole-v1", "task whose questions the distilled judge was taught on"),
        "min_precision": Field(None, "precision that the gate asks for (null: no gate)", optional=True),
        "strategy": Field("zero-shot", "prompt strategy"),
        "warm": Field(False, "whether everything has been judged beforehand"),
        "reference": Field("", "judge that answers are compared with (empty: none)"),
        "questions": Field(100, "labelled questions of a measurement of a judge"),
        "scale": Field(1.0, "size of a shift (units of reward)"),
        "judge_share": Field(0.5, "share of the training after which a fading rule's judge has no say"),
        "epsilon_final": Field(0.05, "share of random actions at the end"),
        "epsilon_share": Field(0.3, "share of the training in which exploring falls from 1 to its end"),
        "steps": Field(4000, "decisions of a training"),
    }
    metrics: Mapping[str, str] = {
        "return": "final return, without any shift (reward units)",
        "mean_return": "mean return over the training, without any shift (reward units)",
        "steps_to_goal": "decisions until an evaluation reaches the goal (the budget if none does)",
        "reached": "share of seeds that reach the goal",
        "target_return": "return in the target task, without training there (reward units)",
        "to_goal_seconds": "seconds of training until the goal (all of it if none; wall clock, without evaluations)",
        "questions": "different questions that the judge is asked in training",
        "tokens": "tokens read and written by the judge (judging: for a question)",
        "judge_seconds": "seconds spent waiting for the judge (wall clock)",
        "train_seconds": "seconds of training (wall clock, without evaluations)",
        "coverage": "share of held-out questions on which the gated judge speaks",
        "precision": "share of those on which it is right",
        "accuracy": "share of readable answers that are right",
        "auc": "chance that a good action scores above a bad one",
        "brier": "Brier score of P(good) (a coin: 0.25)",
        "unreadable": "share of answers that cannot be read",
        "says_good": "share of readable answers that say good",
        "agreement": "share of verdicts equal to the reference's",
        "difference": "mean difference of P(good) - P(bad) from the reference's",
        "per_question_seconds": "seconds a question (wall clock)",
    }

    def check(self, settings: Settings) -> None:
        """UserError for what cannot be run."""
        s: Any = settings
        if s["measure"] not in ("training", "judging"):
            raise UserError(f"measure {s['measure']}: choose one of training, judging")
        for field in ("env", "target", "taught_on"):
            if s[field] or field != "target":
                cartpole(s[field])
        check_shares(settings, "accuracy", "judge_share", "epsilon_final", "epsilon_share")
        if s["min_precision"] is not None and not 0.5 <= s["min_precision"] < 1:
            raise UserError(f"min_precision {s['min_precision']}: lies in [0.5, 1)")
        for field, least in (("questions", 1), ("steps", POINTS), ("noise", 0)):
            if s[field] < least:
                raise UserError(f"{field} {s[field]}: is {least} or more")
        check_judge(settings)
        if s["strategy"] not in STRATEGIES:
            raise UserError(f"strategy {s['strategy']}: choose one of {', '.join(STRATEGIES)}")
        make_rule(s["rule"], s["scale"], s["steps"], horizon=horizon_of(settings), seams=tuple(Seam))
        (self._check_training if s["measure"] == "training" else self._check_judging)(s)

    def run(self, settings: Settings, seed: int) -> Result:
        """Trains or measures once; None for the metrics that the other kind of cell has."""
        if settings["measure"] == "training":
            found = train(settings, seed)
        else:
            from apps.control.study.judging import measure

            found = measure(settings, seed)
        return {name: found.get(name) for name in self.metrics}

    def _check_training(self, s: Any) -> None:
        trained = (ORIGINAL, *VARIANTS, "Acrobot-v1")
        for field in ("env", "target", "taught_on"):
            if s[field] and s[field] not in trained:
                raise UserError(f"{field} {s[field]}: no training here; choose one of {', '.join(trained)}")
        if s["target"] and cartpole(s["target"]).folder != cartpole(s["env"]).folder:
            raise UserError(f"target {s['target']}: has other observations than {s['env']}")
        assert cartpole(s["env"]).folder in GOALS

    def _check_judging(self, s: Any) -> None:
        if s["judge"] == NONE:
            raise UserError(f"judge {NONE}: there is nobody to measure; name a judge")
        if s["reference"]:
            check_judge({**s, "judge": s["reference"]})


APP = ControlApp()
