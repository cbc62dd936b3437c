"""`lmgt captioner train`: a captioner of one world, taught with known descriptions: a small network, or a LLaVA."""

from typing import Any

import numpy as np

from apps.atari_vision.compare.command import FEWEST, train_on
from apps.atari_vision.config import CaptionerTrainConfig
from apps.atari_vision.describe import FrameDescriber, captions_of
from apps.atari_vision.frames import TEST, VALIDATION, Frames, collect
from apps.atari_vision.lessons import draw, texts
from apps.atari_vision.worlds import World, world
from captioners.memory import FrameMemory
from captioners.models.llava_teaching import Curriculum, checked, share, teach
from lmgt_core.errors import UserError, check_least
from lmgt_core.files import write_atomic
from lmgt_core.judging.judge import ask
from lmgt_core.judging.registry import JudgeContext, make_judge

NETWORK, LLAVA = "network", "llava"
MEASURED = 7919  # added to the seed of the episodes whose frames are measured on


def main(config: CaptionerTrainConfig) -> float:
    """Trains and writes a captioner; the share of held-out captions that are right in every word."""
    if config.architecture == NETWORK:
        return train_network(config)
    if config.architecture == LLAVA:
        return train_llava(config)
    raise UserError(f"--architecture {config.architecture}: choose {NETWORK} or {LLAVA}")


def train_network(config: CaptionerTrainConfig) -> float:
    """The captioner `trained:FILE`."""
    if config.out.exists():
        raise UserError(f"--out {config.out}: is there already; name a new file")
    if config.resume:
        raise UserError("--resume: is for --architecture llava; the small network trains in a minute")
    check_least(FEWEST, {"frames": config.frames})
    made = world(config.env)
    captioner = train_on(made, collect(made, config.frames, config.seed), config.epochs, config.seed, None)
    write_atomic(config.out, captioner.content)
    print(f"{config.out}  {captioner.id}: {captioner.exact:.1%} of the held-out captions are right in every word")
    return float(captioner.exact)


def train_llava(config: CaptionerTrainConfig) -> float:
    """The folder of a LLaVA, for `llava:FOLDER`, `hf:FOLDER` and any script of transformers."""
    made = world(config.env)
    check_least(1, {"frames": config.frames})
    checked(config)
    lessons = Curriculum(
        made.name, made.frames, texts(made), draw(made, config.seed), draw(made, config.seed, VALIDATION)
    )
    return teach(config, lessons, lambda: measured(config, made))


def measured(config: CaptionerTrainConfig, made: World) -> tuple[float, dict[str, str]]:
    """What the folder says of frames of play that no lesson showed: (exact captions, figures in words)."""
    frames = collect(made, config.frames, config.seed + MEASURED, wanted=TEST, least=1)
    exact = captions_right(config, made, frames)
    figures = {f"captions right in every word, {len(exact)} held-out frames of play": share(exact.all(1))}
    figures |= {f"of these the {slot}": share(exact[:, i]) for i, slot in enumerate(made.phrasing.slots)}
    verdicts = verdicts_right(config, made, frames)
    figures["verdicts right, every action in each of them"] = share(verdicts.mean(1))
    return float(exact.all(1).mean()), figures


def captions_right(config: CaptionerTrainConfig, made: World, frames: Frames) -> Any:
    """[frame, slot] whether the caption states the slot's true phrase; a caption of another form states none."""
    from captioners.models.llava import load

    captioner = load(str(config.out), {"device": config.device}, made.question, made.name)
    describe = FrameDescriber(made, captioner, FrameMemory())
    slots = list(made.phrasing.slots)
    said = [describe.facts(c) if isinstance(c, str) else {} for c in captions_of(captioner, list(frames.images))]
    truth = [made.knowledge.facts(memory) for memory in frames.memories]
    return np.array([[s.get(slot) == t[slot] for slot in slots] for s, t in zip(said, truth, strict=True)])


def verdicts_right(config: CaptionerTrainConfig, made: World, frames: Frames) -> Any:
    """[frame, action] whether the verdict on the action is the expert's."""
    judge = make_judge(f"hf:{config.out}?device={config.device}", JudgeContext(made.name))
    assert judge is not None
    know, describe, template = made.knowledge, FrameDescriber(made, None, FrameMemory()), made.template()
    actions = range(len(know.actions))
    prompts = [template.render(describe.of_frame(image, action)) for image in frames.images for action in actions]
    truth = [know.expert(know.facts(memory), action) for memory in frames.memories for action in actions]
    right = [said.verdict is label for said, label in zip(ask(judge, prompts), truth, strict=True)]
    return np.array(right).reshape(len(frames.images), len(know.actions))
