"""The ways of asking: name-only, zero-shot, few-shot, cot, retrieval, and whatever else an app's folder has a file for.

What makes a strategy is its template: name-only names the task and nothing else, zero-shot explains it, few-shot adds
solved examples, cot wants reasons that end in `Verdict: ...` (local models then write instead of scoring labels, see
label_scoring.reasons_first). Only retrieval takes more than a file: passages are put before the question.

A template that says all that is constant in its system text, and state and action at the end of the user text, is
judged fastest: what questions begin with alike is read once.
"""

from collections.abc import Collection
from dataclasses import fields
from pathlib import Path

from lmgt_core.errors import UserError
from lmgt_core.judges.label_scoring import reasons_first
from lmgt_core.judging.description import Description
from lmgt_core.judging.prompt import FIELDS, STRATEGIES, PromptTemplate
from lmgt_core.judging.retrieval import PASSAGES, Encode, RetrievalTemplate, Retriever, read_passages

RETRIEVAL = "retrieval"
REASONS = "cot"


def load_strategy(
    folder: Path,
    strategy: str,
    documents: Path | None = None,
    passages: int = PASSAGES,
    encode: Encode | None = None,
    facts: Collection[str] = (),
) -> PromptTemplate:
    """The template of `strategy` in an app's prompt `folder`; retrieval's knows the texts in `documents`.

    `facts` are those of the app's descriptions that its templates may name. `encode` embeds texts; all-MiniLM-L6-v2
    unless another is given. UserError for an unknown strategy, a missing file, one that does not fit its strategy, and
    for retrieval without documents.
    """
    if not folder.is_dir():
        raise UserError(f"--prompts {folder}: no such folder")
    if strategy not in STRATEGIES and strategy not in (there := strategies_in(folder)):
        raise UserError(f"--strategy {strategy}: no such strategy; choose one of {', '.join(there)}")
    template = PromptTemplate.load(folder / f"{strategy}.txt", facts)
    if complaint := misfit(template, strategy):
        raise UserError(f"{folder / f'{strategy}.txt'}: {complaint}")
    if strategy != RETRIEVAL:
        return template
    if documents is None:
        raise UserError("--strategy retrieval: needs --documents FOLDER, a folder of .txt or .md files")
    if encode is None:
        from lmgt_core.judges.minilm import MiniLMEncoder

        encode = MiniLMEncoder.load().encode
    retriever = Retriever(read_passages(documents), encode, passages)
    return RetrievalTemplate(**{f.name: getattr(template, f.name) for f in fields(template)}, retriever=retriever)


def strategies_in(folder: Path) -> list[str]:
    """The strategies that an app's folder has a file for, the usual ones first."""
    there = {path.stem for path in folder.glob("*.txt")}
    return [*(s for s in STRATEGIES if s in there), *sorted(there - set(STRATEGIES))]


def misfit(template: PromptTemplate, strategy: str) -> str:
    """What in a template does not go with its strategy, in one line; "" when nothing."""
    prompt = template.render(Description("", ""))
    if not template.answers and not _names_its_menu(f"{prompt.system}\n{prompt.user}".casefold()):
        return "it offers no verdicts; name good and bad (and neutral), +1 and -1 (and 0), or begin with `yes: good`"
    if strategy == REASONS and not reasons_first(prompt):
        return "its system text does not ask for a last line `Verdict: ...`, so nothing would reason"
    if strategy != REASONS and reasons_first(prompt):
        return "its system text asks for `Verdict: ...`, which is for cot: a model would write instead of being scored"
    if not template.fields >= FIELDS and not template.fields & set(template.facts):
        return "its user text does not hold both {state} and {action}"
    return ""


def _names_its_menu(text: str) -> bool:
    return ("good" in text and "bad" in text) or ("+1" in text and "-1" in text)
