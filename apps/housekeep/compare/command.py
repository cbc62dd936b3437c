"""`lmgt housekeep compare`: captions of the robot's view beside the view itself, and what a judge makes of either."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

import numpy as np

from apps.housekeep.compare.arms import Arms, object_limit
from apps.housekeep.compare.views import View
from apps.housekeep.compare.words import Correctness, correctness
from apps.housekeep.config import CaptionerConfig, CompareConfig
from apps.housekeep.episodes.episode import Episode
from apps.housekeep.episodes.load import load_many
from apps.housekeep.simulator.factory import check_scenes, check_simulator
from apps.housekeep.watch.frame_captions import OBJECTS
from captioners.registry import NAMES
from lmgt_core.compare.arms import Answers, Arm, Shown, answer
from lmgt_core.compare.measure import agreement, measure, row
from lmgt_core.compare.page import write_figures, write_page
from lmgt_core.errors import UserError, check_least
from lmgt_core.terminal.tables import print_table, write_rows

FEWEST = 20  # frames
SIZES = (32, 1024)  # pixels
CAPTIONERS = tuple(name for name in (*NAMES, "hf") if name != "ocr")  # nothing is written on furniture
COLUMNS = {  # of the printed table; rows.json has all under their full names
    "arm": "arm", "caption_exact": "exact", "object_recall": "objects", "placed_right": "placed",
    "answered": "answered", "judgment_accuracy": "accuracy", "accuracy_ci95": "95 %", "auc": "AUC", "auc_ci95": "95 % ",
    "lost_in_caption": "lost: caption", "lost_in_judging": "judging", "seconds_per_judgment": "seconds",
}  # fmt: skip
Row = dict[str, Any]


def main(config: CompareConfig) -> list[Row]:
    """Asks every arm, prints one row each, writes rows.json and report.html, and returns the rows."""
    captions, direct = (_names(names) for names in (config.caption, config.direct))
    check(config, captions, direct)
    selections = (config.select, config.train_select)
    asked, taught = (load_many(config.episodes, which, config.strict) for which in selections)
    check_episodes(config, asked, taught)
    arms = Arms(config, asked, taught, direct)
    shown = shown_of(arms.views)
    made = ((arms.caption_arm, spec) for spec in captions), ((arms.direct_arm, spec) for spec in direct)
    heard = [hear(make(spec), shown, arms) for make, spec in chain(*made)]  # one after another: models are large
    arms.close()
    rows = [arm_row(config, one, shown) for one in heard] + [baseline(shown)]
    answers = [one.answers for one in heard if one.answers is not None]
    write(config, arms, shown, answers, [one.arm for one in heard if one.answers is None], rows)
    report(config, rows, answers)
    return rows


def check(config: CompareConfig, captions: Sequence[str], direct: Sequence[str]) -> None:
    """Refuses what cannot be compared, naming the flag, before anything is played."""
    for spec in captions:
        if spec.partition(":")[0].partition("?")[0] not in CAPTIONERS:
            raise UserError(f"--caption {spec}: no such captioner; choose one of {', '.join(CAPTIONERS)}")
        if spec.startswith(OBJECTS):
            object_limit(spec)
    if not captions and not direct:
        raise UserError("--caption, --direct: name at least one captioner or judge")
    check_least(FEWEST, {"frames": config.frames, "train-frames": config.train_frames})
    if not SIZES[0] <= config.size <= SIZES[1]:
        raise UserError(f"--size {config.size}: give {SIZES[0]} to {SIZES[1]} pixels")
    if config.out.exists():
        raise UserError(f"--out {config.out}: is there already; name a new folder")
    check_simulator(config)


def check_episodes(
    config: CompareConfig | CaptionerConfig, asked: Sequence[Episode], taught: Sequence[Episode]
) -> None:
    """Refuses episodes that are both asked about and learned from, and scenes that are not there."""
    both = {(e.source, e.episode_id) for e in asked} & {(e.source, e.episode_id) for e in taught}
    if both:
        source, number = min(both)
        raise UserError(
            f"--select {config.select}, --train-select {config.train_select}: both take episode {number} of {source}; "
            "what learns must not be asked about what it learned from"
        )
    check_scenes(config, [*asked, *taught])


def shown_of(views: Sequence[View]) -> list[Shown]:
    """The questions: every pick or place that a view allows, with its true verdict."""
    return [
        Shown(
            view.frame.rgb,
            f"{view.words(len(view.names))} {view.hand}",
            tuple(question.words for question in view.questions),
            tuple(question.label for question in view.questions),
        )
        for view in views
    ]


@dataclass(frozen=True)
class Heard:
    """An arm without its model, what it answered (None: missing), how right its captions are (None: sees the frame)."""

    arm: Arm
    answers: Answers | None = None
    captions: Correctness | None = None


def hear(arm: Arm, shown: Sequence[Shown], arms: Arms) -> Heard:
    """Lets `arm` answer; captions are compared by what they name, not by their wording."""
    if arm.missing:
        return Heard(arm)
    answers = answer(arm, shown, arms.ideal)
    idle = replace(arm, judge=None, read=None, render=None)
    answers = replace(answers, arm=idle, memory_mb=answers.memory_mb + arms.grown[arm.name])
    if not answers.captions:
        return Heard(idle, answers)
    # The words about the hand are ours, and no caption's merit.
    bare = [said.removesuffix(view.hand) for said, view in zip(answers.captions, arms.views, strict=True)]
    right = correctness([arms.words.read(said) for said in bare], [view.seen for view in arms.views])
    return Heard(idle, replace(answers, exact=np.array(right.exact)), right)


def arm_row(config: CompareConfig, heard: Heard, shown: Sequence[Shown]) -> Row:
    """The line of one arm; one that is missing says what it needs."""
    name = heard.arm.name
    extra: Row = {"privileged": name.startswith(f"caption:{OBJECTS}"), "simulator": config.simulator}
    if heard.answers is None:
        return row(name, 0, None, None, [], heard.arm.missing) | extra
    measured = measure(heard.answers, shown, np.random.default_rng(config.seed))
    named = heard.captions.columns() if heard.captions is not None else {}
    return row(name, len(shown), heard.answers, measured, []) | extra | named


def baseline(shown: Sequence[Shown]) -> Row:
    """The line of no model at all: the most frequent verdict, always."""
    labels = Counter(label for s in shown for label in s.labels)
    (label, times), *_ = labels.most_common(1)
    about = "no model: the most frequent verdict of these questions, always"
    accuracy = times / labels.total()
    known = {"judgment_accuracy": accuracy, "auc": 0.5, "about": about, "answered": 1.0}
    return row(f"always {label.value}", len(shown), None, None, []) | known


def write(
    config: CompareConfig,
    arms: Arms,
    shown: Sequence[Shown],
    heard: Sequence[Answers],
    missing: Sequence[Arm],
    rows: Sequence[Row],
) -> None:
    """Everything that the command leaves behind."""
    title = f"Housekeep on {config.simulator}: {len(shown)} frames, captions judged by {config.text_judge}"
    write_page(config.out / "report.html", title, shown, heard, missing, rows)
    for path in write_figures(config.figures, rows) if config.figures else ():
        print(path)
    for name, save in arms.files.items():
        save(config.out / name)
    for path in (config.out / "rows.json", *([config.json] if config.json else [])):
        write_rows(path, rows)


def report(config: CompareConfig, rows: Sequence[Row], heard: Sequence[Answers]) -> None:
    """Prints the tables, what is missing, and where to read on."""
    lines = [{short: line.get(name) for name, short in COLUMNS.items()} for line in rows]
    print_table(lines, title=f"Housekeep on {config.simulator}, captions judged by {config.text_judge}")
    if len(heard) > 1:
        print_table(agreement(heard), title="share of equal verdicts")
    for line in rows:
        print(f"missing arm {line['arm']}: {line['missing']}" if line["missing"] else f"{line['arm']}: {line['about']}")
    print(f"{config.out / 'report.html'}: every frame beside captions, verdicts and truth, worst first")


def _names(names: str) -> list[str]:
    return list(dict.fromkeys(name.strip() for name in names.split(",") if name.strip()))
