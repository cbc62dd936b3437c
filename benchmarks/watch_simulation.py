"""How soon a judge that turns bad is silenced, and how often a good one: `python -m benchmarks.watch_simulation`.

Decisions at which a judge speaks one verdict are drawn one by one, right with a probability that changes half-way, and
checked by lot, as lmgt_core/guidance/watch.py does.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before NumPy is imported

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tyro
from numpy.typing import NDArray

import lmgt_core
from lmgt_core.audit.change_test import ChangeTest
from lmgt_core.audit.precision import clopper_pearson
from lmgt_core.audit.thresholds import DELTA
from lmgt_core.files import write_atomic
from lmgt_core.guidance.return_alarm import ShiftLedger, find_alarm
from lmgt_core.judging.judgment import Judgment, Verdict
from lmgt_core.judging.prompt import Prompt
from lmgt_core.training.provenance import command_line, git_revision, machine

DEMAND = 0.75
BLOCK = 50  # decisions that share their luck in the family of bursts
Rights = NDArray[np.bool_]
Floats = NDArray[np.float64]
Rng = np.random.Generator


def steady(share: float) -> Callable[[Rng, int], Rights]:
    """Every decision is right with this probability, whatever the others."""
    return lambda rng, n: np.asarray(rng.random(n) < share)


def bursts(share: float) -> Callable[[Rng, int], Rights]:
    """Blocks of BLOCK decisions are right as a whole or wrong as a whole: the agent lingers."""
    return lambda rng, n: np.asarray(np.repeat(rng.random(-(-n // BLOCK)) < share, BLOCK)[:n])


GOOD_ENOUGH: Mapping[str, Callable[[Rng, int], Rights]] = {
    "exactly at the demand, .75": steady(0.75),
    "a little above, .8": steady(0.8),
    "good, .9": steady(0.9),
    f".9 on average, right or wrong in blocks of {BLOCK} decisions": bursts(0.9),
}
AFTER = (0.0, 0.25, 0.5, 0.6, 0.7)  # precisions after the turn


def first_alarm(rights: Rights, checked: Rights) -> int | None:
    """The number of the decision at which the verdict is silenced."""
    test = ChangeTest(DEMAND)
    for number in np.flatnonzero(checked).tolist():
        if test.add(bool(rights[number])) >= 1 / DELTA:
            return int(number)
    return None


@dataclass(frozen=True)
class WatchSimulationConfig:
    """Simulates the watch on synthetic judges and prints how often and how soon a verdict is silenced."""

    trials: int = 200
    """Judges of each sort."""
    decisions: int = 10_000
    """At which the judge speaks the verdict, in each run; a judge that turns bad does so half-way."""
    share: float = 0.1
    """Of the decisions, checked."""
    out: Path | None = None
    """A page for the tables (.md)."""


def false_alarms(config: WatchSimulationConfig) -> list[str]:
    """The lines of a table: how many good judges were silenced in a run."""
    lines = ["| judge | silenced in a run, % |", "| --- | --- |"]
    for name, draw in GOOD_ENOUGH.items():
        alarms = 0
        for trial in range(config.trials):
            rng = np.random.default_rng([1, trial])
            rights, checked = draw(rng, config.decisions), rng.random(config.decisions) < config.share
            alarms += first_alarm(rights, checked) is not None
        n = config.trials
        low, high = clopper_pearson(alarms, n, 0.025), 1 - clopper_pearson(n - alarms, n, 0.025)
        lines.append(f"| {name} | {100 * alarms / n:.1f} [{100 * low:.1f}, {100 * high:.1f}] |")
        print(lines[-1], flush=True)
    return lines


def delays(config: WatchSimulationConfig) -> list[str]:
    """The lines of a table: decisions from the turn to the silence."""
    lines = [
        "| precision before, after | median delay | nine in ten within | found by the end, % |",
        "| --- | --- | --- | --- |",
    ]
    turn = config.decisions // 2
    for after in AFTER:
        found = []
        for trial in range(config.trials):
            rng = np.random.default_rng([2, trial])
            rights = np.concatenate([rng.random(turn) < 0.9, rng.random(config.decisions - turn) < after])
            alarm = first_alarm(rights, rng.random(config.decisions) < config.share)
            found.append(np.inf if alarm is None else max(alarm + 1 - turn, 0))
        median, most = np.quantile(found, [0.5, 0.9], method="higher")
        shown = [f"{value:,.0f}" if np.isfinite(value) else "not found" for value in (median, most)]
        share = 100 * float(np.isfinite(found).mean())
        lines.append(f"| .9, {after:g} | {shown[0]} | {shown[1]} | {share:.0f} |")
        print(lines[-1], flush=True)
    return lines


def alarms(trials: int) -> list[str]:
    """The lines of a table: how often trainings of 400 episodes raise the alarm of return_alarm.py, and when."""
    lines = ["| training | alarm, % | median moment, % of the training |", "| --- | --- | --- |"]
    for name, draw in TRAININGS.items():
        moments = []
        for trial in range(trials):
            returns, shifts = draw(np.random.default_rng([3, trial]))
            ledger, ends = ShiftLedger(10 * EPISODES), 10 * np.arange(1, EPISODES + 1)
            for end, shift in zip(ends.tolist(), shifts.tolist(), strict=True):
                ledger.add(end - 1, Judgment(Verdict.GOOD), Prompt("", ""), shift)
            if (alarm := find_alarm(ledger, ends.tolist(), returns.tolist())) is not None:
                moments.append(10 * alarm["decision"] / EPISODES)
        median = f"{np.median(moments):.0f}" if moments else ""
        lines.append(f"| {name} | {100 * len(moments) / trials:.1f} | {median} |")
        print(lines[-1], flush=True)
    return lines


def trend(returns: float, shifts: float, start: float = 0.0) -> Callable[[Rng], tuple[Floats, Floats]]:
    """Returns and shifts [episode] of unit noise that rise by so much in a training, from this share of it on."""

    def draw(rng: Rng) -> tuple[Floats, Floats]:
        progress = np.clip(np.linspace(0, 1, EPISODES) - start, 0, None) / (1 - start)
        return returns * progress + rng.normal(size=EPISODES), shifts * progress + rng.normal(size=EPISODES)

    return draw


def wandering(rng: Rng) -> tuple[Floats, Floats]:
    """Returns and shifts [episode] that wander without a goal, each by itself (autocorrelation .98)."""
    walks = rng.normal(size=(2, EPISODES))
    for i in range(1, EPISODES):
        walks[:, i] += 0.98 * walks[:, i - 1]
    return walks[0], walks[1]


EPISODES = 400
TRAININGS: Mapping[str, Callable[[Rng], tuple[Floats, Floats]]] = {
    "noise alone": trend(0, 0),
    "return and shifts rise": trend(5, 5),
    "return and shifts fall": trend(-5, -5),
    "both wander": wandering,
    "from .4 of the training on, the return falls by 2 and shifts rise by 4": trend(-2, 4, start=0.4),
    "the same, half as fast": trend(-1, 2, start=0.4),
}


def main(config: WatchSimulationConfig) -> None:
    """Prints the tables, and writes the page."""
    begun = time.process_time()
    shown: dict[str, Any] = {"alarms": "\n".join(false_alarms(config)), "delays": "\n".join(delays(config))}
    shown["trends"] = "\n".join(alarms(config.trials))
    if config.out is not None:
        made = {"command": command_line(), "revision": git_revision(Path(lmgt_core.__path__[0]))}
        made |= {"seconds": time.process_time() - begun, "cpu": machine()["cpu"], "turn": config.decisions // 2}
        about = {"trials": config.trials, "decisions": config.decisions, "share": config.share}
        write_atomic(config.out, PAGE.format(**shown, **made, **about))


PAGE = """# How soon a judge that turns bad is silenced

This page is for those who train with `--watch`: how long a judge that has turned bad goes on shifting the reward, and
how often a good one is silenced. {trials} synthetic judges of each sort speak one verdict at {decisions:,} decisions of
a run, of which a share of {share:g} is compared with the truth; a precision of .75 is demanded.

## Good judges that are silenced

A verdict that holds its demand throughout may be silenced in 10 % of runs, however long they are (delta; exact 95 %
intervals).

{alarms}

The last row is of a judge that breaks what the promise needs, though its precision is .9: where the agent lingers it is
right for a while, or wrong for a while. `--watch` takes a stretch of wrong answers for a change.

## Judges that turn bad at decision {turn:,}

Delays are in decisions at which the judge speaks the verdict, from the turn to the silence.

{delays}

## Where nobody knows the truth

Trainings of 400 episodes whose returns and shifts have unit noise: how often is the alarm raised that shifted returns
rise while unshifted ones fall, and when?

{trends}

Made by `{command}` at revision {revision}, in {seconds:.0f} CPU seconds on {cpu}, two cores that others used too.
"""


if __name__ == "__main__":
    main(tyro.cli(WatchSimulationConfig))
