"""Datasets of the hub: a folder read as one, a stream kept in shards and taken up where it broke off."""

import itertools
import json
import os
import re
import subprocess
import sys
import threading

import datasets
import pytest

import parscale
from sweeps.corpora import build as corpora
from sweeps.corpora.sources import huggingface
from tests.sweeps.corpora.sources.loopback_hub import LoopbackHub
from tests.sweeps.made_text import text_of


def test_a_dataset_folder_is_read_as_the_hub_is(cache):
    folder = cache / "dataset"
    folder.mkdir()
    rows = [{"text": text_of(i), "meta": {"pile_set_name": "ab"[i % 2]}} for i in range(200)]
    (folder / "train.jsonl").write_text("\n".join(map(json.dumps, [*rows, {"text": None, "meta": None}])))
    corpus = corpora.open_corpus(f"hf:{folder}", 300, lambda line: None)
    assert corpus.manifest["train"]["documents"] + corpus.manifest["valid"]["documents"] == 200
    assert set(corpus.manifest["valid"]["domains"]) == {"a", "b"}
    assert corpus.manifest["dropped"]["unreadable"] == 1
    before = corpus.hash
    (folder / "train.jsonl").write_text("\n".join(map(json.dumps, rows[:150])))
    assert corpora.open_corpus(f"hf:{folder}", 300, lambda line: None).hash != before


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """A dataset of 400 rows under the name some/thing, whose stream breaks off after `breaks[0]` rows."""
    folder = tmp_path / "of-the-hub"
    folder.mkdir()
    rows = [{"text": f"row {i} " * 20, "meta": None} for i in range(400)]
    (folder / "train.jsonl").write_text("\n".join(map(json.dumps, rows)))
    stream_of = datasets.load_dataset
    breaks: list[int] = []

    class Breaking:
        """A stream that ends with an error."""

        def __init__(self, stream, after):
            self.stream, self.after, self.features = stream, after, stream.features
            self.load_state_dict, self.state_dict = stream.load_state_dict, stream.state_dict

        def __iter__(self):
            yield from itertools.islice(self.stream, self.after)
            raise ConnectionError("the connection was reset")

    def load(path, configuration, split, streaming):
        assert (path, configuration, split) == ("some/thing", None, "train")
        stream = stream_of(str(folder), split=split, streaming=streaming)
        return Breaking(stream, breaks.pop(0)) if breaks else stream

    monkeypatch.setattr(datasets, "load_dataset", load)
    monkeypatch.setattr(huggingface, "RETRIES_S", (0.0, 0.0))
    monkeypatch.setattr(huggingface, "SHARD", 5_000)
    return breaks


def texts(source, folder):
    return [document.text for document in source.documents(folder)]


def test_a_stream_that_breaks_off_goes_on_where_it_was(hub, tmp_path):
    said = []
    source = huggingface.HubDataset("some/thing", say=said.append)
    hub += [150, 0, 33]  # breaks, breaks before a row has come, breaks again
    found = texts(source, tmp_path)
    assert found == [f"row {i} " * 20 for i in range(400)]
    assert sum("the connection was reset" in line for line in said) == 3
    hub += [0]  # nothing is asked of the hub any more
    assert texts(source, tmp_path) == found


def test_a_stream_that_stays_broken_is_named_and_what_came_is_kept(hub, tmp_path):
    hub += [250, 0, 0, 0]
    source = huggingface.HubDataset("some/thing")
    with pytest.raises(OSError, match="250"):
        texts(source, tmp_path)
    hub.clear()
    assert texts(source, tmp_path) == [f"row {i} " * 20 for i in range(400)]


def test_a_stream_is_read_to_its_end_or_as_far_as_is_asked(hub, tmp_path):
    whole = texts(huggingface.HubDataset("some/thing"), tmp_path)
    some = texts(huggingface.HubDataset("some/thing", most=950), tmp_path)
    assert len(whole) == 400
    assert some == whole[: len(some)]
    assert 0 <= sum(map(len, some)) - 950 < len(some[-1])


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ({"body": "x"}, "body.*#column=NAME"),
        ({"text": ["x", "y"]}, "`text`.*List"),
        ({"text": 3}, "int64"),
    ],
)
def test_a_column_that_is_no_text_is_named(tmp_path, rows, said):
    (tmp_path / "train.jsonl").write_text(json.dumps(rows))
    with pytest.raises(ValueError, match=said):
        texts(huggingface.HubDataset(str(tmp_path)), tmp_path)


def test_a_dataset_that_cannot_be_reached_is_one_line(cache, monkeypatch, capsys):
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    assert parscale.main(["corpus", "hf:nobody/nothing"]) == 2
    said = capsys.readouterr().err.splitlines()[-1]
    assert re.match("parscale corpus: .*hf:nobody/nothing", said)
    assert said.endswith("files:GLOB")


@pytest.mark.slow
def test_a_dataset_comes_over_http_and_the_same_command_goes_on_where_the_hub_went_away(cache):
    rows = [json.dumps({"text": text_of(i)}) for i in range(200)]
    files = {"train-0.jsonl": "\n".join(rows[:120]).encode(), "train-1.jsonl": "\n".join(rows[120:]).encode()}
    program = "import sys, time; time.sleep = lambda s: None; import parscale; sys.exit(parscale.main())"
    command = [sys.executable, "-c", program, "corpus", "hf:some/thing", "--vocab", "300", "--json"]
    with LoopbackHub("some/thing", files) as hub:
        threading.Thread(target=hub.serve_forever, daemon=True).start()
        settings = os.environ | hub.settings | {"HF_HOME": str(cache / "hf")}
        hub.cut["train-1.jsonl"] = 5_000
        broken = subprocess.run(command, env=settings, capture_output=True, text=True)
        hub.cut.clear()
        again = subprocess.run(command, env=settings, capture_output=True, text=True)
        hub.shutdown()
    assert broken.returncode == 1
    assert "120" in broken.stderr
    assert broken.stderr.count("trying again") == len(huggingface.RETRIES_S)
    assert again.returncode == 0, again.stderr

    (folder := cache / "thing").mkdir()
    for name, raw in files.items():
        (folder / name).write_bytes(raw)
    local = corpora.open_corpus(f"hf:{folder}", 300, lambda line: None)
    streamed = json.loads(again.stdout)
    assert streamed["sha256"] == local.manifest["sha256"]
    assert streamed["train"]["documents"] + streamed["valid"]["documents"] == 200
