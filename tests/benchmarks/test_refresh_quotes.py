"""Quoted commands of a text are rerun. Everything else stays as it is."""

from benchmarks.refresh_quotes import quoted

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
