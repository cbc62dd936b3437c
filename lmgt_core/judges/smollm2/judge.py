"""SmolLM2-135M-Instruct (Allal et al. 2025, arXiv 2502.02737) on one thread of this machine's processor.

Its GGUF file lies inside a package of `make setup` or where `lmgt models install smollm2` puts it: no hub, no network.
It is a small model; the audit tells what it is worth in a domain before it trains anything.

It calculates in float32, so that a question's answer does not depend on the questions beside it, nor on the processor,
and a cache may travel. `?precision=bfloat16` is nearly twice as fast where the processor multiplies it natively
(avx512_bf16 or amx), but there a label's log-probability moves by up to 0.2 with the company of its question.

`gguf:smollm2` asks the same file through llama.cpp, which is slower: `python -m benchmarks.judging` compares them.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lmgt_core.errors import UserError
from lmgt_core.judges.huggingface.shared_prefix import ROWS, PrefixScorer, Tokens
from lmgt_core.judges.label_scoring import (
    MAX_TOKENS,
    LabelScoringJudge,
    Reply,
    known_options,
    mode_option,
    whole_number,
)
from lmgt_core.judges.smollm2.gguf_file import GgufFile
from lmgt_core.judges.smollm2.gguf_llama import load_llama, load_tokenizer
from lmgt_core.judges.smollm2.llama import Llama, Past
from lmgt_core.judges.smollm2.token_tree import grow
from lmgt_core.judging.judge import Judge, JudgeKind
from lmgt_core.judging.prompt import Prompt
from lmgt_core.judging.registry import JudgeContext, JudgeSpec
from lmgt_core.models.store import content_hash, find_model

NAME = "smollm2"  # in the list of `lmgt models`
START, END = "<|im_start|>", "<|im_end|>"
DEFAULT_SYSTEM = "You are a helpful AI assistant named SmolLM, trained by Hugging Face"  # its chat template's
GENERATED_ROWS = 32  # replies written side by side
OPTIONS = ("mode", "max_tokens", "rows", "precision")
PRECISIONS = ("float32", "bfloat16")


class ChatMLTokenizer:
    """Questions as tokens in the model's chat format; what a question says can end no turn and open none."""

    def __init__(self, tokenizer: Any) -> None:
        self.tokenizer = tokenizer
        self.start, self.end = tokenizer.token_to_id(START), tokenizer.token_to_id(END)
        self._text = lru_cache(maxsize=1024)(lambda text: tuple(tokenizer.encode(text).ids))

    def question(self, prompt: Prompt) -> list[int]:
        """The tokens up to where the answer begins."""
        turns = (("system", prompt.system or DEFAULT_SYSTEM), ("user", prompt.user))
        tokens: list[int] = []
        for role, content in turns:
            tokens += [self.start, *self._text(f"{role}\n{content}"), self.end, *self._text("\n")]
        return [*tokens, self.start, *self._text("assistant\n")]

    def label(self, text: str) -> list[int]:
        """The tokens of a label at the beginning of the answer."""
        return list(self._text(text))

    def decode(self, tokens: Sequence[int]) -> str:
        """The text of an answer's tokens, without control tokens."""
        return str(self.tokenizer.decode(list(tokens), skip_special_tokens=True))


class LlamaTokens:
    """A Llama as a `TokenModel`: states are its keys and values."""

    def __init__(self, llama: Llama) -> None:
        self.llama = llama

    def extend(self, state: Past | None, tokens: Tokens) -> Past:
        import torch

        past = _length(state)
        positions = torch.arange(past, past + len(tokens))[None]
        mask = torch.ones(1, len(tokens), past + len(tokens), dtype=torch.bool).tril(past) if past else None
        return self.llama.read(torch.tensor([list(tokens)]), positions, mask, state)[1]

    def crop(self, state: Past, length: int) -> Past:
        return state.crop(length)

    def continuations(
        self, state: Past | None, rows: Sequence[Tokens], labels: Sequence[Tokens]
    ) -> NDArray[np.float64]:
        """One pass for all rows and labels, as trees."""
        import torch

        forest = grow(rows, labels, _length(state))
        tokens, positions, mask = (torch.from_numpy(a) for a in (forest.tokens, forest.positions, forest.mask))
        states, _ = self.llama.read(tokens, positions, mask, state)
        wanted = sorted(
            {(t, node) for t, ends in zip(forest.tree, forest.ends, strict=True) for e in ends for node in e}
        )
        tree, node = torch.tensor(wanted).T
        after = self.llama.log_probs(states[tree, node])  # [wanted, vocabulary]
        at = {where: i for i, where in enumerate(wanted)}
        scores = np.zeros((len(rows), len(labels)))
        for row, (t, ends) in enumerate(zip(forest.tree, forest.ends, strict=True)):
            for i, (nodes, label) in enumerate(zip(ends, labels, strict=True)):
                scores[row, i] = after[[at[t, n] for n in nodes], list(label)].double().sum()
        return scores

    def generate(self, state: Past | None, rows: Sequence[Tokens], stop: int, max_tokens: int) -> list[list[int]]:
        """The most probable continuation of the state and each row, up to `stop` (left out) or `max_tokens`."""
        import torch

        before = _length(state)
        lengths = torch.tensor([len(r) for r in rows])
        width = int(lengths.max())
        tokens = torch.tensor([[*r, *[stop] * (width - len(r))] for r in rows])
        # Padding stands behind a row, where nothing in the row sees it; later tokens leave it out by `visible`.
        causal = torch.ones(1, width, before + width, dtype=torch.bool).tril(before) if before else None
        states, past = self.llama.read(tokens, before + torch.arange(width).expand(len(rows), -1), causal, state)
        visible = torch.arange(before + width)[None] < before + lengths[:, None]  # [row, token]
        last = states[torch.arange(len(rows)), lengths - 1]
        written: list[list[int]] = [[] for _ in rows]
        writing = torch.arange(len(rows))  # rows that are not finished
        for step in range(max_tokens):
            chosen = self.llama.log_probs(last).argmax(-1)  # [writing]
            on = chosen != stop
            if not on.all():
                writing, chosen, visible, past = writing[on], chosen[on], visible[on], past.rows(on)
            if not len(writing):
                break
            for row, token in zip(writing.tolist(), chosen.tolist(), strict=True):
                written[row].append(token)
            visible = torch.cat([visible, torch.ones(len(writing), 1, dtype=torch.bool)], 1)
            at = (before + lengths[writing] + step)[:, None]
            states, past = self.llama.read(chosen[:, None], at, visible[:, None], past)
            last = states[:, 0]
        return written


class SmolLM2:
    """The model as a `LabelModel`: no images. The weights may be shared, the prefix that was read last is its own."""

    sees_images = False

    def __init__(self, tokenizer: ChatMLTokenizer, tokens: LlamaTokens, rows: int = ROWS) -> None:
        self.tokenizer, self.tokens = tokenizer, tokens
        self.context = tokens.llama.shape.context
        self.scorer = PrefixScorer(tokens, rows)

    def length(self, prompt: Prompt) -> int:
        return len(self.tokenizer.question(prompt))

    def score(self, prompts: Sequence[Prompt], labels: Sequence[str]) -> NDArray[np.float64]:
        with one_thread():
            return self.scorer.score(
                [self.tokenizer.question(p) for p in prompts], [self.tokenizer.label(text) for text in labels]
            )

    def generate(self, prompts: Sequence[Prompt], max_tokens: int) -> list[Reply]:
        questions = [self.tokenizer.question(p) for p in prompts]
        order = sorted(range(len(prompts)), key=lambda i: len(questions[i]))  # so there is little padding
        replies: dict[int, Reply] = {}
        with one_thread():
            for start in range(0, len(order), GENERATED_ROWS):
                some = order[start : start + GENERATED_ROWS]
                state, rest = self.scorer.share([questions[i] for i in some])
                written = self.tokens.generate(state, rest, self.tokenizer.end, max_tokens)
                replies |= {i: Reply(self.tokenizer.decode(w), len(w)) for i, w in zip(some, written, strict=True)}
        return [replies[i] for i in range(len(prompts))]


@contextmanager
def one_thread() -> Iterator[None]:
    """Runs torch on one thread, without gradients, and gives it its threads back: two were slower on a busy machine."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.inference_mode():
            yield
    finally:
        torch.set_num_threads(threads)


def _length(state: Past | None) -> int:
    return 0 if state is None else len(state)


@cache
def _load(path: Path, precision: str) -> tuple[ChatMLTokenizer, LlamaTokens, str]:
    """The model and its revision, one of each precision for the process."""
    import torch

    file = GgufFile(path)
    tokens = LlamaTokens(load_llama(file, getattr(torch, precision)))
    return ChatMLTokenizer(load_tokenizer(file)), tokens, f"{content_hash(path)[:12]}:{precision}"


def make(spec: JudgeSpec, context: JudgeContext) -> Judge:
    """The judge `smollm2[?mode=auto|score|generate&max_tokens=N&rows=N&precision=float32|bfloat16]`."""
    if spec.argument:
        raise UserError(f"--judge {spec}: smollm2 takes no argument, only options")
    known_options(spec, spec.options, OPTIONS)
    mode = mode_option(spec, spec.options.get("mode", "auto"))
    max_tokens = whole_number(spec, "max_tokens", spec.options.get("max_tokens", str(MAX_TOKENS)))
    rows = whole_number(spec, "rows", spec.options.get("rows", str(ROWS)))
    precision = spec.options.get("precision", PRECISIONS[0])
    if precision not in PRECISIONS:
        raise UserError(f"--judge {spec}: precision is one of {', '.join(PRECISIONS)}, not {precision}")
    tokenizer, tokens, revision = _load(find_model(NAME), precision)
    return LabelScoringJudge(
        SmolLM2(tokenizer, tokens, rows), f"smollm2:{revision}", JudgeKind.LANGUAGE_MODEL, mode, max_tokens
    )
