"""Logs of one's own: what is right comes through, what is wrong is one line with file, row and column."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("pyarrow")
import pyarrow as pa
import pyarrow.parquet as parquet

from apps.slateq.logs.config import ImportConfig
from apps.slateq.logs.import_command import main
from apps.slateq.logs.reader import Log
from apps.slateq.logs.schema import NOTHING
from lmgt_core.errors import UserError

RIGHT: dict[str, list[Any]] = {
    "user_session": ["x", "x", "y", "y"],
    "shown_at": [10.0, 11.5, 3.0, 3.0],
    "could_show": [["a", "b", "c"], ["c", "a"], ["b", "d", "a"], ["a", "b", "c"]],
    "shown": [["b", "a"], ["c"], ["a", "d"], ["c", "b"]],
    "each": [[0.5, 0.25], [0.8], [0.1, 1.0], [0.5, 0.5]],
    "whole": [0.125, 0.8, 0.1, 0.25],
    "anywhere": [[0.5, 0.3], [0.8], [0.1, 0.4], [0.5, 0.4]],
    "clicked": ["a", None, "a", None],
    "minutes": [2.5, 0.0, 1.0, 0.0],
    "rank": [[0.1, 0.9, 0.5], [0.2, 0.3], [1.0, 2.0, 3.0], [3.0, 2.0, 1.0]],
    "new": [["c", "b"], ["a"], ["b", "a"], ["a", "c"]],
    "who": [[1.0, 2.0], [1.0, 2.0], [0.0, 3.0], [0.0, 3.0]],
    "what": [[1.0, 2.0, 3.0], [4.0, 5.0], [6.0, 7.0, 8.0], [9.0, 1.0, 2.0]],
}
MAP = (
    "session=user_session", "time=shown_at", "candidates=could_show", "slate=shown", "propensities=each",
    "propensity=whole", "marginals=anywhere", "click_item=clicked", "reward=minutes", "scores.rank=rank",
    "slates.new=new", "context=who", "features=what",
)  # fmt: skip


def imported(tmp_path: Path, change: dict[str, list[Any]] | None = None, columns: tuple[str, ...] = MAP) -> Log:
    """The log that `lmgt slateq import` makes of RIGHT with some columns changed."""
    parquet.write_table(pa.table(RIGHT | (change or {})), tmp_path / "mine.parquet")
    main(ImportConfig(tmp_path / "mine.parquet", columns, tmp_path / "log.parquet"))
    return Log(tmp_path / "log.parquet")


def test_what_was_logged_is_what_the_log_holds(tmp_path: Path) -> None:
    log = imported(tmp_path)
    names = ("propensities", "marginals", "scores.rank", "slates.new", "context", "features")
    ((rows, end),) = log.batches(names)
    assert end == 4 and rows.begins.tolist() == [0, 2] and rows.step.tolist() == [0, 1, 0, 1]
    assert rows.candidates.tolist() == [3, 2, 3, 3]
    assert rows.slate.tolist() == [[1, 0], [0, NOTHING], [2, 1], [2, 1]]
    assert rows.click.tolist() == [1, NOTHING, 0, NOTHING]
    assert rows.reward.tolist() == [2.5, 0, 1, 0]
    np.testing.assert_allclose(rows.propensity, RIGHT["whole"])
    np.testing.assert_allclose(rows.propensities, [[0.5, 0.25], [0.8, 1], [0.1, 1], [0.5, 0.5]])
    np.testing.assert_allclose(rows.marginals[1], [0.8, 1])
    assert rows.more["slates.new"].tolist() == [[2, 1], [1, NOTHING], [0, 2], [0, 2]]
    np.testing.assert_allclose(rows.more["scores.rank"][0], [0.1, 0.9, 0.5])
    assert rows.more["scores.rank"][1, 2] == -np.inf
    np.testing.assert_allclose(rows.more["context"], RIGHT["who"])


def test_a_yaml_file_names_columns_and_whole_numbers_are_ids_too(tmp_path: Path) -> None:
    number = {"a": 5, "b": 6, "c": 7, "d": 8}
    change = {name: [[number[item] for item in row] for row in RIGHT[name]] for name in ("could_show", "shown", "new")}
    change |= {"clicked": [5, None, 5, None], "user_session": [1, 1, 2, 2]}
    (tmp_path / "map.yaml").write_text("".join(word.replace("=", ": ") + "\n" for word in MAP))
    ((rows, _),) = imported(tmp_path, change, (str(tmp_path / "map.yaml"),)).batches()
    assert rows.slate.tolist() == [[1, 0], [0, NOTHING], [2, 1], [2, 1]] and rows.click.tolist() == [1, -1, 0, -1]


def test_the_whole_slate_s_propensity_is_the_product_where_it_is_not_given(tmp_path: Path) -> None:
    ((rows, _),) = imported(tmp_path, columns=tuple(word for word in MAP if "whole" not in word)).batches()
    np.testing.assert_allclose(rows.propensity, RIGHT["whole"])


def changed(column: str, row: int, value: Any) -> dict[str, list[Any]]:
    values = list(RIGHT[column])
    values[row] = value
    return {column: values}


WRONG = {
    "a propensity of 0": ("whole", 2, 0.0, "outside"),
    "a propensity above 1": ("each", 1, [1.2], "outside"),
    "propensities that do not multiply up": ("whole", 3, 0.3, "product"),
    "an item likelier in the slate than anywhere": ("anywhere", 0, [0.5, 0.1], "likelier"),
    "a missing propensity": ("whole", 1, None, "empty"),
    "too few propensities": ("each", 2, [0.1], "as long as the slate"),
    "a slate longer than the candidates": ("shown", 1, ["c", "a", "c"], "longer"),
    "an item not among the candidates": ("shown", 3, ["c", "z"], "not among"),
    "an item shown twice": ("shown", 2, ["a", "a"], "twice"),
    "a candidate listed twice": ("could_show", 2, ["b", "a", "a"], "twice"),
    "no candidates": ("could_show", 1, [], "none"),
    "an empty slate": ("shown", 1, [], "nothing was shown"),
    "time running backwards": ("shown_at", 1, 9.0, "backwards"),
    "a time that is none": ("shown_at", 2, float("nan"), "finite"),
    "a session that comes again": ("user_session", 3, "x", "over already"),
    "a session without a name": ("user_session", 0, None, "empty"),
    "a click on what was not shown": ("clicked", 0, "c", "not in the slate"),
    "a reward without a click": ("minutes", 1, 3.0, "no click"),
    "a score too few": ("rank", 2, [1.0, 2.0], "each candidate"),
    "a score that is none": ("rank", 3, [1.0, 2.0, float("inf")], "finite"),
    "a plan with an unknown item": ("new", 0, ["z", "a"], "not among"),
    "features that do not divide up": ("what", 1, [1.0, 2.0, 3.0], "equally many"),
    "features of another number": ("what", 1, [1.0, 2.0, 3.0, 4.0], "as many numbers"),
    "a hole in a list": ("each", 0, [0.5, None], "empty place"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_named_with_file_row_and_column_and_nothing_is_written(name: str, tmp_path: Path) -> None:
    column, row, value, what = WRONG[name]
    with pytest.raises(UserError) as refused:
        imported(tmp_path, changed(column, row, value))
    said = str(refused.value)
    assert said.startswith(f"{tmp_path / 'mine.parquet'}: row {row} (from 0), column {column}: ") and what in said
    assert [path.name for path in tmp_path.iterdir()] == ["mine.parquet"]


def test_rows_are_counted_through_the_whole_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("apps.slateq.logs.import_command.BATCH", 1)
    assert imported(tmp_path).rows == 4
    for column, row, value in (("shown_at", 1, 9.0), ("user_session", 3, "x"), ("whole", 3, 0.3)):
        with pytest.raises(UserError, match=rf"row {row} \(from 0\), column {column}"):
            imported(tmp_path, changed(column, row, value))


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        (MAP[1:], "which column is session"),
        ((*MAP, "reward=money"), "no column money"),
        ((*MAP, "colour=minutes"), "no such column"),
        (("reward",), "neither OURS=YOURS"),
        (("nowhere.yaml",), "no such file"),
        (tuple(w for w in MAP if not w.startswith("propens")), "which column is propensity or propensities"),
    ],
    ids=["wanted", "theirs", "ours", "word", "yaml", "propensity"],
)
def test_a_map_that_does_not_fit_is_refused(columns: tuple[str, ...], said: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=said):
        imported(tmp_path, columns=columns)


def test_a_column_of_another_type_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"mine\.parquet: column minutes: holds string, not numbers"):
        imported(tmp_path, {"minutes": ["2", "0", "1", "0"]})
    with pytest.raises(UserError, match=r"column shown: holds string, not lists"):
        imported(tmp_path, {"shown": ["b", "c", "a", "c"]})
