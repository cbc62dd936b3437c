"""How fast each engine judges on one core, with the same weights and questions; rows of `benchmarks.judging`.

Every engine answers the same questions in turn, round after round, so that what slows the machine slows all of them.
Seconds are CPU seconds of this process. transformers reads SmolLM2's weights from a folder written for the occasion.
There are no weights of Qwen in transformers' form here. Read from the GGUF file, which takes the package accelerate,
two minutes and 6 GB, they gave .63 judgments a second in batches of 8 and .46 one at a time, llama.cpp .60 and .60.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.table import Table

from lmgt_core.judging.judge import Judge
from lmgt_core.judging.prompt import Prompt
from lmgt_core.judging.registry import JudgeContext, make_judge
from lmgt_core.models.catalogue import MODELS
from lmgt_core.models.store import model_path

ROUNDS = 2
SMOLLM2, QWEN = "SmolLM2-135M", "Qwen2.5-Coder-1.5B"
OURS, TRANSFORMERS, LLAMA_CPP = "our own forward pass", "transformers", "llama.cpp"
FEWER = {QWEN: 4}  # times fewer questions for a model that takes longer
AIM = 3.0  # times transformers


@dataclass(frozen=True)
class Speed:
    """Judgments a second of a model on an engine: questions in batches, and one at a time."""

    model: str
    engine: str
    batched: float
    single: float


def engine_judges(folder: Path) -> dict[tuple[str, str], Judge]:
    """The judges by model and engine; `folder` holds SmolLM2 for transformers. Qwen only where it is installed."""
    names = {
        (SMOLLM2, OURS): "smollm2",
        (SMOLLM2, TRANSFORMERS): f"hf:{folder}?device=cpu&bits=32",
        (SMOLLM2, LLAMA_CPP): "gguf:smollm2?threads=1&ctx=2048",
    }
    if model_path(MODELS["qwen2.5-coder-1.5b"]) is not None:
        names[QWEN, LLAMA_CPP] = "gguf:qwen2.5-coder-1.5b?threads=1&ctx=2048"
    made = {row: make_judge(name, JudgeContext("benchmark")) for row, name in names.items()}
    return {row: judge for row, judge in made.items() if judge is not None}


def engine_speeds(
    judges: Mapping[tuple[str, str], Judge], prompts: Sequence[Prompt], batch: int, singles: int
) -> list[Speed]:
    """A row a judge: `batch` questions at once and `singles` one at a time in each of the rounds."""
    seconds = {row: [0.0, 0.0] for row in judges}
    for judge in judges.values():
        judge.judge(prompts[:1])  # loads, and reads what all questions begin with
    for i in range(1, ROUNDS + 1):
        fresh = prompts[i * (batch + singles) :]
        for row, judge in judges.items():
            together, apart = batch // FEWER.get(row[0], 1), singles // FEWER.get(row[0], 1)
            start = time.process_time()
            judge.judge(fresh[:together])
            between = time.process_time()
            for prompt in fresh[batch : batch + apart]:
                judge.judge([prompt])
            seconds[row][0] += (between - start) / together / ROUNDS
            seconds[row][1] += (time.process_time() - between) / apart / ROUNDS
    return [Speed(*row, 1 / batched, 1 / single) for row, (batched, single) in seconds.items()]


def engine_table(speeds: Sequence[Speed]) -> Table:
    """The rows; llama.cpp's speed as a multiple of the others', in batches and one at a time, and what is aimed at."""
    shown = Table("model, engine", "batched / s", "single / s", "llama.cpp's aim", title="Judgments a second by engine")
    by_row = {(speed.model, speed.engine): speed for speed in speeds}
    for speed in speeds:
        aims = []
        for engine, times in ((TRANSFORMERS, AIM), (OURS, 1.0)):
            other = by_row.get((speed.model, engine))
            if speed.engine == LLAMA_CPP and other is not None:
                ratios = speed.batched / other.batched, speed.single / other.single
                met = "met" if min(ratios) >= times else "NOT met"
                aims.append(f"{ratios[0]:.2f} and {ratios[1]:.2f} x {engine} (aim: {times:g}): {met}")
        row = f"{speed.model}, {speed.engine}"
        shown.add_row(row, f"{speed.batched:.2f}", f"{speed.single:.2f}", "\n".join(aims))
    return shown
