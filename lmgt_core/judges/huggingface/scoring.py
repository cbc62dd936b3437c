"""Scoring labels and writing replies with models of the transformers library, text only or image and text."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lmgt_core.errors import UserError
from lmgt_core.judges.huggingface.chat import ChatFormat
from lmgt_core.judges.huggingface.shared_prefix import PrefixScorer, Tokens
from lmgt_core.judges.label_scoring import Reply
from lmgt_core.judges.smollm2.llama import Past
from lmgt_core.judging.prompt import Prompt

if TYPE_CHECKING:
    from torch import Tensor

WRITTEN_ROWS = 8  # replies written side by side
CACHES = ("past_key_values", "cache")  # what a model has read, as models before and since transformers 5.24 call it


class HfTokens:
    """A causal model as a `TokenModel`; `shares` says whether its attention can go on from a cached prefix.

    Models with sliding windows or recurrent states cannot; they read every question whole.
    """

    def __init__(self, model: Any) -> None:
        import inspect

        self.model = model
        self.device = model.device
        self._takes = inspect.signature(model.forward).parameters
        self._cache = next((name for name in CACHES if name in self._takes), "")
        self.shares = bool(self._cache) and "position_ids" in self._takes and _full_attention(model)

    def extend(self, state: Past | None, tokens: Tokens) -> Past:
        return self._read(state, [tokens], 1)[1]

    def crop(self, state: Past, length: int) -> Past:
        return state.crop(length)

    def continuations(
        self, state: Past | None, rows: Sequence[Tokens], labels: Sequence[Tokens]
    ) -> NDArray[np.float64]:
        """One pass for all first tokens, and one for each label of several tokens."""
        if not self.shares:
            inputs = left_padded(rows, self.device)
            return score_after(self.model, inputs, labels, self._takes)
        first, past = self._read(state, rows, 1)
        scores = np.zeros((len(rows), len(labels)))
        for i, label in enumerate(labels):
            scores[:, i] = first[:, -1, label[0]].double().cpu().numpy()
            if len(label) > 1:
                after, _ = self._read(past, [label[:-1]] * len(rows), len(label) - 1, rows, len(state) if state else 0)
                for j, token in enumerate(label[1:]):
                    scores[:, i] += after[:, j, token].double().cpu().numpy()
        return scores

    def _read(
        self,
        past: Past | None,
        rows: Sequence[Tokens],
        keep: int,
        before: Sequence[Tokens] | None = None,
        prefix: int | None = None,
    ) -> tuple["Tensor", Past]:
        """Log-probabilities [row, keep, vocabulary] after the last `keep` tokens of the rows, and the state then.

        `past` holds one row for all, or, when `before` says which left-padded rows it read after `prefix` tokens,
        a row each.
        """
        import torch
        from transformers import DynamicCache

        inputs = left_padded(rows, self.device)
        seen = inputs["attention_mask"]
        begin = len(past) if past is not None else 0
        if before is not None and prefix is not None:
            ones = torch.ones(len(rows), prefix, dtype=torch.long, device=self.device)
            seen = torch.cat([ones, left_padded(before, self.device)["attention_mask"], seen], 1)
        elif begin:
            seen = torch.cat([torch.ones(len(rows), begin, dtype=torch.long, device=self.device), seen], 1)
        cache: Any = DynamicCache()
        if past is not None:
            for i, (key, value) in enumerate(zip(past.keys, past.values, strict=True)):
                cache.update(_rows(key, len(rows)), _rows(value, len(rows)), i)
        positions = (seen.cumsum(1) - 1).clamp(min=0)[:, begin:]
        out = self.model(
            input_ids=inputs["input_ids"],
            attention_mask=seen,
            position_ids=positions,
            use_cache=True,
            **{self._cache: cache},
            **({"logits_to_keep": keep} if "logits_to_keep" in self._takes else {}),
        )
        read = Past(
            tuple(layer.keys for layer in cache.layers),
            tuple(layer.values for layer in cache.layers),
        )
        return out.logits[:, -keep:].float().log_softmax(-1), read


def _full_attention(model: Any) -> bool:
    """Whether every layer keeps all it has read, as keys and values."""
    from transformers import DynamicCache
    from transformers.cache_utils import DynamicLayer

    try:
        layers = DynamicCache(config=model.config).layers
    except (AttributeError, KeyError, TypeError, ValueError):
        return False
    return bool(layers) and all(type(layer) is DynamicLayer for layer in layers)


def _rows(x: "Tensor", rows: int) -> "Tensor":
    return x.expand(rows, -1, -1, -1) if x.shape[0] == 1 else x


def left_padded(rows: Sequence[Tokens], device: Any) -> dict[str, "Tensor"]:
    """input_ids and attention_mask [row, token]: padding on the left, so that the last token is the row's own."""
    import torch

    width = max(len(r) for r in rows)
    ids = [[0] * (width - len(r)) + list(r) for r in rows]
    mask = [[0] * (width - len(r)) + [1] * len(r) for r in rows]
    return {
        "input_ids": torch.tensor(ids, device=device),
        "attention_mask": torch.tensor(mask, device=device),
    }


def score_after(
    model: Any, inputs: Mapping[str, "Tensor"], labels: Sequence[Tokens], takes: Mapping[str, Any]
) -> NDArray[np.float64]:
    """Log-probabilities [row, label] after left-padded `inputs`, each read whole: no state is kept."""
    rows = inputs["input_ids"].shape[0]
    scores = np.zeros((rows, len(labels)))
    for head in dict.fromkeys(tuple(label[:-1]) for label in labels):
        after = _log_probs(model, _append(inputs, head), len(head) + 1, takes)
        for i, label in enumerate(labels):
            if tuple(label[:-1]) == head:
                tokens = list(label)
                scores[:, i] = after[:, range(len(tokens)), tokens].double().sum(1).cpu().numpy()
    return scores


def _log_probs(model: Any, inputs: Mapping[str, "Tensor"], keep: int, takes: Mapping[str, Any]) -> "Tensor":
    extra: dict[str, Any] = {"logits_to_keep": keep} if "logits_to_keep" in takes else {}
    if "position_ids" in takes and "pixel_values" not in inputs:
        extra["position_ids"] = (inputs["attention_mask"].cumsum(1) - 1).clamp(min=0)
    logits: Tensor = model(**inputs, **extra).logits
    return logits[:, -keep:].float().log_softmax(-1)


def _append(inputs: Mapping[str, "Tensor"], tokens: Tokens) -> dict[str, "Tensor"]:
    """`inputs` with the same tokens behind every row; other inputs of the tokens' shape get zeros there."""
    import torch

    shape = inputs["input_ids"].shape
    longer = {}
    for name, value in inputs.items():
        if value.shape == shape and tokens:
            row = list(tokens) if name == "input_ids" else [int(name == "attention_mask")] * len(tokens)
            tail = torch.tensor(row, dtype=value.dtype, device=value.device).expand(shape[0], -1)
            value = torch.cat([value, tail], 1)
        longer[name] = value
    return longer


class HfTextModel:
    """A text model of transformers as a `LabelModel`."""

    sees_images = False

    def __init__(self, model: Any, tokenizer: Any, context: int, rows: int) -> None:
        self.model, self.tokenizer, self.context = model, tokenizer, context
        self.chat = ChatFormat(tokenizer)
        self.tokens = HfTokens(model)
        self.scorer = PrefixScorer(self.tokens, rows, shares=self.tokens.shares)

    def length(self, prompt: Prompt) -> int:
        return len(self.question(prompt))

    def question(self, prompt: Prompt) -> list[int]:
        """The tokens up to where the answer begins."""
        return self.chat.tokens(prompt)

    def score(self, prompts: Sequence[Prompt], labels: Sequence[str]) -> NDArray[np.float64]:
        import torch

        replaced, tokens = self.chat.labels(labels)
        questions = [self.question(p) for p in prompts]
        with torch.inference_mode():
            return self.scorer.score([q[: len(q) - replaced] for q in questions], tokens)

    def generate(self, prompts: Sequence[Prompt], max_tokens: int) -> list[Reply]:
        questions = [self.question(p) for p in prompts]
        order = sorted(range(len(prompts)), key=lambda i: len(questions[i]))
        replies: dict[int, Reply] = {}
        for start in range(0, len(order), WRITTEN_ROWS):
            some = order[start : start + WRITTEN_ROWS]
            inputs = left_padded([questions[i] for i in some], self.model.device)
            replies |= zip(some, write(self.model, self.tokenizer, inputs, max_tokens), strict=True)
        return [replies[i] for i in range(len(prompts))]


class HfVisionModel:
    """An image-text model of transformers as a `LabelModel`; questions are read whole, those of one shape together."""

    sees_images = True

    def __init__(self, model: Any, processor: Any, context: int, rows: int) -> None:
        import inspect

        self.model, self.processor, self.context, self.rows = model, processor, context, rows
        self.tokenizer = processor.tokenizer
        self.tokenizer.padding_side = "left"
        self.chat = ChatFormat(processor)
        self._takes = inspect.signature(model.forward).parameters
        self._look_once()

    def _look_once(self) -> None:
        """UserError when the processor finds no place in a question for its image."""
        gray = (np.full((224, 224, 3), 128, np.uint8),)
        try:
            seen, blind = (self.inputs([Prompt("s", "u", images)]) for images in (gray, ()))
        except Exception as error:  # processors raise what they like
            reason = " ".join(str(error).split())[:200]
            raise UserError(f"the model's processor cannot read a question with an image ({reason})") from None
        if set(seen) == set(blind):
            raise UserError("the model's processor leaves the image out of the question; name another model")

    def length(self, prompt: Prompt) -> int:
        return int(self.inputs([prompt])["input_ids"].shape[1])

    def inputs(self, prompts: Sequence[Prompt]) -> dict[str, Any]:
        """What the model reads: left-padded tokens and pixels, on its device; all prompts have as many images."""
        texts = [self.chat.text(p) for p in prompts]
        images = [list(p.images) for p in prompts] if prompts[0].images else None
        special = not self.chat.template  # a chat format writes them itself
        batch = self.processor(text=texts, images=images, return_tensors="pt", padding=True, add_special_tokens=special)
        floats = self.model.dtype
        return {
            name: value.to(self.model.device, floats if value.is_floating_point() else value.dtype)
            for name, value in batch.items()
        }

    def score(self, prompts: Sequence[Prompt], labels: Sequence[str]) -> NDArray[np.float64]:
        import torch

        scores = np.zeros((len(prompts), len(labels)))
        replaced, tokens = self.chat.labels(labels)
        with torch.inference_mode():
            for rows in self._batches(prompts):
                inputs = _without_end(self.inputs([prompts[i] for i in rows]), replaced)
                scores[rows] = score_after(self.model, inputs, tokens, self._takes)
        return scores

    def generate(self, prompts: Sequence[Prompt], max_tokens: int) -> list[Reply]:
        replies: dict[int, Reply] = {}
        for rows in self._batches(prompts):
            inputs = self.inputs([prompts[i] for i in rows])
            replies |= zip(rows, write(self.model, self.tokenizer, inputs, max_tokens), strict=True)
        return [replies[i] for i in range(len(prompts))]

    def _batches(self, prompts: Sequence[Prompt]) -> list[list[int]]:
        """Rows whose images are alike in number and size, at most `rows` together."""
        alike: dict[tuple[tuple[int, ...], ...], list[int]] = {}
        for i, prompt in enumerate(prompts):
            alike.setdefault(tuple(image.shape for image in prompt.images), []).append(i)
        return [same[i : i + self.rows] for same in alike.values() for i in range(0, len(same), self.rows)]


def write(model: Any, tokenizer: Any, inputs: Mapping[str, "Tensor"], max_tokens: int) -> list[Reply]:
    """Greedy replies to left-padded questions."""
    import torch

    pad = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id
    with torch.inference_mode():
        out = model.generate(**inputs, max_new_tokens=max_tokens, do_sample=False, pad_token_id=pad)
    written = out[:, inputs["input_ids"].shape[1] :].tolist()
    ends = model.generation_config.eos_token_id
    stops = {pad, *(ends if isinstance(ends, list) else [ends])}
    replies = []
    for tokens in written:
        length = next((i for i, token in enumerate(tokens) if token in stops), len(tokens))
        replies.append(Reply(tokenizer.decode(tokens[:length], skip_special_tokens=True), length))
    return replies


def _without_end(inputs: Mapping[str, "Tensor"], tokens: int) -> Mapping[str, "Tensor"]:
    """`inputs` without their last `tokens`."""
    shape = inputs["input_ids"].shape
    return {name: v[:, : shape[1] - tokens] if v.shape == shape else v for name, v in inputs.items()}


def chat_text(template: Any, prompt: Prompt) -> str:
    """The question in the chat format of `template`, a tokenizer or processor; plain text where it has none."""
    return ChatFormat(template).text(prompt)
