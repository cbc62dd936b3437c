"""One driver for the trainings of all apps: audit, ask ahead, train seeds, resume, merge, summarise.

An app gives a `Training`: how its guidance is made and how one seed is trained. Everything around it is here.
"""

import os
import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from functools import lru_cache, partial
from typing import Any

from lmgt_core.errors import UserError
from lmgt_core.extras import need
from lmgt_core.guidance.guidance import Guidance
from lmgt_core.guidance.return_alarm import alarm_line, find_alarm
from lmgt_core.guidance.shift_source import JudgeStats, ShiftSource
from lmgt_core.terminal.progress import progress
from lmgt_core.terminal.tables import print_table
from lmgt_core.training.cluster import on_ray
from lmgt_core.training.config import check_training
from lmgt_core.training.processes import Tick, in_processes
from lmgt_core.training.provenance import provenance
from lmgt_core.training.run_log import RunLog
from lmgt_core.training.statistics import summarise

Metrics = Mapping[str, float | None]  # of the last evaluation, never shifted; None where a metric is not defined
TrainSeed = Callable[[Any, ShiftSource | None, int, RunLog, Tick], Metrics]
CACHE = "judgments.sqlite"
LOOKS = 10  # for an alarm, in a training
ELSEWHERE = ("out", "resume", "workers", "ray", "cache", "wandb")  # settings that change no number
os.environ.setdefault("OMP_NUM_THREADS", "1")  # small networks are faster on one thread


def no_details(config: Any, guidance: Guidance) -> Mapping[str, Any]:
    """{}: the settings are all that a reader needs."""
    return {}


def rule_s_own(config: Any) -> int | None:
    """None: a fading rule fades over the whole training."""
    return None


def no_cleaning(config: Any, seed: int) -> None:
    """Does nothing."""


@dataclass(frozen=True)
class Training:
    """What an app gives to be trained; its functions have to be importable, since processes of their own call them."""

    app: str
    unit: str
    """What --steps counts, in the plural, for the progress bar: steps, decisions."""
    check: Callable[[Any], None]
    """UserError naming the flag for what cannot be trained; nothing is written. Common flags are checked already."""
    guidance: Callable[[Any], Guidance]
    """The config's judge in its domain, not audited; nothing is asked or written."""
    about: Callable[[Any], Mapping[str, Any]]
    """What summary.json says of a config beside the judge: `env`, `algorithm`, ... Runs of equal ones are compared."""
    train_seed: TrainSeed
    """Trains one seed (config, source of shifts or None without a judge, seed, log, tick): the last evaluation's
    metrics. It takes up the seed's checkpoint if there is one, and ticks the decisions that are done."""
    details: Callable[[Any, Guidance], Mapping[str, Any]] = no_details
    """What else config.json has to hold to repeat the run, such as hyper-parameters."""
    horizon: Callable[[Any], int | None] = rule_s_own
    """Decisions after which the judge under a fading rule has no say; None: the rule's own."""
    finished: Callable[[Any, int], None] = no_cleaning
    """Called when a seed's result is on the disk, to clean up."""
    renamed: Mapping[str, str] = field(default_factory=dict, hash=False)
    """Settings that had other names in run folders of before: old name -> present one."""
    least_steps: int = 1
    incidental: Collection[str] = ()
    """Settings of the app's own that change no number, such as where an interpreter lies: a run goes on with others."""


def train(training: Training, config: Any, guidance: Guidance | None = None) -> dict[str, Any]:
    """Trains and returns the summary that is also in the run directory's summary.json.

    `guidance` is what the config names where a caller has made it already, so that a large model is loaded once. It is
    then used for all seeds in this process, unless the config asks for several.
    """
    check_training(config, training.least_steps)
    training.check(config)
    if config.ray is not None:
        need("--ray", "ray")
    guidance = training.guidance(config) if guidance is None else guidance
    log = RunLog.create(
        config.out, resolved(training, config, guidance), config.resume, defaults_of(config), training.renamed
    )
    if guidance.judge is not None and log.audit is None:  # an audit may take minutes
        print(f"judge {config.judge} [{guidance.kind}]: is asked the labelled questions first", flush=True)
    try:
        guidance = guidance.audited(log.audit)
    except UserError:  # the same --out serves once the judge is mended
        log.abandon()
        raise
    log.keep_audit(guidance.audit)
    print(guidance.headline, flush=True)
    guidance.ask_ahead()
    with progress(training.unit, config.steps * len(config.seeds)) as bar:
        alone = config.ray is None and (config.workers == 1 or len(config.seeds) == 1)
        work = partial(train_one, training, config, guidance.audit, guidance=guidance if alone else None)
        if config.ray is not None:
            results = on_ray(work, config.seeds, config.ray, partial(bar.advance, config.steps))
        else:
            results = in_processes(work, config.seeds, config.workers, bar.advance)
        for seed, result in results:
            log.finish_seed(seed, result)
            training.finished(config, seed)
    summary = summarised(training, config, guidance, log)
    log.write_summary(summary)
    report(summary)
    return summary


def train_one(
    training: Training,
    config: Any,
    audit: Mapping[str, Any],
    seed: int,
    tick: Tick,
    guidance: Guidance | None = None,
) -> dict[str, Any]:
    """One seed's result: `metrics`, `judge_stats` and `seconds`; what is on the disk if the seed is finished."""
    with RunLog.open(config.out, config.wandb) as log:
        if (finished := log.seed_result(seed)) is not None:
            tick(config.steps)
            return finished
        guidance = _guidance_here(training, config).audited(audit) if guidance is None else guidance
        begun = time.perf_counter()
        source = guidance.shifts(seed, config.steps, training.horizon(config))
        lookout = None if source is None else Lookout(tick, source, log, seed, config.steps)
        metrics = training.train_seed(config, source, seed, log, lookout or tick)
        if source is not None:  # where training raised, it is left open: closing would wait for a slow judge
            source.close()
        counts = None if source is None else source.stats.as_dict()
        found = {"metrics": dict(metrics), "judge_stats": counts, "seconds": time.perf_counter() - begun}
        if source is not None and (watched := source.watched) is not None:
            found["watch"] = watched
        if lookout is not None and (alarm := lookout.alarm()) is not None:
            found["alarm"] = alarm
        return found


def alarm_of(source: ShiftSource, log: RunLog, seed: int, done: int) -> dict[str, Any] | None:
    """Where shifted returns rose while unshifted ones fell in the first `done` decisions of the seed; None: nowhere."""
    if source.ledger is None:
        return None
    rows = [row for row in log.rows("episodes") if row["seed"] == str(seed) and row.get("return")]
    ended = [(int(row["decisions"]), float(row["return"])) for row in rows if row.get("decisions")]
    ended = [episode for episode in ended if episode[0] <= done // source.ledger.length * source.ledger.length]
    return find_alarm(source.ledger, [decisions for decisions, _ in ended], [earned for _, earned in ended])


class Lookout:
    """A tick that looks for an alarm LOOKS times in a training, and says the first one in a line."""

    def __init__(self, tick: Tick, source: ShiftSource, log: RunLog, seed: int, steps: int) -> None:
        self.source, self.log, self.seed, self.steps = source, log, seed, steps
        self._tick, self._done, self._raised = tick, 0, False

    def __call__(self, more: int) -> None:
        """Passes on that `more` decisions are done."""
        look = self._done * LOOKS // self.steps
        self._done += more
        if not self._raised and self._done * LOOKS // self.steps > look:
            self.alarm()
        self._tick(more)

    def alarm(self) -> dict[str, Any] | None:
        """What there is to be alarmed about so far."""
        alarm = alarm_of(self.source, self.log, self.seed, self._done)
        if alarm is not None and not self._raised:
            print(alarm_line(alarm, self.seed), flush=True)
            self._raised = True
        return alarm


@lru_cache(maxsize=1)
def _guidance_here(training: Training, config: Any) -> Guidance:
    """The config's guidance, which the seeds of a process share."""
    return training.guidance(config)


def resolved(training: Training, config: Any, guidance: Guidance) -> dict[str, Any]:
    """Everything that a reader of the run needs to repeat it."""
    incidental = {*ELSEWHERE, *training.incidental}
    settings = {name: value for name, value in asdict(config).items() if name not in incidental}
    prompt = {"name": guidance.template.name, "hash": guidance.template.hash}
    about = {"app": training.app, "prompt": prompt, **training.details(config, guidance)}
    return {**about, "settings": settings, **provenance()}


def defaults_of(config: Any) -> dict[str, Any]:
    """The settings that nobody gave: a run folder of before a flag existed goes on with the flag's default."""
    return {f.name: value for f in fields(config) if (value := getattr(config, f.name)) == f.default}


def summarised(training: Training, config: Any, guidance: Guidance, log: RunLog) -> dict[str, Any]:
    """The run's summary: each metric over all seeds that are finished, the judge's counts added up."""
    results = log.results()
    found = list(results.values())
    names = list(dict.fromkeys(name for r in found for name in r["metrics"]))
    known = {name: [v for r in found if (v := r["metrics"].get(name)) is not None] for name in names}
    about = {"app": training.app, **training.about(config)}
    judge = {"judge": config.judge, "judge_kind": guidance.kind, "rule": config.rule, "scale": config.scale}
    return {
        **about,
        **judge,
        "strategy": config.strategy,
        "seeds": sorted(results),
        "steps": config.steps,
        "metrics": {n: summarise(v) for n, v in known.items() if len(v) == len(found)},
        "not_reached": {n: len(found) - len(v) for n, v in known.items() if len(v) < len(found)},
        "judge_stats": added([r["judge_stats"] for r in found if r["judge_stats"]]),
        "audit": guidance.audit,
        "seconds": sum(r["seconds"] for r in found),
        **{
            name: of
            for name in ("watch", "alarm")
            if (of := {str(s): r[name] for s, r in results.items() if name in r})
        },
    }


def added(counts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The statistics of several seeds in one; 0 where there are none."""
    total = JudgeStats().as_dict()
    reasons: Counter[str] = Counter()
    for count in counts:
        reasons.update(count.get("reasons", {}))
        for name in total.keys() - {"reasons"}:
            total[name] += count.get(name, 0)
    return total | {"reasons": dict(reasons)}


def report(summary: Mapping[str, Any]) -> None:
    """Prints what every metric was after training, and how many of the judge's answers could not be used."""
    rows = [{"metric": name, **values} for name, values in summary["metrics"].items()]
    about = ", ".join(str(summary[n]) for n in ("env", "algorithm") if summary.get(n))
    seeds = len(summary["seeds"])
    title = f"{about}, judge {summary['judge']}: after training, without shift, {seeds} seed{'s'[: seeds != 1]}"
    stats = summary["judge_stats"]
    print_table(rows, title=title)
    if stats["unreadable"]:
        reason = max(stats["reasons"].items(), key=lambda item: item[1], default=("unknown", 0))[0]
        print(f"{stats['unreadable']:,} of {stats['judgments']:,} judgments were unreadable; mostly: {reason}")


def run_returns(run: Any, seeds: Sequence[int], metric: str = "return") -> list[float]:
    """The last evaluation's unshifted `metric` of each finished seed of a run."""
    with RunLog.open(run) as log:
        results = log.results()
    if missing := [seed for seed in seeds if seed not in results]:
        raise UserError(f"{run}: seed {missing[0]} is not finished; continue the run with --resume")
    return [float(results[seed]["metrics"][metric]) for seed in seeds]
