"""A tiny plain model, the words its tokenizer knows, and commands called on it."""

import json

import torch

import parscale
from sweeps.config.model import ModelConfig

PLAIN = ModelConfig(vocab=12, width=32, ffn=96, layers=2, heads=2, kv_heads=1, prefix_tokens=4)
WORDS = ("<|endoftext|>", "ash", "birch", "cedar", "elm", "fir")


def call(*argv):
    return parscale.main([str(word) for word in argv])


def followed_by_elm(model):
    """The model changed so that every token is followed by elm."""
    with torch.no_grad():
        model.model.norm.weight.zero_()
        model.model.norm.weight[0] = 1.0
        model.model.embed_tokens.weight.fill_(1.0)
        model.model.embed_tokens.weight[:, 0] = 0.0
        model.model.embed_tokens.weight[WORDS.index("elm"), 0] = 9.0
    return model


def say(folder, file="config.json", **changes):
    """Change what a JSON file of a checkpoint says."""
    path = folder / file
    path.write_text(json.dumps((json.loads(path.read_text()) if path.exists() else {}) | changes))
