"""Training a small LLaVA from scratch on frames whose descriptions and verdicts are known.

One model learns several lessons: to describe what it is shown, and to say what an action is worth. Only the answers'
tokens are learnt. Whatever is drawn (weights, examples, their order) follows from the seed, and a training that was
interrupted goes on from its last checkpoint with the same numbers.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np

from captioners.captioner import CaptionerError, Image
from captioners.models.llava_model import END, GREY, SIZES, Colours, make_llava
from lmgt_core.files import write_atomic
from lmgt_core.judges.huggingface.chat import ChatFormat
from lmgt_core.judging.prompt import Prompt

CHECKPOINT = "checkpoint.safetensors"
MAY_CHANGE = ("steps", "device")  # between a training and its resumption
IGNORED = -100  # the label of tokens that are not learnt


@dataclass(frozen=True)
class Lesson:
    """A question about images, and its answer."""

    system: str
    user: str
    answer: str


@dataclass(frozen=True)
class Example:
    """Images (one, or the last few frames, oldest first) and what is asked about them; [i] of each is alike in form."""

    images: tuple[Image, ...]
    lessons: tuple[Lesson, ...]


Draw = Callable[[np.random.Generator, int], Sequence[Example]]  # so many examples, drawn by the generator alone


@dataclass(frozen=True)
class LlavaSettings:
    """The model's size and its training."""

    size: str = "small"
    """One of `llava_model.SIZES`."""
    steps: int = 1500
    batch: int = 64
    """Examples a step."""
    learning_rate: float = 1e-3
    """At its highest."""
    weight_decay: float = 0.05
    device: str = "cpu"
    seed: int = 0


def colours_of(images: Sequence[Image]) -> Colours:
    """Mean and spread of the images' channels: with them what is everywhere is near 0, and what is drawn on it far."""
    pixels = np.concatenate([image.reshape(-1, 3) for image in images]) / 255
    mean, spread = pixels.mean(0).round(4), pixels.std(0).clip(0.05).round(4)
    return tuple(mean.tolist()), tuple(spread.tolist())


class LlavaTraining:
    """A model, its optimizer, and how far it has come."""

    def __init__(self, texts: Sequence[str], settings: LlavaSettings, colours: Colours = GREY) -> None:
        import torch

        self.settings = settings
        self.rng = np.random.default_rng(settings.seed)
        self.model, self.processor = make_llava(texts, SIZES[settings.size], settings.seed, colours)
        self.model.to(settings.device).train()
        self.chat = ChatFormat(self.processor)
        patches = self.model.model.vision_tower.embeddings.patch_embedding.weight  # [width, channel, row, column]
        rest = [p for p in self.model.parameters() if p is not patches]
        # Adam moves each weight alike, so a patch's thousands of pixels would move its token by thousands of steps.
        self.shares = (1.0, 1.0, min(1.0, patches.shape[0] / patches[0].numel()))
        groups: list[dict[str, Any]] = [
            {"params": [p for p in rest if p.ndim > 1], "weight_decay": settings.weight_decay},
            {"params": [p for p in rest if p.ndim <= 1], "weight_decay": 0.0},
            {"params": [patches], "weight_decay": settings.weight_decay},
        ]
        self.adam = torch.optim.AdamW(groups, settings.learning_rate, betas=(0.9, 0.98))
        self.done = 0
        self.seconds = 0.0  # spent on steps

    @property
    def parameters(self) -> int:
        """How many numbers are trained."""
        return sum(p.numel() for p in self.model.parameters())

    def step(self, draw: Draw) -> float:
        """Learns from one batch of examples; the mean loss of its lessons, in nats a token."""
        import torch

        examples = draw(self.rng, self.settings.batch)
        rate = self.settings.learning_rate * _share(self.done, self.settings.steps)
        for group, share in zip(self.adam.param_groups, self.shares, strict=True):
            group["lr"] = rate * share
        loss = torch.stack(self._losses(examples)).mean()
        self.adam.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.adam.step()
        self.done += 1
        return float(loss.detach())

    def exact(self, examples: Sequence[Example]) -> list[float]:
        """For each lesson the share of examples whose answer is the likeliest in every token, in [0, 1].

        Each token is predicted after the true ones before it; an answer whose tokens are all right would also be
        written so.
        """
        import torch

        self.model.eval()
        with torch.inference_mode():
            features = self._look(examples)
            said = [self._answers(examples, lesson, features) for lesson in range(len(examples[0].lessons))]
        self.model.train()
        return [
            float(((logits.argmax(-1) == labels) | (labels == IGNORED)).all(-1).double().mean())
            for logits, labels in said
        ]

    def _losses(self, examples: Sequence[Example]) -> list[Any]:
        import torch

        features = self._look(examples)
        losses = []
        for lesson in range(len(examples[0].lessons)):
            asked = _asked(lesson, len(examples))
            logits, labels = self._answers([examples[i] for i in asked], lesson, _of(features, asked, examples))
            losses.append(torch.nn.functional.cross_entropy(logits.flatten(0, 1), labels.flatten()))
        return losses

    def _look(self, examples: Sequence[Example]) -> list[Any]:
        """What the tower and the projector make of each image [token, width]: it is looked at once for all lessons."""
        images = [image for example in examples for image in example.images]
        pixels = self.processor.image_processor(images=images, return_tensors="pt")["pixel_values"]
        return list(self.model.model.get_image_features(pixels.to(self.model.device), return_dict=True).pooler_output)

    def _answers(self, examples: Sequence[Example], lesson: int, features: list[Any]) -> tuple[Any, Any]:
        """Logits [example, token, word] and labels [example, token] of the answers to one lesson."""
        import torch
        from transformers.modeling_outputs import BaseModelOutputWithPooling

        tokens, mask, labels = self._rows(examples, lesson)
        keep, seen = labels.shape[1], cast(Any, features)  # a list, an image each, as the model's own tower gives it
        out = self.model(
            input_ids=tokens,
            attention_mask=mask,
            mm_encoder_outputs={"image": BaseModelOutputWithPooling(pooler_output=seen)},
            logits_to_keep=keep + 1,
        )
        assert isinstance(out.logits, torch.Tensor)
        return out.logits[:, :-1].float(), labels

    def _rows(self, examples: Sequence[Example], lesson: int) -> tuple[Any, Any, Any]:
        """Left-padded tokens and mask [example, token], and the labels of the last tokens."""
        import torch

        marks = SIZES[self.settings.size].tokens
        rows, answers = [], []
        for example in examples:
            asked = example.lessons[lesson]
            text = self.chat.text(Prompt(asked.system, asked.user, example.images))
            answer = self.chat.encode(asked.answer + END)
            mark = self.processor.image_token
            rows.append([*self.chat.encode(text.replace(mark, mark * marks)), *answer])
            answers.append(len(answer))
        width, longest = max(map(len, rows)), max(answers)
        tokens = torch.full((len(rows), width), self.processor.tokenizer.pad_token_id)
        labels = torch.full((len(rows), longest), IGNORED)
        for i, (row, n) in enumerate(zip(rows, answers, strict=True)):
            tokens[i, width - len(row) :] = torch.tensor(row)
            labels[i, longest - n :] = torch.tensor(row[-n:])
        mask = (tokens != self.processor.tokenizer.pad_token_id).long()
        device = self.model.device
        return tokens.to(device), mask.to(device), labels.to(device)

    def save_checkpoint(self, folder: Path) -> None:
        """Writes how far the training has come, whole or not at all."""
        from safetensors.torch import save

        tensors = {f"model.{name}": value.contiguous() for name, value in self.model.state_dict().items()}
        for i, state in self.adam.state_dict()["state"].items():
            tensors |= {f"adam.{i}.{name}": value for name, value in state.items()}
        state = {
            "done": self.done,
            "seconds": self.seconds,
            "settings": asdict(self.settings),
            "rng": self.rng.bit_generator.state,
        }
        write_atomic(folder / CHECKPOINT, save(tensors, {"training": json.dumps(state)}))

    def load_checkpoint(self, folder: Path) -> None:
        """Goes on from the checkpoint in `folder`; CaptionerError for a damaged one, and for other settings.

        With other `steps` a training is made longer or shorter, and ends otherwise than an unbroken one.
        """
        from safetensors import SafetensorError, safe_open

        path = folder / CHECKPOINT
        try:
            with safe_open(path, "pt") as file:
                state = json.loads((file.metadata() or {})["training"])
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - it is no mapping
            settings = {k: v for k, v in asdict(self.settings).items() if k not in MAY_CHANGE}
            if changed := [k for k, v in settings.items() if state["settings"].get(k) != v]:
                was = ", ".join(f"{name} {state['settings'].get(name)}" for name in changed)
                raise CaptionerError(f"{path}: was begun with {was}; resume with the same, or name another --out")
            self.model.load_state_dict(_named("model.", tensors))
            adam = self.adam.state_dict()
            states = _named("adam.", tensors)
            numbers = {name.partition(".")[0] for name in states}
            adam["state"] = {int(i): _named(f"{i}.", states) for i in numbers}
            self.adam.load_state_dict(adam)
            self.rng.bit_generator.state = state["rng"]
            self.done, self.seconds = int(state["done"]), float(state["seconds"])
        except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
            if isinstance(error, CaptionerError):
                raise
            reason = " ".join(str(error).split())[:100]
            raise CaptionerError(f"{path}: a damaged checkpoint ({reason}); remove it, or name another --out") from None


def _named(prefix: str, tensors: dict[str, Any]) -> dict[str, Any]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def _asked(lesson: int, examples: int) -> list[int]:
    """Which examples of a batch a step asks about: one half for captions, the other for verdicts, all for the rest.

    All lessons are in every step: lessons that take turns from step to step undo each other.
    """
    return list(range(lesson, examples, 2)) if lesson < 2 and examples > 1 else list(range(examples))


def _of(features: list[Any], asked: Sequence[int], examples: Sequence[Example]) -> list[Any]:
    """The features of the images of some examples."""
    each = len(examples[0].images)
    return [features[i * each + k] for i in asked for k in range(each)]


def _share(done: int, steps: int) -> float:
    """The share of the highest learning rate at a step: rising for a twentieth of the steps, falling for a third."""
    rising, falling = max(1, steps // 20), max(1, steps // 3)
    return min((done + 1) / rising, 1.0, (steps - done) / falling)
