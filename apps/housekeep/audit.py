"""`lmgt housekeep audit`: how well judges know where things belong, beside scorers that know nothing of the object."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from apps.housekeep.config import AuditConfig
from apps.housekeep.describe import Decision, describe
from apps.housekeep.knowledge.judges import knowledge, make_context
from apps.housekeep.knowledge.labels import TEST, TRAIN, VAL, Labels
from apps.housekeep.knowledge.minilm_pairs import PUBLISHED
from apps.housekeep.knowledge.places import split_place
from apps.housekeep.knowledge.ranking import Ranking, rank
from apps.housekeep.oracle import PLACE
from lmgt_core.errors import UserError
from lmgt_core.judges.minilm import MiniLMEncoder
from lmgt_core.judging.judge import Judge, JudgeKind, ask
from lmgt_core.judging.judgment import Judgment, Verdict
from lmgt_core.judging.prompt import PromptTemplate
from lmgt_core.judging.registry import make_judge, parse_spec
from lmgt_core.terminal.progress import progress
from lmgt_core.terminal.tables import print_table, write_rows

TEMPLATE = Path(__file__).parent / "prompts" / "zero-shot.txt"
SPLITS = (TEST, VAL, TRAIN)
NOT_RANKED = frozenset({"guitar"})  # the benchmark's evaluator leaves it out: in its scenes it is furniture
DRAWS = 20  # of random scores, and of the people's halves
SEED = 0

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Scorer:
    """A name for the table, and the numbers of what it scores on a split's labels."""

    name: str
    rank: Callable[[Labels], Ranking]


def main(config: AuditConfig) -> list[dict[str, Any]]:
    """Prints and returns rows {scorer, split, orr_map, or_map, pooled_auc, within_receptacle_auc, n}, test first."""
    labels = knowledge(config.votes, config.splits)
    judges = [(spec, _judge(spec, labels)) for spec in dict.fromkeys(config.judge)]
    ranked = {split: [o for o in labels.splits.get(split, ()) if o not in NOT_RANKED] for split in SPLITS}
    parts = [(split, labels.only(objects)) for split, objects in ranked.items() if objects]
    pairs = sum(part.correct.size for _, part in parts)
    unreadable: Counter[str] = Counter()
    with progress("judgments", pairs * len(judges)) as bar:

        def heard(spec: str, answers: Sequence[Judgment]) -> None:
            unreadable[spec] += sum(answer.verdict is Verdict.UNREADABLE for answer in answers)
            bar.advance(len(answers))

        scorers = list(_scorers(labels, judges, heard))
        rows = [_row(scorer, split, part) for split, part in parts for scorer in scorers]
    print_table(rows, title=f"Where things belong, by the {labels.source}", note=_note(unreadable))
    if config.json is not None:
        write_rows(config.json, rows)
    return rows


def _note(unreadable: Mapping[str, int]) -> str:
    note = "n: objects that belong somewhere. Rows of the train split are of objects that fitted scorers have seen."
    counts = [f" {spec}: {n:,} answers were unreadable and scored 0." for spec, n in unreadable.items() if n]
    return note + "".join(counts)


def _row(scorer: Scorer, split: str, part: Labels) -> dict[str, Any]:
    return {"scorer": scorer.name, "split": split, **asdict(scorer.rank(part))}


def _judge(spec: str, labels: Labels) -> Judge:
    judge = make_judge(spec, make_context(labels))
    if judge is None:
        raise UserError(f"--judge {spec}: there is nothing to audit; name a judge")
    return judge


def _scorers(
    labels: Labels, judges: Sequence[tuple[str, Judge]], heard: Callable[[str, Sequence[Judgment]], None]
) -> Iterator[Scorer]:
    """Scorers without a model, MiniLM's plain cosines if MiniLM is asked for, the judges, people among themselves."""
    yield Scorer("random", lambda part: rank_draws(part, random_scores))
    popular = popularity(labels)
    yield Scorer(
        "popularity (among train objects, no model)",
        lambda part: rank(part.correct, np.repeat(popular[:, None], len(part.objects), axis=1), part.places),
    )
    if any(parse_spec(spec).provider == "minilm" for spec, _ in judges):
        yield Scorer("MiniLM zero-shot (embedding model)", rank_zero_shot)
    for spec, judge in judges:
        yield Scorer(judge_name(spec, judge, labels), partial(rank_judge, judge, heard=partial(heard, spec)))
    if labels.liked is not None:
        yield Scorer("people (half of them predict the other half)", lambda part: rank_draws(part, halves))


def judge_name(spec: str, judge: Judge, labels: Labels) -> str:
    """The judge's name and what it is: `preference (trained on train votes)`."""
    if judge.kind is JudgeKind.TRAINED:
        return f"{spec} (trained on train {labels.source})"
    if parse_spec(spec).provider == "minilm":
        return f"{spec} ({judge.kind}, calibrated on train {labels.source})"
    return f"{spec} ({judge.kind.replace(' (', ', ').rstrip(')')})"


def popularity(labels: Labels) -> Floats:
    """The share [place] of train objects that belong there."""
    share: Floats = labels.train.correct.mean(axis=1)
    return share


def rank_zero_shot(part: Labels) -> Ranking:
    """The numbers of the plain cosines of the published question and statement."""
    return rank(part.correct, PUBLISHED.similarities(MiniLMEncoder.load(), part), part.places)


def rank_judge(
    judge: Judge, part: Labels, heard: Callable[[Sequence[Judgment]], None] = lambda answers: None
) -> Ranking:
    """The numbers of P(good) - P(bad) of placing every object at every place; an unreadable answer scores 0.

    `heard` is told the answers about each place, as they come.
    """
    template = PromptTemplate.load(TEMPLATE)
    scores = np.empty(part.correct.shape)
    for row, place in enumerate(part.places):
        decisions = [Decision(PLACE, name, *split_place(place)) for name in part.objects]
        judgments = ask(judge, [template.render(describe(decision)) for decision in decisions])
        scores[row] = [judgment.expected_label for judgment in judgments]
        heard(judgments)
    return rank(part.correct, scores, part.places)


Draw = Callable[[Labels, np.random.Generator], tuple[NDArray[np.bool_], Floats]]  # right answers and scores


def rank_draws(part: Labels, draw: Draw) -> Ranking:
    """The mean numbers of 20 random draws, always the same ones."""
    rng = np.random.default_rng(SEED)
    drawn = [asdict(rank(*draw(part, rng), part.places)) for _ in range(DRAWS)]
    means = {name: _mean([one[name] for one in drawn]) for name in drawn[0] if name != "n"}
    return Ranking(**means, n=int(part.correct.any(axis=0).sum()))


def random_scores(part: Labels, rng: np.random.Generator) -> tuple[NDArray[np.bool_], Floats]:
    """The right answers, and scores that know nothing."""
    return part.correct, rng.random(part.correct.shape)


def halves(part: Labels, rng: np.random.Generator) -> tuple[NDArray[np.bool_], Floats]:
    """The majority of half of the people, and the share of the other half: a ceiling for judges of this truth."""
    assert part.liked is not None
    order = rng.permutation(part.liked.shape[2])
    one, other = np.array_split(order, 2)
    return part.liked[:, :, other].mean(axis=2) > 0.5, part.liked[:, :, one].mean(axis=2)


def _mean(values: Sequence[float | None]) -> float | None:
    defined = [value for value in values if value is not None]
    return float(np.mean(defined)) if defined else None
