"""What commands write into the documentation is what they would write now."""

import importlib.util
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def tool(name):
    spec = importlib.util.spec_from_file_location(f"docs_{name}", ROOT / "docs" / "tools" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_reference_of_the_command_line_is_current():
    commands = tool("commands")
    assert commands.PAGE.read_text() == commands.page(), "run python docs/tools/commands.py"


def test_an_example_is_followed_by_what_its_command_prints(tmp_path, monkeypatch):
    examples = tool("examples")
    page = tmp_path / "page.md"
    page.write_text("x\n\n```console\n$ echo new 3\nold\n```\n\ny\n")
    monkeypatch.setattr(examples, "PAGES", [page])
    monkeypatch.setattr(examples, "ROOT", tmp_path)
    assert examples.main(["--check"]) == 1
    assert "old" in page.read_text()
    assert examples.main([]) == 0
    assert page.read_text() == "x\n\n```console\n$ echo new 3\nnew 3\n```\n\ny\n"
    assert examples.main(["--check"]) == 0
    page.write_text("```console\n$ false\n```\n")
    with pytest.raises(RuntimeError, match="false"):
        examples.main(["--check"])


@pytest.mark.slow
def test_outputs_under_examples_are_current():
    examples = tool("examples")
    shown = [page for page in examples.PAGES if examples.BLOCK.search(page.read_text())]
    assert shown
    for page in shown:
        assert page.read_text() == examples.renewed(page.read_text()), "run python docs/tools/examples.py"


def test_every_figure_of_the_gallery_is_there_and_has_its_command():
    import parscale

    text = (ROOT / "docs" / "gallery.md").read_text()
    shown = re.findall(r"\]\(\.\./(results/[\w./-]+)\)", text)
    assert len(shown) >= 16
    for name in shown:
        assert (ROOT / name).is_file(), name
        assert re.search(rf"--only {Path(name).stem}\b", text), name
    for command in re.findall(r"`parscale (.+?)`", text):
        parscale.build_parser().parse_args(command.split())


def test_the_citation_names_the_version_of_the_package():
    version = re.search(r'^version = "(.+)"', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)[1]
    assert f"version = {{{version}}}" in (ROOT / "docs" / "cite.md").read_text()
    assert f"version: {version}" in (ROOT / "CITATION.cff").read_text()
