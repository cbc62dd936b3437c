"""What servers refuse, in the shapes and words that they use; a stub server answers as each test says."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
import pytest

from lmgt_core.errors import UserError
from lmgt_core.judges.openai.dialect import Dialect
from lmgt_core.judges.openai.judge import OpenAIJudge
from lmgt_core.judges.openai.rate_limits import Backoff
from lmgt_core.judges.openai.reply import all_words, read_completion, server_message
from lmgt_core.judges.openai.settings import ServerSettings
from lmgt_core.judging.judgment import Judgment, Verdict
from lmgt_core.judging.prompt import Prompt
from lmgt_core.judging.registry import JudgeContext, make_judge

Answer = tuple[int, Any]
Behaviour = Callable[[dict[str, Any]], Answer]
BAD: Answer = (200, {"choices": [{"message": {"content": "bad"}, "finish_reason": "stop"}]})


@contextmanager
def serving(behaviour: Behaviour) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """The address of a server, without a path, and the requests that it gets."""
    seen: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.say(200 if self.path.startswith("/v1") else 404, {"data": []})

        def do_POST(self) -> None:
            seen.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.say(*behaviour(seen[-1]))

        def say(self, status: int, body: Any) -> None:
            raw = body.encode() if isinstance(body, str) else json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", seen
    server.shutdown()
    server.server_close()


def ask(url: str, count: int = 1, **changes: Any) -> list[Judgment]:
    settings = {"tries": 2, "timeout": 5.0, "backoff": Backoff(0.001, 0.01)} | changes
    judge = OpenAIJudge(ServerSettings("m", url, **settings), np.random.default_rng(0))
    return judge.judge([Prompt("Say good or bad.", f"Item {i}?") for i in range(count)])


def refusing(unwanted: Callable[[dict[str, Any]], bool], status: int, body: Any) -> Behaviour:
    return lambda request: (status, body) if unwanted(request) else BAD


EXTRA = {"detail": [{"type": "extra_forbidden", "loc": ["body", "%s"], "msg": "Extra inputs are not permitted"}]}
SHAPES: tuple[Any, ...] = (
    {"error": {"message": "%s is not supported with this model", "type": "invalid_request_error"}},
    {"error": {"message": "Invalid request", "param": "%s", "code": "unsupported_parameter"}},
    {"error": "unknown field %s"},
    {"message": "property '%s' is unsupported"},
    EXTRA,
    [{"error": {"code": 400, "message": "Unable to enable %s", "status": "INVALID_ARGUMENT"}}],
    {"object": "error", "message": "[{'type': 'extra_forbidden', 'loc': ('body', '%s')}]"},
    "%s: unknown parameter",
)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("status", [200, 400, 401, 403, 404, 422, 500, 501])
@pytest.mark.parametrize("name", ["logprobs", "top_logprobs", "temperature", "max_tokens"])
def test_what_is_refused_is_left_out_whatever_the_status_and_the_shape(name: str, status: int, shape: Any) -> None:
    body = json.loads(json.dumps(shape).replace("%s", name))
    with serving(refusing(lambda request: name in request, status, body)) as (url, seen):
        answers = ask(f"{url}/v1", 2, concurrency=1)
    assert [a.verdict for a in answers] == [Verdict.BAD] * 2
    assert name not in seen[-1] and len(seen) == 3  # once refused, once learnt, then remembered


@pytest.mark.parametrize(
    "words",
    ["System role not supported", "Conversation roles must alternate user/assistant/user/assistant/...",
     "Unsupported value: 'messages[0].role' does not support 'system' with this model.",
     "Developer instruction is not enabled for this model", "Only user and assistant roles are supported!",
     "chat template rejected the request: Unexpected message role."],
)  # fmt: skip
@pytest.mark.parametrize("status", [400, 500])
def test_where_there_is_no_system_role_its_words_open_the_users_turn(status: int, words: str) -> None:
    refused = refusing(lambda r: r["messages"][0]["role"] == "system", status, {"error": {"message": words}})
    with serving(refused) as (url, seen):
        (answer,) = ask(f"{url}/v1", tries=1)
    assert answer.verdict is Verdict.BAD
    assert seen[-1]["messages"] == [{"role": "user", "content": "Say good or bad.\n\nItem 0?"}]


@pytest.mark.parametrize(
    ("words", "most"),
    [("top_logprobs must be less than or equal to 5", 5), ("Requested 20 logprobs, greater than max allowed: 8", 8),
     ("top_logprobs: Input should be between 0 and 11", 11), ("too large a number of top_logprobs", 5)],
)  # fmt: skip
def test_fewer_alternatives_are_asked_for_where_there_is_a_limit(words: str, most: int) -> None:
    with serving(refusing(lambda r: r.get("top_logprobs", 0) > most, 400, {"message": words})) as (url, seen):
        ask(f"{url}/v1")
    assert [r["top_logprobs"] for r in seen] == [20, most]


def test_all_questions_in_flight_are_asked_again() -> None:
    gate = threading.Barrier(8, timeout=5)

    def behaviour(request: dict[str, Any]) -> Answer:
        if "logprobs" not in request:
            return BAD
        gate.wait()
        return 400, {"error": {"message": "logprobs is not supported with this model"}}

    with serving(behaviour) as (url, _):
        assert [a.verdict for a in ask(f"{url}/v1", 8, tries=1)] == [Verdict.BAD] * 8


@pytest.mark.parametrize(
    "words",
    ["'max_tokens' or 'max_completion_tokens' is too large: 16. The context length is 2048, with 3000 input tokens",
     "This model's maximum context length is 2048 tokens. You asked for 3016 (3000 in messages, max_tokens 16)",
     "`inputs` tokens + `max_new_tokens` must be <= 4096", "max_tokens must be at least 1, got -952: a long prompt"],
)  # fmt: skip
def test_a_question_that_is_too_long_teaches_nothing_about_the_others(words: str) -> None:
    too_long = refusing(lambda r: "Item 0?" in r["messages"][-1]["content"], 400, {"message": words})
    with serving(too_long) as (url, seen):
        answers = ask(f"{url}/v1", 3, concurrency=1)
    assert [a.verdict for a in answers] == [Verdict.UNREADABLE, Verdict.BAD, Verdict.BAD]
    assert words[:40] in answers[0].reason and "max_tokens" in seen[-1]


def test_what_helps_one_question_only_is_not_remembered_for_the_rest() -> None:
    hopeless = refusing(lambda r: "Item 0?" in str(r), 400, {"message": "temperature, logprobs, role: all wrong"})
    with serving(hopeless) as (url, seen):
        ask(f"{url}/v1", 2, concurrency=1)
    assert {"logprobs", "temperature", "max_tokens"} <= set(seen[-1]) and len(seen[-1]["messages"]) == 2


def test_a_server_that_refuses_everything_comes_to_an_end() -> None:
    with serving(lambda r: (400, {"message": "max_tokens logprobs temperature role"})) as (url, seen):
        (answer,) = ask(f"{url}/v1")
    assert answer.verdict is Verdict.UNREADABLE and len(seen) < 10


@pytest.mark.parametrize(("status", "words"), [(401, "Incorrect API key provided"), (403, ""), (401, "")])
def test_the_key_is_blamed_where_nothing_else_is_named(status: int, words: str) -> None:
    body = {"error": {"message": words}} if words else ""
    with serving(lambda r: (status, body)) as (url, _), pytest.raises(UserError, match="set LMGT_API_KEY") as error:
        ask(f"{url}/v1")
    assert words in str(error.value)


def test_a_question_that_is_forbidden_for_its_words_is_unreadable_and_no_key_is_blamed() -> None:
    with serving(lambda r: (403, {"error": {"message": "Your input was flagged"}})) as (url, _):
        (answer,) = ask(f"{url}/v1")
    assert answer.reason == "no answer: HTTP 403, Your input was flagged"


@pytest.mark.parametrize(
    "answer", [(404, "404 page not found"), (404, {"detail": "Not Found"}), (405, ""), (200, "<!doctype html><p>Hello"),
               (200, {"error": "Unexpected endpoint or method. (POST /chat/completions)"})],
)  # fmt: skip
def test_an_address_that_lacks_its_path_is_told_so(answer: Answer) -> None:
    with serving(lambda r: answer) as (url, _), pytest.raises(UserError, match=rf"as in {url}/v1") as error:
        ask(url)
    assert "has no model" not in str(error.value)


def test_an_address_without_its_path_is_found_out_before_anything_is_asked() -> None:
    with serving(lambda r: BAD) as (url, seen), pytest.raises(UserError, match=f"as in {url}/v1"):
        make_judge(f"openai:m@{url}", JudgeContext("test"))
    assert seen == []


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"error": {"message": "Provider is overloaded", "code": 502}}, "Provider is overloaded"),
        ({"error": "out of memory"}, "out of memory"),
        ({"choices": [], "detail": "no worker is free"}, "no worker is free"),
        ({"choices": [{"message": {"content": ""}, "error": {"message": "upstream died"}}]}, "upstream died"),
        ([{"error": {"message": "quota"}}], "quota"),
        ("gateway says no", "gateway says no"),
    ],
)
def test_the_servers_own_words_are_shown_for_an_error_in_200(body: Any, said: str) -> None:
    with serving(lambda r: (200, body)) as (url, _):
        (answer,) = ask(f"{url}/v1")
    assert answer.verdict is Verdict.UNREADABLE and said in answer.reason


def test_the_proxy_of_the_environment_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(lambda r: BAD) as (url, _):
        for name in ("HTTP_PROXY", "http_proxy"):
            monkeypatch.setenv(name, url)
        for name in ("NO_PROXY", "no_proxy"):
            monkeypatch.delenv(name, raising=False)
        (answer,) = ask("http://judge.invalid/v1")
        assert answer.verdict is Verdict.BAD
        monkeypatch.setenv("HTTP_PROXY", "gopher://x")
        monkeypatch.setenv("http_proxy", "gopher://x")
        with pytest.raises(UserError, match="the proxy in the environment"):
            ask("http://judge.invalid/v1")


@pytest.mark.parametrize(
    ("message", "text"),
    [
        ({"content": "bad"}, "bad"),
        ({"content": [{"type": "text", "text": "b"}, {"type": "output_text", "text": "ad"}]}, "bad"),
        ({"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "good"}]}, {"text": "bad"}]}, "bad"),
        ({"content": ["bad"]}, "bad"),
        ({"content": {"type": "text", "text": "bad"}}, "bad"),
        ({"content": None, "reasoning_content": "good"}, ""),
    ],
)
def test_content_is_a_text_or_parts_or_nothing(message: dict[str, Any], text: str) -> None:
    assert read_completion({"choices": [{"message": message}]}).text == text


def test_a_refusal_in_a_field_of_its_own_is_no_verdict() -> None:
    refusal = {"choices": [{"message": {"content": None, "refusal": "Verdict: good"}}]}
    with serving(lambda r: (200, refusal)) as (url, _):
        assert ask(f"{url}/v1")[0].reason == "the reply is a refusal"


@pytest.mark.parametrize("finish", ["length", "max_tokens", "MAX_TOKENS"])
def test_a_reply_is_cut_whatever_the_server_calls_it(finish: str) -> None:
    assert read_completion({"choices": [{"message": {"content": "x"}, "finish_reason": finish}]}).cut


def test_two_numbers_for_one_token_are_none() -> None:
    token = {"token": "bad", "logprob": 0.0, "top_logprobs": [{"token": "bad", "logprob": -2.0}]}
    choice = {"message": {"content": "bad"}, "logprobs": {"content": [token]}}
    assert read_completion({"choices": [choice]}).alternatives == ()


def test_what_a_server_sends_back_of_the_question_names_nothing() -> None:
    echo = {"detail": [{"loc": ["body"], "msg": "bad", "input": {"logprobs": True, "temperature": 0}}]}
    assert Dialect().after(all_words(echo)) is None
    assert server_message(echo) == "body: bad"


def test_a_page_of_a_gateway_names_nothing() -> None:
    page = "<html><div role='main'>502 temperature</div></html>"
    with serving(lambda r: (502, page)) as (url, seen):
        ask(f"{url}/v1")
    assert all(len(r["messages"]) == 2 and "temperature" in r for r in seen) and len(seen) == 2
