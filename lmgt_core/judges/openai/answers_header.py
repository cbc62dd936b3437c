"""The answers that a question offers, as a header of its request: `X-LMGT-Answers: [["yes", "good"], ["no", "bad"]]`.

`lmgt judge serve` reads it, so that a judge scores the same words served or in process. Other servers pass over headers
that they do not know, where many refuse a request with a field that they do not know.
"""

import json

from lmgt_core.judging.answers import Offered
from lmgt_core.judging.judgment import VERDICTS, Verdict

HEADER = "X-LMGT-Answers"
MOST, LONGEST = 100, 200  # answers, and characters of one


def write_answers(answers: Offered) -> dict[str, str]:
    """The header that says `answers`; {} for none."""
    return {HEADER: json.dumps([[word, verdict.value] for word, verdict in answers])} if answers else {}


def read_answers(header: str) -> Offered:
    """The answers that a header's value says, () for ""; ValueError, in one line, for what is no menu."""
    if not header:
        return ()
    try:
        answers = tuple((word, Verdict(verdict)) for word, verdict in json.loads(header))
    except (ValueError, TypeError, RecursionError):
        raise ValueError(f'{HEADER} is a list of words and verdicts, like [["yes", "good"], ["no", "bad"]]') from None
    words = [word for word, _ in answers]
    if not all(isinstance(word, str) and 0 < len(word) <= LONGEST for word in words) or len(words) > MOST:
        raise ValueError(f"{HEADER} holds at most {MOST} words of at most {LONGEST} characters")
    said = {verdict for _, verdict in answers}
    if len(said) < 2 or not said <= set(VERDICTS) or len(set(words)) < len(words):
        raise ValueError(f"{HEADER} gives each word one verdict of {', '.join(VERDICTS)}, and at least two verdicts")
    return answers
