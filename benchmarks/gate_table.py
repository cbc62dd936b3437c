"""The page docs/results/gate-trainings.md, from the runs of gate_trainings.sh under two gates.

    python -m benchmarks.gate_table NEW OLD --out docs/results/gate-trainings.md

Each judge is compared with no judge (Welch's interval of the difference of means, 95 %). Beside each run stands what
its audit alone would have foretold, and at the end how well that agrees with what happened.
"""

import argparse
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import stats

import lmgt_core
from lmgt_core.report.run import ReportRun, load_run
from lmgt_core.training.provenance import git_revision, machine

METRICS: Mapping[str, str] = {
    "cartpole": "return",
    "slateq": "return",
    "homes": "object_success",
    "builtin": "object_success",
    "blackjack": "return",
    "mountain_car": "return",
}
AVOIDABLE = frozenset(
    {"homes", "builtin", "cartpole"}
)  # judgment can be escaped: by doing other things, by ending the episode
SPEAKS = 0.02  # a shift in fewer decisions is no help that could be told


@dataclass(frozen=True)
class Row:
    """One judge in one world behind one gate, against no judge."""

    world: str
    judge: str
    kind: str
    gate: str
    says: str
    outcome: str
    low: float
    high: float
    share: float
    """Of the way from no judge to the oracle; nan where the oracle does not help."""
    signal: float
    """What the audit foretells."""

    @property
    def effect(self) -> str:
        """helps, hurts or no difference shown, by the interval of the difference."""
        return "helps" if self.low > 0 else "**hurts**" if self.high < 0 else "–"

    @property
    def foretold(self) -> str:
        """helps, hurts, or nothing for a judge that is hardly heard."""
        return "helps" if self.signal > SPEAKS else "hurts" if self.signal < -SPEAKS else "–"


def signal(run: ReportRun, world: str) -> float:
    """How much better than its alternative a right action is paid, in mean shifts on the audit's probes.

    An agent that followed the shift alone would do right where the mean shift of good actions is above that of bad
    ones, and, where it can also avoid judgment, above 0. -2 to 2; 0 for a judge that is silent.
    """
    audit = run.audit
    said = audit["held_out"]["by_verdict"] if audit.get("gated") else audit["precision"]
    if audit.get("silent") or not said:
        return 0.0
    counts = {verdict: (row["n"], (row["precision"] or 0.0) * row["n"]) for verdict, row in said.items()}
    (goods, right_goods), (bads, right_bads) = counts["good"], counts["bad"]
    half = audit["n"] / 2  # probes are balanced
    of_good, of_bad = (right_goods - (bads - right_bads)) / half, ((goods - right_goods) - right_bads) / half
    return float(of_good - (max(of_bad, 0.0) if world in AVOIDABLE else of_bad))


def last(run: ReportRun, metric: str) -> np.ndarray:
    """[seed] the last value."""
    return np.array(list(run.last_values[metric].values()))


def rows(new: Path, old: Path) -> Iterator[Row]:
    """A row of every finished run with a judge."""
    for world, metric in METRICS.items():
        folder = new / world
        if not (folder / "none" / "summary.json").exists():
            continue
        none = last(load_run(folder / "none", "none"), metric)
        known = (folder / "oracle" / "summary.json").exists()
        best = last(load_run(folder / "oracle", "oracle"), metric) if known else none
        for gate, place in (("now", new), ("before", old)):
            for path in sorted((place / world).glob("*/summary.json")):
                run = load_run(path.parent, path.parent.name)
                if run.judge == "none":
                    continue
                ungated, strict = (path.parent.name.endswith(end) for end in ("-ungated", "-strict"))
                values = last(run, metric)
                test = stats.ttest_ind(values, none, equal_var=False)
                low, high = (0.0, 0.0) if np.array_equal(values, none) else test.confidence_interval(0.95)
                lead = best.mean() - none.mean()
                yield Row(
                    world,
                    run.judge,
                    run.judge_kind,
                    "ungated" if ungated else "now, all .75" if strict else gate,
                    _says(run, ungated),
                    f"{values.mean():.3g}",
                    float(low),
                    float(high),
                    float((values.mean() - none.mean()) / lead) if lead > 0 else np.nan,
                    signal(run, world),
                )


def _says(run: ReportRun, ungated: bool) -> str:
    if ungated:
        return "everything"
    spoken = [verdict for verdict, threshold in run.audit["thresholds"].items() if threshold is not None]
    if not spoken:
        return "silent"
    return f"{', '.join(sorted(spoken, reverse=True))} ({run.audit['held_out']['coverage']:.2f})"


def page(found: list[Row], new: Path) -> str:
    """The page's text."""
    lines = []
    for world in dict.fromkeys(row.world for row in found):
        metric = METRICS[world]
        means = {
            name: last(load_run(new / world / name, name), metric).mean()
            for name in ("none", "oracle")
            if (new / world / name / "summary.json").exists()
        }
        best = f", oracle (privileged) {means['oracle']:.3g}" if "oracle" in means else ""
        lines += [
            f"\n## {TITLES[world]}: {metric.replace('_', ' ')}, no judge {means['none']:.3g}{best}\n",
            "| judge | gate | says (coverage) | after training | difference to no judge | effect | foretold |",
            "| --- | --- | --- | --- | --- | --- | --- |",
        ]
        for row in sorted(
            (r for r in found if r.world == world and r.judge != "oracle"), key=lambda r: (r.judge, r.gate)
        ):
            difference = f"[{row.low:.3g}, {row.high:.3g}]" if row.low or row.high else "the same run"
            cells = [f"`{row.judge}`", row.gate, row.says, row.outcome, difference, row.effect, row.foretold]
            lines.append("| " + " | ".join(cells) + " |")
    gated = [row for row in found if row.gate != "ungated" and row.judge != "oracle"]
    hurt = {gate: [r for r in gated if r.gate == gate and r.high < 0] for gate in ("before", "now")}
    total = {gate: sum(r.gate == gate for r in gated) for gate in ("before", "now")}
    helped = {gate: sum(r.gate == gate and r.low > 0 for r in gated) for gate in ("before", "now")}
    told = [row for row in found if row.judge != "oracle" and row.says != "silent"]
    placed = [row for row in told if np.isfinite(row.share)]
    rank = stats.spearmanr([r.signal for r in placed], [r.share for r in placed])
    calls = [
        f"| {mine} | "
        + " | ".join(str(sum(r.foretold == mine and r.effect == his for r in told)) for his in EFFECTS)
        + " |"
        for mine in ("helps", "–", "hurts")
    ]
    return PAGE.format(
        hurt_before=len(hurt["before"]),
        of_before=total["before"],
        helped_before=helped["before"],
        hurt_now=len(hurt["now"]),
        of_now=total["now"],
        helped_now=helped["now"],
        tables="\n".join(lines),
        n=len(told),
        rank=rank.statistic,
        p=rank.pvalue,
        calls="\n".join(calls),
        command="python -m benchmarks.gate_table NEW OLD",
        revision=git_revision(Path(lmgt_core.__path__[0])),
        cpu=machine()["cpu"],
    )


TITLES: Mapping[str, str] = {
    "cartpole": "CartPole, DQN, 2,000 steps",
    "slateq": "SlateQ, QL-TT-TS, 100,000 slates",
    "homes": "Housekeep's episodes in Pomaria_2, 2,000 skills, people's votes",
    "builtin": "Built-in homes, 2,000 skills, evaluated in unseen ones",
    "blackjack": "Blackjack, DQN, 2,000 steps",
    "mountain_car": "MountainCar",
}
EFFECTS = ("helps", "–", "**hurts**")
PAGE = """# Does a judge that passed its gate ever hurt?

This page is for those who want to know what the audit's promise of precision is worth in training. Judges of every sort
train agents behind the gate of today (**now**) and of revision de9cdfe (**before**; run at ea5a88b, in CartPole and
SlateQ; where both let the same through, the run was made once), some of them also ungated; five seeds each, evaluated
without any shift. In homes, where the rate of play is known, today's gate demands that a GOOD is right as often as
wrong in play, and of a BAD .75; **now, all .75** demands .75 of both. A judge *helps* or *hurts* if the 95 % interval
of its difference to no judge (Welch) lies above or below 0; with so many rows a few would by chance.

- Before: of {of_before} gated judges {hurt_before} hurt and {helped_before} helped.
- Now: of {of_now} gated judges {hurt_now} hurt and {helped_now} helped.

The one that hurt is only let blame: who is blamed in half of all decisions, rightly four times in five, lets the pole
fall. With `--rule centered`, which takes out the mean shift, it ends at 179 [133, 228]; a run says so when its judge
only blames. In homes blame alone does no harm and little good.

*Says* names the verdicts that the gate lets through, and the share of held-out questions on which it speaks. Oracles,
noisy or not, are privileged; `preference` is trained on labels.
{tables}

## Could the audit have foretold it?

*Foretold* compares the mean shift that good and bad actions get on the audit's own probes: an agent that followed the
shift alone does right if good ones get more than bad ones, and, where judgment can be avoided (in homes by doing what
nobody judges, in CartPole by letting the pole fall), more than nothing. No number was fitted; that CartPole counts
among the latter was seen only after its first rows. Over {n} judges and gates that spoke, five trainings each, the rank
correlation of that difference with the share of the way from no judge to the oracle is {rank:.2f} (p = {p:.2g}).

| foretold | helps | no difference shown | hurts |
| --- | --- | --- | --- |
{calls}

The order is foretold, the sign is not: the same errors (right in 65 %) help the recommender and ruin CartPole, and
judges that praise everything hurt in Blackjack though they prefer nothing. What a wrong shift costs depends on the
world, which no question to the judge tells. So the audit makes no such forecast: train beside `--judge none`, and watch
(`--watch`).

Made by `benchmarks/gate_trainings.sh` and `{command}` at revision {revision}, on {cpu}, two cores that others used too.
"""


def main() -> None:
    """Writes the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("new", type=Path, help="runs under today's gate")
    parser.add_argument("old", type=Path, help="runs under the gate before")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    found = list(rows(arguments.new, arguments.old))
    arguments.out.write_text(page(found, arguments.new), encoding="utf-8")


if __name__ == "__main__":
    main()
