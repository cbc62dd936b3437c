"""What is kept of a log while it streams by: sums, each of them also for many resamples of the sessions.

A resample counts each session as often as a Poisson variable of mean 1 says (the Poisson bootstrap; Chamandy et al.
2012, "Estimating Uncertainty for Massive Data Streams"). The variable is drawn from the session's id and the number of
the resample alone, so batches, an interruption or another policy change nothing: policies are compared in pairs.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from apps.slateq.logs.reader import mixed
from apps.slateq.logs.schema import Floats, Integers
from apps.slateq.off_policy.estimators import Terms


def poisson_weights(keys: NDArray[np.uint64], resamples: int, seed: int) -> Floats:
    """[S, 1 + R] how often each resample counts the sessions with these `keys` [S]; the first column is all ones."""
    quarter = -(-resamples // 4)
    start = mixed(keys + mixed(np.array([seed], np.uint64)))
    with np.errstate(over="ignore"):
        drawn = mixed(start[:, None] + np.arange(quarter, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15))
    counts = _POISSON[drawn.view(np.uint16)[:, :resamples]]  # four numbers of 16 bits in each
    return np.concatenate([np.ones((len(keys), 1)), counts], axis=1)


def _poisson_table() -> Floats:
    """[65536] the Poisson variable of mean 1 at each of so many equally likely points."""
    chance, below, out = np.exp(-1.0), 0.0, np.zeros(1 << 16)
    points = (np.arange(1 << 16) + 0.5) / (1 << 16)
    for count in range(1, 12):
        below += chance
        out[points > below] = count
        chance /= count
    return out


_POISSON = _poisson_table()


class Sums:
    """Of one policy: the sums that its estimates are made of, over the sessions so far, in all and in R resamples.

    `slates` and `sessions` [1 + R] count; `alive` [T] is how many sessions had a slate at each step.
    """

    def __init__(self, resamples: int) -> None:
        self.slates, self.sessions = np.zeros(1 + resamples), np.zeros(1 + resamples)
        self.alive = np.zeros(0)
        self.families: dict[str, dict[str, NDArray[np.float64]]] = {}

    def add(self, times: Floats, lengths: Integers, terms: Mapping[str, Terms]) -> None:
        """Counts sessions of `lengths` [S], the resamples as often as `times` [S, 1 + R] says."""
        self.slates += lengths @ times
        self.sessions += times.sum(axis=0)
        alive = (np.arange(lengths.max(initial=0)) < lengths[:, None]).sum(axis=0)
        self.alive = _widened(self.alive, len(alive)) + _widened(alive, len(self.alive))
        for name, found in terms.items():
            self._add_family(name, found, times)

    def _add_family(self, name: str, terms: Terms, times: Floats) -> None:
        new = {
            "weighted": _resampled(terms.weighted, times),
            "weight": _resampled(terms.weight, times),
            "squares": terms.squares,
        }
        new |= {"last_weight": new["weight"][:, -1:], "last_squares": new["squares"][:, -1:]}
        old = self.families.get(name, {field: np.zeros_like(values) for field, values in new.items()})
        width = max(new["weight"].shape[1], old["weight"].shape[1])
        old, new = _lengthened(old, width), _lengthened(new, width)
        self.families[name] = {field: old[field] + new[field] for field in new}

    def state_dict(self) -> dict[str, Any]:
        """Arrays by name."""
        return {"slates": self.slates, "sessions": self.sessions, "alive": self.alive, "families": self.families}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> "Sums":
        """The sums that gave `state`."""
        sums = cls(len(state["slates"]) - 1)
        sums.slates, sums.sessions, sums.alive = state["slates"], state["sessions"], state["alive"]
        sums.families = {name: dict(family) for name, family in state["families"].items()}
        return sums


def _resampled(values: Floats, times: Floats) -> Floats:
    """[J, T, 1 + R] the sums over sessions of `values` [S, J, T]."""
    count, places, steps = values.shape
    return np.asarray((values.reshape(count, -1).T @ times).reshape(places, steps, -1))


def _lengthened(family: dict[str, Floats], steps: int) -> dict[str, Floats]:
    """The sums of a family at so many steps: sessions that are over keep their last weight and earn nothing."""
    missing = steps - family["weight"].shape[1]
    if not missing:
        return family
    later = {field: np.repeat(family[f"last_{field}"], missing, axis=1) for field in ("weight", "squares")}
    longer = {field: np.concatenate([family[field], later[field]], axis=1) for field in later}
    return family | longer | {"weighted": np.pad(family["weighted"], ((0, 0), (0, missing), (0, 0)))}


def _widened(values: Floats, width: int) -> Floats:
    return np.pad(np.asarray(values, float), (0, max(0, width - len(values))))
