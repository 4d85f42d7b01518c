"""The one writer of tables: plain in a pipe, whole on a terminal of any width, strict JSON."""

import json

import pandas as pd
import pytest

import parscale
from parscale.cli import output
from tests.scaling.command_line import LOSSES

FRAME = pd.DataFrame(
    {
        "size": ["64x2", "128x4"],
        "loss": [3.13561, float("nan")],
        "words": ["a verdict of several words", "[bold] is no markup"],
        "count": [12, 3456],
        "ok": [True, False],
    }
)


def test_a_pipe_gets_one_plain_table(monkeypatch, capsys):
    monkeypatch.setattr("scaling.terminal_text.width", lambda: None)
    output.show(FRAME, "title", "caption")
    title, header, rule, first, second, empty, caption = capsys.readouterr().out.splitlines()
    assert (title, empty, caption) == ("title", "", "caption")
    assert header.split() == ["size", "loss", "words", "count", "ok"]
    assert set(rule) == {"─", " "}
    assert first.split() == ["64x2", "3.136", "a", "verdict", "of", "several", "words", "12", "yes"]
    assert second.split() == ["128x4", "[bold]", "is", "no", "markup", "3456", "no"]
    assert first.index("12") + 2 == second.index("3456") + 4  # numbers to the right


@pytest.mark.parametrize("room", [30, 80])
def test_a_terminal_gets_every_cell_and_its_keys(room, monkeypatch, capsys):
    monkeypatch.setattr("scaling.terminal_text.width", lambda: room)
    output.show(FRAME, "title", "caption")
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= room
    for number in ("3.136", "3456"):
        assert number in out.split()
    assert out.count("64x2") == out.count("title")  # every part begins with what names a row
    assert out.count("caption") == 1
    assert "[bold]" in "".join(out.split())


def test_json_has_null_for_what_is_missing():
    text = output.as_json(FRAME.to_dict("records"))
    rows = json.loads(text, parse_constant=pytest.fail)
    assert [row["loss"] for row in rows] == [3.13561, None]


def test_a_document_gets_markdown_or_latex(capsys):
    output.show(FRAME, "title", "caption", form="markdown")
    title, _, header, rule, first, *_ = capsys.readouterr().out.splitlines()
    assert (title, header) == ("title", "| size | loss | words | count | ok |")
    assert set(rule) == set("| -:")
    assert first.startswith("| 64x2 | 3.136 |")
    output.show(FRAME, "title", "caption", form="latex")
    out = capsys.readouterr().out
    assert r"\caption{title. caption}" in out
    assert out.count(r"\\") == 3


@pytest.mark.parametrize("words", ["cost --P 1", "compare LOSSES --where corpus=pile --laws dense,parallel"])
@pytest.mark.parametrize(
    ("form", "begins"), [("markdown", "| "), ("latex", r"\begin{tabular}"), ("json", '"')]
)
def test_commands_that_print_a_table_print_it_in_every_form(words, form, begins, capsys):
    argv = words.replace("LOSSES", LOSSES).split()
    assert parscale.main([*argv, "--format", form]) == 0
    out = capsys.readouterr().out
    assert any(line.strip().startswith(begins) for line in out.splitlines())
    if form == "json":
        assert parscale.main([*argv, "--json"]) == 0
        assert capsys.readouterr().out == out


def test_one_reason_of_several_groups_is_said_once():
    partly = output.groups_text(
        "found", {"a": "arm=a: few rows.", "b": "arm=b: few rows.", "c": "arm=c: no P."}
    )
    assert (partly.failed.count("few rows"), partly.failed.count("..")) == (1, 0)
    assert all(name in partly.failed for name in ("arm=a", "arm=b", "arm=c", "no P"))
    assert output.groups_text("found", {}) == "found"
