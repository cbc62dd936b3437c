"""`lmgt study --app tabular`: trainings in finite worlds, measured exactly."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from apps.tabular.config import ALGORITHMS
from apps.tabular.env import TableShifts
from apps.tabular.judges import (
    Gated,
    confident_table,
    gate,
    graded_opinions,
    graded_table,
)
from apps.tabular.labels import judgments, make_labels
from apps.tabular.learner import Learned, LearnerConfig, TabularLearner, needs_table
from apps.tabular.mdp import FiniteMDP, random_return, value_iteration
from apps.tabular.worlds import WORLDS, make_world
from lmgt_core.errors import UserError
from lmgt_core.judging.graded import GRANULARITIES
from lmgt_core.rules.cards import Seam
from lmgt_core.rules.make import make_rule
from lmgt_core.study.app import Field, Result, Settings, check_shares, horizon_of

POINTS = 50  # evaluations of a training
GOAL = 0.95  # of the way from a random policy to the best one
JUDGES = ("none", "noisy", "constant", "random", "graded", "confident")
SIZE = {"chain": "length", "cliff": "columns", "trap": "size", "early_end": "length", "river": "length"}


class TabularApp:
    """The cells: one Q-learning or Sarsa training each."""

    name = "tabular"
    presets = Path(__file__).parent / "presets"
    fields: Mapping[str, Field] = {
        "world": Field("chain", "world"),
        "size": Field(0, "size of the world (0: its own)"),
        "actions": Field(0, "number of actions (0: the world's own; wide_chain only)"),
        "algorithm": Field("q-learning", "learner"),
        "rule": Field("raw", "shift rule"),
        "judge": Field("noisy", "judge"),
        "accuracy": Field(1.0, "accuracy of the judge (0: always wrong, 1: always right)"),
        "noise": Field(0.0, "noise of the graded judge (standard deviation; its opinions lie in [-1, 1])"),
        "granularity": Field("binary", "granularity of a judgment"),
        "min_precision": Field(0.75, "precision that the gate asks for (null: no gate)", optional=True),
        "gated": Field(False, "whether the judge is gated"),
        "scale": Field(1.0, "size of a shift (units of reward)"),
        "judge_share": Field(0.5, "share of the training after which a fading rule's judge has no say"),
        "epsilon_final": Field(0.05, "share of random actions at the end"),
        "epsilon_share": Field(0.5, "share of the training in which exploring falls from 1 to its end"),
        "step_size": Field(0.1, "smallest step size"),
        "horizon": Field(60, "steps after which an episode is cut"),
        "steps": Field(5000, "decisions of a training"),
    }
    metrics: Mapping[str, str] = {
        "score": "final score (0: random policy, 1: best policy; exact)",
        "mean_score": "mean score over the training (0: random policy, 1: best policy)",
        "steps_to_goal": f"decisions until an evaluation shows a score of {GOAL} (the budget if none does)",
        "reached": f"share of seeds that reach a score of {GOAL}",
        "questions": "different questions that the judge is asked",
        "coverage": "share of states and actions on which the judge speaks",
        "precision": "share of the judge's verdicts that are right",
        "train_seconds": "seconds of training (wall clock)",
    }

    def check(self, settings: Settings) -> None:
        """UserError for what cannot be run."""
        s: Any = settings
        for field, choices in (("world", tuple(WORLDS)), ("judge", JUDGES), ("granularity", GRANULARITIES)):
            if s[field] not in choices:
                raise UserError(f"{field} {s[field]}: choose one of {', '.join(choices)}")
        if s["algorithm"] not in ALGORITHMS:
            raise UserError(f"algorithm {s['algorithm']}: choose one of {', '.join(ALGORITHMS)}")
        check_shares(settings, "accuracy", "judge_share", "epsilon_final", "epsilon_share", "step_size")
        if s["min_precision"] is not None and not 0.5 <= s["min_precision"] < 1:
            raise UserError(f"min_precision {s['min_precision']}: lies in [0.5, 1)")
        for field, least in (("size", 0), ("actions", 0), ("horizon", 1), ("steps", POINTS), ("noise", 0)):
            if s[field] < least:
                raise UserError(f"{field} {s[field]}: is {least} or more")
        if s["size"] == 1 or (s["actions"] and (s["world"] != "wide_chain" or s["actions"] < 2)):
            raise UserError(f"size {s['size']}, actions {s['actions']}: at least 2 each, actions for wide_chain only")
        _rule(settings)

    def run(self, settings: Settings, seed: int) -> Result:
        """Trains once."""
        s: Any = settings
        begun = time.perf_counter()
        mdp = _world(settings)
        rng = np.random.default_rng([seed, 7])  # of the judge; another stream than the learner's
        judge = _judge(mdp, settings, rng)
        config = LearnerConfig(
            s["algorithm"],
            s["step_size"],
            epsilon_final=s["epsilon_final"],
            epsilon_share=s["epsilon_share"],
            horizon=s["horizon"],
        )
        rule = _rule(settings)
        learner = TabularLearner(mdp, TableShifts(judge.table, rule), config, np.random.default_rng([seed, 8]))
        learned = learner.learn(s["steps"], max(s["steps"] // POINTS, 1))
        asked = 0 if s["judge"] == "none" else _questions(learned, needs_table(rule))
        measured = time.perf_counter() - begun
        return {
            **scores(mdp, learned, s["steps"]),
            "questions": float(asked),
            "coverage": judge.coverage,
            "precision": judge.precision,
            "train_seconds": measured,
        }


def scores(mdp: FiniteMDP, learned: Learned, steps: int) -> dict[str, float]:
    """Final and mean score, and when the goal was reached."""
    best = float(mdp.start @ value_iteration(mdp).max(axis=1))
    random = random_return(mdp)
    curve = [(step, (earned - random) / (best - random)) for step, earned in learned.curve]
    reached = [step for step, score in curve if score >= GOAL]
    return {
        "score": curve[-1][1],
        "mean_score": float(np.mean([score for _, score in curve])),
        "steps_to_goal": float(reached[0] if reached else steps),
        "reached": float(bool(reached)),
    }


def _world(settings: Settings) -> FiniteMDP:
    name, sizes = str(settings["world"]), {}
    if settings["size"]:
        sizes[SIZE.get(name, "length")] = settings["size"]
    if settings["actions"]:
        sizes["actions"] = settings["actions"]
    return make_world(name, **sizes)  # type: ignore[arg-type]


def _rule(settings: Settings) -> Any:
    s: Any = settings
    return make_rule(s["rule"], s["scale"], s["steps"], horizon=horizon_of(settings), seams=tuple(Seam))


def _judge(mdp: FiniteMDP, settings: Settings, rng: np.random.Generator) -> Gated:
    s: Any = settings
    kind = s["judge"]
    if kind == "graded":
        table = graded_table(graded_opinions(mdp, s["noise"], rng), s["granularity"])
    elif kind == "confident":
        table = confident_table(mdp, 2 * s["accuracy"] - 1, rng)
    else:
        name = f"noisy:{s['accuracy']}" if kind == "noisy" else kind
        table = judgments(make_labels(name, mdp, rng))
    return gate(mdp, table, s["min_precision"] if s["gated"] else None, rng)


def _questions(learned: Learned, whole_states: bool) -> int:
    """Different (state, action) pairs that were judged; all those of a state that was met, where the rule asks so."""
    visited = learned.visits > 0
    return int(visited.any(axis=1).sum() * visited.shape[1]) if whole_states else int(visited.sum())


APP = TabularApp()
