"""HTML pages from templates, filled in; whatever comes from runs, prompts, replies or study files is escaped.

Every page extends page.html, the one shell with the one stylesheet, and makes tables with the macros of tables.html.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lmgt_core.report.metrics import explanation
from lmgt_core.terminal.tables import ABSENT, cell

TEMPLATES = Path(__file__).parent / "templates"


def render_page(name: str, shown: Any, folder: Path = TEMPLATES, explained: Mapping[str, str] | None = None) -> str:
    """The template `name` of `folder` with the values of the mapping `shown`; a value that it lacks is an error.

    Templates have `cell` and `metric` as filters: a metric's name, explained where one points at it and in the page's
    legend. `explained` adds explanations to those of metrics.py; `absent` stands for a number that is not there.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup, escape

    pages = Environment(
        loader=FileSystemLoader([folder, TEMPLATES]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    used: dict[str, str] = {}

    def metric(column: Any) -> str:
        words = str(column).replace("_", " ")
        about = (explained or {}).get(str(column)) or explanation(words)
        if not about:
            return words
        used.setdefault(words, about)
        return Markup('<abbr title="{}">{}</abbr>').format(about, escape(words))

    pages.filters.update(cell=cell, metric=metric)
    pages.globals.update(absent=ABSENT, explained=lambda: used)
    return pages.get_template(name).render(shown)
