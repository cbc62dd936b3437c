"""Words that a model would read as its control tokens, taken apart where a question goes to it as text.

Where tokens are handed over, a question's words are encoded as words, and no text can end a turn. Questions with images
are read by processors that take text alone.
"""

import re
from collections.abc import Collection


def taken_apart(text: str, controls: Collection[str]) -> str:
    """`text` with a space behind the first character of every one of `controls` in it; unchanged where it has none."""
    found = "|".join(map(re.escape, sorted(filter(None, controls), key=len, reverse=True)))
    return re.sub(found, lambda match: f"{match[0][0]} {match[0][1:]}", text) if found else text
