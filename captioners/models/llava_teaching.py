"""What every command that trains a LLaVA has in common: its flags, its progress and checkpoints, and what it leaves.

What is taught comes from an app as a `Curriculum`; how well it was learnt is measured by the app on the saved folder.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from captioners.models.llava_config import LlavaTrainConfig
from captioners.models.llava_folder import LAST, Report, save_folder, write_readme
from captioners.models.llava_model import SIZES
from captioners.models.llava_training import CHECKPOINT, Draw, LlavaSettings, LlavaTraining, colours_of
from lmgt_core.errors import UserError, check_least
from lmgt_core.extras import need
from lmgt_core.judges.quiet_libraries import without_progress_bars
from lmgt_core.terminal.progress import progress
from lmgt_core.training.provenance import command_line
from lmgt_core.training.statistics import bootstrap_ci

CHECKS = 10  # times that a training says how it does on validation frames
CHECKED = 128  # such frames
COLOURS = 64  # training frames whose colours pixels are normalised by


@dataclass(frozen=True)
class Curriculum:
    """What a LLaVA of one world is taught with: `frames` images a question, in the words of `texts`."""

    world: str
    frames: int
    texts: Sequence[str]
    train: Draw
    validation: Draw


Figures = Mapping[str, str]  # what was measured -> figure, in words
Measure = Callable[[], tuple[float, Figures]]  # the share of exact captions, and all figures, of the saved folder


def checked(config: LlavaTrainConfig) -> LlavaSettings:
    """The settings of a training; UserError for a mistake, before anything is written."""
    need("--architecture llava", "torch", "transformers", "safetensors", "tokenizers")
    without_progress_bars()
    import torch

    if config.size not in SIZES:
        raise UserError(f"--size {config.size}: choose one of {', '.join(SIZES)}")
    check_least(1, {"steps": config.steps, "batch": config.batch})
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
    return LlavaSettings(
        config.size, config.steps, config.batch, config.learning_rate, device=config.device, seed=config.seed
    )


def teach(config: LlavaTrainConfig, lessons: Curriculum, measure: Measure) -> float:
    """Trains, writes the folder with its README, and prints what was measured; the share of exact captions."""
    settings = checked(config)
    some = lessons.train(np.random.default_rng((config.seed, 2)), COLOURS)
    training = LlavaTraining(lessons.texts, settings, colours_of([image for one in some for image in one.images]))
    if config.resume:
        training.load_checkpoint(config.out)
    _learn(config, lessons, training)
    save_folder(training.model, training.processor, config.out, lessons.world, lessons.frames)
    exact, figures = measure()
    report = Report(
        command_line(),
        training.done * settings.batch,
        training.seconds / 60,
        training.parameters,
        settings.seed,
        figures,
    )
    write_readme(config.out, lessons.world, lessons.frames, report)
    (config.out / CHECKPOINT).unlink(missing_ok=True)
    print(f"{config.out}  a LLaVA of {training.parameters / 1e6:.1f} million parameters, trained on labels")
    for name, figure in figures.items():
        print(f"  {name}: {figure}")
    print(f"captions: --captioner llava:{config.out}   direct judging: --judge hf:{config.out}")
    return exact


def _learn(config: LlavaTrainConfig, lessons: Curriculum, training: LlavaTraining) -> None:
    """All steps that are left, with checkpoints, and now and then what it would say of validation frames."""
    validation = lessons.validation(np.random.default_rng((config.seed, 1)), CHECKED)
    every = max(1, config.steps // CHECKS)
    with progress(f"steps of {config.batch} frames", max(0, config.steps - training.done)) as bar:
        while training.done < config.steps:
            start = time.perf_counter()
            loss = training.step(lessons.train)
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


def share(right: Sequence[float] | Any) -> str:
    """A share with its 95 % interval over frames, in words."""
    values = [float(r) for r in right]
    interval = bootstrap_ci(values, "mean") if len(values) > 1 else None
    around = f" [{interval[0]:.3f}, {interval[1]:.3f}]" if interval else ""
    return f"{np.mean(values):.3f}{around}"
