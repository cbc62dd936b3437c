"""`lmgt slateq estimate`: a log streams by once, and every policy is estimated on the same resamples of it."""

import hashlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from apps.slateq.logs.reader import Log
from apps.slateq.logs.schema import SCORES, Slates
from apps.slateq.off_policy.config import EstimateConfig
from apps.slateq.off_policy.estimates import ALWAYS_PLAIN, SELF_NORMALISED, Estimate, difference, estimates_of, interval
from apps.slateq.off_policy.estimators import (
    REGRESSED,
    SESSION,
    SESSION_MODEL,
    SLATE,
    Models,
    possible,
    ratios_of,
    returns_to_go,
    session_terms,
    slate_terms,
)
from apps.slateq.off_policy.figure import estimates_figure, sessions_figure
from apps.slateq.off_policy.logged import Logged
from apps.slateq.off_policy.policies import EvaluatedPolicy, make_evaluated
from apps.slateq.off_policy.reward_model import READS, fit_returns, fit_rewards
from apps.slateq.off_policy.served_sessions import FEWEST, ServedSessions, served_sessions
from apps.slateq.off_policy.sums import Sums, poisson_weights
from apps.slateq.off_policy.user_model import fit_users
from apps.slateq.snapshot import from_bytes, to_bytes
from lmgt_core.errors import UserError
from lmgt_core.files import write_atomic, write_json_atomic
from lmgt_core.terminal.progress import progress
from lmgt_core.terminal.tables import cell, print_table, write_rows

STATE = "state.npz"
SAVE_EVERY = 10.0  # seconds between two states, at least
FIT_ROWS = 20_000  # that regressions are fitted to
LOGGED = "as logged"


def main(config: EstimateConfig) -> dict[str, Any]:
    """Prints estimates, differences and a decision, and returns {"estimates", "differences", "decision"}."""
    log, policies = check(config)
    served = serve_fitted(config, log, policies) if config.refits else None
    sums, models = stream(config, log, policies)
    found = {name: estimates_of(one) for name, one in sums.items()}
    found = {name: checked_users(estimates, models.get(name)) for name, estimates in found.items()}
    if served is not None:
        found = {name: [*estimates, *served.estimates.get(name, ())] for name, estimates in found.items()}
    logged = [e for e in found.pop(LOGGED) if not e.estimator.startswith(SELF_NORMALISED)]
    rows = [row_of(LOGGED, e, "the log's mean") for e in logged]
    rows += [row_of(name, e) for name, estimates in found.items() for e in estimates]
    title = f"{log.path}: {log.rows:,} slates in {sums[LOGGED].sessions[0]:,.0f} sessions"
    print_table(wide(rows), title=f"{title}; estimates with 95 % intervals, ! where a warning stands below")
    for line in warnings(rows):
        print(line)
    for name, missing in possible(log.columns, with_sessions(log)):
        if missing:
            print(f"{name}: left out, the log has no column {missing}")
    result = {"estimates": rows, "differences": differences(found), "decision": decision(config, found)}
    if served is not None:
        result["sessions"] = served.rows
        print_table(served.rows, title=served.title)
    print(result["decision"])
    if config.json is not None:
        write_rows(config.json, rows)
    if config.out is not None:
        write_json_atomic(config.out / "estimates.json", result)
        write_atomic(config.out / "estimates.svg", estimates_figure(rows, config.decide))
        if served is not None:
            write_atomic(config.out / "sessions.svg", sessions_figure(served.logged, served.simulated))
    return result


def check(config: EstimateConfig) -> tuple[Log, list[EvaluatedPolicy]]:
    """The log and the policies; UserError naming what is wrong, before anything long is begun."""
    if config.resamples < 20:
        raise UserError(f"--resamples {config.resamples}: give at least 20, or no interval can be seen")
    if config.resume and config.out is None:
        raise UserError("--resume: name the folder of the interrupted estimation with --out")
    log = Log(config.log)
    if not log.rows:
        raise UserError(f"{config.log}: holds no slates")
    policies = [make_evaluated(name, log) for name in dict.fromkeys(config.policy)]
    if not policies:
        raise UserError("--policy: name at least one")
    check_refits(config, log, policies)
    known = {name: missing for name, missing in possible(log.columns, with_sessions(log))}
    if config.refits:
        known[SESSION_MODEL] = ""
    wanted, names = config.decide.removeprefix(SELF_NORMALISED), (*SLATE, *SESSION, SESSION_MODEL)
    if wanted not in names or (wanted != config.decide and wanted in ALWAYS_PLAIN):
        raise UserError(f"--decide {config.decide}: no such estimator; there are: {', '.join(names)}")
    if wanted == SESSION_MODEL and not config.refits:
        raise UserError(f"--decide {config.decide}: is made with --refits; give --refits 40, say")
    if wanted not in known:
        raise UserError(
            f"--decide {config.decide}: every session of {log.path} is a single slate; choose one for slates"
        )
    if known[wanted]:
        raise UserError(f"--decide {config.decide}: {log.path} has no column {known[wanted]}; decide by ips, say")
    return log, policies


def check_refits(config: EstimateConfig, log: Log, policies: Sequence[EvaluatedPolicy]) -> None:
    """UserError for what no model of sessions can be fitted to, or cannot serve."""
    if config.refits < 0 or 0 < config.refits < 20:
        raise UserError(f"--refits {config.refits}: give 0 for none, or at least 20, or no interval can be seen")
    if config.refits and not with_sessions(log):
        raise UserError(f"--refits {config.refits}: every session of {log.path} is a single slate; leave it away")
    for policy in policies:
        if config.refits and policy.remembers:
            raise UserError(
                f"--refits {config.refits}: {policy.name} looks at the session so far, which the model of sessions "
                "does not tell; leave one of the two away"
            )


def columns_of(log: Log, policies: Sequence[EvaluatedPolicy]) -> list[str]:
    """What is read of the log beside what every log has."""
    columns = {"propensities", "marginals", *READS, *(n for n in log.columns if n.startswith(SCORES))}
    return sorted(columns | {column for policy in policies for column in policy.columns})


def serve_fitted(config: EstimateConfig, log: Log, policies: Sequence[EvaluatedPolicy]) -> ServedSessions:
    """What the policies earn in a model that is fitted to a sample of the log; UserError where that is too small."""
    sample = log.sample(columns_of(log, policies), FIT_ROWS)
    if sample is None or len(sample.begins) < FEWEST:
        raise UserError(
            f"--refits {config.refits}: {log.path} has under {FEWEST} sessions, too few to fit their ends to"
        )
    return served_sessions(sample, policies, config.refits, config.seed)


def with_sessions(log: Log) -> bool:
    """Whether any session of the log has more than one slate."""
    return log.last_step > 0


def stream(
    config: EstimateConfig, log: Log, policies: Sequence[EvaluatedPolicy]
) -> tuple[dict[str, Sums], dict[str, Models]]:
    """The sums of the log itself and of every policy, and what was fitted for them.

    What an interrupted command saved is taken up with --resume.
    """
    columns = columns_of(log, policies)
    row, sums = saved(config, log)
    if not sums:
        sums = {name: Sums(config.resamples) for name in (LOGGED, *(p.name for p in policies))}
    models = fitted(log, policies, columns)
    if config.decide.removeprefix(SELF_NORMALISED) in REGRESSED and next(iter(models.values())).users is None:
        raise UserError(f"--decide {config.decide}: {log.path} is too short to fit anything to; decide by ips, say")
    last = time.monotonic()
    with progress("slates", log.rows) as bar:
        bar.advance(row)
        for rows, end in log.batches(columns, begin=row):
            begins = rows.begins
            lengths = np.diff(np.r_[begins, len(rows)])
            times = poisson_weights(rows.key[begins], config.resamples, config.seed)
            add(sums, rows, lengths, times, policies, models, with_sessions(log))
            bar.advance(end - row)
            row = end
            if config.out is not None and time.monotonic() - last >= SAVE_EVERY:
                save(config, log, row, sums)
                last = time.monotonic()
    if config.out is not None:
        save(config, log, row, sums)
    return sums, models


def add(
    sums: Mapping[str, Sums],
    rows: Slates,
    lengths: Any,
    times: Any,
    policies: Sequence[EvaluatedPolicy],
    models: Mapping[str, Models],
    sessions: bool,
) -> None:
    """Counts a batch of whole sessions for the log itself and for every policy."""
    logged = Logged(rows)
    for name, policy, fitted_to in [
        (LOGGED, logged, Models()),
        *((p.name, p.distribution(rows), models[p.name]) for p in policies),
    ]:
        ratios = ratios_of(rows, policy)
        terms = slate_terms(rows, policy, ratios, fitted_to)
        if sessions:
            terms |= session_terms(rows, policy, ratios, fitted_to)
        if policy is logged:
            terms = {one: terms[one] for one in ("ips", "trajectory") if one in terms}
        sums[name].add(times, lengths, terms)


def fitted(log: Log, policies: Sequence[EvaluatedPolicy], columns: Sequence[str]) -> dict[str, Models]:
    """What is fitted to a sample of the log, for each policy; nothing where it is too short."""
    sample = log.sample(columns, FIT_ROWS)
    if sample is None:
        return {policy.name: Models() for policy in policies}
    users, by_place = fit_users(sample), "propensities" in log.columns
    returns = fit_returns(sample, returns_to_go(sample)) if by_place and with_sessions(log) else None
    return {
        policy.name: Models(fit_rewards(sample, policy.distribution(sample)) if by_place else None, returns, users)
        for policy in policies
    }


def save(config: EstimateConfig, log: Log, row: int, sums: Mapping[str, Sums]) -> None:
    """Writes how far the estimation has come, atomically."""
    assert config.out is not None
    state = {"of": identity(config, log), "row": row, "sums": {name: one.state_dict() for name, one in sums.items()}}
    write_atomic(config.out / STATE, to_bytes(state))


def saved(config: EstimateConfig, log: Log) -> tuple[int, dict[str, Sums]]:
    """The row to go on from and the sums before it; (0, {}) for a new estimation."""
    path = None if config.out is None else config.out / STATE
    if path is None or not path.is_file():
        return 0, {}
    if not config.resume:
        raise UserError(f"--out {config.out}: holds an estimation; go on with it with --resume, or name another folder")
    state = from_bytes(path.read_bytes())
    if state["of"] != identity(config, log):
        raise UserError(
            f"--resume: {path} is of another log, other policies or resamples; name another folder by --out"
        )
    return int(state["row"]), {name: Sums.from_state(one) for name, one in state["sums"].items()}


def identity(config: EstimateConfig, log: Log) -> dict[str, Any]:
    """What an interrupted and a resumed command must have in common."""
    size = log.path.stat().st_size
    with open(log.path, "rb") as file:
        file.seek(max(0, size - (1 << 16)))  # where Parquet keeps what each part holds
        ending = hashlib.sha256(file.read()).hexdigest()
    return {
        "log": [size, ending],
        "policies": list(dict.fromkeys(config.policy)),
        "resamples": config.resamples,
        "seed": config.seed,
    }


def checked_users(estimates: Sequence[Estimate], models: Models | None) -> list[Estimate]:
    """The estimates, that by the model of users with a warning where held-out sessions speak against it."""
    warning = models.users.warning if models is not None and models.users is not None else ""
    return [replace(e, warning=warning) if e.estimator == "model" and warning else e for e in estimates]


def row_of(policy: str, estimate: Estimate, name: str = "") -> dict[str, Any]:
    """{policy, estimator, per, value, ci95, effective, mean_weight, warning}."""
    ci95 = estimate.ci95
    return {
        "policy": policy,
        "estimator": name or estimate.estimator,
        "per": estimate.per,
        "value": estimate.value if np.isfinite(estimate.value) else None,
        "ci95": None if ci95 is None else list(ci95),
        "effective": estimate.effective,
        "mean_weight": estimate.mean_weight,
        "warning": estimate.warning,
    }


def wide(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """One line an estimator for the terminal, one column a policy."""
    lines: dict[tuple[str, str], dict[str, Any]] = {}
    for row in rows:
        if row["policy"] == LOGGED:
            continue
        line = lines.setdefault((row["per"], row["estimator"]), {"for each": row["per"], "estimator": row["estimator"]})
        line[row["policy"]] = ("! " if row["warning"] else "") + cell(row["value"]) + " " + cell(row["ci95"])
    logged = {row["per"]: row for row in rows if row["policy"] == LOGGED}
    for (per, _), line in lines.items():
        line[LOGGED] = cell(logged[per]["value"]) + " " + cell(logged[per]["ci95"])
    return list(lines.values())


def warnings(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """A line for each policy and warning, with the estimators that it is about."""
    about: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        if row["warning"] and not row["estimator"].startswith(SELF_NORMALISED):
            about.setdefault((row["policy"], row["warning"]), []).append(row["estimator"])
    return [f"! {policy}, {' and '.join(names)}: {what}" for (policy, what), names in about.items()]


def differences(found: Mapping[str, Sequence[Estimate]]) -> list[dict[str, Any]]:
    """A row for each later policy and estimator: what it earns more than the first."""
    (_, first), *others = found.items()
    return [
        {"policy": name, **difference(one, other)}
        for name, estimates in others
        for one, other in zip(first, estimates, strict=True)
    ]


def decision(config: EstimateConfig, found: Mapping[str, Sequence[Estimate]]) -> str:
    """Which policy to choose by the estimator that was named for it, the first against each other, or why none."""
    chosen = {name: next(e for e in estimates if e.estimator == config.decide) for name, estimates in found.items()}
    (name, first), *others = chosen.items()
    if not others and not first.warning:
        return f"By {config.decide}, {name} earns {first.value:.3f} {_within(first.ci95)} for each {first.per}."
    return " ".join(_compared(config.decide, name, first, *other) for other in others or [(name, first)])


def _compared(by: str, name: str, first: Estimate, other: str, second: Estimate) -> str:
    warned = dict.fromkeys(f"{n}: {e.warning}" for n, e in ((name, first), (other, second)) if e.warning)
    if warned:
        return f"By {by}, this log does not tell what to think of {other} and {name} ({'; '.join(warned)})."
    more = second.value - first.value
    ci95 = interval(second.resampled - first.resampled)
    if ci95 is None or ci95[0] <= 0 <= ci95[1]:
        return f"By {by}, this log cannot tell {other} from {name}: {more:+.3f} {_within(ci95)} for each {first.per}."
    better, worse = (other, name) if more > 0 else (name, other)
    low, high = sorted(abs(end) for end in ci95)
    return f"By {by}, choose {better}: {abs(more):.3f} {_within((low, high))} more than {worse} for each {first.per}."


def _within(ci95: tuple[float, float] | None) -> str:
    return "" if ci95 is None else f"[{ci95[0]:.3f}, {ci95[1]:.3f}]"
