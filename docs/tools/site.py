"""Hooks of the site's build: figures of results/ shown where they lie, formulas drawn, the outputs' page in order."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File

from analysis.output.formula import with_formulas

ROOT = Path(__file__).parents[2]
SHOWN = re.compile(r"\]\((?:\.\./)+(results/[\w./-]+\.(?:png|svg|pdf))\)")


def on_files(files: Any, config: Any) -> Any:
    """Add every file of results/ that a page shows, so that no copy lies in docs/."""
    pages = [page.content_string for page in files.documentation_pages()]
    for name in sorted({found for page in pages for found in SHOWN.findall(page)}):
        files.append(File.generated(config, name, abs_src_path=str(ROOT / name)))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Where a page names a figure by its place in the repository, its place in the site."""
    up = "../" * page.file.src_uri.count("/")
    return SHOWN.sub(lambda found: f"]({up}{found[1]})", markdown)


def on_page_content(html: str, **_: Any) -> str:
    """Formulas within a line."""
    return with_formulas(html)
