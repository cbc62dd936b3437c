"""What MkDocs is told beside docs/: the apps' READMEs are pages, too, and links lead as they do in the repository.

A page's links are relative to its file in the repository. Where that file is a page of the site, the link leads there;
where it is anything else (source text, a prompt), its name stays and the link goes.
"""

import os
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[1]
READMES = {path.parent.name: path for path in sorted(ROOT.glob("apps/*/README.md"))}
PAGES = {f"apps/{name}.md": path.relative_to(ROOT) for name, path in READMES.items()}  # the site's -> the repository's
LINK = re.compile(r"(?<!!)\[([^\]]+)\]\((?!\w+:|#)([^)#\s]+)(#[^)\s]*)?\)")


def on_files(files: Files, config: Any, **_: Any) -> Files:
    """The files of docs/ and the READMEs."""
    for name, path in READMES.items():
        files.append(File.generated(config, f"apps/{name}.md", content=path.read_text(encoding="utf-8")))
    return files


def on_page_markdown(markdown: str, page: Any, files: Files, **_: Any) -> str:
    """The page's text with its links made those of the site."""
    here = page.file.src_uri
    origin = PAGES.get(here, Path("docs") / here)
    of_site = {str(path): uri for uri, path in PAGES.items()}

    def led(found: re.Match[str]) -> str:
        text, target, anchor = found[1], found[2], found[3] or ""
        path = os.path.normpath(origin.parent / target)
        uri = of_site.get(path) or path.removeprefix("docs/")
        if files.get_file_from_path(uri) is None and (ROOT / path).exists():
            return text if text.startswith("`") else f"`{text}`"
        return f"[{text}]({os.path.relpath(uri, os.path.dirname(here) or '.')}{anchor})"

    return LINK.sub(led, markdown)
