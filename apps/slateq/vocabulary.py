"""The words that documents speak: a name for each topic of a world, and labelled topics for audits.

RecSim's topics are numbers. Their names are ours (deviation 1 of README.md): in interest evolution fourteen of low and
six of high lasting value, in the order of RecSim's mean qualities. The probe topics are none of these; every other one
of them may fit a judge's thresholds (train), the rest audit it.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from apps.slateq.config import Environment
from lmgt_core.errors import UserError

WORDS = Path(__file__).parent / "words"
BUILTIN, SHUFFLED = "builtin", "shuffled"
LONGEST = 80  # characters of a name
LABELS = ("high: ", "low: ")


@dataclass(frozen=True)
class Vocabulary:
    """The names of topics 0 to T - 1, and probe topics with whether they are of high lasting value.

    `train` and `audit` are labelled as the world is: where the names are shuffled over the topics, so are the labels
    of `audit` over its names, since there a name says nothing. `train` keeps its labels: they are what people mean.
    """

    source: str
    names: tuple[str, ...]
    train: Mapping[str, bool]
    audit: Mapping[str, bool]

    @cached_property
    def digest(self) -> str:
        """The first 12 hex digits of a SHA-256 of the names in their order."""
        return hashlib.sha256("\n".join(self.names).encode()).hexdigest()[:12]


def load_vocabulary(spec: str, environment: Environment, topics: int) -> Vocabulary:
    """The vocabulary called `spec` (builtin, shuffled[:SEED], or a file) for a world of so many `topics`.

    A file holds one name a line, worst first, and may add topics for the audit as `high: NAME` and `low: NAME`; lines
    that begin with # are left out. UserError for a file that is missing, of another size, or with a name that is too
    long or there twice.
    """
    kind, _, argument = spec.partition(":")
    train, audit = _probes(environment)
    if spec == BUILTIN:
        return Vocabulary(spec, read_names(WORDS / f"{environment}.txt", topics)[0], train, audit)
    if kind == SHUFFLED and (argument.isdecimal() or not argument):
        return _shuffled(read_names(WORDS / f"{environment}.txt", topics)[0], train, audit, int(argument or 0))
    names, own = read_names(Path(spec), topics)
    return Vocabulary(spec, names, train, own)


def read_names(path: Path, topics: int) -> tuple[tuple[str, ...], dict[str, bool]]:
    """The names in the file, and its labelled topics for audits (True for high)."""
    if not path.is_file():
        raise UserError(f"--vocabulary {path}: no such file; name one, or use builtin, shuffled or shuffled:SEED")
    try:
        lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
    except UnicodeDecodeError:
        raise UserError(f"--vocabulary {path}: is no UTF-8 text; save it as UTF-8, one name a line") from None
    lines = [line for line in lines if line and not line.startswith("#")]
    names = tuple(line for line in lines if not line.startswith(LABELS))
    labelled = [line.split(": ", 1) for line in lines if line.startswith(LABELS)]
    if len(names) != topics:
        raise UserError(f"--vocabulary {path}: holds {len(names)} names, but this world has {topics} topics")
    _check_names(path, [*names, *(name for _, name in labelled)])
    return names, {name: label == "high" for label, name in labelled}


def _check_names(path: Path, names: Sequence[str]) -> None:
    """UserError for the first name that could not be told from others, or breaks a prompt."""
    for name in names:
        if not name or len(name) > LONGEST or ";" in name or not name.isprintable():
            raise UserError(f"--vocabulary {path}: {name[:30]!r} is no name of 1 to {LONGEST} characters without ;")
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise UserError(f"--vocabulary {path}: {twice!r} names two topics; every topic needs a name of its own")


def _shuffled(names: Sequence[str], train: Mapping[str, bool], audit: Mapping[str, bool], seed: int) -> Vocabulary:
    rng = np.random.default_rng([seed, 1])
    order = rng.permutation(len(names))
    labels = rng.permutation(np.array(list(audit.values()), bool)).tolist()
    shuffled = tuple(names[i] for i in order)
    return Vocabulary(f"{SHUFFLED}:{seed}", shuffled, train, dict(zip(audit, labels, strict=True)))


def _probes(environment: Environment) -> tuple[dict[str, bool], dict[str, bool]]:
    """The labelled topics that may fit judges, and those that audit them; none audit where topics are no subjects."""
    text = (WORDS / "probe-topics.txt").read_text(encoding="utf-8")
    labelled = [line.split(": ", 1) for line in text.splitlines()]
    both = [(name, label == "high") for label, name in labelled]
    return _every_other(both, 0), _every_other(both, 1) if environment == "interest-evolution" else {}


def _every_other(labelled: Sequence[tuple[str, bool]], first: int) -> dict[str, bool]:
    """Every other one of the high and of the low topics, from `first` on, in the file's order."""
    return {
        name: high
        for wanted in (True, False)
        for name, high in [pair for pair in labelled if pair[1] is wanted][first::2]
    }
