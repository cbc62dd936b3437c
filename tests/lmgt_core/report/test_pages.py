"""All pages are one family: one shell, one stylesheet, tables that scroll in a box of their own, figures explained."""

import re
from pathlib import Path
from typing import Any

import pytest

from apps.housekeep import metrics as housekeep
from apps.slateq import session_metrics as slateq
from lmgt_core.compare.measure import row
from lmgt_core.report.command import build_report
from lmgt_core.report.metrics import METRICS, explanation
from lmgt_core.report.pages import TEMPLATES, render_page
from tests.lmgt_core.synthetic_runs import AUDIT, write_run

ROOT = Path(__file__).parents[3]
SHARED = ("page.html", "tables.html")
PAGES = [p for p in [*TEMPLATES.glob("*.html"), *ROOT.glob("apps/*/templates/*.html")] if p.name not in SHARED]
CSS = (TEMPLATES / "style.css").read_text()
NO_METRIC = {"run", "judge", "kind", "rule", "reward", "algorithm", "actions", "seeds", "status", "beside", "metric"}
NO_METRIC |= {"", "arm", "about", "missing", "frames", "strategy", "threshold", "seeds that reach it"}


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_every_page_has_the_one_shell_and_no_style_of_its_own(page: Path) -> None:
    source = page.read_text()
    assert source.startswith('{% extends "page.html" %}')
    assert "<style" not in source and "<head" not in source and not re.search(r"<(script|link)\b", source)


@pytest.mark.parametrize("page", [*PAGES, TEMPLATES / "tables.html"], ids=lambda p: p.name)
def test_every_table_scrolls_in_its_own_box(page: Path) -> None:
    source = page.read_text()
    assert source.count("<table") == source.count('<div class="scroll"><table') == source.count("</table></div>")


def test_the_stylesheet_serves_light_dark_paper_and_phones() -> None:
    for rule in ("prefers-color-scheme: dark", "@media print", "@media (max-width: 40rem)", "overflow-x: auto"):
        assert rule in CSS
    names = {*re.findall(r"var\((--\w+)\)", CSS)}
    light, dark = (set(re.findall(r"(--\w+):", block)) for block in re.findall(r":root \{([^}]*)\}", CSS)[:2])
    assert names <= light == dark


@pytest.fixture
def report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr("lmgt_core.report.command.figures", lambda runs, metrics: [])
    runs = [write_run(tmp_path / "none"), write_run(tmp_path / "minilm", "minilm", "embedding model", 0.5, audit=AUDIT)]
    build_report([str(run) for run in runs], tmp_path / "report.html")
    return (tmp_path / "report.html").read_text()


def test_a_reports_metrics_are_explained_on_hover_and_in_its_legend(report: str) -> None:
    about = METRICS["object success"]
    assert f'<abbr title="{about}">object success</abbr>' in report
    assert f"<dt>object success</dt><dd>{about}</dd>" in report
    assert "rearrange quality" not in report  # a legend lists what the page shows


def test_every_column_of_figures_in_a_report_is_explained(report: str) -> None:
    heads = {re.sub(r"<[^>]+>", "", head).strip() for head in re.findall(r'<th scope="col">(.*?)</th>', report)}
    assert len(heads) > 15
    unexplained = {
        h for h in heads - NO_METRIC - {"none", "minilm", "setting"} if not explanation(h.replace("&#39;", "'"))
    }
    assert not unexplained


@pytest.mark.parametrize(
    "names",
    [housekeep.METRICS, slateq.METRICS, [n for n in row("a", 1, None, None, []) if n not in NO_METRIC],
     ["accuracy", "auc", "auc_ci95", "precision", "coverage", "silent", "judgments_per_second", "n", "win_rate"]],
    ids=["housekeep", "slateq", "comparison", "audit"],
)  # fmt: skip
def test_every_metric_that_an_app_measures_has_an_explanation(names: list[str]) -> None:
    assert [name for name in names if not explanation(name)] == []


def test_a_split_or_an_interval_is_explained_as_its_metric_is() -> None:
    assert explanation("object_success_unseen") == explanation("Object success") == METRICS["object success"]
    assert explanation("no such thing") == ""


def test_names_and_explanations_cannot_break_out(tmp_path: Path) -> None:
    (tmp_path / "odd.html").write_text(
        '{% extends "page.html" %}\n{% from "tables.html" import table with context %}\n'
        "{% block body %}{{ table(rows) }}{% endblock %}"
    )
    rows: list[dict[str, Any]] = [{"<b>x</b>": 1.0, "y<i>": "<script>"}]
    page = render_page("odd.html", {"rows": rows}, tmp_path, explained={"y<i>": 'a "quote" <b>'})
    assert "<script>" not in page and "<b>" not in page and "y<i>" not in page
    assert "&#34;quote&#34;" in page
