"""The site builds offline with warnings as errors. Its programs run and its commands parse."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

import parscale
from tests.analysis.browser import browser

ROOT = Path(__file__).parents[2]
PAGES = sorted(p for p in (ROOT / "docs").rglob("*.md") if p.name not in ("coverage.md", "fitting.md"))
PROGRAMS = [
    pytest.param(program, id=f"{page.stem}-{i}")
    for page in PAGES
    for i, program in enumerate(re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL))
]


@pytest.mark.slow
@pytest.mark.parametrize("program", PROGRAMS)
def test_the_programs_run(program, tmp_path, monkeypatch, capsys):
    (tmp_path / "build").mkdir()
    (tmp_path / "results").symlink_to(ROOT / "results")
    monkeypatch.chdir(tmp_path)
    exec(compile(program, "program.py", "exec"), {"__name__": "__main__"})
    assert capsys.readouterr().out


@pytest.mark.slow
def test_every_command_parses(capsys):
    lines = [
        re.split(r"\s#", line)[0].strip()
        for page in PAGES
        for block in re.findall(r"```\n(.*?)```", page.read_text(), re.DOTALL)
        for line in block.splitlines()
        if line.startswith("parscale ")
    ]
    assert len(lines) >= 15
    for line in lines:
        words = shlex.split(line)[1:]
        try:
            parscale.build_parser().parse_args(words)
        except SystemExit:
            pytest.fail(f"{line}: {capsys.readouterr().err.splitlines()[-1]}")


def found_from_disk(index):
    """The search answers on a page that no server sent."""
    with browser(index.parent.parent / "profile") as context:
        page = context.new_page()
        page.set_viewport_size({"width": 1280, "height": 900})
        page.goto(index.as_uri())
        page.click("input.md-search__input")
        page.keyboard.type("bootstrap")
        page.wait_for_selector(".md-search-result__item", timeout=20_000)
        assert "No matching" not in page.inner_text(".md-search-result__meta")


@pytest.mark.slow
def test_the_site_builds_and_asks_nothing_of_the_network(tmp_path):
    pytest.importorskip("material")
    build = subprocess.run(
        [
            sys.executable,
            "-m",
            "mkdocs",
            "build",
            "--strict",
            "--quiet",
            "--site-dir",
            str(tmp_path / "site"),
        ],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
    )
    assert build.returncode == 0, build.stderr
    pages = list((tmp_path / "site").rglob("*.html"))
    assert len(pages) >= 16
    for page in pages:
        loads = re.findall(
            r"""<(?:script|link|img|iframe)\b[^>]*?(?:src|href)=["']?(https?:)?//""", page.read_text()
        )
        assert not loads, page
    for page in pages:
        assert "$<code>" not in page.read_text(), f"a formula that is not drawn: {page}"
    assert "<svg" in (tmp_path / "site" / "science.html").read_text()
    assert (tmp_path / "site" / "results" / "figures" / "fig2.svg").is_file()
    found_from_disk(tmp_path / "site" / "index.html")
    reference = (tmp_path / "site" / "reference" / "scaling.html").read_text()
    for name in ("scaling.fit", "scaling.Fit", "scaling.compare", "scaling.backtest"):
        assert f'id="{name}"' in reference
