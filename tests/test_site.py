"""The site is built without a warning, loads nothing from elsewhere, and no page is wider than its window."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("mkdocs")
ROOT = Path(__file__).resolve().parents[1]
BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
WIDTHS = (1280, 390)  # a desktop, a phone
MEASURE = """<script>
onload = () => {
  const found = [...document.querySelectorAll("iframe")].map(frame => {
    const there = frame.contentDocument;
    const wide = Math.max(there.documentElement.scrollWidth, there.body.scrollWidth);
    return [frame.getAttribute("src"), frame.width, wide];
  });
  document.body.textContent = JSON.stringify(found);
};
</script>"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built site."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    env = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder


def test_no_page_loads_anything_from_elsewhere(site: Path) -> None:
    for page in site.rglob("*.html"):
        loaded = re.findall(r"<(?:script|img|iframe)[^>]* src=\"?(https?://[^\"\s>]+)", page.read_text())
        loaded += re.findall(r"<link[^>]* rel=\"?stylesheet\"?[^>]* href=\"?(https?://[^\"\s>]+)", page.read_text())
        assert not loaded, page


@pytest.mark.skipif(BROWSER is None, reason="needs Chromium or Chrome")
def test_no_page_is_wider_than_its_window(site: Path, tmp_path: Path) -> None:
    pages = sorted(str(page.relative_to(site)) for page in site.rglob("*.html") if page.name != "404.html")
    frames = [f'<iframe src="{page}" width="{width}" height="800"></iframe>' for page in pages for width in WIDTHS]
    (site / "probe.html").write_text("<!doctype html><body>" + "".join(frames) + MEASURE)
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--allow-file-access-from-files", "--no-first-run"]
    flags += ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
    flags += [f"--user-data-dir={tmp_path}", "--window-size=1400,900", "--dump-dom"]
    command = [str(BROWSER), *flags, (site / "probe.html").as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=200, check=False)
    found = re.search(r"\[\[.*\]\]", done.stdout)
    assert found is not None, done.stderr[-2000:]
    measured = json.loads(found[0])
    assert len(measured) == len(pages) * len(WIDTHS)
    assert [(page, width, wide) for page, width, wide in measured if wide > int(width)] == []
