"""`lmgt control table`: impossible pairs are marked, grids go on and widen, and mistakes are told first."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from apps.control.config import TableConfig
from apps.control.study import table
from apps.control.study.table import comparisons, wide
from apps.control.study.trainings import APP
from lmgt_core.errors import UserError
from lmgt_core.study.folder import StudyFolder
from lmgt_core.study.plan import Cell
from lmgt_core.study.training_app import TrainingStudy

GRID = TableConfig(
    envs=("CartPole-v1",), algorithms=("a2c", "sac"), judges="none,oracle", steps=(80,), seeds=(0, 1), workers=1
)


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> tuple[Path, list[dict]]:
    out = tmp_path_factory.mktemp("grid") / "table"
    return out, table.main(replace(GRID, out=out))


def test_impossible_pairs_are_marked_with_their_reason(trained) -> None:
    out, rows = trained
    sac = [r for r in rows if r["algorithm"] == "sac"]
    assert [r["judge"] for r in sac] == ["none", "oracle"]
    assert all(r["return"] is None and r["n"] == 0 and r["note"] == "sac needs continuous actions" for r in sac)
    assert "| CartPole-v1 | sac | oracle | - | sac needs continuous actions |" in (out / "table.md").read_text()


def test_a_cell_is_the_mean_over_its_seeds_with_an_interval(trained) -> None:
    out, rows = trained
    cell = next(r for r in rows if r["algorithm"] == "a2c" and r["judge"] == "oracle")
    assert cell["n"] == 2 and cell["return"] == pytest.approx(sum(cell["values"]) / 2)
    low, high = cell["ci95"]
    assert min(cell["values"]) <= low <= cell["return"] <= high <= max(cell["values"])
    written = json.loads((out / "table.json").read_text())["rows"]
    assert json.loads(json.dumps(rows)) == written


def counting(monkeypatch, most: int = 99) -> list[tuple]:
    """The trainings that are run from now on: judge, steps and seed; one more than `most` is killed."""
    done: list[tuple] = []
    run = TrainingStudy.run

    def counted(self, settings, seed):
        if len(done) == most:
            raise KeyboardInterrupt
        done.append((settings["judge"], settings["steps"], seed))
        return run(self, settings, seed)

    monkeypatch.setattr(TrainingStudy, "run", counted)
    return done


def test_a_finished_grid_widens_and_trains_only_what_is_new(trained, monkeypatch) -> None:
    out, rows = trained
    jobs = counting(monkeypatch)
    again = table.main(replace(GRID, out=out))
    assert not jobs and again == rows
    wider = table.main(replace(GRID, out=out, algorithms=("a2c",), judges="none", steps=(80, 120)))
    assert jobs == [("none", 120, 0), ("none", 120, 1)]
    assert [r["steps"] for r in wider] == [80, 120] and wider[0] == rows[0]


def test_a_killed_grid_goes_on_with_the_trainings_that_are_missing(tmp_path: Path, trained, monkeypatch) -> None:
    config = replace(GRID, out=tmp_path / "table")
    with monkeypatch.context() as patched:
        done = counting(patched, most=3)
        with pytest.raises(KeyboardInterrupt):
            table.main(config)
    assert len(done) == 3 and not (config.out / "table.json").exists()
    rest = counting(monkeypatch)
    rows = table.main(config)
    assert len(rest) == 1 and not set(rest) & set(done)
    assert [{**r, "seconds": 0} for r in rows] == [{**r, "seconds": 0} for r in trained[1]]


def test_a_cell_is_what_the_train_command_trains(tmp_path: Path, trained) -> None:
    from apps.control import train
    from apps.control.config import TrainConfig

    cell = next(r for r in trained[1] if r["algorithm"] == "a2c" and r["judge"] == "oracle")
    summary = train.main(TrainConfig(algorithm="a2c", judge="oracle", steps=80, seeds=(0, 1), out=tmp_path / "run"))
    assert summary["metrics"]["return"]["mean"] == cell["return"]


def test_long_trainings_come_first(tmp_path: Path) -> None:
    config = replace(GRID, envs=("Pendulum-v1",), algorithms=("a2c", "sac"), judges="none", steps=(80, 120))
    runs = [settings for settings, _ in table.combinations(config)]
    plan = table.Grid("t", "a", "q", {}, {}, (), 0, None, runs=runs, numbers=(0, 1))  # type: ignore[arg-type]
    order = [(cell.settings["algorithm"], cell.settings["steps"]) for cell in plan.cells()]
    assert order == [("sac", 120)] * 2 + [("sac", 80)] * 2 + [("a2c", 120)] * 2 + [("a2c", 80)] * 2


def test_a_calibrated_judge_is_audited_as_such_in_a_grid(tmp_path: Path, capsys) -> None:
    config = replace(
        GRID,
        out=tmp_path / "table",
        algorithms=("a2c",),
        judges="noisy-oracle:0.8?calibration=learned",
        seeds=(0,),
        steps=(40,),
    )
    (row,) = table.main(config)
    assert "noisy-oracle:0.8?calibration=learned [trained on labels]" in capsys.readouterr().out
    ((settings, _),) = table.combinations(config)
    assert StudyFolder(config.out).is_done(Cell(settings, 0)) and row["n"] == 1
    assert set(settings) == set(APP.fields)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"algorithms": ("dqn", "reinforce")}, "--algorithms reinforce: no such algorithm"),
        ({"judges": " , "}, "--judges: name at least one"),
        ({"judges": "none,oracel"}, "--judge oracel: no such judge"),
        ({"envs": ("CartPole-v1", "CartPole-v9")}, "CartPole-v9: no such control task"),
        ({"steps": (100, 100)}, "something is named twice"),
        ({"steps": (1,)}, "--steps 1"),
        ({"seeds": ()}, "--seeds"),
        ({"rule": "squared"}, "--rule squared"),
        ({"learning_starts": -1, "algorithms": ("dqn",)}, "--learning-starts -1"),
        ({"workers": 0}, "--workers 0: give a number of at least 1"),
    ],
)
def test_a_mistake_is_one_line_before_anything_is_written(tmp_path: Path, change, complaint) -> None:
    config = replace(GRID, out=tmp_path / "table", **change)
    with pytest.raises(UserError, match=complaint) as told:
        table.main(config)
    assert "\n" not in str(told.value)
    assert not config.out.exists()


def test_another_grid_is_left_alone(trained) -> None:
    out, _ = trained
    with pytest.raises(UserError, match="holds another study"):
        table.main(replace(GRID, out=out, rule="continuous"))
    with pytest.raises(UserError, match="but no study"):
        table.main(replace(GRID, out=out / "results"))


def cell(judge: str, steps: int, values: list[float]) -> dict:
    return {
        "env": "E",
        "algorithm": "a",
        "judge": judge,
        "steps": steps,
        "return": sum(values) / len(values),
        "ci95": (min(values), max(values)),
        "n": len(values),
        "note": "",
        "values": values,
    }


def test_the_smallest_budget_that_reached_the_level_of_no_judge_by_hand() -> None:
    rows = [
        cell("none", 100, [1.0, 3.0]),
        cell("none", 1000, [9.0, 11.0]),
        cell("oracle", 100, [4.0, 6.0]),
        cell("oracle", 1000, [10.0, 30.0]),
        cell("minilm", 100, [0.0, 0.0]),
        cell("minilm", 1000, [8.0, 10.0]),
    ]
    oracle, minilm = comparisons(rows)
    assert oracle["reached with"] == 1000 and minilm["reached with"] is None
    assert oracle["improvement"] == 0.75  # of four pairs 10 > 9, 30 > 9, 30 > 11, and 10 < 11
    assert minilm["improvement"] == 0.25  # only 10 > 9


def test_one_line_a_judge_and_one_column_a_budget() -> None:
    lines = wide([cell("none", 100, [1.0, 1.5]), cell("none", 1000, [100.0, 200.0])])
    (line,) = lines
    assert line["100 steps"] == "1.250 [1.000, 1.500]" and line["1,000 steps"] == "150.0 [100.0, 200.0]"
