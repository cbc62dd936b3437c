"""The figure and the page of `benchmarks.off_policy`: `python -m benchmarks.off_policy_page FOLDER`.

The page also has the table of `benchmarks.session_model`, whose file is given by --whole.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tyro

from benchmarks.off_policy import LOGGING, POLICIES, SETTINGS, SLATES, TRUTH, OffPolicyConfig
from lmgt_core.audit.precision import clopper_pearson
from lmgt_core.files import read_json, write_atomic
from lmgt_core.report.figures import COLOURS, MARKERS, RC, rendered

Row = Mapping[str, Any]
SHOWN = {  # what the figure draws of each setting
    "slates": ("ips", "sn-ips", "dr", "iips", "cascade-dr"),
    "cascade": ("ips", "sn-ips", "dr", "iips", "cascade-dr"),
    "sessions": ("trajectory", "sn-trajectory", "pdis", "sn-pdis", "pdis-cv"),
}
RIGHT = {  # the estimators whose assumptions hold in each setting; unbiased, or consistent where self-normalised
    "slates": ("ips", "sn-ips", "dr", "sn-dr"),
    "cascade": ("ips", "sn-ips", "dr", "sn-dr", "rips", "sn-rips", "cascade-dr", "sn-cascade-dr"),
    "sessions": ("trajectory", "sn-trajectory", "pdis", "sn-pdis", "pdis-cv"),
}
FLOOR, CEILING = 3e-3, 3.0  # of the errors that are drawn
WIDEST = 0.4  # of the biases that are drawn; what is worse stands at the edge


@dataclass(frozen=True)
class PageConfig:
    """Writes the page and its figure from what the benchmark measured."""

    results: tyro.conf.Positional[Path]
    """The benchmark's folder."""
    whole: Path = Path("runs/session-model.json")
    page: Path = Path("docs/results/off-policy.md")
    figure: Path = Path("docs/figures/off-policy.png")


def figure(rows: Sequence[Row]) -> bytes:
    """A PNG: for each setting bias, error (root mean square) and coverage by size of the log, a column a policy."""
    import matplotlib
    from matplotlib.figure import Figure

    measures = (("bias", "bias / truth"), ("rmse", "error / truth"), ("covered", "coverage"))
    with matplotlib.rc_context(RC | {"font.size": 7, "savefig.dpi": 88}):
        drawn = Figure(figsize=(8.5, 12), layout="constrained")
        for part, setting in zip(drawn.subfigures(len(SETTINGS), 1), SETTINGS, strict=True):
            part.suptitle(SETTINGS[setting][0], x=0.01, ha="left", fontsize=9, fontweight="bold")
            axes = part.subplots(len(measures), len(POLICIES), sharex=True, sharey="row")
            for line, (measure, label) in zip(axes, measures, strict=True):
                for axis, policy in zip(line, POLICIES, strict=True):
                    _draw(axis, [r for r in rows if (r["setting"], r["policy"]) == (setting, policy)], measure, setting)
                line[0].set_ylabel(label)
            for axis, policy in zip(axes[0], POLICIES, strict=True):
                axis.set_title("support is missing" if policy == "missing" else policy, fontsize=8)
            for axis in axes[-1]:
                axis.set_xlabel("sessions in the log" if setting == "sessions" else "slates in the log")
            part.legend(*axes[0][0].get_legend_handles_labels(), loc="outside lower center", ncols=5, fontsize=7)
        return rendered(drawn, "png")


def _draw(axis: Any, rows: Sequence[Row], measure: str, setting: str) -> None:
    """One panel; hollow marks where at least half of the estimates came with a warning."""
    for number, estimator in enumerate(SHOWN[setting]):
        mine = sorted((r for r in rows if r["estimator"] == estimator), key=lambda r: r["sessions"])
        mine = [r for r in mine if r[measure] is not None]
        x = [r["sessions"] for r in mine]
        scale = [1.0 if measure == "covered" else r["truth"] for r in mine]
        y = [r[measure] / s for r, s in zip(mine, scale, strict=True)]
        if measure == "rmse":
            y = [min(max(value, FLOOR), CEILING) for value in y]
        if measure == "bias":
            y = [min(max(value, -WIDEST), WIDEST) for value in y]
        colour, marker = COLOURS[number], MARKERS[number]
        axis.plot(x, y, color=colour, linewidth=1.0, label=estimator)
        for one, at, value in zip(mine, x, y, strict=True):
            fill = "none" if one["warned"] >= 0.5 else colour
            axis.plot(at, value, marker, color=colour, markerfacecolor=fill, markersize=4)
    axis.set_xscale("log")
    axis.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axis.minorticks_off()
    if measure == "rmse":
        axis.set_yscale("log")
        axis.set_ylim(FLOOR * 0.8, CEILING * 1.2)
        axis.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    if measure == "bias":
        axis.set_ylim(-1.1 * WIDEST, 1.1 * WIDEST)
    if measure == "covered":
        axis.set_ylim(-0.05, 1.05)
        axis.axhline(0.95, color="black", linewidth=0.6, linestyle=":")


def table(rows: Sequence[Row], setting: str) -> str:
    """Markdown: a line an estimator at the largest size, a column a policy: bias, error, coverage, warnings."""
    size = largest(rows, setting)
    mine = {(r["estimator"], r["policy"]): r for r in rows if (r["setting"], r["sessions"]) == (setting, size)}
    estimators = list(dict.fromkeys(name for name, _ in mine))
    heads = [f"{name}: bias, error, covered %, warned %" for name in POLICIES]
    lines = ["| estimator | " + " | ".join(heads) + " |", "| --- |" + " --- |" * len(heads)]
    for estimator in estimators:
        cells = [_cell(mine[estimator, policy]) for policy in POLICIES]
        name = f"**{estimator}**" if estimator in RIGHT[setting] else estimator
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def counted(rows: Sequence[Row], setting: str) -> str:
    """How many logs there were of each size."""
    logs: dict[int, set[int]] = {}
    for row in rows:
        if row["setting"] == setting:
            logs.setdefault(row["sessions"], set()).add(row["logs"])
    return ", ".join(f"{' or '.join(map(str, sorted(counts)))} of {size:,}" for size, counts in sorted(logs.items()))


def largest(rows: Sequence[Row], setting: str) -> int:
    """Sessions in the largest logs."""
    return max(r["sessions"] for r in rows if r["setting"] == setting)


def _cell(row: Row) -> str:
    if row["bias"] is None:
        return f"none, {100 * row['warned']:.0f}"
    return f"{row['bias']:+.3f}, {row['rmse']:.3f}, {100 * row['covered']:.0f}, {100 * row['warned']:.0f}"


def coverage(rows: Sequence[Row]) -> str:
    """Markdown: of the estimates without a warning, how many intervals hold the truth, where assumptions hold."""
    lines = ["| estimator | setting | estimates without a warning | covered, % |", "| --- | --- | --- | --- |"]
    for setting in SETTINGS:
        for estimator in RIGHT[setting]:
            mine = [r for r in rows if (r["setting"], r["estimator"]) == (setting, estimator)]
            quiet = [r for r in mine if r["policy"] != "missing" and r["quiet"]]
            count = sum(r["quiet"] for r in quiet)
            if not count:
                lines.append(f"| {estimator} | {SETTINGS[setting][0]} | 0 | |")
                continue
            held = round(sum(r["quiet"] * r["covered_quiet"] for r in quiet))
            low, high = clopper_pearson(held, count, 0.025), 1 - clopper_pearson(count - held, count, 0.025)
            share = f"{100 * held / count:.1f} [{100 * low:.1f}, {100 * high:.1f}]"
            lines.append(f"| {estimator} | {SETTINGS[setting][0]} | {count:,} | {share} |")
    return "\n".join(lines)


def warnings(rows: Sequence[Row]) -> str:
    """Markdown: the share of logs in which some warning fired, where support is missing and where it holds."""
    lines = ["| setting | policy | sessions in the log | effective | warned, % |", "| --- | --- | --- | --- | --- |"]
    for setting in SETTINGS:
        shown = "dr" if setting != "sessions" else "pdis"
        for policy in POLICIES:
            for r in sorted(rows, key=lambda row: row["sessions"]):
                if (r["setting"], r["policy"], r["estimator"]) == (setting, policy, shown):
                    cells = (SETTINGS[setting][0], policy, f"{r['sessions']:,}", f"{r['effective']:,.0f}")
                    lines.append("| " + " | ".join(cells) + f" | {100 * r['warned']:.0f} |")
    return "\n".join(lines)


def whole_sessions(found: Mapping[str, Any]) -> str:
    """Markdown: a line a policy of `benchmarks.session_model`, a column an estimator."""
    shown = list(dict.fromkeys(row["estimator"] for row in found["rows"]))
    lines = [
        "| users | policy | truth | slates | " + " | ".join(f"{name}: mean, error, covered" for name in shown) + " |"
    ]
    lines.append("| --- | --- | --- | --- |" + " --- |" * len(shown))
    cells: dict[tuple[str, str], dict[str, Row]] = {}
    for row in found["rows"]:
        cells.setdefault((row["world"], row["policy"]), {})[row["estimator"]] = row
    for (world, policy), of in cells.items():
        first = next(iter(of.values()))
        line = [world, policy, f"{first['truth']:.1f}", f"{first['length']:.0f}"]
        for name in shown:
            r = of[name]
            warned = f" ({r['warned']} warned)" if r["warned"] else ""
            line.append(f"{r['mean']:.1f}, {r['rmse']:.1f}, {r['covered']} of {r['logs']}{warned}")
        lines.append("| " + " | ".join(line) + " |")
    return "\n".join(lines)


def main(config: PageConfig) -> None:
    """Writes both."""
    parts = [read_json(path) for path in sorted(config.results.glob("*.json"))]
    rows = [row for part in parts if isinstance(part["found"], list) for row in part["found"]]
    write_atomic(config.figure, figure(rows))
    content = PAGE.format(
        leaning=LOGGING,
        leanings=", ".join(f"{name} {value:g}" for name, value in POLICIES.items() if name != "missing"),
        slates=SLATES,
        truth=TRUTH,
        resamples=OffPolicyConfig.resamples,
        logs=counted(rows, "slates") + " slates; " + counted(rows, "sessions") + " sessions",
        tables="\n\n".join(
            f"**{about[0].upper()}{about[1:]}**, {largest(rows, s):,} sessions in a log:\n\n{table(rows, s)}"
            for s, (about, _) in SETTINGS.items()
        ),
        coverage=coverage(rows),
        warnings=warnings(rows),
        whole=whole_sessions(read_json(config.whole)),
        command="python -m benchmarks.off_policy --out runs/off-policy",
        revisions=", ".join(dict.fromkeys(part["revision"] for part in parts)),
        seconds=round(sum(part["seconds"] for part in parts)),
        cpu=parts[0]["cpu"],
    )
    write_atomic(config.page, content)


PAGE = """# What estimates from logs are worth

For whoever is about to [decide from logs](../how-to/decide-from-logs.md) and asks how far the estimators can be
trusted. In simulated worlds the truth is known: the evaluated policy is let serve.

![Bias, error and coverage of the estimators by size of the log, for policies near the logging one, further away, far,
and without support](../figures/off-policy.png)

Lines are means over logs; hollow marks: most of these estimates came with a warning. Error is the root of the mean
square.

*The world*: interest evolution, 10 candidates, slates of 3. *Policies*: items are drawn one after the other from the
softmax of b times how much the user likes them (-1 to 1). The logging policy has b = {leaning:g}; evaluated are
{leanings}. In the column *missing* the logging policy never shows what the user likes less than 0 (but
for the best three), and what is evaluated is the same policy with everything shown. Sessions have {slates} slates where
they are what is estimated.

*Logs*: {logs}.
Seeds are 0, 1, 2, ... for every size and every policy, so that rows and columns share luck. *Intervals*: 95 %, from
{resamples} resamples. *Truth*: {truth:,} slates of the evaluated policy. `model` and `model-dr` were not measured.

## Do 95 % intervals hold the truth?

Of estimates that came without a warning, near, middle and far together, all sizes, by estimators whose assumptions hold
in the setting (exact 95 % intervals; the policies share logs of a size, so in truth they are a little wider):

{coverage}

## Does the warning fire?

By `dr` for slates and `pdis` for sessions. It should fire where support is missing, and where the effective sample is
small:

{warnings}

## Each estimator at the largest size

Bold: its assumptions hold here. Bias and error in units of reward (minutes).

{tables}

## Whole sessions in a fitted model

Weights say nothing of sessions of sixty slates. `session-model` fits when users click and stop, and lets the policy
serve that ([section 5](../how-to/decide-from-logs.md#5-whole-sessions-by-a-model-of-your-users)). Logs of 300 whole
sessions of the policy above (b = 1), 20 refits; *error* is the root of the mean square over logs, in minutes; *worth*
leans to the topics' true quality (**privileged**) and leads where no logged session went.

{whole}

Near the logging policy weights and model agree within the weights' wide intervals; every estimate by weights comes
with a warning. Without one the model is off by about a minute; where it has to say what was never seen it is off by
more, and warns. This is a world whose stopping rule is of the model's form; in a small one with another rule the
check speaks against the model (`tests/apps/slateq/off_policy/test_session_model.py`).

    python -m benchmarks.session_model --worlds multinomial --logs 3 --out runs/session-model.json

Made by `{command}` and `python -m benchmarks.off_policy_page runs/off-policy` at revision {revisions}, in
{seconds:,} CPU seconds on {cpu}, two cores that others used too.
"""


if __name__ == "__main__":
    main(tyro.cli(PageConfig))
