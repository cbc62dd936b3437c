"""A reply without its dress: leaked reasoning is taken out, markup becomes plain lines.

What names an answer in markup (`<answer>`, `\\boxed{}`, a JSON field) becomes a line `verdict: ...`, so that the parser
of verdicts reads one form only.
"""

import html
import json
import re
import unicodedata
from typing import Any

_THOUGHT = (
    r"think(?:ing)?|thoughts?|reason(?:ing|s)?|analysis|reflect(?:ion|ing)?|scratch[_ -]?pad|monologue|deliberation"
    r"|rationale|chain[_ -]?of[_ -]?thought|cot|plan(?:ning)?|explanation"
)
_ANSWER = r"answer|response|verdict|output|solution|conclusion|result|rating|label|judge?ment|final"
_WORDS = r"(?:(?:begin|start|end|of|my|final|the|ant|seed|longcat|inner|internal|model|is)[_ :-]+){0,4}"
# <think>, [THINK], ◁think▷, <|begin_of_thought|>, <|START_THINKING|>, <seed:think>, [BEGIN FINAL RESPONSE], </answer>
_TAG = re.compile(
    rf"[<\[◁⟨]\|?(?P<slash>/?) ?(?P<words>{_WORDS})(?:(?P<thought>{_THOUGHT})|(?P<answer>{_ANSWER}))"
    r"(?:[ _](?:type|steps?|process|block|text)(?:=[^<>\[\]\n]{0,40})?)?\|?[>\]▷⟩]"
)
# Reasoning that is marked by other means, put into the tags above.
_OTHER_MARKS = tuple(
    (re.compile(pattern), tag)
    for pattern, tag in (
        (r"<\|?channel\|?> ?(?:analysis|commentary|thoughts?)\b(?:<\|message\|>)?", "<think>"),
        (r"<\|?channel\|?> ?(?:final\b)?(?:<\|message\|>)?", "</think>"),
        (r"<unused94>(?:thought)?", "<think>"),
        (r"<unused95>", "</think>"),
        (r"\A\s*analysis(?=[a-z])|<details[^<>\n]{0,40}(?:reason|think)[^<>\n]{0,40}>", "<think>"),
        (r"assistantfinal(?=\W|[a-z])|</details>", "</think>"),
        (r"\A\s*thinking\.\.\.\s", "<think>"),
        (r"\.\.\.done thinking\.", "</think>"),
        (r"```(?:think(?:ing)?|reason(?:ing)?)\b([^`]*)```", r"<think>\1</think>"),
        (r"<!--(?:[^-]|-(?!->)){0,300}-->|~~[^~\n]{1,200}~~|<(s|del|strike)>[^<>]{0,200}</\1>", " "),
    )
)
_BOX = re.compile(r"\\f?boxed ?\{")
_COMMAND = re.compile(r"\\(?:text(?:bf|it|tt|rm|sf)?|math(?:bf|rm|it|sf|tt)|operatorname|quad|bf|rm|,|;|!)(?![a-z])")
_SPECIAL = re.compile(r"<\|[^<>|\n]{1,40}\|>|</s>|<(?:end_of_turn|eos|/?s)>")
_HTML = re.compile(r"</?(?!good|neutral|bad)(?:[a-z]{1,10}\d?) ?/?>")
_MAIN_KEY = re.compile(r"verdict|judge?ment|answer|label|decision|assessment|evaluation|classification|conclusion")
_SECOND_KEY = re.compile(r"rating|score|value|result|output|response|choice")
_ASIDE = re.compile(
    r"reason|explan|why|rational|thought|think|analysis|confiden|prob|comment|justif|count|index|\bid\b"
)
_LABELS = frozenset({"good", "neutral", "bad"})
_PLAIN = str.maketrans(
    {"(": ", ", ")": ", ", "—": " - ", "−": "-", "’": "'", "‘": "'", "→": " : ", "⇒": " : ", "|": " : ", "…": "..."}
)
_QUOTES_AND_BRACKETS = frozenset({"Ps", "Pe", "Pi", "Pf", "So", "Sk", "Cf", "Cc", "Cs", "Co"})


class OpenThought(ValueError):
    """The reply ends inside its reasoning."""


def plain_lines(reply: str) -> list[str]:
    """The lines of `reply` in lower case, without reasoning, markup and quotes; OpenThought where it ends in one."""
    text = without_reasoning(unicodedata.normalize("NFKC", reply).casefold())
    text = _json_as_lines(text)
    text = _COMMAND.sub(" ", _BOX.sub("\nverdict: ", html.unescape(text)))
    return [line for line in map(_plain, _HTML.sub(" ", text).splitlines()) if line]


def without_reasoning(text: str) -> str:
    """`text` (in lower case) after and between its reasoning, answer tags as lines `verdict: `."""
    for pattern, tag in _OTHER_MARKS:
        text = pattern.sub(tag, text)
    kept, at, opened = "", 0, False
    for match in _TAG.finditer(text):
        if not opened:
            kept += text[at : match.start()]
        at = match.end()
        closes = bool(match["slash"]) or match["words"].startswith("end")
        if match["thought"]:
            kept = "" if closes and not opened else kept + "\n"
            opened = not closes
        else:
            opened = False  # where the answer begins, the reasoning has ended, closed or not
            kept += "\n" if closes else "\nverdict: "
    if opened:
        raise OpenThought
    return _SPECIAL.sub("\n", kept + text[at:])


def open_thought(text: str) -> str:
    """The tag that closes the reasoning which `text` has opened last and left open; "" where none is open."""
    last = None
    for match in _TAG.finditer(text.casefold()):
        if match["thought"]:
            last = match
    if last is None or last["slash"] or "end" in last["words"]:
        return ""
    tag = text[last.start() : last.end()]
    for word, other in (("begin", "end"), ("start", "end"), ("BEGIN", "END"), ("START", "END")):
        if word in tag:
            return tag.replace(word, other)
    return re.sub(r"^([<\[◁⟨]\|?)", r"\1/", tag)


def _json_as_lines(text: str) -> str:
    """A JSON object's answer as lines `verdict: ...`, and what stands behind the object; else `text` as it is."""
    start = text.find("{")
    if start < 0 or not 0 <= text.find('"', start) - start < 100:
        return text
    try:
        value, end = json.JSONDecoder().raw_decode(text, start)
    except (ValueError, RecursionError):
        return text
    for keys in (_MAIN_KEY, _SECOND_KEY):
        if said := _answers(value, keys):
            return "\n".join([*(f"verdict: {answer}" for answer in said), text[end:]])
    return text


def _answers(value: Any, keys: re.Pattern[str]) -> list[str]:
    """What the fields whose names match `keys` say; labels as names of fields say their own."""
    if isinstance(value, list):
        return [answer for part in value for answer in _answers(part, keys)]
    if not isinstance(value, dict):
        return []
    if value and set(value) <= _LABELS:  # {"good": true, "bad": false} says good, degrees say nothing
        true = [name for name, chosen in value.items() if chosen is True]
        return [true[0] if len(true) == 1 else " or ".join([*value, "none"])]
    said = []
    for name, inner in value.items():
        if _ASIDE.search(name):
            continue
        if isinstance(inner, dict | list):
            said += _answers(inner, keys) or ([" or ".join(map(str, inner))] if keys.search(name) else [])
        elif keys.search(name):
            said.append("" if inner is None else str(inner))
    return said


def _plain(line: str) -> str:
    """A line without markdown, quotes and brackets, its dashes and spaces made alike; "" for rulers."""
    line = re.sub(r"–(?=\d)", "-", line.translate(_PLAIN)).replace("–", " - ").replace("/>", ">")
    line = "".join(" " if c in '*_`"~$\\<>#' or unicodedata.category(c) in _QUOTES_AND_BRACKETS else c for c in line)
    line = re.sub(r"(?<!\w)['‚‛]|['‚‛](?!\w)", " ", line)
    line = re.sub(r"\s+", " ", line).strip().lstrip(":, ")
    return line if re.search(r"\w", line) else ""
