"""The settings of `lmgt slateq estimate`."""

from dataclasses import dataclass
from pathlib import Path

from tyro.conf import Positional


@dataclass(frozen=True)
class EstimateConfig:
    """Estimate from a log what policies would have earned that did not serve it, and which of them to choose."""

    log: Positional[Path]
    """A Parquet file that `lmgt slateq log` or `lmgt slateq import` wrote."""
    policy: tuple[str, ...] = ("Random",)
    """What to evaluate; all are compared with the first. Random; scores:NAME, the highest of the log's column
    scores.NAME first; slates:NAME, what the column slates.NAME holds; in logs of simulated worlds also MYOP-TS,
    MYOP-GS, MYOP-OS, quality (PRIVILEGED) and run directories. With ?epsilon=.1 a tenth of the slates are random;
    scores:NAME with ?temperature=.5 draws item after item from the softmax of the scores divided by that."""
    decide: str = "sn-dr"
    """The estimator that the last line decides by, chosen before looking: sn-dr, dr or ips for single slates, pdis-cv,
    pdis, trajectory or (with --refits) session-model for sessions; sn- means self-normalised;
    docs/how-to/decide-from-logs.md has the others."""
    refits: int = 0
    """Also fit a model of whole sessions (what users click, what it earns, when they stop), check it on sessions that
    were held out, and let every policy serve it: the estimator session-model. Its intervals come from so many refits
    to resampled sessions, 40, say; some seconds for each. 0: no such model."""
    resamples: int = 400
    """Of the sessions, for the intervals."""
    seed: int = 0
    """Of the resamples."""
    out: Path | None = None
    """A folder for estimates.json, estimates.svg, sessions.svg (with --refits) and what --resume goes on from."""
    resume: bool = False
    """Go on with the interrupted estimation in --out."""
    json: Path | None = None
    """Write the table's rows there as well."""
