"""Labelled questions for the audit before training.

They ask about validation objects, which no judge was fitted to, and train objects, for judges that were not. Half of
the questions of each kind have the answer good. For picks that is what the agent meets: about half of the objects of an
episode are misplaced, and the wrong places are spread evenly. For places, an agent that places at random is right once
in ten times, and one that has learned always: half lies between, and lets a judge's precision be compared with the
accuracy of `noisy-oracle`, whose break-even is known. What an audit demands takes the rate of random play into account.
"""

import numpy as np

from apps.housekeep.describe import Decision, describe
from apps.housekeep.knowledge.labels import TRAIN, VAL, Labels
from apps.housekeep.knowledge.places import split_place
from apps.housekeep.oracle import PICK, PLACE, verdict
from lmgt_core.audit.audit import Probe
from lmgt_core.audit.play_rates import PlayRates
from lmgt_core.guidance.domain import Render
from lmgt_core.judging.judgment import Verdict

MISPLACED = 0.5  # share of an episode's objects that are misplaced at its start


def probe_set(labels: Labels, render: Render, rng: np.random.Generator, n: int, split: str = VAL) -> list[Probe]:
    """At most `n` different questions about the objects of a split, in random order; a group is an object.

    Fewer where there are not n / 4 right or wrong places to ask about: both answers stay equally many.
    """
    known = labels.only(labels.splits[split])
    right, wrong = (np.argwhere(answers) for answers in (known.correct, ~known.correct))  # [pair, (place, object)]
    each = min(n // 4, len(right), len(wrong))
    probes = [
        _probe(known, render, kind, place, object)
        for kind in (PICK, PLACE)
        for pairs in (right, wrong)
        for place, object in rng.permutation(pairs)[:each].tolist()
    ]
    return [probes[i] for i in rng.permutation(len(probes))]


def random_play(labels: Labels, split: str = TRAIN) -> PlayRates:
    """How often good and bad are the true answers to the picks and places of a robot that acts at random.

    Every pick is followed by a place. Half of the picks are right, as half of the objects of an episode are misplaced;
    of places the share that is right for an object of the split. One rate is given for both kinds together: an audit
    has one threshold for a verdict, whatever was decided. So a GOOD for a place alone is right less often than is
    demanded of all GOODs, and one for a pick more often.
    """
    good = (MISPLACED + float(labels.only(labels.splits[split]).correct.mean())) / 2
    return PlayRates.known({Verdict.GOOD: good, Verdict.BAD: 1.0 - good})


def _probe(labels: Labels, render: Render, kind: str, place: int, object: int) -> Probe:
    name = labels.objects[object]
    prompt = render(describe(Decision(kind, name, *split_place(labels.places[place]))))
    label: Verdict = verdict(prompt, labels.truth)
    return Probe(prompt, label, name)
