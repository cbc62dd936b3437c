import json
from pathlib import Path

import pytest

from lmgt_core.errors import UserError
from lmgt_core.terminal.tables import cell, column_names, print_table, write_rows

ROWS = [{"judge": "oracle", "success": 0.51234, "ci95": [0.4, 0.625]}, {"judge": "none [red]", "success": None, "n": 3}]


def test_a_printed_table_shows_every_column_and_brackets_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(ROWS, title="runs", note="no shift")
    out = capsys.readouterr().out
    assert [name for name in ("runs", "judge", "success", "ci95", "n") if name in out] == [
        "runs",
        "judge",
        "success",
        "ci95",
        "n",
    ]
    assert "0.512" in out and "[0.400, 0.625]" in out and "none [red]" in out and "no shift" in out


def test_chosen_columns_come_in_their_order(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(ROWS, columns=["success", "judge"])
    out = capsys.readouterr().out
    assert out.index("success") < out.index("judge") and "ci95" not in out


def test_a_table_without_rows_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    print_table([], title="audit")
    assert capsys.readouterr().out == "audit: no rows\n"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "–"),
        ("", "–"),
        (0.0, "0.000"),
        (0.12345, "0.123"),
        (12.345, "12.3"),
        (123.5, "124"),
        (1234567.0, "1,234,567"),
        (0.0000123, "1.23e-05"),
        (-0.5, "-0.500"),
        (12345, "12,345"),
        (True, "yes"),
        ([0.1, 0.25], "[0.100, 0.250]"),
        ([1, 2, 3], "1, 2, 3"),
        ([], "–"),
        ({"good": 0.5, "bad": None}, "good 0.500, bad –"),
    ],
)
def test_cells_show_three_digits_and_never_invent_a_zero(value: object, shown: str) -> None:
    assert cell(value) == shown


def test_the_json_file_holds_the_rows_with_their_columns(tmp_path: Path) -> None:
    write_rows(tmp_path / "rows.json", ROWS)
    assert json.loads((tmp_path / "rows.json").read_text()) == {"rows": ROWS}
    assert column_names(ROWS) == ["judge", "success", "ci95", "n"]


def test_a_json_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "rows.json").mkdir()
    with pytest.raises(UserError, match=r"rows\.json: cannot be written"):
        write_rows(tmp_path / "rows.json", ROWS)
