"""The judge cache: remembers, survives, and never harms a file."""

import os
import random
import shutil
import signal
import sqlite3
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest

from lmgt_core.cache.file import APPLICATION_ID, link_new, open_cache_file
from lmgt_core.cache.judge_cache import JudgeCache
from lmgt_core.errors import UserError
from lmgt_core.judges.neutral import NeutralJudge
from lmgt_core.judging.judge import Judge, JudgeKind
from lmgt_core.judging.judgment import Cost, Judgment, Verdict
from lmgt_core.judging.prompt import Prompt
from lmgt_core.testing.judge import JudgeContract


class CountingJudge:
    """Answers by the length of a prompt, after which it is unreadable, unsure, or good with an odd probability."""

    kind = JudgeKind.LANGUAGE_MODEL
    cacheable = True

    def __init__(self, name: str = "counting") -> None:
        self.id = name
        self.asked: list[str] = []

    def judge(self, prompts: Sequence[Prompt]) -> list[Judgment]:
        self.asked += [p.user for p in prompts]
        return [self.answer(p.user) for p in prompts]

    def answer(self, text: str) -> Judgment:
        cost = Cost(0.5, len(text), 3, 0.001)
        if text.startswith("unreadable"):
            return Judgment(Verdict.UNREADABLE, reply="I can't help", reason="the reply is a refusal", cost=cost)
        if text.startswith("unsure"):
            return Judgment(Verdict.GOOD, (0.4, 0.3, 0.3), cost=cost).abstain("unsure")
        if text.startswith("error"):
            raise ConnectionError("the server is gone")
        third = 1 / 3
        return Judgment(Verdict.GOOD, (third, 0.1, 1 - third - 0.1), "Verdict: gööd 🤖", cost=cost)


def prompts(*texts: str) -> list[Prompt]:
    return [Prompt("system", text, facts={"object": text}) for text in texts]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "cache.sqlite"


class TestCachedJudge(JudgeContract):
    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path: Path) -> None:
        self.folder = tmp_path

    def make_judge(self) -> Judge:
        return JudgeCache(CountingJudge(), self.folder / "cache.sqlite")


def test_a_question_is_asked_once_even_by_a_later_process(path: Path) -> None:
    first, second = CountingJudge(), CountingJudge()
    with JudgeCache(first, path) as cache:
        fresh = cache.judge(prompts("a", "b"))
        again = cache.judge(prompts("b", "a"))
    with JudgeCache(second, path) as cache:
        later = cache.judge(prompts("a", "b"))
    assert first.asked == ["a", "b"] and second.asked == []
    assert fresh == again[::-1] == later  # every field to the last bit, `cached` aside
    assert [j.cached for j in fresh + again + later] == [False, False, True, True, True, True]


def test_hits_misses_and_seconds_saved_are_told(path: Path) -> None:
    with JudgeCache(CountingJudge(), path) as cache:
        cache.judge(prompts("a", "b"))
        cache.judge(prompts("a", "c", "a"))
        assert cache.stats.as_dict() == {"hits": 2, "misses": 3, "stored": 3, "seconds_saved": 1.0}
        assert str(cache.stats) == "cache: 2 hits, 3 misses, 1.0 s saved"


def test_a_prompt_that_stands_in_a_batch_twice_is_asked_once(path: Path) -> None:
    judge = CountingJudge()
    with JudgeCache(judge, path) as cache:
        assert len(cache.judge(prompts("a", "b", "a", "a"))) == 4
    assert judge.asked == ["a", "b"]


@pytest.mark.parametrize("text", ["unreadable", "unsure"])
def test_what_is_unreadable_or_abstained_is_asked_again(path: Path, text: str) -> None:
    judge = CountingJudge()
    with JudgeCache(judge, path) as cache:
        cache.judge(prompts(text, "a"))
        cache.judge(prompts(text, "a"))
        assert cache.stats.stored == 1
    assert judge.asked == [text, "a", text]


def test_an_error_of_the_judge_comes_through_and_stores_nothing(path: Path) -> None:
    with JudgeCache(CountingJudge(), path) as cache:
        with pytest.raises(ConnectionError):
            cache.judge(prompts("a", "error"))
        assert cache.stats.stored == 0
        assert cache.judge(prompts("a"))[0].cached is False


def test_judges_of_different_ids_share_a_file_but_no_answers(path: Path) -> None:
    one, other = CountingJudge("model@rev1"), CountingJudge("model@rev2")
    for judge in (one, other):
        with JudgeCache(judge, path) as cache:
            cache.judge(prompts("a"))
    assert one.asked == other.asked == ["a"]


def test_a_judge_that_is_not_cacheable_is_asked_directly_and_makes_no_file(path: Path) -> None:
    with JudgeCache(NeutralJudge(), path) as cache:
        assert [j.verdict for j in cache.judge(prompts("a", "a"))] == [Verdict.NEUTRAL] * 2
    assert not path.exists()


def test_memory_is_bounded_and_what_it_forgets_is_in_the_file(path: Path) -> None:
    judge = CountingJudge()
    with JudgeCache(judge, path, remembered=2) as cache:
        cache.judge(prompts("a", "b", "c", "d"))
        assert len(cache._memory) == 2
        assert all(j.cached for j in cache.judge(prompts("a", "b", "c", "d")))
    assert judge.asked == ["a", "b", "c", "d"]


def test_the_file_holds_what_was_asked_and_answered_and_no_more(path: Path) -> None:
    with JudgeCache(CountingJudge(), path) as cache:
        cache.judge(prompts("a"))
    with sqlite3.connect(path) as file:
        file.row_factory = sqlite3.Row
        row = dict(file.execute("SELECT * FROM judgments").fetchone())
    assert len(row.pop("key")) == 32
    assert (row.pop("good"), row.pop("neutral"), row.pop("bad")) == (1 / 3, 0.1, 1 - 1 / 3 - 0.1)
    assert row == {
        "judge": "counting", "system": "system", "user": "a", "facts": '{"object": "a"}', "verdict": "good",
        "reply": "Verdict: gööd 🤖", "reason": "", "seconds": 0.5, "prompt_tokens": 1, "reply_tokens": 3,
        "dollars": 0.001,
    }  # fmt: skip


def test_a_reply_with_half_a_character_can_be_stored(path: Path) -> None:
    class Broken(CountingJudge):
        def answer(self, text: str) -> Judgment:
            return Judgment(Verdict.BAD, reply="bad \ud83d")

    with JudgeCache(Broken(), path) as cache:
        cache.judge(prompts("a"))
    with JudgeCache(Broken(), path) as cache:
        assert cache.judge(prompts("a"))[0].reply == "bad ?"


def test_more_prompts_than_sqlite_takes_in_one_query_are_found(path: Path) -> None:
    many = prompts(*map(str, range(1700)))
    with JudgeCache(CountingJudge(), path) as cache:
        cache.judge(many)
    with JudgeCache(CountingJudge(), path) as cache:
        assert all(j.cached for j in cache.judge(many))


class Writer:
    """A child process that judges five new prompts at a time and tells the number of each batch once it is stored."""

    def __init__(self, path: Path, start: int, count: int) -> None:
        self.pipe, told = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            with JudgeCache(CountingJudge(), path) as cache:
                for i in range(start, start + count):
                    cache.judge(prompts(*(f"{i}-{j}" for j in range(5))))
                    os.write(told, f"{i}\n".encode())
            os._exit(0)
        os.close(told)

    def told(self, at_least: int = 0) -> list[str]:
        """The batches told so far, or at the child's end; waits for `at_least` of them."""
        text = b""
        while (part := os.read(self.pipe, 65536)) and (not at_least or (text + part).count(b"\n") < at_least):
            text += part
        return (text + part).decode().split("\n")[:-1]  # a last line that was cut off was not told

    def kill(self) -> list[str]:
        """Kills the child, and gives what it had told."""
        os.kill(self.pid, signal.SIGKILL)
        told = self.told()
        assert os.WTERMSIG(os.waitpid(self.pid, 0)[1]) == signal.SIGKILL
        os.close(self.pipe)
        return told


def keys(path: Path) -> set[str]:
    """The prompts stored in a file that passes SQLite's integrity check."""
    with closing(sqlite3.connect(path)) as file:
        assert file.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        return {user for (user,) in file.execute("SELECT user FROM judgments")}


def test_a_process_killed_at_any_moment_loses_nothing_it_had_stored(path: Path) -> None:
    moments = random.Random(0)
    reported: set[str] = set()
    for kills in range(20):
        writer = Writer(path, 1_000_000 * kills, 1_000_000)
        told = writer.told(at_least=1)
        time.sleep(moments.uniform(0, 0.02))
        reported |= {f"{i}-{j}" for i in told + writer.kill() for j in range(5)}
    with JudgeCache(CountingJudge(), path) as cache:
        cache.judge(prompts("afterwards"))
    assert len(reported) > 100
    assert reported | {"afterwards"} <= keys(path)


def test_a_process_killed_while_it_makes_the_file_leaves_none_or_a_whole_one(tmp_path: Path) -> None:
    moments = random.Random(0)
    for kills in range(10):
        pid = os.fork()
        if pid == 0:
            for i in range(10_000):
                open_cache_file(tmp_path / f"{kills}-{i}.sqlite")
        while not (tmp_path / f"{kills}-0.sqlite").exists():
            time.sleep(0.001)
        time.sleep(moments.uniform(0, 0.02))
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    for path in tmp_path.glob("*.sqlite"):
        open_cache_file(path).close()


def test_several_processes_write_the_same_answers_at_once(path: Path) -> None:
    writers = [Writer(path, 0, 40) for _ in range(3)]
    for writer in writers:
        assert writer.told() == [str(i) for i in range(40)]
        assert os.waitpid(writer.pid, 0)[1] == 0
        os.close(writer.pipe)
    assert keys(path) == {f"{i}-{j}" for i in range(40) for j in range(5)}


def test_many_processes_make_the_file_at_once_and_all_use_one(path: Path) -> None:
    writers = [Writer(path, 100 * n, 3) for n in range(8)]
    for writer in writers:
        assert len(writer.told()) == 3 and os.waitpid(writer.pid, 0)[1] == 0
        os.close(writer.pipe)
    assert keys(path) == {f"{100 * n + i}-{j}" for n in range(8) for i in range(3) for j in range(5)}


def test_the_answer_that_was_stored_first_is_the_one_that_all_use(path: Path) -> None:
    class Fickle(CountingJudge):
        def judge(self, prompts: Sequence[Prompt]) -> list[Judgment]:
            with JudgeCache(CountingJudge(), path) as quicker:
                quicker.judge(prompts)
            return [Judgment(Verdict.BAD) for _ in prompts]

    with JudgeCache(Fickle(), path) as cache:
        assert [j.verdict for j in cache.judge(prompts("a", "b"))] == [Verdict.GOOD] * 2
        assert cache.stats.stored == 0


def test_a_process_that_is_slower_to_make_the_file_leaves_the_other_s_in_place(tmp_path: Path) -> None:
    filled(tmp_path / "cache.sqlite", 3)
    filled(tmp_path / "new", 0)
    link_new(tmp_path / "new", tmp_path / "cache.sqlite")
    assert len(keys(tmp_path / "cache.sqlite")) == 3


def test_a_cache_is_made_where_there_are_no_hard_links(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_link(*names: Path) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", no_link)
    filled(path, 3)
    assert len(keys(path)) == 3 and [f.name for f in path.parent.iterdir()] == ["cache.sqlite"]


def filled(path: Path, rows: int = 200) -> bytes:
    """A whole cache file's bytes."""
    with JudgeCache(CountingJudge(), path) as cache:
        cache.judge(prompts(*(f"{i} " + "word " * 50 for i in range(rows))))
    return path.read_bytes()


def refusal(path: Path) -> str:
    """What the user is told; the folder has to be as it was, byte for byte."""
    before = {f.name: f.read_bytes() for f in path.parent.iterdir() if f.is_file()}
    with pytest.raises(UserError) as told:
        JudgeCache(CountingJudge(), path)
    assert {f.name: f.read_bytes() for f in path.parent.iterdir() if f.is_file()} == before
    assert str(told.value).startswith(str(path)) and "--cache" in str(told.value) and "\n" not in str(told.value)
    return str(told.value)


@pytest.mark.parametrize(
    "content", [b"", b"x", b"SQLite format 3\0", random.Random(0).randbytes(8192), b"a,b\n1,2\n" * 50]
)
def test_a_file_that_is_no_cache_is_refused_and_left_alone(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    assert "delete it or choose another --cache" in refusal(path)


@pytest.mark.parametrize("share", [0.02, 0.3, 0.5, 0.9, 0.999, 0.99999])
def test_a_truncated_cache_is_refused_and_left_alone(path: Path, share: float) -> None:
    content = filled(path)
    path.write_bytes(content[: int(share * len(content))])
    assert "damaged" in refusal(path)


@pytest.mark.parametrize("page", [1, 3, 7])
def test_a_damaged_page_is_found(path: Path, page: int) -> None:
    content = bytearray(filled(path))
    content[4096 * page : 4096 * page + 600] = random.Random(page).randbytes(600)
    path.write_bytes(content)
    assert "damaged" in refusal(path)


def test_a_damaged_file_beside_the_log_of_a_killed_process_is_left_alone(path: Path) -> None:
    content = bytearray(filled(path, 400))
    writer = Writer(path, 0, 1_000_000)
    writer.told(at_least=5)
    writer.kill()
    Path(f"{path}-shm").unlink()
    content[4096 * 3 : 4096 * 20] = random.Random(0).randbytes(4096 * 17)
    path.write_bytes(content)
    wal = Path(f"{path}-wal").read_bytes()
    with pytest.raises(UserError, match="damaged"):
        JudgeCache(CountingJudge(), path)
    assert path.read_bytes() == content and Path(f"{path}-wal").read_bytes() == wal


def test_another_program_s_database_is_refused_and_left_alone(path: Path) -> None:
    with sqlite3.connect(path) as file:
        file.execute("PRAGMA journal_mode=WAL")
        file.execute("CREATE TABLE judgments (mine TEXT)")
    file.close()
    assert "another program's SQLite file" in refusal(path)


def test_a_cache_of_another_version_is_refused_and_left_alone(path: Path) -> None:
    filled(path, 1)
    with sqlite3.connect(path) as file:
        file.execute("PRAGMA user_version=2")
    file.close()
    assert "version 2" in refusal(path)


def test_our_header_on_another_table_is_refused(path: Path) -> None:
    with sqlite3.connect(path) as file:
        file.execute("CREATE TABLE other (x)")
        file.execute(f"PRAGMA application_id={APPLICATION_ID}")
        file.execute("PRAGMA user_version=1")
    file.close()
    assert "no such table" in refusal(path)


def test_the_log_of_a_cache_that_is_gone_is_not_played_into_a_new_one(path: Path) -> None:
    Path(f"{path}-wal").write_bytes(b"old")
    with pytest.raises(UserError, match="left over from a cache that is gone"):
        JudgeCache(CountingJudge(), path)
    assert not path.exists() and Path(f"{path}-wal").read_bytes() == b"old"


def test_a_folder_is_made_for_a_new_cache(tmp_path: Path) -> None:
    filled(tmp_path / "runs" / "new" / "cache.sqlite", 1)
    assert [f.name for f in (tmp_path / "runs" / "new").iterdir()] == ["cache.sqlite"]


def test_a_place_where_nothing_can_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    for path in (tmp_path / "file" / "cache.sqlite", tmp_path / "folder"):
        with pytest.raises(UserError, match=rf"{path}: the judge cache cannot be"):
            JudgeCache(CountingJudge(), path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_an_unwritable_folder_or_file_is_told(tmp_path: Path) -> None:
    path = tmp_path / "locked" / "cache.sqlite"
    filled(path, 1)
    path.chmod(0o400)
    assert "cannot be opened" in refusal(path)
    shutil.rmtree(path.parent)
    path.parent.mkdir(mode=0o500)
    with pytest.raises(UserError, match="cannot be made here"):
        JudgeCache(CountingJudge(), path)


def test_a_full_disk_while_judging_is_told_in_one_line(path: Path) -> None:
    with JudgeCache(CountingJudge(), path) as cache:
        cache._connection.execute("PRAGMA max_page_count=5")
        with pytest.raises(UserError, match=r"cache\.sqlite: the judge cache cannot be used .*full"):
            cache.judge(prompts(*("x" * 3000 + str(i) for i in range(50))))
        cache._connection.execute("PRAGMA max_page_count=100000")
        assert cache.judge(prompts("a"))[0].verdict is Verdict.GOOD  # the failed transaction is gone
