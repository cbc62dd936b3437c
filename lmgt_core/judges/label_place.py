"""The probabilities of the verdicts at the place of a written reply where its label stands.

Servers give the alternatives to each token that they wrote. Only those to the label's own first token tell how sure the
model was: what stands before it may be reasoning, bold type or a quotation mark.
"""

import math
import re
from collections.abc import Mapping, Sequence

from lmgt_core.judges.label_scoring import MENU, Menu, likeliest
from lmgt_core.judging.judgment import Verdict
from lmgt_core.judging.verdict_parser import parse_verdict

Probabilities = tuple[float, float, float]
Written = tuple[str, Mapping[str, float]]  # a token, and the log-probabilities of what could have stood in its place
_FRAME = re.compile(r"verdict|final|answer|label|rating|judge?ment|score|my|the|is|f?boxed|text\w*|json")
_END = re.compile(r"(?:\s|<\|(?!\w*th(?:ink|ought))[^<>|]{1,40}\|>|</s>|<eos>|<end_of_turn>)*")  # what ends a turn
_SLACK = 0.01  # by which rounded probabilities may exceed 1


def label_probabilities(text: str, tokens: Sequence[Written], menu: Menu) -> Probabilities | None:
    """(good, neutral, bad) where the label of the reply `text` stands among the `tokens` that were written.

    An alternative counts for a verdict when it begins a spelling of that verdict and of no other; what is not among the
    alternatives has probability 0. None where the reply says more than a label, where its place is not found, and where
    the numbers are no probabilities or contradict the text.
    """
    spellings = {form.casefold(): verdict for verdict, forms in menu.items() for form in forms}
    label = _only_label(text, spellings)
    place = _place(text.strip(), label, tokens) if label is not None else None
    if place is None:
        return None
    alternatives, before = place
    mass = dict.fromkeys(MENU, 0.0)
    for token, log_probability in alternatives.items():
        if math.isnan(log_probability) or log_probability > _SLACK:
            return None
        begins = _bare(_shown(token).lstrip().removeprefix(before))
        begun = {verdict for form, verdict in spellings.items() if begins and form.startswith(begins)}
        if len(begun) == 1:
            mass[begun.pop()] += math.exp(min(log_probability, 0.0))
    total = sum(mass.values())
    if total <= 0 or sum(math.exp(min(p, 0.0)) for p in alternatives.values()) > 1 + _SLACK:
        return None
    found = mass[Verdict.GOOD] / total, mass[Verdict.NEUTRAL] / total, mass[Verdict.BAD] / total
    return found if likeliest(found) is parse_verdict(text, menu=menu)[0] else None


def _only_label(text: str, spellings: Mapping[str, Verdict]) -> tuple[int, int] | None:
    """Where the one label of `text`, stripped, begins and ends; None unless all other words are of a known frame."""
    found = []
    whole = "|".join(map(re.escape, sorted(spellings, key=len, reverse=True)))  # a label may be several words
    words = re.compile(rf"(?<!\w)(?:{whole})(?!\w|\.\d)|[+\-−]?\d+(?:\.\d+)?|[^\W\d_]+", re.IGNORECASE)
    for word in words.finditer(text.strip()):
        if word[0].casefold() in spellings:
            found.append(word.span())
        elif not _FRAME.fullmatch(word[0].casefold()):
            return None
    return found[0] if len(found) == 1 else None


def _place(text: str, label: tuple[int, int], tokens: Sequence[Written]) -> tuple[Mapping[str, float], str] | None:
    """The alternatives to the token in which the label begins, and what that token holds before it."""
    shown = [_shown(token) for token, _ in tokens]
    whole = "".join(shown)
    begin = whole.rfind(text)
    if begin < 0 or not _END.fullmatch(whole[begin + len(text) :]):
        return None
    at = begin + label[0]
    for token, (_, alternatives) in zip(shown, tokens, strict=True):
        if at < len(token):
            return alternatives, token[:at].lstrip()
        at -= len(token)
    return None


def _shown(token: str) -> str:
    """A token as it looks in the text; some servers show the vocabulary's marks for space and line break."""
    return re.sub("[Ġ▁]", " ", token).replace("Ċ", "\n")


def _bare(text: str) -> str:
    """A word without spaces, quotes and full stop around it."""
    return text.strip(" \t\r\n\"'*`“”„«»_{}$()").rstrip(".!,;:").casefold()
