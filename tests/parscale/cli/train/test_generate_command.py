"""`parscale generate`: the text it makes, and options it refuses."""

import re

from sweeps.checkpoint.hf_config import end_tokens
from sweeps.checkpoint.released_format import load_checkpoint, save_checkpoint
from tests.sweeps.plain_checkpoint import WORDS, call, followed_by_elm, say


def test_generate_writes_the_text_it_makes(checkpoint, capsys):
    model = load_checkpoint(checkpoint)
    save_checkpoint(followed_by_elm(model), checkpoint)
    argv = ("generate", checkpoint, "--prompt", "ash elm", "--max-tokens", 3)
    assert call(*argv, "--seed", 1) == 0
    plain = capsys.readouterr().out
    assert plain.split() == ["elm"] * 3
    assert call(*argv, "--guidance", 1.0) == 0
    assert capsys.readouterr().out == plain
    assert call(*argv, "--stop", "elm") == 0
    assert capsys.readouterr().out.split() == []
    assert call(*argv, "--stop", "oak") == 2
    assert re.search(r"--stop.*'oak'", capsys.readouterr().err)
    assert call(*argv, "--top-k", 3) == 2
    assert re.search(r"--temperature.*0", capsys.readouterr().err)
    assert call(*argv, "--streams", 3) == 2
    assert re.search(r"--streams 3.*P = 1", capsys.readouterr().err)


def test_generate_ends_where_the_checkpoint_says(checkpoint, tmp_path, capsys):
    save_checkpoint(followed_by_elm(load_checkpoint(checkpoint)), checkpoint)
    argv = ("generate", checkpoint, "--prompt", "ash birch", "--max-tokens", 9)
    say(checkpoint, eos_token_id=WORDS.index("elm"))
    assert call(*argv) == 0
    assert capsys.readouterr().out.split() == []
    assert call(*argv, "--stop", "cedar") == 0
    assert capsys.readouterr().out.split() == ["elm"] * 9
    say(checkpoint, "generation_config.json", eos_token_id=[WORDS.index("cedar"), WORDS.index("elm")])
    assert call("export", checkpoint, "--out", tmp_path / "out") == 0
    assert end_tokens(tmp_path / "out") == (3, 4)
    say(checkpoint, "generation_config.json", eos_token_id=3)
    say(checkpoint, max_position_embeddings=6)
    capsys.readouterr()
    assert call(*argv) == 0
    told = capsys.readouterr()
    assert told.out.split() == ["elm"] * 4
    assert re.search(r"6.*tokens", told.err)
    assert call("import", checkpoint) == 0
    assert "6 tokens" in capsys.readouterr().out
    say(checkpoint, "generation_config.json", eos_token_id=12)
    say(checkpoint, dtype="bfloat16", torch_dtype="float32")
    assert call("import", checkpoint) == 0
    told = capsys.readouterr().out
    assert re.search(r"\b12 \(", told)
    assert re.search(r"float32 \(.*bfloat16\)", told)
    say(checkpoint, "generation_config.json", eos_token_id="elm")
    assert call(*argv) == call("import", checkpoint) == 2
