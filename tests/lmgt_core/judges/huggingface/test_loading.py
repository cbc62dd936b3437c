"""Models that are not there, and the notices of libraries."""

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import huggingface_hub
import pytest

from lmgt_core.errors import UserError
from lmgt_core.judging.registry import JudgeContext, make_judge
from tests.lmgt_core import tiny_models as tiny

ROOT = Path(__file__).resolve().parents[4]


def hub_that(monkeypatch: pytest.MonkeyPatch, error: Exception | None) -> list[float]:
    """Has the hub fail with `error`; the timeouts that it is asked with."""
    asked: list[float] = []

    def model_info(self: Any, repo_id: str, *, revision: str | None = None, timeout: float = 0.0) -> None:
        asked.append(timeout)
        if error is not None:
            raise error

    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", model_info)
    return asked


def http_error(status: int) -> Exception:
    from huggingface_hub.errors import HfHubHTTPError

    error = HfHubHTTPError.__new__(HfHubHTTPError)
    error.response = SimpleNamespace(status_code=status)  # type: ignore[assignment]
    return error


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError("Name or service not known"), r"hub cannot be reached \(Name or service not known\)"),
        (http_error(404), r"no such model for you \(HTTP 404\)"),
        (http_error(401), "private or gated"),
        (http_error(503), r"hub cannot be reached \(HTTP 503\)"),
    ],
)
def test_a_missing_hub_model_is_found_out_at_once(monkeypatch: pytest.MonkeyPatch, error: Exception, said: str) -> None:
    asked = hub_that(monkeypatch, error)
    with pytest.raises(UserError, match=said) as raised:
        make_judge("hf:nobody/no-such-model-here", JudgeContext("test"))
    assert len(asked) == 1 and "\n" not in str(raised.value)  # asked once: no retries are waited for


def test_a_name_that_no_model_can_have_is_a_users_mistake() -> None:
    with pytest.raises(UserError, match="neither a folder nor a name on the hub"):
        make_judge("hf:a model!", JudgeContext("test"))


def test_a_model_in_the_hubs_cache_needs_no_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    from lmgt_core.judges.huggingface import loading

    hub_that(monkeypatch, OSError("no network"))
    monkeypatch.setattr(huggingface_hub, "try_to_load_from_cache", lambda *_, **__: "/some/config.json")
    assert loading._on_this_machine_only(loading.Wanted("hf:a/b", "a/b", None, None, "cpu"))


def test_no_library_writes_on_the_screen(tmp_path: Path) -> None:
    """With images and without, from loading to answers, in a process of its own."""
    text, sees = tiny.save_tiny_llama(tmp_path / "llama"), tiny.save_tiny_llava(tmp_path / "llava")
    code = f"""
import numpy as np
from lmgt_core.judging.prompt import Prompt
from lmgt_core.judging.registry import JudgeContext, make_judge
image = (np.full((20, 30, 3), 80, np.uint8),)
for path, images in (({str(text)!r}, ()), ({str(sees)!r}, image)):
    judge = make_judge(f"hf:{{path}}?max_tokens=3", JudgeContext("test"))
    judge.judge([Prompt("Say good or bad.", f"{{i}}?", images) for i in range(4)])
    judge.judge([Prompt("End with `Verdict: good` or bad.", "?" * 3000, images)])
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == done.stderr == ""
