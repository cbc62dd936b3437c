"""Several judges as one: what they agree on counts, where they disagree they abstain.

`ensemble:A,B,C[?vote=majority|mean]`, or with + between the names where commas part a list of judges. Members may have
options of their own; `vote` comes last.
"""

import re
from collections import Counter
from collections.abc import Sequence
from typing import Literal

import numpy as np

from lmgt_core.errors import UserError
from lmgt_core.judges.label_scoring import MENU, likeliest
from lmgt_core.judges.nested_specs import make_inner, own_text
from lmgt_core.judging.judge import Judge, JudgeKind, ask, seeded
from lmgt_core.judging.judgment import Cost, Judgment, Verdict
from lmgt_core.judging.prompt import Prompt
from lmgt_core.judging.registry import JudgeContext, JudgeSpec
from lmgt_core.rules.shift import speaks

Vote = Literal["majority", "mean"]
PRIVILEGE = (
    JudgeKind.ORACLE,
    JudgeKind.TRAINED,
    JudgeKind.VISION_LANGUAGE_MODEL,
    JudgeKind.LANGUAGE_MODEL,
    JudgeKind.EMBEDDING,
)


class EnsembleJudge:
    """Asks all members.

    majority: the verdict of more than half of all members; the silent ones count against it. mean: the most probable
    verdict by the mean of the probabilities of those that speak, unless one says good and another bad. Otherwise it
    abstains, and says who said what; where no member has a readable answer, neither has it.
    """

    def __init__(self, members: Sequence[Judge], vote: Vote = "majority") -> None:
        self.members = tuple(members)
        self.vote = vote
        self.id = f"ensemble:{vote}({'; '.join(sorted(m.id for m in members))})"
        self.kind = kind_of(members)
        self.cacheable = any(m.cacheable for m in members)

    def seeded(self, seed: int) -> "EnsembleJudge":
        """The same members, those that draw lots with the lots of `seed`."""
        return EnsembleJudge([seeded(member, seed) for member in self.members], self.vote)

    def judge(self, prompts: Sequence[Prompt]) -> list[Judgment]:
        """What the members say together of each prompt."""
        answers = [ask(member, prompts) for member in self.members]
        return [self._together(row) for row in zip(*answers, strict=True)]

    def _together(self, answers: Sequence[Judgment]) -> Judgment:
        cost = total_cost([a.cost for a in answers])
        if all(a.verdict is Verdict.UNREADABLE for a in answers):
            reasons = "; ".join(dict.fromkeys(a.reason for a in answers))
            return Judgment(Verdict.UNREADABLE, reason=f"no member's answer is readable: {reasons}", cost=cost)
        heard = [a for a in answers if speaks(a)]
        said = Counter(a.verdict for a in heard)
        tally = ", ".join(f"{said[v]} {v.value}" for v in MENU if said[v]) or "nothing"
        reason = f"of {len(answers)} members: {tally}"
        if not heard:
            return Judgment(Verdict.NEUTRAL, reason=reason, abstained=True, cost=cost)
        mean = np.mean([a.probabilities or _certain(a.verdict) for a in heard], axis=0)
        good, neutral, bad = (mean / mean.sum()).tolist()
        probabilities = (good, neutral, bad)
        if self.vote == "mean":
            verdict = likeliest(probabilities)
            agreed = not (said[Verdict.GOOD] and said[Verdict.BAD])
        else:
            verdict, votes = said.most_common(1)[0]
            agreed = 2 * votes > len(answers)
        return Judgment(verdict, probabilities, reason="" if agreed else reason, abstained=not agreed, cost=cost)


def _certain(verdict: Verdict) -> tuple[float, float, float]:
    good, neutral, bad = (float(v is verdict) for v in MENU)
    return good, neutral, bad


def kind_of(members: Sequence[Judge]) -> JudgeKind:
    """What several judges are together: the most privileged of them; a baseline, never gated, only if all are."""
    kinds = [member.kind for member in members]
    return next((kind for kind in PRIVILEGE if kind in kinds), kinds[0])


def member_names(text: str) -> list[str]:
    """The names in a list divided by commas, or by + where there are none."""
    return [name.strip() for name in text.split("," if "," in text else "+") if name.strip()]


def total_cost(costs: Sequence[Cost]) -> Cost:
    """What several judgments cost together."""
    return Cost(
        sum(c.seconds for c in costs),
        sum(c.prompt_tokens for c in costs),
        sum(c.reply_tokens for c in costs),
        sum(c.dollars for c in costs),
    )


def make(spec: JudgeSpec, context: JudgeContext) -> Judge:
    """The judge `ensemble:A,B,...`; UserError for fewer than two members."""
    text, vote = own_text(spec), "majority"
    if match := re.search(r"[?&]vote=([^&?]*)$", text):
        text, vote = text[: match.start()], match[1]
    names = member_names(text)
    if len(names) < 2:
        raise UserError(f"--judge {spec}: ensemble:A,B,C needs two judges or more")
    members = [make_inner(spec, name, context) for name in names]
    if vote == "majority":
        return EnsembleJudge(members, "majority")
    if vote == "mean":
        return EnsembleJudge(members, "mean")
    raise UserError(f"--judge {spec}: vote={vote} is none of majority, mean")
