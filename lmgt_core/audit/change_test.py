"""Has the share of right answers left its demand? A test that may be looked at after every answer, and restarts itself.

To doubt that answers are right with probability `demand` at least, one bets against it: an answer multiplies the stake
by the ratio of its chances under an alternative share p and under the demand, p / demand if it is right and
(1 - p) / (1 - demand) if it is wrong. While the demand holds, no bet of this kind has an expected gain, whatever the
answers before (Waudby-Smith and Ramdas 2024, "Estimating means of bounded random variables by betting", J. R. Stat.
Soc. B 86, section 4). Five alternatives share the stake, so none has to be chosen beforehand.

A bet that began long before a change has lost what it would need to notice it. So the stake is parted among bets that
begin at the first answer, the second, and so on, of 1 / (j (j + 1)) each: e-detectors (Shin, Ramdas and Rinaldo 2023,
"E-detectors: a nonparametric framework for sequential change detection", New England J. Stat. Data Sci. 2, section
2), with weights that sum to 1 in place of equal ones. The sum of all stakes starts at 1 and has no expected gain, so
by Ville's inequality it ever reaches 1 / alpha with probability alpha at most: in a run of any length, not on average
between alarms. That the evidence is 1 / alpha is the same as that the upper bound of a confidence sequence for the
share, begun at some moment of the past, lies under the demand.

The change at answer j is noticed after about log(j^2 / alpha) / KL(share now, demand) answers. What the promise needs:
given everything before it, the next checked answer is right with probability `demand` at least. A judge that is right
often enough on average, but wrong wherever an agent happens to linger, does not keep that, and may be silenced there.
"""

from collections.abc import Sequence

ALTERNATIVES = (0.1, 0.3, 0.5, 0.7, 0.9)


class ChangeTest:
    """The evidence that answers are right less often than demanded; or more often, where `better`."""

    def __init__(self, demand: float, better: bool = False, n: int = 0, stakes: Sequence[float] = ()) -> None:
        self.demand, self.better, self.n = demand, better, n
        away = [demand + a * (1 - demand) if better else a * demand for a in ALTERNATIVES]
        self._ratio = {True: [p / demand for p in away], False: [(1 - p) / (1 - demand) for p in away]}
        self.stakes = list(stakes) or [0.0] * len(away)

    @property
    def evidence(self) -> float:
        """How often the stake has been multiplied so far; 1 at the start, and what has not been staked is kept."""
        return 1 / (self.n + 1) + sum(self.stakes) / len(self.stakes)

    def add(self, right: bool) -> float:
        """The evidence after one more answer."""
        self.n += 1
        begun = 1 / (self.n * (self.n + 1))
        self.stakes = [(stake + begun) * ratio for stake, ratio in zip(self.stakes, self._ratio[right], strict=True)]
        return self.evidence
