"""HTML pages from templates, filled in; whatever comes from runs, prompts, replies or study files is escaped."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from lmgt_core.terminal.tables import ABSENT, cell

TEMPLATES = Path(__file__).parent / "templates"


def render_page(name: str, shown: Any, folder: Path = TEMPLATES, **filters: Callable[..., Any]) -> str:
    """The template `name` of `folder` with the values of the mapping `shown`; a value that it lacks is an error.

    Templates have `cell` as a filter, and those of `filters`; `absent` stands for a number that is not there.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    pages = Environment(
        loader=FileSystemLoader(folder),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    pages.filters.update(cell=cell, **filters)
    pages.globals.update(absent=ABSENT)
    return pages.get_template(name).render(shown)
