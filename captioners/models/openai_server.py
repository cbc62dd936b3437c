"""The `openai` captioner: an image-text model behind an OpenAI-compatible server, `openai:MODEL[@URL]`.

Asking is the judges' part (lmgt_core.judges.openai.server): retries, proxies, what a server does not understand. Keys
come from the environment (LMGT_API_KEY or OPENAI_API_KEY) and are never part of a name, an id or a message.
"""

import hashlib
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np

from captioners.captioner import Caption, CaptionerError, CaptionFailure, Image, Images, check_images
from lmgt_core.errors import UserError
from lmgt_core.judges.openai.server import ChatServer, NoAnswer, Question
from lmgt_core.judges.openai.settings import ServerSettings, read_settings
from lmgt_core.judging.registry import JudgeSpec

OPTIONS = ("max_tokens", "timeout", "concurrency", "tries")
MAX_TOKENS, CONCURRENCY, TRIES = 96, 4, 4


class ServedCaptioner:
    """Asks a server to describe each image as `prompt` asks, at temperature 0."""

    privileged = False

    def __init__(self, settings: ServerSettings, prompt: str) -> None:
        self.server, self.settings, self.prompt = ChatServer(settings, np.random.default_rng(0)), settings, prompt
        self._room = settings.max_tokens or MAX_TOKENS
        digest = hashlib.sha256(prompt.encode()).hexdigest()[:12]
        self.id = f"openai:{settings.model}@{settings.url}:{self._room}:prompt={digest}"

    def caption(self, images: Images) -> list[Caption]:
        """What the server writes about each image; an image without an answer is a failure with the reason."""
        check_images(images)
        if not len(images):
            return []
        with ThreadPoolExecutor(self.settings.concurrency) as pool:
            return list(pool.map(self._describe, images))

    def close(self) -> None:
        """Closes the connections."""
        self.server.close()

    def _describe(self, image: Image) -> Caption:
        try:
            completion = self.server.ask(Question("", self.prompt, (image,), self._room))
        except (NoAnswer, UserError) as error:
            return CaptionFailure(str(error).removeprefix("--judge "))
        if completion.refused or completion.filtered:
            return CaptionFailure("the server refused to describe it")
        return " ".join(completion.text.split()) or CaptionFailure("the server's answer is empty")


def load(argument: str, options: Mapping[str, str], prompt: str) -> ServedCaptioner:
    """The captioner `openai:MODEL@URL`; CaptionerError for a wrong name, and for a server that lets nobody in."""
    spec = JudgeSpec("openai", argument, {"concurrency": str(CONCURRENCY), "tries": str(TRIES)} | dict(options))
    for name in options:
        if name not in OPTIONS:
            raise CaptionerError(f"openai:{argument}: unknown option {name}; it takes {', '.join(OPTIONS)}")
    try:
        captioner = ServedCaptioner(replace(read_settings(spec), mode="generate"), prompt)
        captioner.server.check()
    except UserError as error:
        raise CaptionerError(str(error).replace("--judge", "--captioner", 1)) from None
    return captioner
