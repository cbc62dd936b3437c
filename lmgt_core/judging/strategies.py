"""The ways of asking: name-only, zero-shot, few-shot, cot and retrieval, one template file each in an app's folder.

What makes a strategy is its template: name-only names the task and nothing else, zero-shot explains it, few-shot adds
solved examples, cot wants reasons that end in `Verdict: ...` (local models then write instead of scoring labels, see
label_scoring.reasons_first). Only retrieval takes more than a file: passages are put before the question.

A template that says all that is constant in its system text, and state and action at the end of the user text, is
judged fastest: what questions begin with alike is read once.
"""

from pathlib import Path

from lmgt_core.errors import UserError
from lmgt_core.judges.label_scoring import menu_of, reasons_first
from lmgt_core.judging.description import Description
from lmgt_core.judging.prompt import STRATEGIES, PromptTemplate
from lmgt_core.judging.retrieval import PASSAGES, Encode, RetrievalTemplate, Retriever, read_passages

RETRIEVAL = "retrieval"
REASONS = "cot"


def load_strategy(
    folder: Path,
    strategy: str,
    documents: Path | None = None,
    passages: int = PASSAGES,
    encode: Encode | None = None,
) -> PromptTemplate:
    """The template of `strategy` in an app's prompt `folder`; retrieval's knows the texts in `documents`.

    `encode` embeds texts; all-MiniLM-L6-v2 unless another is given. UserError for an unknown strategy, a missing file,
    one that does not fit its strategy, and for retrieval without documents.
    """
    if strategy not in STRATEGIES:
        raise UserError(f"--strategy {strategy}: no such strategy; choose one of {', '.join(STRATEGIES)}")
    template = PromptTemplate.load(folder / f"{strategy}.txt")
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
    return RetrievalTemplate(template.system, template.user, template.name, retriever)


def misfit(template: PromptTemplate, strategy: str) -> str:
    """What in a template does not go with its strategy, in one line; "" when nothing."""
    prompt = template.render(Description("", ""))
    if len(menu_of(prompt)) < 2 or not _names_its_menu(f"{prompt.system}\n{prompt.user}".casefold()):
        return "it offers no verdicts; name good and bad (and neutral), or +1 and -1 (and 0)"
    if strategy == REASONS and not reasons_first(prompt):
        return "its system text does not ask for a last line `Verdict: ...`, so nothing would reason"
    if strategy != REASONS and reasons_first(prompt):
        return "its system text asks for `Verdict: ...`, which is for cot: a model would write instead of being scored"
    if "{action}" not in template.user or "{state}" not in template.user:
        return "its user text does not hold both {state} and {action}"
    return ""


def _names_its_menu(text: str) -> bool:
    return ("good" in text and "bad" in text) or ("+1" in text and "-1" in text)
