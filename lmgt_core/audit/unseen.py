"""Which probes may say something about a judge: those to whose labels it was not fitted."""

from collections.abc import Sequence
from typing import Any

from lmgt_core.audit.audit import Probe


def unseen(judge: Any, probes: Sequence[Probe]) -> list[Probe]:
    """The probes to whose labels neither the judge nor one inside it was fitted, in their order.

    A judge that was fitted has an attribute `fitted_to`: groups of probes, or digests of single questions.
    """
    fitted = _fitted_to(judge)
    return [probe for probe in probes if probe.group not in fitted and probe.prompt.digest not in fitted]


def _fitted_to(judge: Any) -> frozenset[str]:
    found: frozenset[str] = getattr(judge, "fitted_to", frozenset())
    inside = [getattr(judge, "judged", None), *getattr(judge, "members", ())]
    return found.union(*(_fitted_to(one) for one in inside if one is not None))
