import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lmgt_core.errors import UserError
from lmgt_core.training.keyed_csv import KeyedCsv, csv_line, parse_csv, read_table
from lmgt_core.training.run_log import RunLog, first_difference, read_config, read_rows

ROOT = Path(__file__).resolve().parents[3]
CONFIG = {"judge": "minilm", "shift": {"rule": "raw", "scale": 1.0}, "seeds": [0, 1]}


@pytest.fixture
def log(tmp_path: Path) -> Iterator[RunLog]:
    with RunLog.create(tmp_path / "run", CONFIG) as log:
        yield log


def episode(number: int, **more: float) -> dict[str, float]:
    return {"episode": number, "decisions": 10 * (number + 1), "return": number / 3, **more}


def test_a_row_is_on_the_disk_when_record_returns(log: RunLog) -> None:
    log.record_episode(1, {"episode": 0, "return": np.float32(0.1), "good": np.bool_(True), "note": 'a,"b"', "x": None})
    written = (log.path / "seeds/1/episodes.csv").read_text()
    assert written == 'seed,episode,return,good,note,x\n1,0,0.10000000149011612,1,"a,""b""",\n'


def test_every_row_is_flushed_to_the_disk(log: RunLog, monkeypatch: pytest.MonkeyPatch) -> None:
    log.record_episode(0, episode(0))
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", synced.append)
    log.record_episode(0, episode(1))
    log.record_evaluation(0, {"decisions": 10, "success": 0.5})
    assert len(synced) >= 2


def test_tables_are_merged_by_seed_and_key(log: RunLog) -> None:
    for seed in (10, 2):
        for number in (0, 1):
            log.record_episode(seed, episode(number))
        log.record_evaluation(seed, {"decisions": 20, "success": seed})
        log.finish_seed(seed, {"success": seed})
    lines = (log.path / "episodes.csv").read_text().splitlines()
    assert [line.split(",")[:2] for line in lines[1:]] == [["2", "0"], ["2", "1"], ["10", "0"], ["10", "1"]]
    assert (log.path / "evaluations.csv").read_text() == "seed,decisions,success\n2,20,2\n10,20,10\n"
    assert log.seed_result(10) == {"success": 10}
    assert log.seed_result(3) is None


def test_a_worker_opens_the_run_that_its_parent_created(log: RunLog) -> None:
    with RunLog.open(log.path) as worker:
        worker.record_episode(4, episode(0))
        worker.finish_seed(4, {})
    assert worker.config == log.config
    log.write_summary({"app": "test"})
    assert [row["seed"] for row in log.rows("episodes")] == ["4"]
    assert json.loads((log.path / "summary.json").read_text()) == {"app": "test"}


def test_a_second_writer_of_the_same_seed_is_kept_out(log: RunLog) -> None:
    log.record_episode(0, episode(0))
    with pytest.raises(UserError, match="another process is writing this run"):
        RunLog.open(log.path).record_episode(0, episode(1))


def test_a_closed_log_goes_on_where_it_stopped(log: RunLog) -> None:
    log.record_episode(0, episode(0))
    log.close()
    log.record_episode(0, episode(1))
    assert [row["episode"] for row in log.rows("episodes")] == ["0", "1"]


def test_a_closed_table_is_never_started_anew(tmp_path: Path) -> None:
    table = KeyedCsv(tmp_path / "t.csv", ("seed",))
    table.append({"seed": 0, "x": 1})
    table.close()
    table.append({"seed": 1, "x": 2})
    table.close()
    assert (tmp_path / "t.csv").read_text() == "seed,x\n0,1\n1,2\n"


def test_a_recomputed_row_is_compared_and_not_written_twice(log: RunLog) -> None:
    log.record_episode(0, episode(0, train_seconds=1.0))
    log.close()
    again = RunLog.create(log.path, CONFIG, resume=True)
    again.record_episode(0, episode(0, train_seconds=2.0))  # wall-clock times may differ
    assert again.rows("episodes")[0]["train_seconds"] == "1.0"
    with pytest.raises(UserError, match=r"seed 0, episode 0 was recorded with return 0\.0 and is now 0\.25"):
        again.record_episode(0, {**episode(0, train_seconds=1.0), "return": 0.25})
    assert len(again.rows("episodes")) == 1


def test_a_new_column_widens_the_table_and_a_missing_one_is_empty(log: RunLog) -> None:
    log.record_episode(0, episode(0))
    log.record_episode(0, {**episode(1), "efficiency": 0.5})
    log.record_episode(0, {**episode(2), "efficiency": None})
    log.record_episode(0, {"episode": 3})
    log.record_episode(0, {**episode(0), "efficiency": None})  # recomputed
    written = (log.path / "seeds/0/episodes.csv").read_text().splitlines()
    assert written[0] == "seed,episode,decisions,return,efficiency"
    assert [line.split(",")[-1] for line in written[1:]] == ["", "0.5", "", ""]
    assert written[4] == "0,3,,,"
    with pytest.raises(UserError, match="another process"):  # the lock outlives the new file
        RunLog.open(log.path).record_episode(0, episode(4))


def test_a_row_without_its_key_is_refused(log: RunLog) -> None:
    with pytest.raises(ValueError, match=r"\['episode'\] are missing"):
        log.record_episode(1, {"return": 1.0})


@pytest.mark.parametrize("bad", [float("nan"), np.float64("inf"), "two\nlines"])
def test_what_would_not_read_back_is_refused(log: RunLog, bad: float | str) -> None:
    log.record_episode(0, {"episode": 0, "return": 0.0})
    with pytest.raises(ValueError, match="column return"):
        log.record_episode(0, {"episode": 1, "return": bad})
    assert len(log.rows("episodes")) == 1


def test_a_torn_last_line_is_dropped_and_recomputed(log: RunLog) -> None:
    for number in range(3):
        log.record_episode(0, episode(number))
    log.close()
    table = log.path / "seeds/0/episodes.csv"
    whole = table.read_bytes()
    for cut in range(1, len(whole.splitlines(keepends=True)[-1])):
        table.write_bytes(whole[:-cut])
        assert len(read_rows(log.path, "episodes")) == 2  # a reader leaves the file alone
        resumed = RunLog.create(log.path, CONFIG, resume=True)
        for number in range(3):
            resumed.record_episode(0, episode(number))
        resumed.close()
        assert table.read_bytes() == whole


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "has no header"),
        (b"seed,episode,return\n0,0,1.0\n0,1\n", "line 3 has 2 cells, not 3"),
        (b"seed,episode,return\n0,zero,1.0\n", "a key is no integer"),
        (b"a,b\n1,2\n", "first columns are not seed, episode"),
        (b"seed,episode,return\n0,0,\xff\n", "not a CSV file"),
        (b'seed,episode,return\n0,0,"1.0\n', "not a CSV file"),
    ],
)
def test_a_damaged_table_is_named_and_left_as_it_is(log: RunLog, content: bytes, reason: str) -> None:
    table = log.path / "seeds/0/episodes.csv"
    table.parent.mkdir(parents=True)
    table.write_bytes(content)
    with pytest.raises(UserError, match=reason) as caught:
        log.record_episode(0, episode(0))
    assert "seeds/0/episodes.csv" in str(caught.value)
    assert table.read_bytes() == content


def test_a_run_is_not_overwritten_without_resume(log: RunLog) -> None:
    with pytest.raises(UserError, match=r"holds a run already; continue it with --resume or name another folder"):
        RunLog.create(log.path, CONFIG)


def test_resuming_with_another_config_names_the_first_field_and_both_values(log: RunLog) -> None:
    other = {**CONFIG, "shift": {"rule": "raw", "scale": 2.0}, "seeds": [5]}
    with pytest.raises(UserError, match=r"but seeds was \[0, 1\] and is now \[5\]"):
        RunLog.create(log.path, other, resume=True)
    with pytest.raises(UserError, match=r"but shift\.scale was 1\.0 and is now 2\.0"):
        RunLog.create(log.path, {**other, "seeds": (0, 1)}, resume=True)


def test_provenance_and_place_may_change_on_resuming(log: RunLog, tmp_path: Path) -> None:
    log.path.rename(tmp_path / "moved")
    changed = {"command": "lmgt x", "versions": {"numpy": "2"}, "git_revision": "abc", "out": "moved", "resume": True}
    resumed = RunLog.create(tmp_path / "moved", {**CONFIG, **changed}, resume=True)
    assert read_config(resumed.path)["judge"] == "minilm"


def test_resuming_what_never_began_starts_it(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / ".config.json.0123.tmp").write_text("{")  # killed while writing the config
    assert RunLog.create(tmp_path / "run", CONFIG, resume=True).config["judge"] == "minilm"


def test_what_a_kill_left_behind_is_cleared_away_on_resuming(log: RunLog) -> None:
    log.save_checkpoint(0, b"weights")
    for name in (".summary.json.ab.tmp", "checkpoints/.seed_0.pt.cd.tmp", "notes.tmp"):
        (log.path / name).write_text("half")
    RunLog.create(log.path, CONFIG, resume=True)
    assert sorted(p.name for p in log.path.rglob("*.tmp")) == ["notes.tmp"]  # not our name: the user's


def test_a_folder_with_other_content_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("x")
    for resume in (False, True):
        with pytest.raises(UserError, match=r"holds thesis\.tex but no run"):
            RunLog.create(tmp_path, CONFIG, resume=resume)
    assert os.listdir(tmp_path) == ["thesis.tex"]


def test_somebody_elses_config_is_not_a_run(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "llama"}')
    with pytest.raises(UserError, match="is not a run's config"):
        RunLog.create(tmp_path, CONFIG, resume=True)
    with pytest.raises(UserError, match=r"is not a run \(no config\.json\)"):
        RunLog.open(tmp_path / "nowhere")


def test_a_file_in_the_place_of_the_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("x")
    with pytest.raises(UserError, match="--out names a folder"):
        RunLog.create(tmp_path / "run", CONFIG)


def test_a_checkpoint_reads_back_and_a_missing_one_is_none(log: RunLog) -> None:
    assert log.load_checkpoint(0) is None
    log.save_checkpoint(0, b"one")
    log.save_checkpoint(0, b"two")
    assert log.load_checkpoint(0) == b"two"
    assert [p.name for p in (log.path / "checkpoints").iterdir()] == ["seed_0.pt"]


def test_a_summary_with_nan_is_refused_and_the_run_stays_unfinished(log: RunLog) -> None:
    with pytest.raises(ValueError, match=r"metrics\.success"):
        log.write_summary({"metrics": {"success": float("nan")}})
    assert not (log.path / "summary.json").exists()


def test_differences_are_found_in_nested_and_absent_fields() -> None:
    assert first_difference({"a": {"b": 1}}, {"a": {"b": 1.0}}) is None
    assert first_difference({"a": {"b": True}}, {"a": {"b": 1}}) == ("a.b", True, 1)
    assert first_difference({"a": 1}, {"a": 1, "b": None}) == ("b", "(absent)", None)


cells = st.text(st.characters(blacklist_characters="\r\n\0", blacklist_categories=("Cs",)), max_size=8)


ROWS = st.lists(
    st.tuples(st.integers(0, 5), st.dictionaries(st.sampled_from("abc"), st.none() | st.integers(0, 1), max_size=3)),
    max_size=8,
)


@settings(deadline=None, max_examples=30)  # each waits for the disk
@given(ROWS, st.integers(0, 8))
def test_rows_written_together_leave_the_file_that_they_leave_one_by_one(
    rows: list[tuple[int, dict[str, int | None]]], split: int
) -> None:
    together, alone = (f"{name}.csv" for name in ("together", "alone"))
    unique = [{"key": key, **row} for key, row in dict(rows).items()]
    with tempfile.TemporaryDirectory() as folder:
        tables = {name: KeyedCsv(Path(folder) / name, ("key",)) for name in (together, alone)}
        tables[together].extend(unique[:split])
        tables[together].extend(unique[split:])
        for row in unique:
            tables[alone].append(row)
        found = {name: Path(folder, name).read_text() if unique else "" for name in tables}
        for table in tables.values():
            table.close()
    assert found[together] == found[alone]


def test_many_episodes_wait_for_the_disk_once(log: RunLog, monkeypatch: pytest.MonkeyPatch) -> None:
    log.record_episode(0, episode(0))
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", synced.append)
    log.record_episodes(0, [episode(number) for number in range(1, 200)])
    assert len(synced) == 1
    assert len(read_rows(log.path, "episodes")) == 200  # they have left the process
    log.record_episodes(0, [])
    log.record_episodes(0, [episode(number) for number in range(200)])  # recomputed
    assert len(synced) == 1


def test_of_rows_among_which_one_is_wrong_none_is_written(log: RunLog) -> None:
    log.record_episode(0, episode(0))
    with pytest.raises(UserError, match="seed 0, episode 0 was recorded with decisions 10 and is now 20"):
        log.record_episodes(0, [episode(1), {**episode(0), "decisions": 20}])
    with pytest.raises(UserError, match=r"episode 1 was recorded with return 0\.3+ and is now 9\.0"):
        log.record_episodes(0, [episode(1), {**episode(1), "return": 9.0}])
    with pytest.raises(ValueError, match="column return"):
        log.record_episodes(0, [episode(1), {**episode(2), "return": float("nan")}])
    assert [row["episode"] for row in log.rows("episodes")] == ["0"]


def test_a_batch_that_was_torn_is_cut_to_whole_rows_and_completed(log: RunLog) -> None:
    batch = [episode(number) for number in range(4)]
    log.record_episodes(0, batch)
    log.close()
    table = log.path / "seeds/0/episodes.csv"
    whole = table.read_bytes()
    for cut in range(1, len(whole) - whole.index(b"\n") - 1):
        table.write_bytes(whole[:-cut])
        resumed = RunLog.create(log.path, CONFIG, resume=True)
        resumed.record_episodes(0, batch)
        resumed.close()
        assert table.read_bytes() == whole


@given(st.lists(st.lists(cells, min_size=2, max_size=2), min_size=1, max_size=5))
def test_any_text_reads_back_from_the_table_as_it_was(rows: list[list[str]]) -> None:
    content = "".join(csv_line(row) for row in rows).encode()
    header, lines = parse_csv(content, Path("t.csv"))
    assert [list(header), *lines] == rows


def test_scalars_need_neither_tensorflow_nor_torch_and_a_resumed_run_continues_its_curve(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    script = """
import sys
from lmgt_core.training.run_log import RunLog
log = RunLog.create(sys.argv[1], {"a": 1}, resume=True)
for step in range(int(sys.argv[2]), int(sys.argv[3])):
    log.scalar(0, "return", step * float(sys.argv[4]), step)
assert not {"tensorflow", "torch"} & set(sys.modules), "TensorFlow or torch was imported"
import os
os._exit(9)
"""
    for first, end, scale in ((0, 5, 1), (3, 7, 10)):  # killed after step 4, resumed from step 3
        command = [sys.executable, "-c", script, str(tmp_path / "run"), str(first), str(end), str(scale)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 9, done.stderr
    points = tensorboard_points(tmp_path / "run/tensorboard/seed_0")
    assert points == [(0, 0), (1, 1), (2, 2), (3, 30), (4, 40), (5, 50), (6, 60)]


def tensorboard_points(folder: Path) -> list[tuple[int, float]]:
    """The points of "return" that TensorBoard would show; its TensorFlow-free stub does the reading."""
    script = """
import json, sys
sys.modules["tensorflow"] = None  # the stub is the quicker reader
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
accumulator = EventAccumulator(sys.argv[1])
accumulator.Reload()
print(json.dumps([(e.step, e.value) for e in accumulator.Scalars("return")]))
"""
    read = subprocess.run([sys.executable, "-c", script, str(folder)], capture_output=True, text=True, check=True)
    return [tuple(point) for point in json.loads(read.stdout)]


WRITER = """
import hashlib, sys
from lmgt_core.training.run_log import RunLog

def value(number):  # a deterministic "training": each episode's return depends on all before it
    return int(hashlib.sha256(str(number).encode()).hexdigest()[:8], 16) / 7

log = RunLog.create(sys.argv[1], {"judge": "none"}, resume=True)
print("ready", flush=True)
for seed in (0, 1):
    if log.seed_result(seed) is not None:
        continue
    state, total = int(log.load_checkpoint(seed) or 0), 0.0
    for number in range(state, 350):
        row = {"episode": number, "decisions": 8 * number + 8, "return": value(seed * 1000 + number), "note": "x" * 300}
        log.record_episode(seed, row)
        print(f"episode {seed} {number}", flush=True)
        if number % 10 == 9:
            log.record_evaluation(seed, {"decisions": 8 * number + 8, "success": value(number)})
            print(f"evaluation {seed} {8 * number + 8}", flush=True)
            log.save_checkpoint(seed, str(number + 1).encode())
    log.finish_seed(seed, {"last": value(seed)})
    print(f"result {seed} 0", flush=True)
log.write_summary({"app": "test"})
print("summary 0 0", flush=True)
"""
TABLE_OF = {"episode": "episodes", "evaluation": "evaluations"}


def start_writer(folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", WRITER, str(folder)], cwd=ROOT, stdout=subprocess.PIPE, text=True)


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def check_nothing_reported_is_lost(folder: Path, reported: list[str]) -> None:
    held = {
        (name, row["seed"], row["episode" if name == "episode" else "decisions"])
        for name, table in TABLE_OF.items()
        for row in read_rows(folder, table)
    }
    for line in reported:
        name, seed, key = line.split()
        if name in TABLE_OF:
            assert (name, seed, key) in held, line
        elif name == "result":
            assert "last" in json.loads((folder / f"seeds/{seed}/result.json").read_text())
        else:
            assert json.loads((folder / "summary.json").read_text()) == {"app": "test"}
    for file in folder.rglob("*.json"):
        json.loads(file.read_text())
    for file in folder.rglob("*.csv"):
        assert read_table(file, ("seed",))[1] or "seeds" in file.parts  # a header may stand alone until its first row


def test_twenty_kills_at_random_moments_lose_nothing_that_was_reported(tmp_path: Path) -> None:
    unkilled = start_writer(tmp_path / "unkilled")
    unkilled.communicate()
    assert unkilled.returncode == 0
    rng, reported = random.Random(0), []
    killed = tmp_path / "killed"
    for _ in range(20):
        writer = start_writer(killed)
        assert writer.stdout is not None
        first = [writer.stdout.readline() for _ in range(rng.randint(1, 15))]
        time.sleep(rng.uniform(0, 0.005))
        writer.send_signal(signal.SIGKILL)
        output = "".join(first) + writer.communicate()[0]
        assert writer.returncode == -signal.SIGKILL, "the run ended before it could be killed"
        # The last line may be torn by the kill itself: it was not reported whole.
        lines = [line.strip() for line in output.splitlines(keepends=True) if line.endswith("\n")]
        reported += [line for line in lines if line != "ready"]
        check_nothing_reported_is_lost(killed, reported)
    last = start_writer(killed)
    last.communicate()
    assert last.returncode == 0
    assert files_of(killed) == files_of(tmp_path / "unkilled")
    assert len(reported) > 100


def test_a_run_has_the_seeds_it_began_with_and_those_that_were_added_and_are_finished(tmp_path: Path) -> None:
    with RunLog.create(tmp_path / "run", {"settings": {"seeds": [0, 1]}}) as log:
        log.finish_seed(0, {"return": 1})
    with RunLog.create(tmp_path / "run", {"settings": {"seeds": [0, 1, 7]}}, resume=True) as log:
        log.finish_seed(7, {"return": 2})
    with RunLog.open(tmp_path / "run") as log:
        assert log.seeds == [0, 1, 7]
