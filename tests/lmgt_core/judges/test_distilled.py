"""A small network that answers as its teacher did, and knows where it does not know."""

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from lmgt_core.distill.judge import DistillReport, DistillSettings, distill
from lmgt_core.errors import UserError
from lmgt_core.judges.distilled import DistilledJudge, Student, load_student, pairs_of, save_student, words_of
from lmgt_core.judging.judge import Judge, JudgeKind
from lmgt_core.judging.judgment import Cost, Judgment, Verdict
from lmgt_core.judging.prompt import Prompt
from lmgt_core.judging.registry import JudgeContext, make_judge
from lmgt_core.rules.shift import speaks
from lmgt_core.testing.judge import JudgeContract

G, N, B = Verdict.GOOD, Verdict.NEUTRAL, Verdict.BAD
SYSTEM = "You judge a cart. Say good or bad."
LEANS = ("far left", "left", "upright", "right", "far right")
SPEEDS = ("fast", "slowly", "hardly", "barely", "wildly")


def question(lean: str, speed: str, push: str, place: str) -> Prompt:
    return Prompt(SYSTEM, f"The pole leans {lean}, moving {speed}. The cart is {place}. It is pushed {push}. Good?")


def questions() -> list[Prompt]:
    places = ("left", "centred", "right", "still", "rolling")
    return [question(a, b, c, d) for a in LEANS for b in SPEEDS for c in ("left", "right") for d in places]


class Teacher:
    """Pushing to the side that the pole leans to is good; the same words in another order are bad."""

    id = "teacher:v1"
    kind = JudgeKind.ORACLE
    cacheable = True

    def __init__(self) -> None:
        self.asked = 0

    def judge(self, prompts: Sequence[Prompt]) -> list[Judgment]:
        self.asked += len(prompts)
        return [self.answer(p.user) for p in prompts]

    def answer(self, text: str) -> Judgment:
        lean, push = text.split("leans ")[-1].split(",")[0], text.split("pushed ")[-1].split(".")[0]
        if lean == "upright":
            return Judgment(N, cost=Cost(seconds=1.0))
        return Judgment(G if lean.split()[-1:] == [push] else B, cost=Cost(seconds=1.0))


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, DistillReport]:
    path = tmp_path_factory.mktemp("student") / "cart.distilled"
    settings = DistillSettings(hidden=16, agreement=0.8)
    return path, distill(Teacher(), questions(), path, np.random.default_rng(0), settings)


class TestDistilled(JudgeContract):
    @pytest.fixture(autouse=True)
    def _trained(self, trained: tuple[Path, DistillReport]) -> None:
        self.path = trained[0]

    def make_judge(self) -> Judge:
        return DistilledJudge(load_student(self.path))

    def prompts(self) -> list[Prompt]:
        return questions()[:12]


class TestDistilledWithTeacher(TestDistilled):
    def make_judge(self) -> Judge:
        return DistilledJudge(load_student(self.path), Teacher())


def test_it_agrees_with_its_teacher_on_questions_it_was_not_trained_on(trained: tuple[Path, DistillReport]) -> None:
    report = trained[1]
    assert report.questions == 250 and report.unanswered == 0
    assert (report.trained_on, report.held_out) == (175, 38)
    assert report.agreement > 0.9 > 0.6 > report.baseline
    assert report.coverage > 0.5 and report.spoken_agreement is not None and report.spoken_agreement > 0.9


def test_the_report_compares_it_with_its_teacher(trained: tuple[Path, DistillReport]) -> None:
    report = trained[1]
    assert report.teacher_per_second == pytest.approx(1.0)  # by the cost of its answers, a second each
    assert report.as_dict()["speedup"] == report.student_per_second / report.teacher_per_second > 1


def test_the_order_of_words_matters(trained: tuple[Path, DistillReport]) -> None:
    judge = DistilledJudge(load_student(trained[0]))
    one = question("left", "fast", "left", "right")
    other = question("right", "fast", "left", "left")
    assert sorted(words_of(one)) == sorted(words_of(other))
    assert [j.verdict for j in judge.judge([one, other])] == [G, B]


def test_a_word_that_it_was_never_taught_is_not_guessed_at(trained: tuple[Path, DistillReport]) -> None:
    (answer,) = DistilledJudge(load_student(trained[0])).judge([question("backwards", "fast", "left", "left")])
    assert answer.abstained and answer.reason == "it was never taught the word 'backwards'"


def test_another_system_text_is_another_question(trained: tuple[Path, DistillReport]) -> None:
    prompt = Prompt("Say good if the pole will fall.", questions()[0].user)
    (answer,) = DistilledJudge(load_student(trained[0])).judge([prompt])
    assert answer.abstained and "another system text" in answer.reason


def test_images_are_not_judged_by_their_words(trained: tuple[Path, DistillReport]) -> None:
    prompt = Prompt(SYSTEM, questions()[0].user, (np.zeros((2, 2, 3), np.uint8),))
    assert DistilledJudge(load_student(trained[0])).judge([prompt])[0].abstained


def test_heads_that_disagree_abstain() -> None:
    answer = np.zeros((2, 1, 3), np.float32)
    answer[0, 0, 0] = answer[1, 0, 2] = 3.0  # one head says good, the other bad
    student = Student(
        systems=load_known(SYSTEM),
        words=frozenset({"a", "b"}),
        features={"a": 0},
        read=np.ones((1, 2), np.float32),
        read_bias=np.zeros(2, np.float32),
        answer=answer,
        answer_bias=np.zeros((2, 3), np.float32),
        threshold=0.0,
        teacher="t",
    )
    assert student.answers([Prompt(SYSTEM, "a")])[0].reason == "its heads disagree"


def load_known(system: str) -> frozenset[str]:
    from lmgt_core.judges.distilled import system_digest

    return frozenset({system_digest(Prompt(system, ""))})


def test_what_it_does_not_know_goes_to_its_teacher_in_one_batch(trained: tuple[Path, DistillReport]) -> None:
    teacher = Teacher()
    judge = DistilledJudge(load_student(trained[0]), teacher)
    known = [p for p in questions() if speaks(DistilledJudge(load_student(trained[0])).judge([p])[0])][:2]
    strange = [question("far right", "fast", "right", "nowhere"), question("left", "madly", "left", "left")]
    answers = judge.judge([known[0], strange[0], known[1], strange[1]])
    assert teacher.asked == judge.handed_on == 2
    assert [answers[1].verdict, answers[3].verdict] == [G, G] and not any(a.abstained for a in answers)


def test_its_id_follows_its_numbers_and_its_teacher(trained: tuple[Path, DistillReport]) -> None:
    student = load_student(trained[0])
    alone, helped = DistilledJudge(student), DistilledJudge(student, Teacher())
    bolder = DistilledJudge(student.with_threshold(0.1))
    assert len({alone.id, helped.id, bolder.id}) == 3
    assert not alone.cacheable and helped.cacheable and alone.kind is JudgeKind.TRAINED


def test_it_is_the_same_after_it_was_saved(trained: tuple[Path, DistillReport], tmp_path: Path) -> None:
    student = load_student(trained[0])
    save_student(student, tmp_path / "again")
    assert load_student(tmp_path / "again").digest == student.digest
    assert load_student(tmp_path / "again").answers(questions()[:9]) == student.answers(questions()[:9])


def test_the_same_seed_trains_the_same_student(tmp_path: Path) -> None:
    settings = DistillSettings(heads=2, hidden=4, epochs=2)
    for name in ("a", "b"):
        distill(Teacher(), questions(), tmp_path / name, np.random.default_rng(5), settings)
    assert load_student(tmp_path / "a").digest == load_student(tmp_path / "b").digest


def test_a_student_that_never_surely_agrees_stays_silent(tmp_path: Path) -> None:
    class Guesses(Teacher):
        def answer(self, text: str) -> Judgment:
            return Judgment(G if sum(text.encode()) * 7919 % 64 < 32 else B)

    report = distill(Guesses(), questions(), tmp_path / "s", np.random.default_rng(0), DistillSettings(epochs=3))
    assert report.coverage == 0.0 and report.spoken_agreement is None and report.threshold > 1
    (answer,) = DistilledJudge(load_student(tmp_path / "s")).judge(questions()[:1])
    assert answer.abstained


def test_a_teacher_that_hardly_answers_teaches_nothing(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="the teacher answered 39 different questions; distilling takes 40"):
        distill(Teacher(), questions()[:39] * 3, tmp_path / "s", np.random.default_rng(0))
    assert not (tmp_path / "s").exists()


def test_pairs_are_of_neighbours() -> None:
    assert words_of(Prompt("", "Sum 16, dealer-10: -0.5 (no ace).")) == ["sum", "16", "dealer-10", "-0.5", "no", "ace"]
    assert pairs_of(["a", "b", "c"]) == ["a b", "b c"] and pairs_of([]) == []


def damaged(path: Path, whole: bytes, kind: str) -> Path:
    if kind == "pickle":
        file = io.BytesIO()
        np.savez(file, about=np.array([{"a": 1}], dtype=object))
        whole = file.getvalue()
    elif kind == "shape":
        with np.load(io.BytesIO(whole)) as parts:
            arrays = {name: parts[name] for name in parts.files}
        file = io.BytesIO()
        np.savez(file, **arrays | {"read": arrays["read"][:-1]})
        whole = file.getvalue()
    path.write_bytes({"empty": b"", "text": b"good: yes", "cut": whole[: len(whole) // 2]}.get(kind, whole))
    return path


@pytest.mark.parametrize("kind", ["empty", "text", "cut", "pickle", "shape"])
def test_a_damaged_file_is_a_users_mistake(trained: tuple[Path, DistillReport], tmp_path: Path, kind: str) -> None:
    path = damaged(tmp_path / "broken.distilled", trained[0].read_bytes(), kind)
    with pytest.raises(UserError, match=r"broken\.distilled: (not a distilled judge|cannot be read)"):
        make_judge(f"distilled:{path}", JudgeContext("home"))


def test_its_name_takes_a_teacher_with_options_of_its_own(trained: tuple[Path, DistillReport]) -> None:
    judge = make_judge(f"distilled:{trained[0]}?teacher=ensemble:neutral,random?vote=mean", JudgeContext("home"))
    assert isinstance(judge, DistilledJudge) and judge.teacher is not None
    assert judge.teacher.id.startswith("ensemble:mean(")


@pytest.mark.parametrize(
    ("spec", "said"),
    [("distilled", "needs a file"), ("distilled:/none", "cannot be read"), ("distilled:x?a=b", "needs")],
)
def test_a_wrong_name_is_a_users_mistake(spec: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        make_judge(spec, JudgeContext("home"))
