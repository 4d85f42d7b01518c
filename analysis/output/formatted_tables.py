"""Tables for people: CSV (full precision), Markdown, LaTeX. Each names the command and data behind it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from analysis.paper.published_numbers import Published
from scaling import Fit
from scaling.data.atomic_files import replacing
from scaling.selection.equivalent_size import predicted

Formats = Mapping[str, str]


def table_cell(value: Any, form: str = "") -> str:
    """A value for a printed table: what is unknown stays blank."""
    if value is None or (not isinstance(value, str) and pd.isna(value)):
        return ""
    if isinstance(value, (bool, np.bool_)):
        return "yes" if value else "no"
    if isinstance(value, (int, np.integer)):
        return format(int(value), form or ",d")
    if isinstance(value, (float, np.floating)):
        return format(float(value), form or ".4g").replace("-", "\N{MINUS SIGN}")
    return str(value)


def markdown(table: pd.DataFrame, formats: Formats | None = None) -> str:
    """A pipe table, numbers to the right."""
    right = [pd.api.types.is_numeric_dtype(table[c]) for c in table]
    lines = [[str(c) for c in table], ["---:" if r else "---" for r in right]]
    for row in table.itertuples(index=False):
        known = zip(row, table, strict=True)
        lines.append([table_cell(v, (formats or {}).get(str(c), "")).replace("|", r"\|") for v, c in known])
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


_TEX = {"&": r"\&", "%": r"\%", "_": r"\_", "#": r"\#", "$": r"\$", "^": r"\^{}", "~": r"\~{}"}


def _tex(text: str) -> str:
    """Plain text for LaTeX."""
    return "".join(_TEX.get(c, c) for c in text).replace("\N{MINUS SIGN}", "$-$")


def latex_table(table: pd.DataFrame, caption: str, formats: Formats | None = None) -> str:
    """A booktabs table under its caption. formats: of numbers, by column."""
    align = "".join("r" if pd.api.types.is_numeric_dtype(table[c]) else "l" for c in table)
    body = [
        " & ".join(
            _tex(table_cell(v, (formats or {}).get(str(c), ""))) for v, c in zip(row, table, strict=True)
        )
        for row in table.itertuples(index=False)
    ]
    head = " & ".join(_tex(str(c)) for c in table)
    lines = [
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{_tex(caption)}}}",
        rf"\begin{{tabular}}{{{align}}}",
    ]
    lines += [r"\toprule", head + r" \\", r"\midrule", *(b + r" \\" for b in body), r"\bottomrule"]
    return "\n".join([*lines, r"\end{tabular}", r"\end{table}"]) + "\n"


def write_tables(
    table: pd.DataFrame,
    base: Path,
    *,
    caption: str,
    command: str,
    data: str,
    formats: Formats | None = None,
) -> list[Path]:
    """Write `base`.csv, .md and .tex of a table. Returns their paths.

    The CSV's first line is a comment with command and data, its origin (read it with comment="#"). caption
    and formats (of numbers, by column) are those of the printed forms.
    """
    base.parent.mkdir(parents=True, exist_ok=True)
    origin = f"made by: {command}; from: {data}"
    texts = {
        ".csv": f"# {origin}\n" + table.to_csv(index=False, lineterminator="\n"),
        ".md": f"{caption}\n\n{markdown(table, formats)}\n<!-- {origin} -->\n",
        ".tex": f"% {origin}\n{latex_table(table, caption, formats)}",
    }
    written = []
    for suffix, text in texts.items():
        target = base.with_name(base.name + suffix)
        with replacing(target) as partial:
            partial.write_text(text, encoding="utf-8")
        written.append(target)
    return written


def paper_tables(published: Published) -> dict[str, tuple[str, pd.DataFrame]]:
    """Tables 1 to 5 of the paper as far as they are known: name -> (caption, table). Blanks are unknown."""
    words = {c: c.replace("_", " ").capitalize() for c in map(str, published.strategies)}
    names = {c: c.replace("_", " ") for c in map(str, published.two_stage)}
    names |= {c: c.replace("_p1", " pass@1").replace("Plus", "+") for c in names if c.endswith("_p1")}
    names |= {c: c.replace("_p10", " pass@10").replace("Plus", "+") for c in names if c.endswith("_p10")}
    names |= {"avg_general": "general", "avg_math": "math", "avg_code": "code"}
    shots = {
        c: c.replace("_", " (").replace("shot", "-shot)") for c in map(str, published.instruct) if c != "P"
    }
    instruct = published.instruct.set_index("P").reindex([1, 2, 4, 8]).reset_index()
    return {
        "table1": ("Ways to scale, compared", published.strategies.rename(columns=words)),
        "table2": ("Average over code tasks (%), by P and size, Stack-V2 Python", published.code),
        "table3": ("Average over general tasks (%), by P and size, the Pile", published.general),
        "table4": (
            "1.8B models after 1T tokens in two stages (%)",
            published.two_stage.rename(columns=names),
        ),
        "table5": ("Instruction-tuned 1.8B models (%)", instruct.rename(columns=shots)),
    }


def constants(fits: Mapping[str, Fit], printed: pd.DataFrame) -> pd.DataFrame:
    """Printed and fitted constants side by side: corpus, constant, printed, ours, difference, lower, upper.

    fits: the fit of Eq 5 by corpus. printed: `Published.constants`. difference: (ours - printed) / printed.
    """
    rows = []
    for corpus, fitted in fits.items():
        ends: dict[Any, Any] = fitted.intervals(0.95).to_dict("index")
        known: dict[Any, Any] = printed.to_dict("index")[corpus]
        for name in ("E", "A", "k", "alpha"):
            told, (ours, lower, upper) = known[name], ends[name].values()
            rows.append((corpus, name, told, ours, ours / told - 1, lower, upper))
        told, ours = known["R2"], fitted.r2
        rows.append((corpus, "R2", told, ours, ours / told - 1, np.nan, np.nan))
    columns = ["corpus", "constant", "printed", "ours", "difference", "lower", "upper"]
    return pd.DataFrame(rows, columns=columns)


def predictions(fits: Mapping[tuple[str, str], Fit], runs: pd.DataFrame) -> pd.DataFrame:
    """Every run under every law: corpus, law, size, N, P, true, predicted, error (predicted - true)."""
    parts = []
    for (corpus, law), fitted in fits.items():
        rows = runs[runs["corpus"] == corpus]
        part = rows[["corpus", "size", "N", "P"]].assign(
            true=rows["loss"], predicted=predicted(fitted.law, rows)
        )
        parts.append(part.assign(error=part["predicted"] - part["true"], law=law))
    columns = ["corpus", "law", "size", "N", "P", "true", "predicted", "error"]
    return pd.concat(parts, ignore_index=True)[columns] if parts else pd.DataFrame(columns=columns)
