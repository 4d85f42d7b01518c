"""What the commands on checkpoints share."""

import pytest
from tokenizers import Tokenizer, models, pre_tokenizers

from sweeps.checkpoint.released_format import save_checkpoint
from sweeps.model.parscale import ParScaleLM
from tests.sweeps.plain_checkpoint import PLAIN, WORDS


@pytest.fixture
def checkpoint(tmp_path, one_thread):
    """A plain model's folder, with a tokenizer of six words."""
    tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(WORDS)}, unk_token="fir"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    return save_checkpoint(ParScaleLM(PLAIN), tmp_path / "plain", tokenizer=tmp_path / "tokenizer.json")
