"""A judge's name on a command line becomes a judge.

A name is `provider[:argument][?option=value&...]`: `none`, `noisy-oracle:0.8`, `hf:MODEL?bits=4`, `openai:MODEL@URL`.
Providers are looked up in the app's own table, then here, then in the entry-point group `lmgt.judges` of installed
packages. A provider's module is imported when its judge is asked for, so `--help` stays quick.
"""

import importlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, NamedTuple

from lmgt_core.errors import UserError
from lmgt_core.extras import missing
from lmgt_core.judging.judge import Judge, JudgeKind
from lmgt_core.judging.judgment import Verdict
from lmgt_core.judging.prompt import Prompt

ENTRY_POINTS = "lmgt.judges"
NONE = "none"
READERS = (JudgeKind.LANGUAGE_MODEL, JudgeKind.EMBEDDING)  # kinds that read words only, but for those behind a server


class JudgeSpec(NamedTuple):
    """A judge's name, taken apart; "" and {} where it has no argument or options."""

    provider: str
    argument: str = ""
    options: Mapping[str, str] = {}

    def __str__(self) -> str:
        """The name as it would be typed."""
        options = "&".join(f"{k}={v}" for k, v in self.options.items())
        return self.provider + (f":{self.argument}" if self.argument else "") + (f"?{options}" if options else "")


@dataclass(frozen=True)
class JudgeContext:
    """What an app hands to the judges that need it."""

    domain: str
    """`housekeep`; part of the ids of judges whose answers depend on the app."""
    oracle: Callable[[Prompt], Verdict] | None = None
    """The app's expert, which may know what the agent cannot; LookupError for a prompt it has no answer to."""
    oracle_id: str = ""
    """Names the truth that the expert reads, best by a digest of it; part of the judge's id."""
    make: Mapping[str, Callable[[str], Judge]] = field(default_factory=dict)
    """Providers of the app's own, by name: argument -> judge."""
    seed: int = 0
    """Of `random` and `noisy-oracle`."""
    recordings: Path | None = None
    """A folder of recorded judgments that come with the app."""
    pictures: bool = False
    """Whether questions show pictures in place of words; judges that only read are then refused."""


Factory = Callable[[JudgeSpec, JudgeContext], Judge]


@dataclass(frozen=True)
class Provider:
    """Where a kind of judge is made, as `module:factory`, and a line of help."""

    target: str
    help: str


PROVIDERS: Mapping[str, Provider] = {
    "neutral": Provider("lmgt_core.judges.neutral:make", "always neutral; a control that equals `none`"),
    "random": Provider("lmgt_core.judges.random:make", "good, neutral or bad by lot; a control"),
    "scripted": Provider("lmgt_core.judges.scripted:make", "scripted:FILE replays the replies in a JSON file"),
    "oracle": Provider("lmgt_core.judges.oracle:make", "the app's expert, which knows the truth"),
    "noisy-oracle": Provider("lmgt_core.judges.oracle:make_noisy", "noisy-oracle:P is the expert, right P of the time"),
    "minilm": Provider("lmgt_core.judges.minilm:make", "sentence embeddings, all-MiniLM-L6-v2"),
    "smollm2": Provider("lmgt_core.judges.smollm2.judge:make", "the language model SmolLM2-135M, on this machine"),
    "gguf": Provider(
        "lmgt_core.judges.llamacpp.judge:make", "gguf:FILE or gguf:NAME (see lmgt models), a model run by llama.cpp"
    ),
    "hf": Provider(
        "lmgt_core.judges.huggingface.judge:make", "hf:MODEL[?bits=4], a language model from a local folder or hub"
    ),
    "openai": Provider("lmgt_core.judges.openai.judge:make", "openai:MODEL[@URL], a language model over HTTP"),
    "recorded": Provider(
        "lmgt_core.judges.recorded:make", "recorded:FILE or recorded:NAME, a model's answers from lmgt judge record"
    ),
    "ensemble": Provider("lmgt_core.judges.ensemble:make", "ensemble:A,B,C (or A+B+C), several judges' vote"),
    "cascade": Provider("lmgt_core.judges.cascade:make", "cascade:A,B (or A+B) asks B only where A is silent"),
    "distilled": Provider(
        "lmgt_core.judges.distilled:make", "distilled:FILE, a small model trained on a judge's answers"
    ),
}


def split_spec(spec: str) -> JudgeSpec:
    """`provider:argument?option=value&...` taken apart; a `?` that no option=value follows belongs to the argument."""
    head, options = spec.strip(), {}
    if match := re.search(r"\?(\w+=[^&?]*(?:&\w+=[^&?]*)*)$", head):
        head = head[: match.start()]
        options = dict(pair.split("=", 1) for pair in match[1].split("&"))
    provider, _, argument = head.partition(":")
    return JudgeSpec(provider, argument, options)


def parse_spec(spec: str) -> JudgeSpec:
    """A judge's name taken apart; UserError where there is no name."""
    parsed = split_spec(spec)
    if not parsed.provider:
        raise UserError(f"--judge {spec!r}: a judge is named provider or provider:argument, like noisy-oracle:0.8")
    return parsed


def make_judge(spec: str, context: JudgeContext) -> Judge | None:
    """The judge called `spec`; None for `none`; UserError for an unknown name or a bad argument."""
    parsed = parse_spec(spec)
    if parsed.provider == NONE:
        without_argument(parsed)
        return None
    if parsed.provider in context.make:
        if parsed.options:
            raise UserError(f"--judge {spec}: {parsed.provider} takes no options (?{next(iter(parsed.options))}=...)")
        return context.make[parsed.provider](parsed.argument)
    try:
        judge = _factory(parsed, context)(parsed, context)
    except ModuleNotFoundError as error:
        raise UserError(_lacking(spec, error.name or str(error))) from None
    if context.pictures and judge.kind in READERS and parsed.provider != "openai":
        raise UserError(f"--judge {spec}: reads text only and cannot see frames; name a captioner, or another judge")
    return judge


def judge_names(context: JudgeContext) -> list[str]:
    """Every provider's name: `none`, the app's, the built-in ones, and those of installed packages."""
    installed = (entry.name for entry in entry_points(group=ENTRY_POINTS))
    return list(dict.fromkeys([NONE, *context.make, *PROVIDERS, *installed]))


def without_argument(spec: JudgeSpec) -> None:
    """UserError when something follows the name of a judge that takes nothing."""
    if spec.argument or spec.options:
        raise UserError(f"--judge {spec}: {spec.provider} takes no argument and no options")


def _factory(spec: JudgeSpec, context: JudgeContext) -> Factory:
    if spec.provider in PROVIDERS:
        return _load(spec, PROVIDERS[spec.provider].target)
    for entry in entry_points(group=ENTRY_POINTS, name=spec.provider):
        return _load(spec, entry.value)
    names = judge_names(context)
    near = get_close_matches(spec.provider, names, n=1)
    meant = f" (did you mean {near[0]}?)" if near else ""
    raise UserError(f"--judge {spec}: no such judge{meant}; choose one of {', '.join(names)}")


def _lacking(spec: str, module: str) -> str:
    by = f"--judge {spec}"
    return missing(by, module) or f"{by}: needs the package {module}; install it or choose another judge"


def _load(spec: JudgeSpec, target: str) -> Factory:
    module, _, name = target.partition(":")
    try:
        made: Any = getattr(importlib.import_module(module), name)
    except ModuleNotFoundError as error:
        if error.name == module:
            raise UserError(
                f"--judge {spec}: {spec.provider} is not part of this version of lmgt; choose another"
            ) from None
        raise
    except (ImportError, AttributeError) as error:
        raise UserError(f"--judge {spec}: its provider {target} does not load ({error})") from None
    factory: Factory = made
    return factory
