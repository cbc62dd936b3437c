"""A question in a model's own chat format, checked once when the model is loaded.

Chat templates leave out the system's words, write a second BOS or none, open a thought that a label would stand in, or
have no place for an image. What can be put right is put right, and its name becomes part of the judge's id; what cannot
is a UserError.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from lmgt_core.errors import UserError
from lmgt_core.judges.control_tokens import taken_apart
from lmgt_core.judging.prompt import Prompt
from lmgt_core.judging.reply_markup import open_thought

PLAIN = "{system}\n\n{user}\n\nAnswer:"  # for models without a chat template
FINAL = "<|channel|>final<|message|>"  # where the answer begins in a format of channels
_MARK = re.compile(r"[<[◁]\S+[>\]▷]")  # an added token that is none of a text's words, such as <think>
SYSTEM, USER, ANSWER = "Xsystemx", "Xuserx", "Xanswerx"  # words that a template may not lose


class _Form(NamedTuple):
    """One way to hand a question to a template."""

    turns: bool  # the system's words in a turn of their own
    parts: bool  # a turn's content as a list of parts
    marks: bool = False  # images as the processor's mark in the text


class ChatFormat:
    """The chat format of `template`, a tokenizer or a processor of images and text.

    `repairs` names what differs from the template's own rendering.
    """

    def __init__(self, template: Any) -> None:
        self.tokenizer = getattr(template, "tokenizer", template)
        self.sees_images = hasattr(template, "image_processor")
        self.image_mark = str(getattr(template, "image_token", "") or "")
        held = getattr(template, "chat_template", None) or getattr(self.tokenizer, "chat_template", None)
        self.template = (held.get("default") or next(iter(held.values()))) if isinstance(held, dict) else held
        self._loses_system = False
        self._form = self._working_form()
        self.repairs = tuple(self._repairs())

    def text(self, prompt: Prompt) -> str:
        """The question up to where the answer begins, with its special tokens where a chat template writes them.

        What the prompt says can end no turn, open none, and stand for no image.
        """
        system, user = (taken_apart(content, self.controls) for content in (prompt.system, prompt.user))
        prompt = replace(prompt, system=system, user=user)
        text = self._rendered(prompt, self._form)
        if not self.template:
            return text
        after = text.rpartition(prompt.user)[2] if prompt.user and prompt.user in text else text[-100:]
        if after.rstrip().endswith("<|start|>assistant") and "<|channel|>" in self.template:
            text += FINAL
        elif closing := open_thought(after):
            text = f"{text.rstrip()}\n\n{closing}\n\n"
        opening = self.tokenizer.convert_ids_to_tokens(self.opening)
        mark = "".join(opening) or str(getattr(self.tokenizer, "bos_token", None) or "")
        while mark and text.startswith(mark + mark):
            text = text.removeprefix(mark)
        return text if not opening or text.startswith(mark) else mark + text

    def tokens(self, prompt: Prompt) -> list[int]:
        """The tokens of the question."""
        return [*([] if self.template else self.opening), *self.encode(self.text(prompt))]

    def encode(self, text: str) -> list[int]:
        """The tokens of a text, without special tokens that it does not write out."""
        return list(self.tokenizer.encode(text, add_special_tokens=False))

    def labels(self, labels: Sequence[str]) -> tuple[int, list[list[int]]]:
        """The tokens of each label as they stand behind a question, and how many of the question's own they replace.

        A tokenizer may join the label's beginning with the end of the question, and it writes a word at the beginning
        of a text otherwise than one in it.
        """
        question = self.text(Prompt(SYSTEM, USER))
        alone = self.encode(question)
        whole = [self.encode(question + self.lead + label) for label in labels]
        kept = min(_common(alone, tokens) for tokens in whole)
        return len(alone) - kept, [tokens[kept:] for tokens in whole]

    @cached_property
    def lead(self) -> str:
        """What stands between the question and an answer: what the template puts there, or a space after plain text."""
        if not self.template:
            return " "
        question = self._render(self._turns(Prompt("", USER), self._form))
        answered = [*self._turns(Prompt("", USER), self._form), self._turn("assistant", ANSWER, self._form.parts)]
        try:
            whole = self._render(answered, question=False)
        except Exception:  # a template that knows no answers; its question says where the answer begins
            return ""
        between = whole.removeprefix(question).partition(ANSWER)[0] if whole.startswith(question) else ""
        return " " if between == " " else ""

    @cached_property
    def controls(self) -> frozenset[str]:
        """What the tokenizer reads as control tokens where a text holds it, and the processor's mark for images."""
        added = getattr(self.tokenizer, "added_tokens_decoder", {}).values()
        marked = {str(token) for token in added if token.special or _MARK.fullmatch(str(token))}
        return frozenset({*marked, self.image_mark})

    @cached_property
    def opening(self) -> list[int]:
        """The special tokens that the tokenizer puts before every text, mostly one BOS; [] where it puts none."""
        marked, plain = list(self.tokenizer.encode("a")), self.encode("a")
        starts = [i for i in range(len(marked)) if marked[i : i + len(plain)] == plain]
        return marked[: starts[0]] if starts else []

    def _repairs(self) -> list[str]:
        """The names of what is put right; what changes no token of a question or label has none."""
        own, text = self._rendered(Prompt(SYSTEM, USER), self._form), self.text(Prompt(SYSTEM, USER))
        some = ["good", "Good", "bad", "+1", "-1", "0"]
        replaced, in_place = self.labels(some)
        repairs = {
            "one-bos": bool(self.template) and not text.startswith(own[:20]),
            "closed-thought": bool(open_thought(own)),
            "final-channel": text.endswith(FINAL) and not own.endswith(FINAL),
            "system-in-user": self._loses_system,
            "image-marks": self._form.marks,
            "labels-in-place": bool(replaced)
            or in_place != [self.encode(("" if self.template else " ") + label) for label in some],
        }
        return [name for name, made in repairs.items() if made]

    def _working_form(self) -> _Form:
        """The first form in which nothing of a question is lost; UserError where there is none."""
        if not self.template:
            if self.sees_images and not self.image_mark:
                raise UserError("the model has neither a chat template nor a mark for images; name another")
            return _Form(False, False, self.sees_images)
        orders = [True, False] if self.sees_images else [False, True]  # images come as parts, words mostly as text
        forms = [_Form(turns, parts) for turns in (True, False) for parts in orders]
        if self.sees_images and self.image_mark:
            forms += [form._replace(marks=True) for form in forms]
        for form in forms:
            try:
                seen = self._rendered(Prompt(SYSTEM, USER), form)
                self._loses_system |= form.turns and USER in seen and SYSTEM not in seen and "'type'" not in seen
                image = (np.zeros((2, 2, 3), np.uint8),)
                pictured = self._rendered(Prompt(SYSTEM, USER, image), form) if self.sees_images else ""
            except Exception:  # whatever a template raises, and they raise what they like: this form is not for it
                continue
            # a template that expects a text writes a list of parts out as Python does
            words = SYSTEM in seen and USER in seen and "'type'" not in seen + pictured
            if words and (not self.sees_images or (pictured != seen and SYSTEM in pictured and USER in pictured)):
                return form
        raise UserError("the model's chat template leaves out words or images of a question; name another model")

    def _rendered(self, prompt: Prompt, form: _Form) -> str:
        marks = self.image_mark * len(prompt.images) if form.marks else ""
        if not self.template:
            text = PLAIN.format(system=prompt.system, user=prompt.user).strip()
            return f"{marks}\n{text}" if marks else text
        return self._render(self._turns(prompt, form, f"{marks}\n" if marks else ""))

    def _turns(self, prompt: Prompt, form: _Form, marks: str = "") -> list[dict[str, Any]]:
        pictures = 0 if form.marks else len(prompt.images)
        if not form.turns or not prompt.system:
            text = f"{prompt.system}\n\n{prompt.user}".strip() if prompt.system else prompt.user
            return [self._turn("user", marks + text, form.parts, pictures)]
        system = self._turn("system", prompt.system, form.parts)
        return [system, self._turn("user", marks + prompt.user, form.parts, pictures)]

    @staticmethod
    def _turn(role: str, text: str, parts: bool, pictures: int = 0) -> dict[str, Any]:
        content: list[dict[str, str]] = [{"type": "image"}] * pictures + [{"type": "text", "text": text}]
        return {"role": role, "content": content if parts else text}

    def _render(self, turns: list[dict[str, Any]], question: bool = True) -> str:
        """The tokenizer renders a processor's template too: processors warn of every variable they do not know."""
        settings = {"tokenize": False, "add_generation_prompt": question, "enable_thinking": False}
        return str(self.tokenizer.apply_chat_template(turns, chat_template=self.template, **settings))


def _common(a: Sequence[int], b: Sequence[int]) -> int:
    """How many tokens two texts begin with alike."""
    return next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))
