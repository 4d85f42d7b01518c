"""Text tables with any separator, from any spreadsheet: the same rows, or a refusal that says what to write."""

from pathlib import Path

import pandas as pd
import pytest

from scaling.data.formats.text_tables import layout_of, read_text
from scaling.data.reading import reading_of
from scaling.data.runs import read_runs
from tests.scaling.tables import STREAMS, TEXT, same

GERMAN = TEXT.replace(",", ";").replace(".", ",")
MARKDOWN = "\n".join(
    ["| N | P | loss |", "|---|:-:|---:|", *(f"| {' | '.join(row.split(','))} |" for row in TEXT.split()[1:])]
)


def thousands(mark: str, decimal: str) -> pd.DataFrame:
    """The runs with N in groups of three, and this mark before decimals."""
    return STREAMS.assign(
        N=[f"{n:,}".replace(",", mark) for n in STREAMS["N"]],
        loss=[str(x).replace(".", decimal) for x in STREAMS["loss"]],
    )


FORMS = {
    "commas.CSV": TEXT,
    "commas.txt": TEXT,
    "semicolons.csv": TEXT.replace(",", ";"),
    "tabs.csv": TEXT.replace(",", "\t"),
    "bars.csv": TEXT.replace(",", "|"),
    "tabs.dat": TEXT.replace(",", "\t"),
    "spaces.txt": TEXT.replace(",", "   "),
    "printed.txt": STREAMS.to_string(),
    "printed_bare.txt": STREAMS.to_string(index=False),
    "table.md": MARKDOWN,
    "sep.csv": "sep=,\n" + TEXT,
    "sep_semicolon.csv": "sep=;\n" + TEXT.replace(",", ";"),
    "sep_quoted.csv": '"sep=,"\n' + TEXT,
    "empty_rows.csv": TEXT + ",,\n,,\n",
    "empty_row_between.csv": TEXT.replace("\n1100000000,1", "\n,,\n\n1100000000,1"),
    "empty_column.csv": "\n".join(f"{line}," for line in TEXT.split()),
    "comma_at_row_end.csv": "\n".join([TEXT.split()[0], *(f"{line}," for line in TEXT.split()[1:])]),
    "quotes.csv": "\n".join(", ".join(f'"{cell}"' for cell in line.split(",")) for line in TEXT.split()),
    "spaced.csv": TEXT.replace(",", " , "),
    "windows.csv": TEXT.replace("\n", "\r\n"),
    "old_mac.csv": TEXT.replace("\n", "\r"),
    "numbered.csv": STREAMS.to_csv(),
    "remark.csv": "# exported\n" + TEXT,
    "header_is_remark.csv": "# " + TEXT,
    "headers_between.csv": "\n".join([*TEXT.split()[:9], "N,P,loss", *TEXT.split()[9:]]),
    "decimal_commas.csv": GERMAN,
    "commas_for_both.csv": thousands(",", ",").to_csv(index=False, sep=";"),
    "german_groups.csv": thousands(".", ",").to_csv(index=False, sep=";"),
    "english_groups.csv": thousands(",", ".").to_csv(index=False),
    "german_suffix.tsv": thousands(".", ",")
    .assign(N=[f"{n / 1e9:.3f}B".replace(".", ",") for n in STREAMS["N"]])
    .to_csv(index=False, sep="\t"),
}


MARKED = [
    "commas.CSV",
    "tabs.dat",
    "semicolons.csv",
    "table.md",
    "sep.csv",
    "header_is_remark.csv",
    "printed.txt",
]
CASES = [(name, "utf-8") for name in FORMS] + [(name, "utf-8-sig") for name in MARKED]
CASES += [(name, "utf-16") for name in MARKED[:3]]  # as spreadsheets save it


@pytest.mark.parametrize(("name", "encoding"), CASES)
def test_every_form_is_the_same_table(name: str, encoding: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(FORMS[name].encode(encoding))
    assert same(read_runs(tmp_path / name))


def test_names_that_are_not_utf_8_are_read_and_told(tmp_path: Path) -> None:
    (tmp_path / "runs.csv").write_bytes(STREAMS.assign(who="René").to_csv(index=False).encode("cp1252"))
    runs = read_runs(tmp_path / "runs.csv")
    assert same(runs)
    assert set(runs["who"]) == {"René"}
    assert reading_of(runs).of("table")


@pytest.mark.parametrize(
    ("name", "told"),
    [("empty_rows.csv", "2 "), ("decimal_commas.csv", "comma")],
)
def test_what_was_changed_is_told(name: str, told: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(FORMS[name])
    assert told in reading_of(read_runs(tmp_path / name)).line()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (
            STREAMS.assign(N=[f"{n / 1e9:.3f}B".replace(".", ",") for n in STREAMS["N"]]).to_csv(index=False),
            "0,500B",
        ),
        (
            GERMAN.replace("P;", "lr;").replace(";1;", ";0.001;"),
            "0.001",
        ),
        ("\n".join(TEXT.split()[1:]), "N,P,loss"),
        (TEXT.replace("2.04025", "2.04025,7"), " 3 "),
    ],
)
def test_what_may_be_read_twice_is_refused(text: str, says: str, tmp_path: Path) -> None:
    (tmp_path / "runs.csv").write_text(text)
    with pytest.raises(ValueError, match=r"runs\.csv: ") as told:
        read_runs(tmp_path / "runs.csv")
    assert says in str(told.value)
    assert "\n" not in str(told.value)


def test_a_bad_cell_is_told_with_its_line_whatever_lies_above(tmp_path: Path) -> None:
    path = tmp_path / "runs.csv"
    path.write_text("# a\nsep=;\nN;P;loss\n1e9;1;2.5\n;;\n2e9;2;many\n")
    with pytest.raises(ValueError, match=r"3.*6.*loss.*'many'"):
        read_runs(path)


def test_two_columns_of_one_name_stay_two(tmp_path: Path) -> None:
    path = tmp_path / "runs.csv"
    path.write_text("N, loss,loss \n1e9,2.5,9.9\n")
    assert list(read_text(path, ".csv")) == ["N", "loss", "loss"]
    assert layout_of(path, ".csv").separator == ","
