"""A table with other names is drawn, reported and explored by the options that it is fitted with."""

import pytest

import parscale

ASKED = ("--columns", "N=how_big", "--where", "corpus=pile")


def run(*argv: str, capsys) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of a command."""
    code = parscale.main([*argv])
    return code, *capsys.readouterr()


@pytest.fixture
def mine(losses, tmp_path) -> str:
    """The paper's losses with N under another name."""
    losses.rename(columns={"N": "how_big"}).to_csv(tmp_path / "mine.csv", index=False)
    return str(tmp_path / "mine.csv")


@pytest.mark.parametrize("command", ["figures", "report", "explore", "gains"])
def test_what_is_recommended_can_be_done(command, mine, capsys):
    code, _, err = run(command, mine, capsys=capsys)
    assert code == 2
    assert "--columns N=COLUMN" in err
    args = parscale.build_parser().parse_args([command, mine, *ASKED])
    assert (args.columns, args.where) == ("N=how_big", "corpus=pile")


@pytest.mark.slow
def test_the_rows_asked_for_are_drawn_and_explored(mine, tmp_path, capsys):
    out, page = str(tmp_path / "out"), tmp_path / "page.html"
    assert run("figures", mine, "--only", "fig2", *ASKED, "--out", out, capsys=capsys)[0] == 0
    how = ("--objective", "least-squares", "--no-open", "--out", str(page))  # whose k is .3343, Huber's .3344
    assert run("explore", mine, *ASKED, *how, capsys=capsys)[0] == 0
    assert "The Pile" in page.read_text()
    assert "Stack-V2" not in page.read_text()
    assert "k = 0.3343" in page.read_text().replace("\u00a0", " ")
    code, told, _ = run("gains", mine, *ASKED, capsys=capsys)
    assert code == 0
    assert "stack" not in told
    code, _, err = run("figures", "--where", "corpus=pile", "--out", out, capsys=capsys)
    assert (code, "--where" in err) == (2, True)
