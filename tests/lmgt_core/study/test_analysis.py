"""What a study concludes, against numbers known beforehand."""

import csv
from pathlib import Path

import numpy as np
import pytest

from lmgt_core.study.analysis import analyse, best_regions, break_evens, by_facet, crossings
from lmgt_core.study.command import StudyConfig, main
from lmgt_core.study.folder import StudyFolder
from lmgt_core.study.report import write_report
from lmgt_core.study.runner import run_study
from tests.lmgt_core.study.small_app import APP, STUDY, TARGET, small_plan


def finished(path: Path, text: str = STUDY):
    plan = small_plan(text)
    folder = StudyFolder.create(path, plan)
    run_study(folder, plan, TARGET, 1)
    return plan, folder


def test_a_line_crosses_zero_between_two_points() -> None:
    x = np.array([0.0, 1.0, 3.0])
    gaps = np.array([[-1.0, 1.0, 2.0], [-3.0, -1.0, 1.0], [1.0, -1.0, 1.0], [-1.0, -2.0, -3.0]])
    assert crossings(x, gaps).tolist() == [0.5, 2.0, -np.inf, np.inf]


def test_the_break_even_is_where_the_known_line_crosses(tmp_path: Path) -> None:
    plan, folder = finished(tmp_path)
    found = {b.by: b for b in break_evens(plan, analyse(plan, folder))}
    for rule in ("plain", "clever"):  # both cross 0 at an accuracy of 0.6
        assert found[rule].at == pytest.approx(0.6, abs=1e-9)  # the same noise on both sides
        assert found[rule].low < 0.6 < found[rule].high
    # The slope of clever is twice as steep, so the same noise moves its crossing half as far.
    assert found["clever"].high - found["clever"].low < found["plain"].high - found["plain"].low


def test_a_baseline_with_values_of_the_grid_is_no_part_of_a_line(tmp_path: Path) -> None:
    plan, folder = finished(tmp_path, STUDY.replace("- {rule: none}", "- {judge: null, rule: plain, accuracy: 0.5}"))
    groups = analyse(plan, folder)
    assert len(groups) == 7 and sum(g.is_baseline for g in groups) == 1
    lines = by_facet(plan, groups)[None]
    assert {rule: len(line) for rule, line in lines.items()} == {"plain": 3, "clever": 3}


def test_a_group_is_compared_with_the_baseline(tmp_path: Path) -> None:
    plan, folder = finished(tmp_path)
    groups = {(g.settings["rule"], g.settings["accuracy"]): g for g in analyse(plan, folder)}
    assert groups["clever", 0.9].improvement == 1.0
    assert groups["clever", 0.5].improvement == 0.0
    base = next(g for g in groups.values() if g.is_baseline)
    assert base.settings["rule"] == "none" and base.improvement == 0.5  # it ties with itself
    noise = [np.random.default_rng(seed).normal(0, 0.01) for seed in range(4)]
    assert groups["plain", 0.7].metrics["score"].mean == pytest.approx(0.1 + np.mean(noise))


def test_the_best_region_of_a_map_says_how_flat_it_is(tmp_path: Path) -> None:
    text = STUDY.replace("  break_even: true", "  kind: heat")
    plan, folder = finished(tmp_path, text)
    (best,) = best_regions(plan, analyse(plan, folder))
    assert best.at == {"accuracy": 0.9, "rule": "clever"}
    assert best.share == pytest.approx(1 / 6)  # nothing else comes near


def test_the_page_and_tables_hold_every_setting(tmp_path: Path) -> None:
    plan, folder = finished(tmp_path, STUDY.replace("How good is it?", "'Is 1 < 2 & <b>bold</b>?'"))
    shown = write_report(folder, plan, APP)
    page = (tmp_path / "report.html").read_text()
    assert "&lt;b&gt;bold" in page and "<b>bold" not in page
    assert page.count("<tr>") == 1 + 2 + 1 + 7  # break-evens and settings, with their headings
    rows = list(csv.DictReader((tmp_path / "summary.csv").open()))
    assert len(rows) == 7 and float(rows[0]["score_n"]) == 4
    assert "train_seconds_mean" not in rows[0]  # measured: it would differ from run to run
    cells = list(csv.DictReader((tmp_path / "cells.csv").open()))
    assert len(cells) == 28 and "train_seconds" in cells[0]
    assert len(shown["figures"]) == 1 and (tmp_path / "figures" / "lines_score.svg").exists()


def test_a_missing_result_is_no_result(tmp_path: Path) -> None:
    plan = small_plan()
    with pytest.raises(ValueError, match="not finished"):
        analyse(plan, StudyFolder.create(tmp_path, plan))


def test_the_command_runs_a_study_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(STUDY)
    out = tmp_path / "out"
    config = StudyConfig(str(file), app="small", out=out, workers=1, seeds=2, json=tmp_path / "rows.json")
    shown = main(config, TARGET)
    assert len(shown["rows"]) == 7
    assert {p.name for p in out.iterdir()} >= {"plan.json", "report.html", "summary.csv", "cells.csv", "figures"}
    assert "break-even" in capsys.readouterr().out
    assert (tmp_path / "rows.json").exists()
