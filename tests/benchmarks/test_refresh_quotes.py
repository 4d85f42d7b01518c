"""Quoted commands of a text are rerun. Everything else stays as it is."""

from pathlib import Path

import pytest

from benchmarks.refresh_quotes import quoted, with_tables

TEXT = """before

```console
$ parscale fit results/demo
old
lines
```

```
$ parscale not quoted this way
```

```console
$ parscale status demo
```
after
"""


def test_the_output_of_each_quoted_command_is_made_anew() -> None:
    asked = []

    def run(words: list[str]) -> str:
        asked.append(words)
        return f"{words[0]} says  \n\nso\n"

    once = quoted(TEXT, run)
    assert asked == [["fit", "results/demo"], ["status", "demo"]]
    assert "$ parscale fit results/demo\nfit says\n\nso\n```" in once
    assert "old" not in once
    assert "$ parscale not quoted this way\n```" in once
    assert once.startswith("before")
    assert once.endswith("after\n")
    assert quoted(once, run) == once


def test_each_table_is_read_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sizes.csv").write_text("# made by hand\nsize,N,loss\nsmall,1000,2.5\nlarge,20000,1.25\n")
    monkeypatch.chdir(tmp_path)
    text = "before\n\n<!-- table sizes.csv: size, loss -->\nold\n<!-- end of table -->\n\nafter\n"
    once = with_tables(text)
    assert [line for line in once.splitlines() if line.startswith("|")] == [
        "| size | loss |", "| --- | ---: |", "| small | 2.5 |", "| large | 1.25 |",
    ]  # fmt: skip
    assert "old" not in once
    assert once.startswith("before")
    assert once.endswith("after\n")
    assert with_tables(once) == once
