"""`parscale report`: which runs it asks for, and where the page goes."""

import pytest

import parscale
import scaling
from analysis.report import sweep_report
from scaling.data.query import Asked


@pytest.mark.parametrize(
    ("words", "out", "objective", "where"),
    [
        ([], None, None, None),
        (["--out", "there.html"], "there.html", None, None),
        (["--objective", "lad", "--where", "P=1"], None, scaling.LAD(), "P=1"),
    ],
)
def test_the_page_is_asked_for_as_the_call_says(monkeypatch, capsys, words, out, objective, where):
    asked = []

    def write(*given, **more):
        asked.append((given, more))
        return "the/page.html"

    monkeypatch.setattr(sweep_report, "write_report", write)
    assert parscale.main(["report", "a sweep", *words]) == 0
    assert capsys.readouterr().out == "the/page.html\n"
    ((given, more),) = asked
    assert given == (("a sweep",), out)
    assert more == {
        "command": " ".join(["parscale report a sweep", *(words if not out else [])]),
        "objective": objective,
        "asked": Asked(None, where),
    }


def test_what_is_not_there_is_one_line_and_exit_code_2(tmp_path, capsys):
    assert parscale.main(["report", str(tmp_path / "none.csv")]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "none.csv" in line
