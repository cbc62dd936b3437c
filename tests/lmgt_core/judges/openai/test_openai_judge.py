"""The judge behind an OpenAI-compatible server: a real server process on this machine, and everything it may do."""

import logging
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lmgt_core.cache.judge_cache import JudgeCache
from lmgt_core.errors import UserError
from lmgt_core.judges.minilm import installed_model
from lmgt_core.judges.openai.judge import OpenAIJudge
from lmgt_core.judges.openai.rate_limits import Backoff, Limits
from lmgt_core.judges.openai.reply import read_completion, server_message
from lmgt_core.judges.openai.settings import ServerSettings, read_settings
from lmgt_core.judging.judge import Judge, JudgeKind
from lmgt_core.judging.judgment import Judgment, Verdict
from lmgt_core.judging.prompt import Prompt
from lmgt_core.judging.registry import JudgeContext, make_judge, parse_spec
from lmgt_core.testing.judge import JudgeContract

ROOT = Path(__file__).resolve().parents[4]
KEY = "sk-test-7hIsIsAsEcReT"
SYSTEM = "Say good, neutral or bad."
CONTEXT = JudgeContext("test")
MODEL = "minilm"
QUICK = Backoff(first=0.001, longest=0.01)


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """A server process of the quickest model that reads words, with faults."""
    try:
        installed_model()
    except UserError as error:
        pytest.skip(str(error))
    command = [sys.executable, "-m", "tests.lmgt_core.judges.openai.serve_with_faults", MODEL]
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True)
    assert process.stdin and process.stdout
    yield process.stdout.readline().strip()
    process.stdin.close()
    process.wait(timeout=20)


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LMGT_API_KEY", raising=False)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


def made(url: str, **changes: Any) -> OpenAIJudge:
    settings = {"tries": 3, "timeout": 5.0, "backoff": QUICK, "key": KEY} | changes
    return OpenAIJudge(ServerSettings(MODEL, url, **settings), np.random.default_rng(0))


def ask(judge: Judge, *texts: str) -> list[Judgment]:
    return judge.judge([Prompt(SYSTEM, text) for text in texts])


class TestOpenAIJudge(JudgeContract):
    @pytest.fixture(autouse=True)
    def _server(self, url: str) -> None:
        self.url = url

    def make_judge(self) -> Judge:
        return made(self.url)


def test_it_answers_as_the_judge_in_process_does(url: str) -> None:
    """Label probabilities go over the wire, and batches formed by the server change nothing."""
    texts = [f"Item {i} on the shelf?" for i in range(12)]
    far, near = ask(made(url), *texts), ask(make_judge(MODEL, CONTEXT), *texts)  # type: ignore[arg-type]
    assert [j.verdict for j in far] == [j.verdict for j in near]
    np.testing.assert_allclose([j.probabilities for j in far], [j.probabilities for j in near], atol=1e-5)
    assert [j.cost.prompt_tokens for j in far] == [j.cost.prompt_tokens for j in near]


def test_its_name_makes_it(url: str) -> None:
    judge = make_judge(f"openai:{MODEL}@{url}?concurrency=2&rpm=1000", CONTEXT)
    assert judge is not None and judge.kind is JudgeKind.LANGUAGE_MODEL and judge.cacheable
    assert ask(judge, "Fine?")[0].probabilities is not None


@pytest.mark.parametrize("fault", ["429", "500", "half", "closed", "malformed", "empty", "shape"])
def test_a_passing_fault_is_tried_again(url: str, fault: str) -> None:
    answer = ask(made(url), f"FAULT={fault}*2 passing")[0]
    assert answer.verdict is not Verdict.UNREADABLE and answer.probabilities is not None


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("429", "HTTP 429, slow down"),
        ("500", "HTTP 500, the server fell over"),
        ("half", ""),
        ("closed", ""),
        ("malformed", "not JSON"),
        ("empty", "no message"),
        ("shape", "no message"),
    ],
)
def test_a_lasting_fault_is_unreadable_and_costs_only_its_own_question(url: str, fault: str, said: str) -> None:
    broken, fine = ask(made(url), f"FAULT={fault} lasting", "Fine?")
    assert broken.verdict is Verdict.UNREADABLE and said in broken.reason
    assert broken.reason.startswith("no answer in 3 tries; the last: ") and "\n" not in broken.reason
    assert fine.probabilities is not None


@pytest.mark.parametrize("fault", ["slow", "drip"])
def test_an_answer_that_does_not_come_in_time_is_unreadable(url: str, fault: str) -> None:
    answer = ask(made(url, timeout=0.3, tries=1), f"FAULT={fault}")[0]
    assert answer.verdict is Verdict.UNREADABLE and "time" in answer.reason


def test_an_endless_answer_is_cut(url: str) -> None:
    answer = ask(made(url, byte_limit=200_000, tries=1), "FAULT=endless")[0]
    assert answer.verdict is Verdict.UNREADABLE and "longer than 200000 bytes" in answer.reason


def test_a_wrong_label_is_unreadable_and_its_reply_is_kept(url: str) -> None:
    answer = ask(made(url), "FAULT=wrong")[0]
    assert (answer.verdict, answer.reply) == (Verdict.UNREADABLE, "maybe") and "off the menu" in answer.reason


def test_a_reply_in_prose_is_parsed(url: str) -> None:
    answer = ask(made(url), "FAULT=prose")[0]
    assert (answer.verdict, answer.probabilities) == (Verdict.BAD, None)


def test_a_server_that_lacks_a_parameter_is_asked_without_it(url: str) -> None:
    judge = made(url)
    answers = [ask(judge, f"FAULT=strict {i}")[0] for i in range(2)]
    assert all(a.verdict is not Verdict.UNREADABLE and a.probabilities is None for a in answers)
    assert judge.settings.tries == 3  # learning took no tries, or the first answer would have failed


def test_no_fault_is_cached(url: str, tmp_path: Path) -> None:
    with JudgeCache(made(url, tries=1), tmp_path / "cache.sqlite") as cache:
        ask(cache, "FAULT=500 cached", "FAULT=wrong cached", "Fine?")
        assert cache.stats.stored == 1
        assert KEY.encode() not in (tmp_path / "cache.sqlite").read_bytes()


def test_no_more_requests_are_in_flight_than_allowed(url: str) -> None:
    replies = [a.reply for a in ask(made(url, concurrency=3), *(f"FAULT=count {i}" for i in range(12)))]
    assert max(int(reply.split()[0]) for reply in replies) <= 3


def test_requests_a_minute_are_limited(url: str) -> None:
    slept: list[float] = []
    now = [0.0]

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        now[0] += seconds

    settings = ServerSettings(MODEL, url, rpm=2, concurrency=1, key=KEY)
    judge = OpenAIJudge(settings, np.random.default_rng(0), clock=lambda: now[0], sleep=sleep)
    ask(judge, "One?", "Two?", "Three?", "Four?", "Five?")
    assert slept == [60.0, 60.0]


def test_the_wait_between_tries_grows_and_is_the_same_for_one_seed(url: str) -> None:
    def waits() -> list[float]:
        slept: list[float] = []
        settings = ServerSettings(MODEL, url, tries=6, key=KEY, backoff=Backoff(1.0, 5.0))
        judge = OpenAIJudge(settings, np.random.default_rng(7), sleep=slept.append)
        ask(judge, "FAULT=500 growing")
        return slept

    first = waits()
    assert len(first) == 5 and first == waits()
    assert all(0.5 * base <= wait <= 1.5 * base for wait, base in zip(first, [1, 2, 4, 5, 5], strict=True))


def test_after_its_budget_of_tokens_it_abstains_and_says_so(url: str, caplog: pytest.LogCaptureFixture) -> None:
    judge = made(url, limits=Limits(tokens=30), concurrency=1)
    with caplog.at_level(logging.WARNING):
        answers = ask(judge, *(f"FAULT=prose {i}" for i in range(4)))  # 15 tokens each
    assert [a.abstained for a in answers] == [False, False, True, True]
    assert answers[2].reason == "the budget of 30 tokens is used up" and answers[2].label == 0
    assert "abstains from here on" in caplog.text and KEY not in caplog.text


def test_after_its_budget_of_dollars_it_abstains(url: str) -> None:
    judge = made(url, limits=Limits(dollars=0.02), price_in=1e-3, price_out=0.0, concurrency=1)
    answers = ask(judge, *(f"FAULT=prose {i}" for i in range(3)))  # a cent each
    assert [a.abstained for a in answers] == [False, False, True]
    assert answers[0].cost.dollars == pytest.approx(0.01) and "dollars" in answers[2].reason


def test_after_its_budget_of_seconds_it_abstains(url: str) -> None:
    now = iter(np.arange(0.0, 1000.0, 0.5))
    settings = ServerSettings(MODEL, url, concurrency=1, key=KEY, limits=Limits(seconds=3.0))
    judge = OpenAIJudge(settings, np.random.default_rng(0), clock=lambda: float(next(now)))
    first, second = ask(judge, "One?"), ask(judge, "Two?", "Three?", "Four?")
    assert not first[0].abstained and second[-1].abstained
    assert second[-1].reason == "the budget of 3 seconds is used up"


def test_the_key_shows_up_nowhere(url: str, caplog: pytest.LogCaptureFixture) -> None:
    judge = made(url)
    with caplog.at_level(logging.DEBUG):
        answers = ask(judge, "FAULT=echo", "FAULT=says_key", "Fine?")
    assert "who is Bearer ***?" in answers[0].reason and answers[1].verdict is Verdict.GOOD
    for shown in (*map(repr, answers), judge.id, repr(judge), repr(judge.settings), str(vars(judge)), caplog.text):
        assert KEY not in shown


def test_the_first_key_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = parse_spec("openai:m@http://localhost:1/v1")
    assert read_settings(spec).key == KEY
    monkeypatch.setenv("LMGT_API_KEY", "another")
    assert read_settings(spec).key == "another"


def test_an_unreachable_server_is_a_users_mistake() -> None:
    with pytest.raises(UserError, match=r"http://127\.0\.0\.1:9/v1 cannot be reached .* is it up\?"):
        make_judge("openai:m@http://127.0.0.1:9/v1", CONTEXT)


def test_a_model_that_the_server_lacks_is_a_users_mistake(url: str) -> None:
    judge = OpenAIJudge(ServerSettings("gpt-99", url, key=KEY), np.random.default_rng(0))
    with pytest.raises(UserError, match="has no model gpt-99"):
        ask(judge, "Fine?")


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("openai", "name a model"),
        ("openai:m@http://me:pw@host/v1", "holds a user, password or query"),
        ("openai:m@http://", "is no http URL"),
        ("openai:m@http://host:port/v1", "is no http URL"),
        ("openai:m@http://h/v1?tries=0", "tries=0"),
        ("openai:m@http://h/v1?timeout=soon", "timeout=soon"),
        ("openai:m@http://h/v1?budget_dollars=1", "needs price_in and price_out"),
        ("openai:m@http://h/v1?colour=red", "unknown option colour"),
    ],
)
def test_a_wrong_name_is_a_users_mistake(spec: str, said: str) -> None:
    with pytest.raises(UserError, match=said) as error:
        make_judge(spec, CONTEXT)
    assert "pw" not in str(error.value)


def test_a_hosted_model_needs_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY")
    with pytest.raises(UserError, match="set OPENAI_API_KEY or LMGT_API_KEY"):
        make_judge("openai:gpt-4o-mini", CONTEXT)


@pytest.mark.parametrize("answer", [None, [], {}, {"choices": None}, {"choices": [{}]}, {"choices": [{"message": 1}]}])
def test_answers_of_any_shape_are_survived(answer: Any) -> None:
    with pytest.raises(Exception, match="holds no") as error:
        read_completion(answer)
    assert type(error.value).__name__ == "BadReply"


def test_strange_log_probabilities_are_left_out() -> None:
    for strange in (7, {"content": 3}, {"content": [{"token": "good"}]}, {"content": [{"token": "a", "logprob": "x"}]}):
        choice = {"message": {"content": "good"}, "logprobs": strange}
        assert read_completion({"choices": [choice], "usage": {"prompt_tokens": -4}}).alternatives == ()


def test_a_servers_message_is_one_short_line() -> None:
    assert server_message({"error": {"message": "a\n b"}}) == "a b"
    assert len(server_message({"message": "x" * 1000})) == 200
    assert server_message(["?"]) == server_message(None) == ""
