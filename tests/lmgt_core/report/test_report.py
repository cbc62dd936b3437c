import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from lmgt_core.errors import UserError
from lmgt_core.report.command import ReportConfig, build_report, main
from lmgt_core.report.curves import evaluation_points, position_column, smoothing_window, training_points
from lmgt_core.report.run import load_run, load_runs
from lmgt_core.report.tables import settings_rows
from lmgt_core.training.run_log import RunLog
from tests.lmgt_core.synthetic_runs import AUDIT, write_run

VOID = {"meta", "img", "br", "link", "hr", "input"}


class Page(HTMLParser):
    """Checks that tags are balanced and collects texts, tags and attributes."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


Report: TypeAlias = tuple[dict[str, Any], Page, Path]


@pytest.fixture
def unillustrated(monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawing takes most of a report's time, and most claims are not about figures."""
    monkeypatch.setattr("lmgt_core.report.command.figures", lambda runs, metrics: [])


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("runs")
    return {
        "oracle": write_run(folder / "oracle", "oracle", "oracle (privileged)", 0.8, audit=AUDIT),
        "none": write_run(folder / "none"),
        "minilm": write_run(folder / "minilm", "minilm", "embedding model", 0.3, audit=AUDIT),
    }


@pytest.fixture(scope="module")
def report(runs: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Report:
    out = tmp_path_factory.mktemp("report") / "report.html"
    numbers = build_report(list(runs.values()), out, "make demo", threshold="object_success=0.25")
    return numbers, Page(out.read_text(encoding="utf-8")), out


def test_the_page_needs_nothing_but_itself(report: Report) -> None:
    _, page, out = report
    sources = [value for _, attrs in page.tags for name, value in attrs.items() if name in ("src", "href")]
    assert sources and all(str(source).startswith("data:image/svg+xml;base64,") for source in sources)
    assert not {"script", "link", "iframe"} & {tag for tag, _ in page.tags}
    assert "http" not in re.sub(r"base64,[^\"]*", "", out.read_text(encoding="utf-8"))


def test_the_json_beside_it_holds_what_was_returned(report: Report) -> None:
    numbers, _, out = report
    assert json.loads(out.with_suffix(".json").read_text(encoding="utf-8")) == numbers
    assert numbers["command"] == "make demo"


def test_the_run_without_a_judge_comes_first_and_kinds_are_named(report: Report) -> None:
    numbers, page, _ = report
    rows = numbers["groups"][0]["table"]
    assert [(row["run"], row["kind"]) for row in rows] == [
        ("none", "no judge"),
        ("oracle", "oracle (privileged)"),
        ("minilm", "embedding model"),
    ]
    assert "oracle (privileged)" in page.text


def test_each_metric_is_shown_with_its_interval(report: Report, runs: dict[str, Path]) -> None:
    numbers, page, _ = report
    entry = json.loads((runs["oracle"] / "summary.json").read_text())["metrics"]["object_success"]
    shown = numbers["groups"][0]["table"][1]["object_success"]
    assert {name: shown[name] for name in entry} == entry
    assert f"{entry['iqm']:.3f} / {entry['mean']:.3f}" in page.text
    assert f"[{entry['ci95'][0]:.3f}, {entry['ci95'][1]:.3f}]" in page.text


@pytest.mark.usefixtures("unillustrated")
def test_only_an_interval_above_all_others_is_bold(tmp_path: Path) -> None:
    def summary(low: float, high: float) -> dict[str, Any]:
        middle = (low + high) / 2
        return {"metrics": {"success": {"mean": middle, "iqm": middle, "ci95": [low, high], "n": 3}}}

    clear = [
        write_run(tmp_path / "none", summary=summary(0.0, 0.1)),
        write_run(tmp_path / "a", "oracle", summary=summary(0.5, 0.6)),
    ]
    touching = [*clear, write_run(tmp_path / "b", "minilm", summary=summary(0.3, 0.55))]
    first = build_report(clear, tmp_path / "1.html")["groups"][0]["table"]
    assert [row["success"]["highest"] for row in first] == [False, True]
    second = build_report(touching, tmp_path / "2.html")["groups"][0]["table"]
    assert [row["success"]["highest"] for row in second] == [False, False, False]
    assert [row["success"]["against_none"] for row in second] == [None, "above", "above"]
    assert 'class="number highest"' in (tmp_path / "1.html").read_text()
    assert 'class="number highest"' not in (tmp_path / "2.html").read_text()


@pytest.mark.usefixtures("unillustrated")
def test_a_judge_is_compared_with_the_nearest_run_without_one(tmp_path: Path) -> None:
    runs = [
        write_run(tmp_path / "none-dense", level=0.5, config={"reward": "dense"}),
        write_run(tmp_path / "none-sparse", level=0.1, config={"reward": "sparse"}),
        write_run(tmp_path / "oracle", "oracle", level=0.8, audit=AUDIT, config={"reward": "sparse"}),
    ]
    rows = build_report(runs, tmp_path / "r.html")["groups"][0]["comparison"]
    assert {row["beside"] for row in rows} == {"none-sparse"}
    assert rows[0]["P(higher than without)"] == 1.0 and rows[0]["seeds"] == "3 against 3"


def test_decisions_to_a_threshold_are_listed_for_each_seed(report: Report) -> None:
    rows = {row["run"]: row for row in report[0]["groups"][0]["threshold"]}
    assert rows["none"]["seeds that reach it"] == "0 of 3"
    assert rows["none"]["decisions needed (those seeds)"] is None
    assert rows["oracle"]["decisions needed (those seeds)"] == [200, 200, 200]  # .8 * 100 / 400 is .2, the next is .4


def test_figures_are_drawn_for_evaluations_and_for_the_unshifted_return(
    report: Report,
) -> None:
    alts = [attrs["alt"] for tag, attrs in report[1].tags if tag == "img"]
    assert alts == [
        "Bars of object success at the end",
        "Learning curves of object success",
        "Learning curves of net success",
        "Learning curves of the unshifted training return",
    ]


def test_overhead_gives_the_judges_share_of_the_time(report: Report) -> None:
    rows = {row["run"]: row for row in report[0]["groups"][0]["overhead"]}
    assert rows["oracle"]["judge's share of time"] == 0.25  # 15 of 60 seconds
    assert rows["oracle"]["cache hits"] == 700
    assert rows["none"]["judgments"] is None


def test_the_audit_is_shown(report: Report) -> None:
    rows = report[0]["groups"][0]["audit"]
    assert [row["run"] for row in rows] == ["oracle", "minilm"]
    assert rows[0]["accuracy"] == 0.71 and rows[0]["coverage"] == 0.42 and rows[0]["held-out precision"] == 0.81
    assert rows[0]["gate"] == "selective"


def test_settings_are_divided_into_common_and_different(runs: dict[str, Path]) -> None:
    common, different = settings_rows(load_runs(list(runs.values())))
    assert common["steps"] == 400 and "judge" not in common
    assert different == [{"setting": "judge", "runs": {"oracle": "oracle", "none": "none", "minilm": "minilm"}}]
    assert "command" not in common and "versions.numpy" not in common


def test_the_commands_of_the_runs_and_of_the_report_are_there(report: Report) -> None:
    text = report[1].text
    assert "lmgt test train --judge minilm" in text and "make demo" in text
    assert "numpy 1.26.4" in text and "revision abc" in text


def notes_of(tmp_path: Path, **how: Any) -> list[str]:
    runs = [write_run(tmp_path / "none"), write_run(tmp_path / "judged", "minilm", "embedding model", 0.3, **how)]
    report = build_report(runs, tmp_path / "report.html")
    page = Page((tmp_path / "report.html").read_text(encoding="utf-8"))
    for note in report["notes"]:
        assert page.text.index(note) < page.text.index("All metrics")
    return [note for note in report["notes"] if note.startswith("judged")]


@pytest.mark.usefixtures("unillustrated")
def test_a_silenced_judge_is_in_the_first_lines(tmp_path: Path) -> None:
    assert "was SILENCED by the gate" in notes_of(tmp_path, audit={**AUDIT, "silent": True})[0]


@pytest.mark.usefixtures("unillustrated")
def test_an_unaudited_judge_is_in_the_first_lines(tmp_path: Path) -> None:
    assert "ran UNAUDITED" in notes_of(tmp_path, audit={"audited": False, "reason": "no labels"})[0]


@pytest.mark.usefixtures("unillustrated")
def test_a_judge_without_gate_is_in_the_first_lines(tmp_path: Path) -> None:
    notes = notes_of(tmp_path, audit={**AUDIT, "gated": False, "silent": False})
    assert "ran with --no-gate" in notes[0]


@pytest.mark.usefixtures("unillustrated")
def test_a_gate_that_held_out_probes_refute_is_in_the_first_lines(tmp_path: Path) -> None:
    assert "do not confirm" in notes_of(tmp_path, audit={**AUDIT, "held_out_ok": False})[0]


@pytest.mark.usefixtures("unillustrated")
def test_what_was_found_of_a_judge_while_training_is_in_the_first_lines(tmp_path: Path) -> None:
    turn = {"decision": 1200, "silent": True, "checked": 50, "right": 20}
    watch = {"share": 0.1, "verdicts": {"good": {"demand": 0.75, "turns": [turn]}}}
    alarm = {"decision": 900, "since": 500, "unshifted": [4, 1], "shifted": [4, 9], "earned_by": []}
    notes = notes_of(tmp_path, audit=AUDIT, summary={"watch": {"0": watch}, "alarm": {"1": alarm}})
    assert "watched against the true labels of 10% of decisions (privileged)" in notes[0]
    assert "seed 0, decision 1,200: the judge's good falls silent; 20 of 50 checked so far were right" in notes[1]
    assert "seed 1, decision 900: ALARM" in notes[2]


@pytest.mark.usefixtures("unillustrated")
def test_an_audited_and_confirmed_judge_needs_no_note(tmp_path: Path) -> None:
    assert notes_of(tmp_path, audit=AUDIT) == []


@pytest.mark.usefixtures("unillustrated")
def test_few_seeds_and_a_missing_baseline_are_said(tmp_path: Path) -> None:
    run = write_run(tmp_path / "a", "oracle", "oracle (privileged)", 0.5, seeds=(0,), audit=AUDIT)
    notes = build_report([run], tmp_path / "r.html")["notes"]
    assert any("No run without a judge" in note for note in notes)
    assert any("a single seed has none" in note for note in notes)
    assert "no interval" in (tmp_path / "r.html").read_text()


def test_an_unfinished_run_is_shown_with_what_it_has_and_never_ranked(tmp_path: Path) -> None:
    runs = [write_run(tmp_path / "none"), write_run(tmp_path / "cut", "oracle", level=0.9, finish=False)]
    report = build_report(runs, tmp_path / "report.html")
    assert len(report["groups"]) == 1  # only a summary names the environment
    row = report["groups"][0]["table"][1]
    assert row["status"] == "unfinished: 2 of 3 seeds done, furthest at 400 decisions"
    assert row["object_success"]["n"] == 3 and not row["object_success"]["highest"]
    assert row["object_success"]["against_none"] is None
    assert report["groups"][0]["comparison"] == []
    assert any(note.startswith("cut is unfinished") for note in report["notes"])
    assert report["groups"][0]["audit"][0]["gate"] == "not known yet"


def test_a_run_that_has_recorded_nothing_yet_is_shown(tmp_path: Path) -> None:
    RunLog.create(tmp_path / "new", {"app": "test", "judge": "oracle", "seeds": [0, 1]})
    report = build_report([tmp_path / "new"], tmp_path / "report.html")
    assert report["runs"][0]["status"] == "unfinished: 0 of 2 seeds done, furthest at 0 decisions"
    assert report["runs"][0]["metrics"] == {}


@pytest.mark.usefixtures("unillustrated")
def test_runs_of_different_apps_are_not_compared(tmp_path: Path) -> None:
    runs = [
        write_run(tmp_path / "a"),
        write_run(tmp_path / "b", "oracle", audit=AUDIT, summary={"app": "other", "env": "CartPole-v1"}),
    ]
    report = build_report(runs, tmp_path / "report.html")
    assert [group["name"] for group in report["groups"]] == ["test: house.json.gz", "other: CartPole-v1"]
    assert [len(group["table"]) for group in report["groups"]] == [1, 1]


def test_markup_in_names_and_commands_is_shown_and_not_run(tmp_path: Path) -> None:
    hostile = "<script>alert(1)</script>"
    config = {"note": hostile, "prompt_text": '"><img src=x onerror=alert(1)>'}
    run = write_run(tmp_path / "a<b>&", hostile, hostile, audit={**AUDIT, "kind": hostile}, config=config)
    build_report([run], tmp_path / "report.html", command=hostile)
    page = Page((tmp_path / "report.html").read_text(encoding="utf-8"))
    assert "script" not in {tag for tag, _ in page.tags}
    assert all(not name.startswith("on") for _, attrs in page.tags for name in attrs)
    assert hostile in page.text and "a<b>&" in page.text


def test_runs_of_the_same_name_are_told_apart_and_named_twice_counted_once(tmp_path: Path) -> None:
    paths = [write_run(tmp_path / "x" / "run"), write_run(tmp_path / "y" / "run")]
    assert [run.name for run in load_runs([*paths, paths[0]])] == ["x/run", "y/run"]


@pytest.mark.usefixtures("unillustrated")
def test_a_run_called_like_a_column_does_no_harm(tmp_path: Path) -> None:
    report = build_report([write_run(tmp_path / "metric"), write_run(tmp_path / "setting")], tmp_path / "r.html")
    assert report["groups"][0]["all_metrics"][0]["metric"] == "object_success"


@pytest.mark.parametrize(
    ("prepare", "reason"),
    [
        (lambda run: (run / "config.json").unlink(), r"is not a run \(no config\.json\)"),
        (lambda run: (run / "config.json").write_text("{"), r"config\.json: cannot be read as JSON"),
        (lambda run: (run / "summary.json").write_text("[]"), r"summary\.json: holds no JSON object"),
        (lambda run: (run / "seeds/0/episodes.csv").write_text("a,b\n1\n"), r"episodes\.csv: line 2 has 1 cells"),
        (lambda run: (run / "seeds/1/evaluations.csv").write_text("a,b\n1,2\n"), r"evaluations\.csv"),
    ],
)
def test_a_damaged_run_is_named_in_one_line(tmp_path: Path, prepare: Any, reason: str) -> None:
    run = write_run(tmp_path / "run")
    prepare(run)
    with pytest.raises(UserError, match=reason) as caught:
        build_report([run], tmp_path / "report.html")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "report.html").exists() and not (tmp_path / "report.json").exists()


def test_what_cannot_be_asked_for_is_said(tmp_path: Path, runs: dict[str, Path]) -> None:
    one = [runs["none"]]
    with pytest.raises(UserError, match="no run was named"):
        build_report([], tmp_path / "r.html")
    with pytest.raises(UserError, match=r"ends in \.html"):
        build_report(one, tmp_path / "r.json")
    with pytest.raises(UserError, match=r"no run has the metric succes; there are: net_success, object_success"):
        build_report(one, tmp_path / "r.html", metrics=["succes"])
    for text in ("0.5", "=0.5", "object_success=high"):
        with pytest.raises(UserError, match="METRIC=VALUE"):
            build_report(one, tmp_path / "r.html", threshold=text)


@pytest.mark.usefixtures("unillustrated")
def test_chosen_metrics_come_first(tmp_path: Path, runs: dict[str, Path]) -> None:
    report = build_report([runs["none"]], tmp_path / "r.html", metrics=["net_success"])
    assert report["groups"][0]["first_metrics"] == ["net_success", "object_success"]


@pytest.mark.usefixtures("unillustrated")
def test_the_command_says_where_the_page_is(
    tmp_path: Path, runs: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    main(ReportConfig(tuple(runs.values()), tmp_path / "page.html"))
    out = capsys.readouterr().out
    assert "page.html compares 3 runs" in out and "page.json" in out
    assert "note: With 3 seeds" in out


def test_the_training_curve_averages_windows_and_never_extrapolates(tmp_path: Path) -> None:
    with RunLog.create(tmp_path / "run", {"app": "test"}) as log:
        for seed, length in ((0, 4), (1, 2)):
            for episode in range(length):
                row = {"episode": episode, "decisions": 10 * episode + 10, "return": float(episode + 10 * seed)}
                log.record_episode(seed, row)
    points = training_points(load_run(tmp_path / "run", "run"), 2, "decisions")
    at = sorted(points)
    assert (at[0], at[-1]) == (20.0, 40.0)  # the first full window of two, and the longest seed's end
    assert points[at[0]] == [0.5, 10.5]
    assert points[at[-1]] == [2.5]  # seed 1 ended at 20


def test_seeds_evaluated_at_slightly_different_moments_make_one_point(tmp_path: Path) -> None:
    with RunLog.create(tmp_path / "run", {"app": "test"}) as log:
        for seed, moments in ((0, (0, 1010, 2000)), (1, (0, 1030, 2000)), (2, (0, 1005))):
            for moment in moments:
                log.record_evaluation(seed, {"decisions": moment, "success": seed + moment / 10_000})
    points = evaluation_points(load_run(tmp_path / "run", "run"), "success", "decisions")
    assert list(points) == [0.0, 1015.0, 2000.0]
    assert points[1015.0] == pytest.approx([0.101, 1.103, 2.1005])
    assert points[2000.0] == pytest.approx([0.2, 1.2])  # seed 2 was killed before


def test_the_axis_is_one_that_all_runs_have_and_that_never_falls() -> None:
    rising = {0: [{"decisions": 1.0, "episode": 0.0}, {"decisions": 5.0, "episode": 1.0}]}
    lengths = {0: [{"decisions": 5.0, "episode": 0.0}, {"decisions": 1.0, "episode": 1.0}]}
    assert position_column([rising]) == "decisions"
    assert position_column([rising, lengths]) == "episode"


def test_the_window_is_a_tenth_of_the_shortest_seed() -> None:
    def table(n: int) -> dict[int, list[dict[str, float]]]:
        return {0: [{"return": 0.0}] * n}

    assert smoothing_window([table(50), table(400)]) == 5
    assert smoothing_window([table(5)]) == 1
    assert smoothing_window([table(5000)]) == 100
    assert smoothing_window([]) == 1


def test_the_result_stands_first_in_a_sentence(tmp_path: Path, unillustrated: None) -> None:
    better = write_run(tmp_path / "better", "oracle", "oracle (privileged)", 0.8, audit=AUDIT)
    equal = write_run(tmp_path / "equal", "random", "baseline (no model)", audit=AUDIT)
    one = write_run(tmp_path / "one", "minilm", "embedding model", 0.8, seeds=(0,), audit=AUDIT)
    unfinished = write_run(tmp_path / "half", "minilm", "embedding model", 0.8, finish=False)
    runs = [write_run(tmp_path / "none"), better, equal, one, unfinished]
    report = build_report(runs, tmp_path / "report.html")
    first, second, third = report["groups"][0]["sentences"]
    interval = r"[\d.e-]+ \[[\d.e-]+, [\d.e-]+\]"
    start = r"With better \(oracle \(privileged\)\), object success ended at "
    assert re.fullmatch(rf"{start}{interval}, without a judge at {interval}: higher\.", first)
    assert second.startswith("With equal (baseline (no model))") and second.endswith(": no clear difference.")
    assert "(one seed)" in third and third.endswith(": no clear difference.")
    assert first in Page((tmp_path / "report.html").read_text()).text
    alone = build_report([better], tmp_path / "alone.html")["groups"][0]["sentences"]
    assert len(alone) == 1 and "without a judge" not in alone[0]


def test_figures_are_written_as_files_where_a_folder_is_named(runs: dict[str, Path], tmp_path: Path) -> None:
    folder = tmp_path / "figures"
    main(ReportConfig(tuple(runs.values()), tmp_path / "report.html", figures=folder))
    written = sorted(path.name for path in folder.iterdir())
    assert "test-house.json.gz-learning-curves-of-object-success.svg" in written
    assert all(path.read_bytes().lstrip().startswith(b"<?xml") for path in folder.iterdir())
    assert all(path.stat().st_size < 200_000 for path in folder.iterdir())
