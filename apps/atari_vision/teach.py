"""`lmgt captioner train`: a captioner of one world, taught with known descriptions: a small network, or a LLaVA."""

import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from apps.atari_vision.compare.command import FEWEST, train_on
from apps.atari_vision.config import CaptionerTrainConfig
from apps.atari_vision.describe import FrameDescriber, captions_of
from apps.atari_vision.frames import TEST, VALIDATION, Frames, collect
from apps.atari_vision.lessons import draw, texts
from apps.atari_vision.worlds import World, world
from captioners.memory import FrameMemory
from captioners.models.llava_folder import LAST, Report, save_folder, write_readme
from captioners.models.llava_model import SIZES
from captioners.models.llava_training import CHECKPOINT, LlavaSettings, LlavaTraining, colours_of
from lmgt_core.errors import UserError
from lmgt_core.extras import need
from lmgt_core.files import write_atomic
from lmgt_core.judging.judge import ask
from lmgt_core.judging.registry import JudgeContext, make_judge
from lmgt_core.terminal.progress import progress
from lmgt_core.training.provenance import command_line
from lmgt_core.training.statistics import bootstrap_ci

NETWORK, LLAVA = "network", "llava"
CHECKS = 10  # times that a training says how it does on validation frames
CHECKED = 128  # such frames
COLOURS = 64  # training frames whose colours pixels are normalised by
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
    if config.frames < FEWEST:
        raise UserError(f"--frames {config.frames}: give a number of at least {FEWEST}")
    made = world(config.env)
    captioner = train_on(made, collect(made, config.frames, config.seed), config.epochs, config.seed, None)
    write_atomic(config.out, captioner.content)
    print(f"{config.out}  {captioner.id}: {captioner.exact:.1%} of the held-out captions are right in every word")
    return float(captioner.exact)


def train_llava(config: CaptionerTrainConfig) -> float:
    """The folder of a LLaVA, for `llava:FOLDER`, `hf:FOLDER` and any script of transformers."""
    made, settings = _checked(config)
    some = draw(made, config.seed)(np.random.default_rng((config.seed, 2)), COLOURS)
    training = LlavaTraining(texts(made), settings, colours_of([image for one in some for image in one.images]))
    if config.resume:
        training.load_checkpoint(config.out)
    _learn(config, made, training)
    save_folder(training.model, training.processor, config.out, made.name, made.frames)
    exact, figures = measured(config, made)
    report = Report(
        command_line(),
        training.done * settings.batch,
        training.seconds / 60,
        training.parameters,
        settings.seed,
        figures,
    )
    write_readme(config.out, made.name, made.frames, report)
    (config.out / CHECKPOINT).unlink(missing_ok=True)
    print(f"{config.out}  a LLaVA of {training.parameters / 1e6:.1f} million parameters, trained on labels")
    for name, figure in figures.items():
        print(f"  {name}: {figure}")
    print(f"captions: --captioner llava:{config.out}   direct judging: --judge hf:{config.out}")
    return exact


def _checked(config: CaptionerTrainConfig) -> tuple[World, LlavaSettings]:
    """World and settings; UserError for a mistake, before anything is written."""
    need("--architecture llava", "torch", "transformers", "safetensors", "tokenizers")
    import torch

    made = world(config.env)
    if config.size not in SIZES:
        raise UserError(f"--size {config.size}: choose one of {', '.join(SIZES)}")
    for flag, number in (("--steps", config.steps), ("--batch", config.batch), ("--frames", config.frames)):
        if number < 1:
            raise UserError(f"{flag} {number}: give a number of at least 1")
    if not 0 < config.learning_rate < 1:
        raise UserError(f"--learning-rate {config.learning_rate:g}: give a number between 0 and 1, such as 0.001")
    try:
        torch.empty(1, device=config.device)
    except (RuntimeError, AssertionError, ImportError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"--device {config.device}: cannot be used here ({reason}); use cpu") from None
    begun, finished = (config.out / CHECKPOINT).is_file(), (config.out / LAST).is_file()
    if config.resume and not begun:
        why = "its training is finished" if finished else f"there is no {CHECKPOINT} in it"
        raise UserError(f"--resume {config.out}: {why}; leave --resume out and name a new --out")
    if config.out.exists() and not config.resume and (not config.out.is_dir() or any(config.out.iterdir())):
        way = "go on with --resume, or name a new folder" if begun else "name a new folder"
        raise UserError(f"--out {config.out}: is there already; {way}")
    settings = LlavaSettings(
        config.size, config.steps, config.batch, config.learning_rate, device=config.device, seed=config.seed
    )
    return made, settings


def _learn(config: CaptionerTrainConfig, made: World, training: LlavaTraining) -> None:
    """All steps that are left, with checkpoints, and now and then what it would say of validation frames."""
    draws, checks = draw(made, config.seed), draw(made, config.seed, VALIDATION)
    rng = np.random.default_rng((config.seed, 1))
    validation = checks(rng, CHECKED)
    every = max(1, config.steps // CHECKS)
    with progress(f"steps of {config.batch} frames", max(0, config.steps - training.done)) as bar:
        while training.done < config.steps:
            start = time.perf_counter()
            loss = training.step(draws)
            training.seconds += time.perf_counter() - start
            bar.advance()
            if training.done % every == 0 or training.done == config.steps:
                shares = zip(("captions", "verdicts", "details"), training.exact(validation), strict=False)
                said = ", ".join(f"{name} {share:.0%}" for name, share in shares)
                print(
                    f"step {training.done}: loss {loss:.3f}; right of {CHECKED} validation frames: {said}", flush=True
                )
            if training.done % config.checkpoint_every == 0 or training.done == config.steps:
                training.save_checkpoint(config.out)


def measured(config: CaptionerTrainConfig, made: World) -> tuple[float, dict[str, str]]:
    """What the folder says of frames of play that no lesson showed: (exact captions, figures in words)."""
    frames = collect(made, config.frames, config.seed + MEASURED, wanted=TEST, least=1)
    exact = captions_right(config, made, frames)
    figures = {f"captions right in every word, {len(exact)} held-out frames of play": _share(exact.all(1))}
    figures |= {f"of these the {slot}": _share(exact[:, i]) for i, slot in enumerate(made.phrasing.slots)}
    verdicts = verdicts_right(config, made, frames)
    figures["verdicts right, every action in each of them"] = _share(verdicts.mean(1))
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


def _share(right: Sequence[float] | Any) -> str:
    """A share with its 95 % interval over frames."""
    values = [float(r) for r in right]
    interval = bootstrap_ci(values, "mean") if len(values) > 1 else None
    around = f" [{interval[0]:.3f}, {interval[1]:.3f}]" if interval else ""
    return f"{np.mean(values):.3f}{around}"
