"""`lmgt housekeep captioner`: a LLaVA of some homes, taught to describe the robot's view and to judge what it does.

It learns from frames of play in the homes of --episodes: the things in view and where they are, from the semantic
sensor, and the verdicts of picks and places, from where the objects belong. So it is trained on labels. Episodes for
tests and a tenth of the others, for validation, are kept apart.
"""

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from apps.housekeep.compare.arms import pictured
from apps.housekeep.compare.command import check_episodes
from apps.housekeep.compare.frames import collect
from apps.housekeep.compare.views import ON, View
from apps.housekeep.compare.words import HomeWords, correctness
from apps.housekeep.config import CaptionerConfig
from apps.housekeep.domain import PROMPTS
from apps.housekeep.episodes.episode import Episode
from apps.housekeep.episodes.load import load_many
from apps.housekeep.knowledge.judges import knowledge, make_context
from apps.housekeep.knowledge.places import object_words, place_words, split_place
from apps.housekeep.simulator.factory import make_simulator
from apps.housekeep.watch.frame_captions import WORLD, question
from captioners.captioner import CaptionFailure
from captioners.models.llava_teaching import Curriculum, checked, share, teach
from captioners.models.llava_training import Example, Lesson
from captioners.objects import NOTHING
from captioners.registry import CaptionerContext, make_captioner
from lmgt_core.errors import UserError, check_least
from lmgt_core.judging.judge import ask
from lmgt_core.judging.judgment import Verdict
from lmgt_core.judging.prompt import Prompt, PromptTemplate
from lmgt_core.judging.registry import make_judge
from lmgt_core.terminal.progress import progress

FEWEST = 20  # frames
VALIDATION = 10  # one of so many episodes is for validation
DETAILS = "Name the movable things alone."  # a lesson that nobody is asked later: it teaches to look for what is small
NO_THINGS = "none"
Render = Callable[[View, int], Prompt]


def main(config: CaptionerConfig) -> float:
    """Trains and writes a LLaVA; the share of held-out frames of which it names all in view and nothing else."""
    checked(config)
    check_least(FEWEST, {"frames": config.frames, "train-frames": config.train_frames})
    asked, taught = (load_many(config.episodes, some, config.strict) for some in (config.select, config.train_select))
    check_episodes(config, asked, taught)
    if len(taught) < 2:
        raise UserError(f"--train-select {config.train_select}: takes {len(taught)} episodes; give at least 2")
    views, validation, held_out = played(config, asked, taught)
    render = asked_about()
    lessons = Curriculum(
        WORLD, 1, texts(config, [*asked, *taught], render, views), draw(views, render), draw(validation, render)
    )
    return teach(config, lessons, lambda: measured(config, held_out, [*asked, *taught], render))


def asked_about() -> Render:
    """The questions as a judge of pictures is asked them in `lmgt housekeep compare`."""
    return partial(pictured, PromptTemplate.load(PROMPTS / "zero-shot.txt"))


def played(
    config: CaptionerConfig, asked: Sequence[Episode], taught: Sequence[Episode]
) -> tuple[list[View], list[View], list[View]]:
    """Views to learn from, for validation, and to be measured on: of different episodes, and all different."""
    words, known = HomeWords([*asked, *taught]), set[str]()
    few = max(1, len(taught) // VALIDATION)
    parts = (
        (taught[:-few], config.train_frames),
        (taught[-few:], max(config.train_frames // VALIDATION, 2)),
        (asked, config.frames),
    )
    simulator, views = make_simulator(config, (config.pixels, config.pixels)), []
    try:
        with progress("frames of play", sum(count for _, count in parts)) as bar:
            for number, (episodes, count) in enumerate(parts):
                rng = np.random.default_rng((config.seed, number))
                views.append(collect(simulator, episodes, words, count, rng, known, bar.advance))
                known |= {view.digest for view in views[-1]}
    finally:
        simulator.close()
    return views[0], views[1], views[2]


def caption(view: View) -> str:
    """The true words of what is in view, objects with what they are on, in the order of the alphabet."""
    things = sorted(set(view.things))
    return f"In view: {'; '.join(things)}." if things else NOTHING


def movable(view: View) -> str:
    """The true words of the objects in view alone, with what they are on, in the order of the alphabet."""
    return "; ".join(name for name in sorted(set(view.things)) if ON in name) or NO_THINGS


def draw(views: Sequence[View], render: Render) -> Callable[[np.random.Generator, int], list[Example]]:
    """Examples of `views`, drawn by lot: a caption, the verdict of one pick or place, and the objects alone."""

    def some(rng: np.random.Generator, count: int) -> list[Example]:
        chosen = [views[int(i)] for i in rng.integers(len(views), size=count)]
        return [example(view, int(rng.integers(len(view.questions))), render) for view in chosen]

    return some


def example(view: View, number: int, render: Render) -> Example:
    """What is asked about a view, in the words in which it will be asked."""
    prompt = render(view, number)
    lessons = (
        Lesson("", question(), caption(view)),
        Lesson(prompt.system, prompt.user, view.questions[number].label.value),
        Lesson("", DETAILS, movable(view)),
    )
    return Example((view.frame.rgb,), lessons)


def texts(config: CaptionerConfig, episodes: Sequence[Episode], render: Render, views: Sequence[View]) -> list[str]:
    """The words of the model's tokenizer: those of all objects and places that are known, so of other homes, too."""
    known = knowledge(config.votes, config.splits)
    places = {split_place(place) for place in known.places}
    places |= {(r.category, r.room) for episode in episodes for r in episode.receptacles}
    things = {*known.objects, *(item.category for episode in episodes for item in episode.items)}
    said = [place_words(*place) for place in sorted(places)] + [object_words(thing) for thing in sorted(things)]
    prompts = [render(view, i) for view in views for i in range(len(view.questions))]
    asked = [text for prompt in prompts for text in (prompt.system, prompt.user)]
    spaced = [f" {words}{ON}{words};" for words in said]
    answers = [said for view in views for said in (caption(view), movable(view))]
    return [question(), DETAILS, NOTHING, NO_THINGS, *answers, *asked, *said, *spaced]


def measured(
    config: CaptionerConfig, views: Sequence[View], episodes: Sequence[Episode], render: Render
) -> tuple[float, dict[str, str]]:
    """What the folder says of views of episodes that no lesson showed: (exact captions, figures in words)."""
    captioner = make_captioner(f"llava:{config.out}?device={config.device}", CaptionerContext(WORLD, question()))
    words = HomeWords(episodes)
    said = captioner.caption(np.stack([view.frame.rgb for view in views]))
    right = correctness(
        [words.read("" if isinstance(c, CaptionFailure) else c) for c in said], [view.seen for view in views]
    )
    figures = {f"captions that name all in view and nothing else, {len(views)} held-out frames": share(right.exact)}
    figures |= {name.replace("_", " "): f"{value:.3f}" for name, value in right.columns().items() if value is not None}
    context = make_context(knowledge(config.votes, config.splits), episodes, config.seed)
    judge = make_judge(f"hf:{config.out}?device={config.device}", context)
    assert judge is not None
    asked = [(view, i) for view in views for i in range(len(view.questions))]
    verdicts = [one.verdict for one in ask(judge, [render(view, i) for view, i in asked])]
    labels = [view.questions[i].label for view, i in asked]
    figures[f"verdicts right, {len(asked)} picks and places in them"] = share(
        [one is label for one, label in zip(verdicts, labels, strict=True)]
    )
    for label in (Verdict.GOOD, Verdict.BAD):
        of_it = [one is label for one, true in zip(verdicts, labels, strict=True) if true is label]
        if of_it:
            figures[f"of these the {label.value} ones"] = share(of_it)
    return float(np.mean(right.exact)), figures
