"""Labelled questions for audits: topics that no training serves, or the vocabulary's own where there are no others.

In interest evolution they are the audit half of the probe topics, half of them of low and half of high lasting value by
our own judgment (deviation 1 of README.md). A group of probes is a topic; for slates, which share topics, a pair of
topics, one of each half, that its slates are made of: no topic is in two groups, and there are many groups to count.
"""

from collections.abc import Iterator, Mapping

import numpy as np

from apps.slateq.config import JudgeUnit
from apps.slateq.describe import ATTITUDES, UNKNOWN, SlateDescriber
from apps.slateq.oracle import TopicTruth
from apps.slateq.vocabulary import Vocabulary
from lmgt_core.audit.audit import Probe, balance_probes
from lmgt_core.guidance.domain import Render
from lmgt_core.judging.judgment import Verdict

SLATES = 30  # drawn of each pair of topics


def probe_set(
    vocabulary: Vocabulary,
    truth: TopicTruth,
    render: Render,
    unit: JudgeUnit,
    slate: int,
    interests: bool,
    rng: np.random.Generator,
) -> list[Probe]:
    """The probes, rendered by `render`, as many good as bad ones drawn by `rng`, and all neutral ones."""
    worth = {name: truth.value_of[name] for name in vocabulary.audit or vocabulary.names}
    describer = SlateDescriber(vocabulary.names)
    steps = range(len(ATTITUDES)) if interests else (UNKNOWN,)
    if unit == "item":
        asked = [(describer.of([name], step), name) for name in worth for step in steps]
    else:
        asked = [(describer.of(names, int(rng.choice(steps))), group) for names, group in _slates(worth, slate, rng)]
    probes = []
    for description, group in asked:
        prompt = render(description)
        probes.append(Probe(prompt, truth.verdict(prompt), group))
    neutral = [probe for probe in probes if probe.label is Verdict.NEUTRAL]
    return balance_probes([probe for probe in probes if probe.label is not Verdict.NEUTRAL], rng) + neutral


def _slates(worth: Mapping[str, float], slate: int, rng: np.random.Generator) -> Iterator[tuple[list[str], str]]:
    """Different slates with their groups; topics may stand in a slate more than once, as in the world."""
    ranked = sorted(worth, key=lambda name: worth[name])
    half = len(ranked) // 2
    low, high = (rng.permutation(names).tolist() for names in (ranked[:half], ranked[half:]))
    for number, topics in enumerate(zip(low, high, strict=True)):
        drawn = {tuple(sorted(rng.choice(topics, slate).tolist())) for _ in range(SLATES)}
        for names in sorted(drawn):
            yield list(names), str(number)
