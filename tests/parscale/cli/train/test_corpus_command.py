"""`parscale corpus`: what it says of a corpus, within a terminal's width, and of what it could not read."""

import json
import re
from pathlib import Path

import pytest

import parscale
from sweeps.corpora import documents, tokens


def text_of(number):
    return "\n".join(f"line {i} of text {number}: {number * i} and {number + 3 * i} words" for i in range(30))


@pytest.fixture
def pattern(tmp_path, monkeypatch):
    """Files of 14 domains, two of them the same, one not UTF-8."""
    monkeypatch.setenv("PARSCALE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("COLUMNS", "80")
    for number in range(140):
        folder = tmp_path / "texts" / f"d{number % 14:02}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{number}.txt").write_text(text_of(number))
    (tmp_path / "texts/d00/again.txt").write_text(text_of(0))
    (tmp_path / "texts/d00/latin.txt").write_bytes(b"caf\xe9 \xff\xfe")
    return f"files:{tmp_path}/texts/*/*.txt"


def table_of(out, title):
    """{first cell: the others} of the table under a title."""
    _, _, _, *rows = out[out.index(title) :].split("\n\n")[0].splitlines()
    split = [line.rsplit(maxsplit=4) for line in rows]
    return {name.strip(): [float(cell.replace(",", "")) for cell in cells] for name, *cells in split}


def test_a_corpus_is_described_within_a_terminals_width(pattern, capsys):
    assert parscale.main(["corpus", pattern, "--vocab", "300", "--json"]) == 0
    manifest = json.loads(capsys.readouterr().out)
    assert parscale.main(["corpus", pattern, "--vocab", "300"]) == 0
    out, err = capsys.readouterr()
    assert not err  # it is in the cache
    parts = table_of(out, "tokenizer bpe, vocabulary 300")
    for name, part in (("training", "train"), ("validation", "valid")):
        of = manifest[part]
        each = round(of["bytes"] / of["tokens"], 2)
        assert parts[name] == [of["documents"], of["bytes"], of["tokens"], each]
    assert parts["training"][0] + parts["validation"][0] == 140
    domains = table_of(out, "14 domains")
    assert len(domains) == 13
    assert domains["d13"][0] == 10
    assert domains["2 more"][0] == 20
    assert sum(row[1] for row in domains.values()) == parts["training"][1] + parts["validation"][1]
    told = out.splitlines()
    assert re.search("duplicates 1.*unreadable 1", out)
    assert re.search(r"documents.*140", out)
    (unreadable,) = [line for line in told if line.startswith("unreadable: ")]
    assert unreadable.split(": ")[1] == pattern.removeprefix("files:").replace("*/*", "d00/latin")
    assert re.search(r"UTF-8.*\b3\b", unreadable)
    assert told[-2] == "source files, files 142"
    assert max(len(line) for line in told if "/" not in line) <= 80


def test_the_same_corpus_by_a_tokenizer_has_its_size(pattern, capsys, tmp_path):
    assert parscale.main(["corpus", pattern, "--vocab", "300", "--json"]) == 0
    capsys.readouterr()
    (file,) = (tmp_path / "cache/corpora").glob("*/tokenizer.json")
    assert parscale.main(["corpus", pattern, "--tokenizer", str(file)]) == 0
    out = capsys.readouterr().out
    assert "vocabulary 300" not in out
    assert f"vocabulary {tokens.entries(file)}" in " ".join(out.split())


def test_a_file_that_the_system_refuses_is_skipped_counted_and_listed(pattern, capsys, monkeypatch):
    opened = Path.open

    def refuse(self, *given, **named):
        if self.name == "7.txt":
            raise PermissionError(13, "Permission denied", str(self))
        return opened(self, *given, **named)

    monkeypatch.setattr(Path, "open", refuse)
    assert parscale.main(["corpus", pattern, "--vocab", "300"]) == 0
    out = capsys.readouterr().out
    assert re.search("duplicates 1.*unreadable 2", out)
    assert "d07/7.txt: [Errno 13]" in out
    monkeypatch.undo()
    monkeypatch.setenv("PARSCALE_CACHE", str(Path(out.rstrip().rpartition(" in ")[2]).parents[1]))
    assert parscale.main(["corpus", pattern, "--vocab", "300"]) == 0  # readable again: another corpus
    assert re.search("duplicates 1.*unreadable 1", capsys.readouterr().out)


def test_a_list_of_unreadable_documents_that_ends_says_how_many_more(pattern, capsys, monkeypatch, tmp_path):
    rows = [json.dumps({"text": text_of(i)}) for i in range(150)]
    (tmp_path / "d.jsonl").write_text("\n".join([*rows, *["{not json"] * 1012]))
    command = ["corpus", f"files:{tmp_path}/d.jsonl", "--vocab", "300"]
    assert parscale.main(command) == 2
    refused = capsys.readouterr().err
    assert re.search(r"1,012.*1,162.*unreadable.*1,012", refused)
    assert f"{tmp_path}/d.jsonl:151: " in refused
    assert parscale.main([*command, "--drop-many"]) == 0
    told = capsys.readouterr().out.splitlines()
    assert "dropped: unreadable 1,012" in told
    assert len([line for line in told if line.startswith("unreadable: ")]) == documents.LISTED + 1
    assert any("1,004" in line and "--json" in line for line in told)


@pytest.mark.parametrize("name", ["stack-v2-python", "pile"])
def test_the_papers_corpora_are_refused_with_what_to_name_instead(capsys, tmp_path, name):
    out = str(tmp_path / "out")
    assert parscale.main(["sweep", "paper", "--corpora", name, "--sizes", "0.5B", "--out", out]) == 2
    *_, said = capsys.readouterr().err.splitlines()
    assert re.match(rf"parscale sweep: corpus {name}\b.*--corpora hf:NAME.*--corpora 'files:GLOB'", said)
    assert not Path(out).exists()
