"""The `openai` captioner: an image-text model behind an OpenAI-compatible server, `openai:MODEL[@URL]`.

Keys come from the environment (LMGT_API_KEY or OPENAI_API_KEY) and are never part of a name, an id or a message.
"""

import base64
import hashlib
import io
import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

from captioners.captioner import Caption, CaptionerError, CaptionFailure, Image, Images, check_images

KEYS = ("LMGT_API_KEY", "OPENAI_API_KEY")
DEFAULT_URL = "https://api.openai.com/v1"
OPTIONS = ("max_tokens", "timeout", "concurrency", "tries")
DEFAULTS = {"max_tokens": 96, "timeout": 60, "concurrency": 4, "tries": 4}


class ServedCaptioner:
    """Asks a server to describe each image as `prompt` asks, at temperature 0."""

    privileged = False

    def __init__(self, model: str, url: str, key: str, prompt: str, settings: Mapping[str, int]) -> None:
        import openai

        self.model, self.prompt, self.settings = model, prompt, settings
        self._key = key
        self._client = openai.OpenAI(
            api_key=key or "none", base_url=url, timeout=settings["timeout"], max_retries=settings["tries"] - 1
        )
        digest = hashlib.sha256(prompt.encode()).hexdigest()[:12]
        self.id = f"openai:{model}@{url}:{settings['max_tokens']}:prompt={digest}"

    def caption(self, images: Images) -> list[Caption]:
        """What the server writes about each image; an image without an answer is a failure with the reason."""
        check_images(images)
        if not len(images):
            return []
        with ThreadPoolExecutor(self.settings["concurrency"]) as pool:
            return list(pool.map(self._describe, images))

    def check(self) -> None:
        """CaptionerError when the server is out of reach, refuses the key, or does not have the model."""
        import openai

        url = self._client.base_url
        try:
            self._client.with_options(timeout=10, max_retries=0).models.list()
        except openai.APIConnectionError as error:
            raise CaptionerError(f"openai:{self.model}: {url} cannot be reached ({self._clean(error)})") from None
        except openai.APIStatusError as error:
            if error.status_code in (401, 403):
                raise CaptionerError(
                    f"openai:{self.model}: {url} refuses the key (HTTP {error.status_code}); set {KEYS[0]}"
                ) from None

    def close(self) -> None:
        """Closes the connections."""
        self._client.close()

    def _describe(self, image: Image) -> Caption:
        import openai

        picture = {"type": "image_url", "image_url": {"url": data_url(image)}}
        messages: Any = [{"role": "user", "content": [picture, {"type": "text", "text": self.prompt}]}]
        try:
            answer = self._client.chat.completions.create(
                model=self.model, messages=messages, temperature=0.0, max_tokens=self.settings["max_tokens"]
            )
            text = answer.choices[0].message.content if answer.choices else None
        except (openai.OpenAIError, ValueError, AttributeError) as error:
            return CaptionFailure(f"no answer: {self._clean(error)}")
        return " ".join((text or "").split()) or CaptionFailure("the server's answer is empty")

    def _clean(self, error: Exception) -> str:
        """One line about an error, without the key: a server may send back what it was sent."""
        text = " ".join(str(error).split())[:200] or type(error).__name__
        return text.replace(self._key, "***") if self._key else text


def data_url(image: Image) -> str:
    """An image [height, width, 3] as a PNG in a URL."""
    from PIL import Image as Picture

    file = io.BytesIO()
    Picture.fromarray(image).save(file, format="PNG")
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


def load(argument: str, options: Mapping[str, str], prompt: str) -> ServedCaptioner:
    """The captioner `openai:MODEL@URL`; CaptionerError for a wrong name, and for a server that lets nobody in."""
    model, at, url = argument.rpartition("@http")
    model, url = (model, "http" + url) if at else (argument, os.environ.get("OPENAI_BASE_URL") or DEFAULT_URL)
    parts = urlsplit(url)
    if not model or parts.scheme not in ("http", "https") or not parts.hostname:
        raise CaptionerError(f"openai:{argument}: name a model and where it is served, openai:MODEL@URL")
    if parts.username or parts.password or parts.query:
        raise CaptionerError(f"openai:{model}: the URL holds a user, password or query; put keys into {KEYS[0]}")
    key = next((os.environ[name].strip() for name in KEYS if os.environ.get(name, "").strip()), "")
    if not key and parts.hostname == urlsplit(DEFAULT_URL).hostname:
        raise CaptionerError(f"openai:{model}: {url} needs a key; set {KEYS[1]} or {KEYS[0]} in the environment")
    settings = dict(DEFAULTS)
    for name, value in options.items():
        if name not in OPTIONS or not value.isascii() or not value.isdigit() or int(value) < 1:
            raise CaptionerError(f"openai:{model}: {name}={value}: it takes whole numbers for {', '.join(OPTIONS)}")
        settings[name] = int(value)
    try:
        captioner = ServedCaptioner(model, url.rstrip("/"), key, prompt, settings)
    except ModuleNotFoundError as error:
        raise CaptionerError(f"openai:{model}: needs the package {error.name}; pip install openai") from None
    captioner.check()
    return captioner
