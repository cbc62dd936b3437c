"""Planning with a model instead of learning from it: the benchmark's own way (Kant et al. 2022, section 5).

The model ranks the places of an object by how well it fits there; a fixed loop explores, picks up what lies in a place
that does not fit, and carries it to the best one known. Nothing is learned, and the model is asked while it acts.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from apps.housekeep.describe import Decision, describe
from apps.housekeep.episodes.episode import Episode
from apps.housekeep.skills import Kind, Skill
from apps.housekeep.task import Task

if TYPE_CHECKING:
    from apps.housekeep.knowledge.labels import Labels

Scores = Callable[[Sequence[Decision]], list[float]]  # [decision] P(good) - P(bad) of placing, in [-1, 1]
PREFIX = "plan:"  # of the policy's name: plan:JUDGE


class PlannerPolicy:
    """Mends what the scores call wrong, one object at a time, each once; explores where there is nothing to mend."""

    def __init__(self, scores: Scores) -> None:
        self.scores = scores
        self._known: dict[Decision, float] = {}
        self._episode: Episode | None = None
        self._moved: set[int] = set()

    def __call__(self, task: Task, skills: list[Skill]) -> Skill | None:
        if task.episode is not self._episode:
            self._episode, self._moved = task.episode, set()
        chosen = self._place(task, task.held, skills) if task.held is not None else self._pick(task, skills)
        return chosen or next((skill for skill in skills if skill.kind is Kind.EXPLORE), None) or self._drop(skills)

    def _pick(self, task: Task, skills: list[Skill]) -> Skill | None:
        """A pick of the object that gains most by being moved, or the way to it."""
        gains = {}
        for item, on in task.memory.item_on.items():
            if on is not None and item not in self._moved:
                best = max(self._ranked(task, item).values(), default=0.0)
                here = self._ranked(task, item).get(on, 0.0)
                if here < 0 < best:
                    gains[item] = best - here
        for item in sorted(gains, key=lambda i: (-gains[i], i)):
            on = task.memory.item_on[item]
            for skill in (Skill(Kind.PICK, item, on), Skill(Kind.GO, receptacle=on)):
                if skill in skills:
                    return skill
        return None

    def _place(self, task: Task, item: int, skills: list[Skill]) -> Skill | None:
        """Placing the held object where it fits best of all known places, or the way there; None: none fits yet."""
        self._moved.add(item)
        ranked = self._ranked(task, item)
        explored = not any(skill.kind is Kind.EXPLORE for skill in skills)
        for place in sorted(ranked, key=lambda k: (-ranked[k], k)):
            if place not in task.memory.full and (ranked[place] > 0 or explored):
                for skill in (Skill(Kind.PLACE, item, place), Skill(Kind.GO, receptacle=place)):
                    if skill in skills:
                        return skill
        return None

    @staticmethod
    def _drop(skills: list[Skill]) -> Skill | None:
        """Some place for what is still held; None where the hand is empty: all is done."""
        return next((skill for skill in skills if skill.kind is Kind.PLACE), None)

    def _ranked(self, task: Task, item: int) -> dict[int, float]:
        """The score of every known receptacle for the object; each different question is asked once."""
        places = sorted(task.memory.receptacles)
        thing, there = task.episode.items[item].category, task.episode.receptacles
        asked = [Decision("place", thing, there[k].category, there[k].room) for k in places]
        if new := [decision for decision in dict.fromkeys(asked) if decision not in self._known]:
            self._known |= zip(new, self.scores(new), strict=True)
        return {k: self._known[decision] for k, decision in zip(places, asked, strict=True)}


def judge_scores(
    judge: str, strategy: str, episodes: Sequence[Episode], labels: "Labels | None" = None, seed: int = 0
) -> Scores:
    """The scores of the judge of this name, not gated; UserError for one that cannot be had.

    A judge that is fitted learns from `labels` (None: the built-in table); one that draws lots draws those of `seed`.
    """
    from apps.housekeep.agent.features import Vocabulary
    from apps.housekeep.domain import HousekeepDomain
    from apps.housekeep.knowledge.judges import knowledge
    from lmgt_core.errors import UserError
    from lmgt_core.guidance.config import JudgeConfig
    from lmgt_core.guidance.guidance import Guidance
    from lmgt_core.judging.judge import ask
    from lmgt_core.judging.judgment import Verdict

    domain: Any = HousekeepDomain(labels or knowledge(None, None), episodes, Vocabulary.of(episodes))
    guidance = Guidance.of(domain, JudgeConfig(judge, gate=False, strategy=strategy), None)
    if guidance.judge is None:
        raise UserError(f"{PREFIX}{judge}: there is nobody to plan with; name a judge")

    heard = False

    def scores(decisions: Sequence[Decision]) -> list[float]:
        nonlocal heard
        with guidance.calibrated(seed) as asked:
            answers = ask(asked, [guidance.template.render(describe(decision)) for decision in decisions])
        heard = heard or any(answer.verdict is not Verdict.UNREADABLE for answer in answers)
        if not heard:
            raise UserError(
                f"{PREFIX}{judge} --strategy {strategy}: none of {len(answers)} questions was answered; the first: "
                f"{answers[0].reason or answers[0].reply!r}"
            )
        return [answer.expected_label for answer in answers]

    return scores
