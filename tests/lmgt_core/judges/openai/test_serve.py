"""`lmgt judge serve`: one judge behind an address, and clients that behave or do not."""

import base64
import io
import json
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Picture

from lmgt_core.errors import UserError
from lmgt_core.judges.label_scoring import LabelScoringJudge, likeliest
from lmgt_core.judges.openai import serve
from lmgt_core.judges.openai.answers_header import HEADER, read_answers
from lmgt_core.judges.openai.dialect import Dialect
from lmgt_core.judges.openai.judge import OpenAIJudge
from lmgt_core.judges.openai.serve import BadRequest, Batcher, JudgeServer, ServeConfig, open_server, read_request
from lmgt_core.judges.openai.server import ChatServer, Question
from lmgt_core.judges.openai.settings import ServerSettings
from lmgt_core.judging.judge import JudgeKind
from lmgt_core.judging.judgment import Judgment, Verdict
from lmgt_core.judging.prompt import Prompt
from lmgt_core.judging.registry import JudgeContext, make_judge
from lmgt_core.models.store import find_model
from tests.lmgt_core.judges.test_label_scoring import CountingModel

ROOT = Path(__file__).resolve().parents[4]
SYSTEM = "Say good, neutral or bad."


class Recorder:
    """A judge whose answer is in the question, `.7 .2 .1`; it remembers the batches it got."""

    id = "recorder"
    kind = JudgeKind.LANGUAGE_MODEL
    cacheable = True

    def __init__(self) -> None:
        self.batches: list[int] = []
        self.gate = threading.Event()
        self.gate.set()

    def judge(self, prompts: Sequence[Prompt]) -> list[Judgment]:
        self.gate.wait(10)
        self.batches.append(len(prompts))
        return [self.answer(p) for p in prompts]

    def answer(self, prompt: Prompt) -> Judgment:
        if "mumble" in prompt.user:
            return Judgment(Verdict.UNREADABLE, reason="it mumbles")
        if "crash" in prompt.user:
            raise RuntimeError("the judge crashed")
        if "shy" in prompt.user:
            return Judgment(Verdict.GOOD).abstain("2 good, 1 bad")
        good, neutral, bad = (float(x) for x in prompt.user.split())
        return Judgment(likeliest((good, neutral, bad)), (good, neutral, bad))


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
def server(recorder: Recorder) -> Iterator[JudgeServer]:
    with JudgeServer(("127.0.0.1", 0), Batcher(lambda: recorder, 8, 0.05), ("recorder",)) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield running
        recorder.gate.set()
        running.shutdown()
        running.batcher.close()
        thread.join()


def call(server: JudgeServer, path: str, body: Any = None, headers: dict[str, str] | None = None) -> tuple[int, Any]:
    """The status and the JSON of an answer, asked without any client library."""
    data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
    request = urllib.request.Request(server.url.removesuffix("/v1") + path, data, headers or {})
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=20) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


def question(user: Any, **more: Any) -> dict[str, Any]:
    turns = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": user}]
    return {"model": "recorder", "messages": turns, **more}


def test_it_lists_its_one_model(server: JudgeServer) -> None:
    status, answer = call(server, "/v1/models")
    assert status == 200 and [m["id"] for m in answer["data"]] == ["recorder"]


def test_it_answers_with_a_label_and_the_probabilities_of_all(server: JudgeServer) -> None:
    status, answer = call(server, "/v1/chat/completions", question("0.1 0.2 0.7", logprobs=True))
    choice = answer["choices"][0]
    assert status == 200 and choice["message"] == {"role": "assistant", "content": "bad"}
    (token,) = choice["logprobs"]["content"]
    assert [t["token"] for t in token["top_logprobs"]] == ["bad", "neutral", "good"]
    assert np.exp([t["logprob"] for t in token["top_logprobs"]]) == pytest.approx([0.7, 0.2, 0.1])


def test_probabilities_are_given_only_when_they_are_asked_for(server: JudgeServer) -> None:
    assert "logprobs" not in call(server, "/v1/chat/completions", question("0.1 0.2 0.7"))[1]["choices"][0]


def test_an_impossible_label_has_a_number_that_json_knows(server: JudgeServer) -> None:
    answer = call(server, "/v1/chat/completions", question("1.0 0.0 0.0", logprobs=True))[1]
    assert answer["choices"][0]["logprobs"]["content"][0]["top_logprobs"][-1]["logprob"] == -9999.0


def test_questions_that_arrive_together_are_judged_together(server: JudgeServer, recorder: Recorder) -> None:
    recorder.gate.clear()
    with ThreadPoolExecutor(9) as pool:
        asked = [pool.submit(call, server, "/v1/chat/completions", question(f"0.{i} 0.0 0.0")) for i in range(1, 10)]
        threading.Timer(0.3, recorder.gate.set).start()
        assert {a.result()[0] for a in asked} == {200}
    assert sum(recorder.batches) == 9 and len(recorder.batches) <= 4 and max(recorder.batches) <= 8


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        (b"{", 400, "not JSON"),
        (b"[" * 100_000, 400, "not JSON"),
        ([], 400, "list of messages"),
        ({"model": "recorder"}, 400, "list of messages"),
        ({"model": "gpt", "messages": [{"role": "user", "content": "1 0 0"}]}, 404, "there is recorder"),
        ({"model": "recorder", "messages": [{"role": "system", "content": "x"}]}, 400, "no user turn"),
        (question("1 0 0", stream=True), 400, "not streamed"),
        (question(7), 400, "a turn's content"),
        (question([{"type": "sound"}]), 400, "a turn's content"),
        (question("mumble"), 400, "it mumbles"),
        (question("shy"), 400, "2 good, 1 bad"),
        (question("crash"), 500, "the judge failed"),
    ],
)
def test_what_it_cannot_answer_it_refuses_with_the_reason(
    server: JudgeServer, body: Any, status: int, said: str
) -> None:
    got, answer = call(server, "/v1/chat/completions", body)
    assert got == status and said in answer["error"]["message"]
    assert call(server, "/v1/chat/completions", question("1 0 0"))[0] == 200  # and goes on


def test_other_paths_do_not_exist(server: JudgeServer) -> None:
    assert call(server, "/v1/embeddings", {})[0] == 404 and call(server, "/")[0] == 404


def test_a_request_that_is_too_long_is_refused_unread(server: JudgeServer) -> None:
    status, answer = call(server, "/v1/models", b"x", {"Content-Length": str(10**12)})
    assert status == 413 and "at most" in answer["error"]["message"]


def test_too_many_waiting_questions_are_told_to_come_back(
    server: JudgeServer, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server.batcher._asked, "maxsize", 1)
    recorder.gate.clear()
    with ThreadPoolExecutor(12) as pool:
        asked = [pool.submit(call, server, "/v1/chat/completions", question("1 0 0")) for _ in range(12)]
        threading.Timer(1.0, recorder.gate.set).start()
        statuses = [a.result()[0] for a in asked]
    assert set(statuses) == {200, 429}


def test_with_a_key_nobody_else_is_let_in(server: JudgeServer) -> None:
    server.key = "s3cret"
    assert call(server, "/v1/models")[0] == 401
    assert call(server, "/v1/models", headers={"Authorization": "Bearer wrong"})[0] == 401
    assert call(server, "/v1/models", headers={"Authorization": "Bearer s3cret"})[0] == 200


MENUS = {
    "two words": (("yes", Verdict.GOOD), ("no", Verdict.BAD)),
    "the other way round": (("yes", Verdict.BAD), ("no", Verdict.GOOD)),
    "with neutral": (("helps", Verdict.GOOD), ("harms", Verdict.BAD), ("does nothing", Verdict.NEUTRAL)),
    "not ASCII": (("oui, c'est là", Verdict.GOOD), ("pas là", Verdict.BAD)),
    "capitals": (("YES", Verdict.GOOD), ("No", Verdict.BAD)),
    "none": (),
}


@pytest.fixture(params=["score", "generate"])
def menu_reader(request: pytest.FixtureRequest) -> Iterator[tuple[LabelScoringJudge, OpenAIJudge]]:
    """A judge that scores what it is offered, or writes `no`, in process and behind a server."""
    near = LabelScoringJudge(CountingModel("no"), "counting", JudgeKind.LANGUAGE_MODEL, request.param)
    with JudgeServer(("127.0.0.1", 0), Batcher(lambda: near, 8, 0.0), ("counting",)) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        far = OpenAIJudge(ServerSettings("counting", running.url, mode=request.param), np.random.default_rng(0))
        yield near, far
        far.close()
        running.shutdown()
        running.batcher.close()
        thread.join()


@pytest.mark.parametrize("menu", MENUS)
def test_a_templates_answers_mean_the_same_served_and_in_process(
    menu: str, menu_reader: tuple[LabelScoringJudge, OpenAIJudge], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    near, far = menu_reader
    questions = ["Does the yeast belong there?", "No snow, no onions?", "h", "Was it là?"]
    asked = [Prompt("You know homes.", text, answers=MENUS[menu]) for text in questions]
    here, there = near.judge(asked), far.judge(asked)
    assert [(j.verdict, j.reply) for j in there] == [(j.verdict, j.reply) for j in here]
    for a, b in zip(here, there, strict=True):
        assert b.probabilities == (None if a.probabilities is None else pytest.approx(a.probabilities, abs=1e-6))


def test_a_plain_server_gets_the_answers_in_a_header_and_no_field_that_it_may_refuse() -> None:
    server = ChatServer(ServerSettings("m", "http://127.0.0.1:1/v1"), np.random.default_rng(0))
    request = server._request(Question("s", "u", (), 8, answers=MENUS["not ASCII"]), Dialect())
    header = request.pop("extra_headers")[HEADER]
    assert header.isascii() and read_answers(header) == MENUS["not ASCII"]
    assert set(request) == {"model", "messages", "max_tokens", "temperature", "logprobs", "top_logprobs"}
    assert "extra_headers" not in server._request(Question("s", "u", (), 8), Dialect())


def test_half_a_character_is_refused_before_it_reaches_a_batch(server: JudgeServer) -> None:
    header = {HEADER: json.dumps([["yes\ud800", "good"], ["no", "bad"]])}
    for request, headers in ((question("1 0 0 \ud800"), {}), (question("1 0 0"), header)):
        status, answer = call(server, "/v1/chat/completions", request, headers)
        assert status == 400 and "half a character" in answer["error"]["message"]


@pytest.mark.parametrize(
    "header",
    ["yes", "[" * 9000, "7", "[7]", '[["yes"]]', '[["yes", "fine"], ["no", "bad"]]', '[["yes", "good"]]',
     '[[1, "good"], ["no", "bad"]]', '[["yes", "good"], ["yes", "bad"]]', '[["yes", "good"], ["no", "unreadable"]]',
     '[["' + "y" * 201 + '", "good"], ["no", "bad"]]', '[["", "good"], ["no", "bad"]]'],
)  # fmt: skip
def test_answers_that_are_no_menu_are_refused_in_one_line(server: JudgeServer, header: str) -> None:
    status, answer = call(server, "/v1/chat/completions", question("1 0 0"), {HEADER: header})
    assert status == 400 and HEADER in answer["error"]["message"] and "\n" not in answer["error"]["message"]


def test_images_arrive_as_they_were_sent() -> None:
    image = np.arange(4 * 5 * 3, dtype=np.uint8).reshape(4, 5, 3)
    file = io.BytesIO()
    Picture.fromarray(image).save(file, format="PNG")
    url = "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()
    prompt = read_request(
        question([{"type": "image_url", "image_url": {"url": url}}, {"type": "text", "text": "Fine?"}])
    )
    assert (prompt.system, prompt.user) == (SYSTEM, "Fine?")
    np.testing.assert_array_equal(prompt.images[0], image)


@pytest.mark.parametrize("url", ["http://elsewhere/x.png", "data:image/png;base64,!!", "data:image/png;base64,AAAA", 7])
def test_images_that_are_none_are_refused(url: Any) -> None:
    with pytest.raises(BadRequest, match="an image"):
        read_request(question([{"type": "image_url", "image_url": {"url": url}}]))


@pytest.mark.parametrize(
    ("config", "said"),
    [
        (ServeConfig(judge="none"), "nothing to serve"),
        (ServeConfig(judge="nobody"), "no such judge"),
        (ServeConfig(judge="oracle"), "has no expert"),
        (ServeConfig(judge="neutral", host="0.0.0.0"), "only with a key"),
        (ServeConfig(judge="neutral", port=99999), "--port is"),
    ],
)
def test_what_cannot_be_served_is_a_users_mistake(config: ServeConfig, said: str) -> None:
    with pytest.raises(UserError, match=said):
        open_server(config)


def test_a_port_in_use_is_a_users_mistake(server: JudgeServer) -> None:
    with pytest.raises(UserError, match=r"cannot listen on 127\.0\.0\.1"):
        open_server(ServeConfig(judge="neutral", port=int(server.server_address[1])))


def test_its_answers_are_remembered_over_restarts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recorder = Recorder()
    monkeypatch.setattr(serve, "make_judge", lambda spec, context: recorder)
    for _ in range(2):
        with open_server(ServeConfig(judge="recorder", port=0, cache=tmp_path / "cache.sqlite")) as running:
            thread = threading.Thread(target=running.serve_forever)
            thread.start()
            assert call(running, "/v1/chat/completions", question("1 0 0"))[0] == 200
            running.shutdown()
            running.batcher.close()
            thread.join()
    assert recorder.batches == [1]


def test_a_process_serves_the_small_model_and_says_how_to_ask_it(monkeypatch: pytest.MonkeyPatch) -> None:
    try:
        find_model("smollm2")
    except UserError as error:
        pytest.skip(str(error))
    code = "from lmgt_core.judges.openai.serve import *; main(ServeConfig(port=0))"
    process = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        name = process.stdout.readline().strip().rpartition("--judge ")[2]
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        judge = make_judge(f"{name}?timeout=200", JudgeContext("test"))  # a busy machine takes its time
        assert judge is not None and name.startswith("openai:smollm2@http://127.0.0.1:")
        (answer,) = judge.judge([Prompt(SYSTEM, "A mug in the sink?")])
        assert answer.verdict is not Verdict.UNREADABLE and answer.probabilities is not None
        assert answer.cost.prompt_tokens > 20
    finally:
        process.terminate()
        process.wait(timeout=20)
