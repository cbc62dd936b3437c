"""What every training with a judge must do, whatever the app: inherit `TrainingContract`.

A judge's name means the same everywhere; what draws lots draws others in another seed; `neutral` equals `none`; a
training that was killed and resumed equals one that was not; judging in the background equals judging in step.
"""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lmgt_core.errors import UserError
from lmgt_core.guidance.config import JudgeConfig
from lmgt_core.guidance.guidance import Guidance
from lmgt_core.guidance.shift_source import ShiftSource
from lmgt_core.judging.judge import ask, seeded
from lmgt_core.judging.judgment import Verdict
from lmgt_core.testing.turning import TurningJudge
from lmgt_core.training.driver import Training, defaults_of, resolved, train, train_one
from lmgt_core.training.run_log import RunLog

MOST_WRONG = 15  # wrong answers of a verdict of which .75 is demanded before it is silenced, however long it was right
Rows = dict[str, list[dict[str, str]]]


class TrainingContract:
    """The contract of `lmgt_core.training.driver.Training`.

    Override `training` and `config`, whose trainings should take a second or two and end some episodes. The domain has
    an expert, and so the judges `oracle` and `noisy-oracle:P`.
    """

    training: Training

    def config(self, out: Path, judge: str, **changes: Any) -> Any:
        """The app's config of a small training of seed 0 into `out`."""
        raise NotImplementedError("give a config")

    def run(self, out: Path, judge: str, **changes: Any) -> Rows:
        """The rows that a training records, but for measured times."""
        config = self.config(out, judge, **changes)
        train(self.training, config)
        return rows(out)

    def guidance(self, judge: str, tmp_path: Path, **changes: Any) -> Guidance:
        return self.training.guidance(self.config(tmp_path / "unused", judge, **changes))

    @pytest.mark.parametrize("baseline", ["neutral", "random"])
    def test_a_baseline_is_never_gated(self, baseline: str, tmp_path: Path) -> None:
        guidance = self.guidance(baseline, tmp_path).audited()
        assert guidance.config.gate and not guidance.gated
        assert not guidance.audit.get("silent")

    def test_neutral_equals_none_bit_for_bit(self, tmp_path: Path) -> None:
        assert self.run(tmp_path / "none", "none") == self.run(tmp_path / "neutral", "neutral")

    def test_random_acts(self, tmp_path: Path) -> None:
        self.run(tmp_path / "random", "random")
        stats = json.loads((tmp_path / "random" / "summary.json").read_text())["judge_stats"]
        assert stats["judgments"] > 0 and stats["abstained"] == 0

    @pytest.mark.parametrize("judge", ["random", "noisy-oracle:0.5"])
    def test_lots_are_others_in_another_seed_and_the_id_names_it(self, judge: str, tmp_path: Path) -> None:
        guidance = self.guidance(judge, tmp_path)
        assert guidance.judge is not None
        prompts = [p.prompt for p in guidance.domain.probes(guidance.template.render, np.random.default_rng(0))][:40]
        judges = [seeded(guidance.judge, seed) for seed in (0, 1, 0)]
        said = [[answer.verdict for answer in ask(one, prompts)] for one in judges]
        assert said[0] == said[2] != said[1]
        assert judges[0].id == judges[2].id != judges[1].id and "seed=1" in judges[1].id

    def test_an_oracle_says_the_same_in_every_seed(self, tmp_path: Path) -> None:
        judge = self.guidance("oracle", tmp_path).judge
        assert judge is not None and seeded(judge, 1) is judge

    def test_judging_in_the_background_equals_judging_in_step(self, tmp_path: Path) -> None:
        in_step = self.run(tmp_path / "step", "noisy-oracle:0.8", gate=False)
        background = self.run(tmp_path / "background", "noisy-oracle:0.8", gate=False, judge_ahead=True)
        assert in_step == background

    def test_every_decision_is_submitted_once(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """So w_t, which the source counts, is that of the decisions before."""
        sources: list[ShiftSource] = []
        made = Guidance.shifts

        def spied(self: Guidance, *args: Any, **kwargs: Any) -> ShiftSource | None:
            source = made(self, *args, **kwargs)
            assert source is not None
            sources.append(source)
            return source

        monkeypatch.setattr(Guidance, "shifts", spied)
        recorded = self.run(tmp_path / "run", "oracle", gate=False)
        assert len(sources) == 1
        decisions = int(recorded["evaluations"][-1]["decisions"])
        assert sources[0].decisions == decisions  # type: ignore[attr-defined]
        assert 0 <= decisions - sources[0].step <= decisions

    def test_a_training_killed_and_resumed_equals_an_unbroken_one(self, tmp_path: Path) -> None:
        config = self.config(tmp_path / "broken", "oracle", gate=False)
        unbroken = self.run(tmp_path / "unbroken", "oracle", gate=False)
        with pytest.raises(KeyboardInterrupt):
            self._break_at_half(config)
        assert not (config.out / "summary.json").exists()
        assert self.run(tmp_path / "broken", "oracle", gate=False, resume=True) == unbroken

    def test_a_judge_that_turns_bad_half_way_is_silenced_within_a_few_checks(self, tmp_path: Path) -> None:
        """Each verdict that it went on giving: after MOST_WRONG wrong ones at most, where every decision is checked."""
        config = self.config(tmp_path / "run", "oracle", gate=False, watch=1.0, min_precision=0.75)
        turns = self._questions_asked(tmp_path / "count") // 2
        watched = self._trained(config, turns)["watch"]["verdicts"].values()
        assert any(verdict["silent"] for verdict in watched)
        for verdict in watched:
            silenced = verdict["turns"][0] if verdict["turns"] else verdict
            assert silenced["checked"] - silenced["right"] <= MOST_WRONG
            assert verdict["silent"] or not verdict["turns"]

    def test_a_judge_that_holds_its_precision_is_heard_as_if_nobody_watched(self, tmp_path: Path) -> None:
        unwatched = self.run(tmp_path / "unwatched", "oracle", gate=False)
        assert self.run(tmp_path / "watched", "oracle", gate=False, watch=0.5) == unwatched
        kept = json.loads((tmp_path / "watched" / "summary.json").read_text())["watch"]["0"]
        assert kept["privileged"] and all(verdict["right"] for verdict in kept["verdicts"].values())
        assert "watch" not in json.loads((tmp_path / "unwatched" / "summary.json").read_text())

    def test_a_watched_training_killed_and_resumed_equals_an_unbroken_one(self, tmp_path: Path) -> None:
        watch = {"gate": False, "watch": 1.0, "min_precision": 0.75}
        unbroken = self.run(tmp_path / "unbroken", "noisy-oracle:0.3", **watch)
        with pytest.raises(KeyboardInterrupt):
            self._break_at_half(self.config(tmp_path / "broken", "noisy-oracle:0.3", **watch))
        assert self.run(tmp_path / "broken", "noisy-oracle:0.3", **watch, resume=True) == unbroken
        records = [json.loads((tmp_path / run / "summary.json").read_text())["watch"] for run in ("unbroken", "broken")]
        assert records[0] == records[1]
        assert any(verdict["turns"] for verdict in records[0]["0"]["verdicts"].values())

    def turned_and_watched(self, config: Any, *turns: int) -> float:
        """The last unshifted return of the config's first seed with a judge that turns bad at these questions."""
        return float(self._trained(config, *turns)["metrics"]["return"])

    def _questions_asked(self, out: Path) -> int:
        """How many questions a training asks that the judge leaves alone."""
        config = self.config(out, "oracle", gate=False)
        judge = self._trained(config)["judge"]
        assert isinstance(judge, TurningJudge)
        return judge.asked

    def _trained(self, config: Any, *turns: int) -> dict[str, Any]:
        """The result of one seed with a judge that says the opposite from these questions on, and the judge."""
        guidance = self.training.guidance(config).audited()
        assert guidance.judge is not None
        judge = TurningJudge(guidance.judge, *turns)
        guidance = replace(guidance, judge=judge)
        RunLog.create(config.out, resolved(self.training, config, guidance), defaults=defaults_of(config)).close()
        found = train_one(self.training, config, guidance.audit, config.seeds[0], lambda done: None, guidance)
        return found | {"judge": judge}

    def _break_at_half(self, config: Any) -> None:
        done = 0

        def tick(more: int) -> None:
            nonlocal done
            done += more
            if 2 * done >= config.steps:
                raise KeyboardInterrupt

        guidance = self.training.guidance(config).audited()
        RunLog.create(config.out, resolved(self.training, config, guidance), defaults=defaults_of(config)).close()
        train_one(self.training, config, guidance.audit, config.seeds[0], tick, guidance)

    def test_a_seed_can_be_added_by_a_command_of_its_own(self, tmp_path: Path) -> None:
        together = self.run(tmp_path / "together", "oracle", seeds=(0, 1))
        self.run(tmp_path / "apart", "oracle", seeds=(0,))
        apart = self.run(tmp_path / "apart", "oracle", seeds=(1,), resume=True)
        assert apart == together
        assert json.loads((tmp_path / "apart" / "summary.json").read_text())["seeds"] == [0, 1]

    def test_nothing_is_trained_with_a_judge_that_answers_nothing(self, tmp_path: Path) -> None:
        replies = tmp_path / "replies.json"
        replies.write_text(json.dumps(["I would rather not say"]))
        with pytest.raises(UserError, match="answered none of"):
            self.run(tmp_path / "run", f"scripted:{replies}")
        assert not (tmp_path / "run").exists()

    def test_its_config_has_the_common_flags(self, tmp_path: Path) -> None:
        config = self.config(tmp_path, "none")
        assert isinstance(config, JudgeConfig)

    def test_its_judges_kinds_are_told(self, tmp_path: Path) -> None:
        kinds = {name: self.guidance(name, tmp_path).kind for name in ("none", "oracle", "random")}
        assert kinds == {"none": "no judge", "oracle": "oracle (privileged)", "random": "baseline (no model)"}
        judge = self.guidance("oracle", tmp_path)
        assert Verdict.GOOD in {p.label for p in judge.domain.probes(judge.template.render, np.random.default_rng(0))}


def rows(out: Path) -> Rows:
    """What a run recorded, without columns of measured times."""
    log = RunLog.open(out)
    return {
        table: [{n: v for n, v in row.items() if not n.endswith("_seconds")} for row in log.rows(table)]
        for table in ("episodes", "evaluations")
    }
