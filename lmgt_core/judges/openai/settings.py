"""What a judge's name says about an OpenAI-compatible server: which model, where, how hard, and at what price."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from lmgt_core.errors import UserError
from lmgt_core.judges.label_scoring import Mode, known_options, mode_option, whole_number
from lmgt_core.judges.openai.rate_limits import Backoff, Limits
from lmgt_core.judging.registry import JudgeSpec

KEYS = ("LMGT_API_KEY", "OPENAI_API_KEY")
DEFAULT_URL = "https://api.openai.com/v1"
WORD_TOKENS, REASON_TOKENS = 16, 512  # room for an answer in one word, and for one with reasons
BYTES_PER_TOKEN = 4  # of English text, for an estimate before the server has counted
BYTE_LIMIT = 4_000_000  # of one answer: 512 tokens with 20 alternatives each take about a megabyte
MILLION = 1e6

OPTIONS: Mapping[str, str] = {
    "mode": "auto, score (label probabilities where the server gives them) or generate (parsed reply)",
    "max_tokens": f"of a reply; default {WORD_TOKENS}, or {REASON_TOKENS} where the question asks for reasons",
    "concurrency": "requests in flight, default 8",
    "rpm": "requests a minute",
    "tpm": "tokens a minute, in and out",
    "tries": "of one question, default 5",
    "timeout": "seconds for one answer, default 60",
    "price_in": "dollars for a million tokens read",
    "price_out": "dollars for a million tokens written",
    "budget_tokens": "after so many tokens the judge abstains",
    "budget_dollars": "after so many dollars the judge abstains (needs the prices)",
    "budget_seconds": "after waiting so many seconds the judge abstains",
}


@dataclass(frozen=True)
class ServerSettings:
    """What is asked of which server, and how hard."""

    model: str
    url: str
    mode: Mode = "auto"
    max_tokens: int | None = None
    concurrency: int = 8
    rpm: int | None = None
    tpm: int | None = None
    tries: int = 5
    timeout: float = 60.0  # seconds
    price_in: float = 0.0  # dollars a token
    price_out: float = 0.0
    limits: Limits = field(default_factory=Limits)
    backoff: Backoff = field(default_factory=Backoff)
    byte_limit: int = BYTE_LIMIT
    key: str = field(default="", repr=False, compare=False)


def read_settings(spec: JudgeSpec) -> ServerSettings:
    """The settings in a judge's name, with the key of the environment; UserError for what is wrong with them."""
    model, url = _model_and_url(spec)
    o = spec.options
    known_options(spec, o, tuple(OPTIONS))
    key = next((os.environ[name].strip() for name in KEYS if os.environ.get(name, "").strip()), "")
    if not key and urlsplit(url).hostname == urlsplit(DEFAULT_URL).hostname:
        raise UserError(f"--judge {spec}: {url} needs a key; set {KEYS[1]} or {KEYS[0]} in the environment")
    if not key.isascii() or not key.isprintable():
        raise UserError(f"--judge {spec}: the key in the environment holds characters that no key has")
    limits = Limits(
        _whole(spec, "budget_tokens"),
        _amount(spec, "budget_dollars"),
        _amount(spec, "budget_seconds"),
    )
    if limits.dollars is not None and not {"price_in", "price_out"} <= set(o):
        raise UserError(f"--judge {spec}: budget_dollars needs price_in and price_out, dollars for a million tokens")
    return ServerSettings(
        model,
        url,
        mode=mode_option(spec, o.get("mode", "auto")),
        max_tokens=_whole(spec, "max_tokens"),
        concurrency=_whole(spec, "concurrency") or ServerSettings.concurrency,
        rpm=_whole(spec, "rpm"),
        tpm=_whole(spec, "tpm"),
        tries=_whole(spec, "tries") or ServerSettings.tries,
        timeout=_amount(spec, "timeout") or ServerSettings.timeout,
        price_in=(_amount(spec, "price_in") or 0.0) / MILLION,
        price_out=(_amount(spec, "price_out") or 0.0) / MILLION,
        limits=limits,
        key=key,
    )


def _whole(spec: JudgeSpec, name: str) -> int | None:
    """An option as a whole number of 1 or more; None where it is not given."""
    return whole_number(spec, name, spec.options[name]) if name in spec.options else None


def _amount(spec: JudgeSpec, name: str) -> float | None:
    """An option as a number of 0 or more; None where it is not given."""
    if name not in spec.options:
        return None
    try:
        value = float(spec.options[name])
    except ValueError:
        value = -1.0
    if not 0 <= value < float("inf"):
        raise UserError(f"--judge {spec}: {name}={spec.options[name]} is no number of 0 or more")
    return value


def _model_and_url(spec: JudgeSpec) -> tuple[str, str]:
    model, at, url = spec.argument.rpartition("@http")
    model, url = (model, "http" + url) if at else (spec.argument, os.environ.get("OPENAI_BASE_URL") or DEFAULT_URL)
    if not model:
        raise UserError(f"--judge openai:{spec.argument}: name a model, openai:MODEL@URL")
    try:
        parts = urlsplit(url)
        fine = parts.scheme in ("http", "https") and parts.hostname and (parts.port or 1)
    except ValueError:
        parts, fine = urlsplit(""), False
    if parts.username or parts.password or parts.query:  # the name of a judge is written into configs and caches
        raise UserError(f"--judge openai:{model}: the URL holds a user, password or query; put keys into {KEYS[0]}")
    if not fine:
        raise UserError(f"--judge openai:{model}: {url} is no http URL; like http://localhost:8000/v1")
    return model, url.rstrip("/").removesuffix("/chat/completions").rstrip("/")
