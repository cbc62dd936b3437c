"""Recorded judgments: what was asked is answered, what was not is not, and a file is whole or refused."""

import gzip
import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lmgt_core.errors import UserError
from lmgt_core.judges.recorded import FORMAT, Recording, find_recording, make, read_recording
from lmgt_core.judging.judge import Judge, JudgeKind
from lmgt_core.judging.judgment import Cost, Judgment, Verdict
from lmgt_core.judging.prompt import Prompt
from lmgt_core.judging.registry import JudgeContext, make_judge, parse_spec
from lmgt_core.testing.judge import JudgeContract

ABOUT = {"judge": "gguf:tiny", "app": "housekeep", "env": "builtin", "strategy": "belongs"}
MENU = (("yes", Verdict.GOOD), ("no", Verdict.BAD))


def recording(prompts: Sequence[Prompt], p: float = 0.25) -> Recording:
    answer = Judgment(Verdict.BAD, (p, 0.0, 1 - p), "no", cost=Cost(0.5, 40, 1))
    return Recording("gguf:tiny:1", JudgeKind.LANGUAGE_MODEL, ABOUT, [(prompt, answer) for prompt in prompts])


class TestRecordedJudge(JudgeContract):
    @pytest.fixture(autouse=True)
    def written(self, tmp_path: Path) -> None:
        self.file = tmp_path / "homes.json.gz"
        recording(self.prompts()).write(self.file)

    def make_judge(self) -> Judge:
        judge = make_judge(f"recorded:{self.file}", JudgeContext("housekeep"))
        assert judge is not None
        return judge

    def test_it_is_what_it_recorded_and_names_the_file(self) -> None:
        judge = self.make_judge()
        assert judge.kind is JudgeKind.LANGUAGE_MODEL
        assert judge.id.startswith("recorded:gguf:tiny:1:")
        recording(self.prompts(), 0.3).write(self.file)
        assert self.make_judge().id != judge.id

    def test_a_question_that_was_not_asked_is_unreadable_and_says_of_what_there_are_answers(self) -> None:
        known = self.prompts()[0]
        others = [
            Prompt(known.system, known.user + "?", facts=known.facts),
            Prompt(known.system, known.user, facts=known.facts, answers=MENU),
            Prompt("", known.user, facts=known.facts),
        ]
        for answer in self.make_judge().judge(others):
            assert answer.verdict is Verdict.UNREADABLE
            assert (
                answer.reason == "not among the questions of homes.json.gz (housekeep builtin with --strategy belongs)"
            )


def test_a_name_finds_the_recording_that_comes_with_the_app(tmp_path: Path) -> None:
    recording([Prompt("s", "u")]).write(tmp_path / "qwen.json.gz")
    assert find_recording("qwen", tmp_path) == tmp_path / "qwen.json.gz"
    with pytest.raises(UserError, match="no such file; recordings that come with this app: qwen"):
        find_recording("llama", tmp_path)
    with pytest.raises(UserError, match="come with this app: none"):
        find_recording("../qwen", None)
    with pytest.raises(UserError, match="no options"):
        make(parse_spec("recorded:qwen?mode=score"), JudgeContext("x", recordings=tmp_path))


@settings(max_examples=30, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.text(), st.text(), st.dictionaries(st.text(), st.text(), max_size=3), st.floats(0, 1), st.booleans()
        ),
        max_size=5,
    )
)
def test_what_is_written_is_read(tmp_path_factory: pytest.TempPathFactory, rows: list[tuple]) -> None:  # type: ignore[type-arg]
    file = tmp_path_factory.mktemp("recorded") / "all.json.gz"
    answers = [
        (
            Prompt(s, u, (), facts, MENU if menu else ()),
            Judgment(Verdict.GOOD, (p, 0.0, 1 - p), u, cost=Cost(0.1, 2, 3)),
        )
        for s, u, facts, p, menu in rows
    ]
    written = Recording("id", JudgeKind.LANGUAGE_MODEL, ABOUT, answers)
    written.write(file)
    first = file.read_bytes()
    found = read_recording(file)
    assert [p.digest for p, _ in found.answers] == [p.digest for p, _ in answers]
    for (_, new), (_, old) in zip(found.answers, answers, strict=True):
        assert new.probabilities == pytest.approx(old.probabilities, abs=1e-6)
        assert (new.verdict, new.reply, new.cost) == (old.verdict, old.reply, old.cost)
    found.write(file)
    assert file.read_bytes() == first


def damaged(content: object) -> bytes:
    return gzip.compress(mtime=0, data=json.dumps(content).encode())


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not gzip",
        gzip.compress(mtime=0, data=b"not json"),
        gzip.compress(mtime=0, data=b"[" * 100_000),
        damaged([]),
        damaged({"format": "other"}),
        damaged({"format": FORMAT}),
        damaged({"format": FORMAT, "id": "x", "kind": "alien", "about": {}, "systems": [], "menus": [], "answers": []}),
        gzip.compress(mtime=0, data=json.dumps({"format": FORMAT}).encode())[:-8],
    ],
    ids=["empty", "text", "no-json", "deep", "list", "other-format", "no-fields", "unknown-kind", "cut"],
)
def test_a_damaged_file_is_refused_in_one_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "bad.json.gz").write_bytes(content)
    with pytest.raises(UserError, match=r"bad\.json\.gz: is no file of recorded judgments, or a damaged one"):
        read_recording(tmp_path / "bad.json.gz")


@pytest.mark.parametrize(
    ("at", "value"),
    [(0, 7), (1, 7), (4, "unreadable"), (4, "splendid"), (5, [0.5, 0.6, 0.7]), (5, [2, -1, 0]), (7, [1]), (3, "facts")],
)
def test_one_damaged_answer_is_refused(tmp_path: Path, at: int, value: object) -> None:
    file = tmp_path / "bad.json.gz"
    recording([Prompt("s", "u")]).write(file)
    content = json.loads(gzip.decompress(file.read_bytes()))
    content["answers"][0][at] = value
    file.write_bytes(damaged(content))
    with pytest.raises(UserError, match="a damaged one"):
        read_recording(file)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"none\.json\.gz: the recorded judgments cannot be read"):
        read_recording(tmp_path / "none.json.gz")
