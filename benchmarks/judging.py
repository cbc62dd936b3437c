"""How fast judging is: `python -m benchmarks.judging` prints judgments a second, and how they compare.

SmolLM2-135M on one thread of this machine, asked the questions of Blackjack. Seconds are CPU seconds of this process:
on a quiet machine they pass like those of a clock, on a busy one other programs do not count.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is imported: the models here are small

import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import numpy as np
import tyro
from rich.console import Console
from rich.table import Table

from apps.control.describe import CARTPOLE
from apps.control.domain import PROMPTS
from apps.control.worlds import WORLDS
from benchmarks.engines import engine_judges, engine_speeds, engine_table
from lmgt_core.cache.judge_cache import JudgeCache
from lmgt_core.distill.judge import distill
from lmgt_core.files import write_json_atomic
from lmgt_core.guidance.shift_source import RewardShifter
from lmgt_core.guidance.wrappers import RewardShift
from lmgt_core.judges.distilled import DistilledJudge, load_student
from lmgt_core.judges.huggingface.shared_prefix import PrefixScorer
from lmgt_core.judges.label_scoring import LabelScoringJudge
from lmgt_core.judges.smollm2.gguf_export import export_folder
from lmgt_core.judges.smollm2.gguf_file import GgufFile
from lmgt_core.judging.judge import Judge
from lmgt_core.judging.prompt import Prompt
from lmgt_core.judging.registry import JudgeContext, make_judge
from lmgt_core.judging.strategies import load_strategy
from lmgt_core.models.store import find_model
from lmgt_core.rules.shift import Raw
from lmgt_core.training.provenance import provenance

AIMS = {"batched": 20.0, "distilled": 1_000.0}  # times naive generation
LOOKUPS = {"memory": 100_000.0, "file": 10_000.0}  # a second
TRAINING = 1.2  # times the wall time without a judge
PAIRS = 5


@dataclass(frozen=True)
class BenchmarkConfig:
    """Prints the speed of judging, and what training with a warm cache costs."""

    naive: int = 8
    """Questions answered by generation, one at a time."""
    full: int = 8
    """Questions scored whole, one at a time."""
    questions: int = 128
    """Questions scored over a shared prefix."""
    batch: int = 32
    """Questions asked at once of each engine, in each of two rounds; a quarter of them for the larger model."""
    singles: int = 8
    """Questions asked one at a time of each engine, in the same way."""
    new_tokens: int = 32
    """Most tokens that naive generation writes."""
    training_steps: int = 5_000
    """Of DQN on CartPole with a warm cache and without a judge; 0 leaves this out."""
    out: Path | None = None
    """Writes the figures there as JSON too."""


def main(config: BenchmarkConfig) -> None:
    """Measures, prints, and says which aims are met."""
    prompts = blackjack_questions()
    console = Console()
    with tempfile.TemporaryDirectory() as folder:
        exported = Path(folder) / "smollm2"
        export_folder(GgufFile(find_model("smollm2")), exported)
        engines = engine_speeds(engine_judges(exported), prompts, config.batch, config.singles)
        console.print(engine_table(engines))
        speeds = dict(model_speeds(config, prompts, exported, console))
        speeds |= lookup_speeds(prompts, Path(folder))
        training = training_ratio(config.training_steps, Path(folder)) if config.training_steps else None
    console.print(table(speeds))
    if training is not None:
        with_judge, without = training
        ratio = with_judge / without
        console.print(
            f"DQN on CartPole, {config.training_steps} steps: {without:.1f} s without a judge, {with_judge:.1f} s with "
            f"a warm cache, {ratio:.2f} times (aim: at most {TRAINING}){mark(ratio <= TRAINING)}"
        )
    if config.out is not None:
        figures = {
            "per_second": speeds,
            "engines": [asdict(e) for e in engines],
            "training_seconds": training,
            "from": provenance(),
        }
        write_json_atomic(config.out, figures)


def blackjack_questions() -> list[Prompt]:
    """All questions that Blackjack asks: its states in an order drawn once, both actions of a state together."""
    template = load_strategy(PROMPTS / "blackjack", "zero-shot")
    by_state: dict[str, list[Prompt]] = {}
    for description in WORLDS["Blackjack-v1"].describer.everything():
        by_state.setdefault(description.state, []).append(template.render(description))
    states = list(by_state.values())
    order = np.random.default_rng(0).permutation(len(states)).tolist()
    return [question for i in order for question in states[i]]


def per_second(answer: Callable[[Sequence[Prompt]], object], prompts: Sequence[Prompt], once: bool = False) -> float:
    """Questions answered a second; short work is repeated until the clock means something."""
    rounds, start = 0, time.process_time()
    while rounds == 0 or (not once and time.process_time() - start < 0.5):
        answer(prompts)
        rounds += 1
    return rounds * len(prompts) / (time.process_time() - start)


def model_speeds(
    config: BenchmarkConfig, prompts: list[Prompt], exported: Path, console: Console
) -> Iterator[tuple[str, float]]:
    """(way of asking, judgments a second), the slowest first."""
    judge = make_judge("smollm2", JudgeContext("benchmark"))
    assert isinstance(judge, LabelScoringJudge)
    model: Any = judge.model
    console.print(f"{judge.id}: {model.length(prompts[0])} tokens a question")
    written = make_judge(
        f"hf:{exported}?device=cpu&bits=32&mode=generate&max_tokens={config.new_tokens}", JudgeContext("benchmark")
    )
    assert written is not None
    generate = naive_generation(written)
    generate(prompts[:1])
    yield "naive: generate, one at a time", per_second(generate, prompts[: config.naive], once=True)

    def one_by_one(some: Sequence[Prompt]) -> None:
        for prompt in some:
            judge.judge([prompt])

    def whole(some: Sequence[Prompt]) -> None:
        for prompt in some:
            model.scorer.forget()
            judge.judge([prompt])

    judge.judge(prompts[:1])
    yield "full prompt scored, one at a time", per_second(whole, prompts[: config.full], once=True)
    model.scorer.forget()
    yield "shared prefix, one at a time", per_second(one_by_one, prompts[: config.full * 2], once=True)
    model.scorer = PrefixScorer(model.tokens, 8)
    yield "shared prefix, batches of 8", per_second(judge.judge, prompts[: config.questions // 4], once=True)
    model.scorer = PrefixScorer(model.tokens, 32)
    with tempfile.TemporaryDirectory() as folder, JudgeCache(judge, Path(folder) / "cache.sqlite") as cache:
        taught, path = prompts[: config.questions], Path(folder) / "student"
        yield "shared prefix, batches of 32", per_second(cache.judge, taught, once=True)
        report = distill(cache, taught, path, np.random.default_rng(0))
        student = DistilledJudge(load_student(path))
    console.print(
        f"distilled from {report.trained_on} answers: agreement {report.agreement:.2f} on {report.held_out} held "
        f"out (always the commonest verdict: {report.baseline:.2f}), speaks on {report.coverage:.2f} of them"
    )
    yield "distilled", per_second(student.judge, prompts)


def naive_generation(judge: Judge) -> Callable[[Sequence[Prompt]], object]:
    """What one writes first: the library's model, its generate, a question at a time, the reply parsed."""

    def answer(prompts: Sequence[Prompt]) -> None:
        for prompt in prompts:
            judge.judge([prompt])

    return answer


def lookup_speeds(prompts: list[Prompt], folder: Path) -> dict[str, float]:
    """Lookups a second of questions that are known, in memory and in the file."""
    judge = make_judge("minilm", JudgeContext("benchmark"))
    assert judge is not None
    many = list(islice(cycle(prompts), 20_000))
    with JudgeCache(judge, folder / "cache.sqlite") as cache:
        cache.judge(prompts)

        def one_by_one(some: Sequence[Prompt]) -> None:
            for prompt in some:
                cache.judge([prompt])

        memory, single = per_second(cache.judge, many), per_second(one_by_one, prompts)
    with JudgeCache(judge, folder / "cache.sqlite", remembered=0) as cache:
        file = per_second(cache.judge, prompts)
    return {"cache hit in memory, batched": memory, "cache hit in memory, single": single, "cache hit in SQLite": file}


def training_ratio(steps: int, folder: Path) -> tuple[float, float]:
    """Seconds of training with a judge whose every answer is cached, and without a judge; the same seed.

    Both are trained in turn, PAIRS times, and the pair with the median ratio counts: other work slows both of a pair.
    """
    import gymnasium as gym
    from stable_baselines3 import DQN

    judge = make_judge("minilm", JudgeContext("benchmark"))
    assert judge is not None
    template = load_strategy(PROMPTS / "cartpole", "zero-shot")

    def seconds(judged: Judge | None) -> float:
        env: Any = gym.make("CartPole-v1")
        if judged is not None:
            env = RewardShift(env, RewardShifter(CARTPOLE, template, judged, Raw()))
        agent = DQN("MlpPolicy", env, seed=0, learning_starts=100, train_freq=4, device="cpu")
        start = time.process_time()
        agent.learn(steps)
        return time.process_time() - start

    seconds(None)  # the first run pays for imports
    with JudgeCache(judge, folder / "training.sqlite") as cache:
        seconds(cache)
    pairs = []
    for _ in range(PAIRS):
        with JudgeCache(judge, folder / "training.sqlite") as cache:
            pairs.append((seconds(cache), seconds(None)))
            assert cache.stats.misses == 0, "the cache was not warm"
    return sorted(pairs, key=lambda pair: pair[0] / pair[1])[PAIRS // 2]


def table(speeds: dict[str, float]) -> Table:
    """The figures, their ratio to naive generation, and the aims."""
    naive = next(iter(speeds.values()))
    shown = Table("way", "judgments / s", "times naive", "aim", title="Speed of judging")
    for way, speed in speeds.items():
        shown.add_row(way, f"{speed:,.1f}", f"{speed / naive:,.1f}", aim(way, speed, naive))
    return shown


def aim(way: str, speed: float, naive: float) -> str:
    """What this way should reach, and whether it does; "" where nothing is aimed at."""
    if way == "shared prefix, batches of 32":
        return f"{AIMS['batched']:g} x naive{mark(speed >= AIMS['batched'] * naive)}"
    if way == "distilled":
        return f"{AIMS['distilled']:,.0f} x naive{mark(speed >= AIMS['distilled'] * naive)}"
    if way == "cache hit in memory, batched":
        return f"{LOOKUPS['memory']:,.0f} / s{mark(speed >= LOOKUPS['memory'])}"
    if way == "cache hit in SQLite":
        return f"{LOOKUPS['file']:,.0f} / s{mark(speed >= LOOKUPS['file'])}"
    return ""


def mark(met: bool) -> str:
    """Whether an aim is met."""
    return ": met" if met else ": NOT met"


if __name__ == "__main__":
    main(tyro.cli(BenchmarkConfig))
