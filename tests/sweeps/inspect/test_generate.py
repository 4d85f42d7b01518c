"""Generation: the cache changes nothing, padding changes nothing, sampling does what it says."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from sweeps.checkpoint import released_format
from sweeps.checkpoint.hf_config import CheckpointError
from sweeps.config.model import ModelConfig
from sweeps.inspect.generate import (
    Guided,
    PromptError,
    Sampling,
    encode_prompt,
    ends_of_text,
    generate,
    left_pad,
    load_tokenizer,
    stream,
    stream_text,
)
from sweeps.model.parscale import ParScaleLM

FIXTURES = Path(__file__).parents[2] / "fixtures"
TINY = ModelConfig(vocab=61, width=24, ffn=40, layers=2, heads=4, kv_heads=2, prefix_tokens=5, init_std=0.4)
PROMPTS = [[5, 9, 2, 40], [7], [1, 2, 3, 4, 5, 6, 7, 8, 9]]
pytestmark = pytest.mark.usefixtures("one_thread")


def tiny(P):
    return ParScaleLM(replace(TINY, P=P)).eval()


@torch.no_grad()
def greedy_without_cache(model, prompt, steps):
    ids = torch.tensor([prompt])
    for _ in range(steps):
        ids = torch.cat([ids, model(ids)[:, -1:].argmax(dim=-1)], dim=1)
    return ids[0, len(prompt) :].tolist()


@pytest.mark.parametrize("P", [1, 2, 4])
def test_published_greedy_continuation(P):
    folder = FIXTURES / f"official_p{P}"
    model, expected = released_format.load_checkpoint(folder), load_file(folder / "expected.safetensors")
    prompt = expected["input_ids"][0].tolist()
    wanted = expected["greedy_ids"][0, len(prompt) :].tolist()
    assert generate(model, [prompt], len(wanted)) == [wanted]
    assert greedy_without_cache(model, prompt, len(wanted)) == wanted


@pytest.mark.parametrize("P", [1, 3, 6])
def test_batch_of_unequal_prompts(P):
    model = tiny(P)
    together = generate(model, PROMPTS, 12)
    assert together == [greedy_without_cache(model, prompt, 12) for prompt in PROMPTS]


@pytest.mark.parametrize("P", [1, 3])
def test_chunked_prefill_gives_the_same_logits(P):
    model, ids = tiny(P), torch.randint(61, (2, 11))
    mask = torch.ones(2, 11, dtype=torch.bool)
    mask[1, :3] = False
    cache = model.new_cache(2, 11)
    parts = [model(ids[:, a:b], mask[:, a:b], cache) for a, b in ((0, 4), (4, 5), (5, 11))]
    whole = model(ids, mask)
    assert cache.length == 11
    torch.testing.assert_close(torch.cat(parts, dim=1)[mask], whole[mask], atol=2e-4, rtol=1e-4)


def test_padding_that_comes_late():
    model, ids = tiny(2), torch.randint(61, (2, 6))
    mask = torch.tensor([[1, 1, 1, 0, 1, 1], [1, 1, 1, 1, 1, 1]]).bool()
    cache = model.new_cache(2, 6)
    model(ids[:, :3], None, cache)
    late = model(ids[:, 3:], mask[:, 3:], cache)
    torch.testing.assert_close(late[mask[:, 3:]], model(ids, mask)[:, 3:][mask[:, 3:]], atol=2e-4, rtol=1e-4)


def test_stop_tokens_end_one_prompt_and_not_the_others():
    model = tiny(2)
    free = generate(model, PROMPTS, 8)
    stop = free[0][2]
    ended = generate(model, PROMPTS, 8, stop=[stop])
    for got, all_of_it in zip(ended, free, strict=True):
        cut = all_of_it.index(stop) + 1 if stop in all_of_it else 8
        assert got == all_of_it[:cut]


def test_streaming_gives_one_step_at_a_time():
    steps = stream(tiny(1), PROMPTS, 3)
    assert len(next(steps)) == 3
    assert len(list(steps)) == 2


def test_seeds():
    model, hot = tiny(2), Sampling(temperature=2.0, seed=3)
    first = generate(model, PROMPTS, 10, hot)
    assert first == generate(model, PROMPTS, 10, hot)
    assert first != generate(model, PROMPTS, 10, replace(hot, seed=4))


def test_sampling_frequencies():
    logits = torch.log(torch.tensor([[0.5, 0.3, 0.15, 0.05]])).repeat(20_000, 1)
    device = torch.device("cpu")

    def frequencies(**kwargs):
        drawn = Sampling(temperature=1.0, seed=1, **kwargs).chooser(device)(logits)
        return torch.bincount(drawn, minlength=4) / len(drawn)

    close = {"atol": 0.015, "rtol": 0}
    torch.testing.assert_close(frequencies(), torch.tensor([0.5, 0.3, 0.15, 0.05]), **close)
    torch.testing.assert_close(frequencies(top_k=2), torch.tensor([0.625, 0.375, 0, 0]), **close)
    torch.testing.assert_close(frequencies(top_p=0.7), torch.tensor([0.625, 0.375, 0, 0]), **close)
    torch.testing.assert_close(frequencies(top_p=0.45), torch.tensor([1.0, 0, 0, 0]), **close)
    assert Sampling(temperature=0.5).chooser(device)(logits[:5]).shape == (5,)


def test_guidance_weight_one_is_the_model_itself():
    model = tiny(2)
    plain = generate(model, PROMPTS, 8)
    assert generate(model, PROMPTS, 8, decoder=Guided(model, weight=1.0)) == plain
    assert generate(model, PROMPTS, 8, decoder=Guided(model, weight=4.0)) != plain


def test_guidance_is_the_weighted_sum():
    model, prompt = tiny(1), [4, 8, 15, 16]
    mixed = Guided(model, weight=1.7, keep=2).prefill(torch.tensor([prompt]), None, 5)
    full = model(torch.tensor([prompt]))[:, -1].log_softmax(-1)
    degraded = model(torch.tensor([prompt[2:]]))[:, -1].log_softmax(-1)
    torch.testing.assert_close(mixed, 1.7 * full - 0.7 * degraded)


def byte_tokenizer(folder):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    tokenizer.train_from_iterator([], trainers.BpeTrainer(initial_alphabet=alphabet, show_progress=False))
    tokenizer.save(str(folder / "tokenizer.json"))
    return load_tokenizer(folder)


def test_text_comes_in_whole_characters(tmp_path):
    tokenizer = byte_tokenizer(tmp_path)
    model = ParScaleLM(replace(TINY, vocab=256, P=2)).eval()
    pieces = list(stream_text(model, tokenizer, "añ", 30, Sampling(temperature=1.5)))
    tokens = generate(model, [tokenizer.encode("añ").ids], 30, Sampling(temperature=1.5))
    assert "".join(pieces) == tokenizer.decode(tokens[0])


def test_the_model_s_context_bounds_each_prompt():
    free = tiny(2)
    bounded = ParScaleLM(replace(TINY, P=2, context=16)).eval()
    bounded.load_state_dict(free.state_dict())
    whole = generate(free, PROMPTS, 20)
    made = generate(bounded, PROMPTS, 20)
    assert [len(row) for row in made] == [12, 15, 7]
    assert made == [row[: len(short)] for row, short in zip(whole, made, strict=True)]
    assert generate(bounded, PROMPTS, 7) == [row[:7] for row in whole]


@pytest.mark.parametrize(
    ("most", "stop", "ended", "tokens"), [(5, "", "length", 5), (90, "", "context", 13), (90, "x", "stop", 0)]
)
def test_what_ended_a_text(tmp_path, most, stop, ended, tokens):
    tokenizer = byte_tokenizer(tmp_path)
    model = ParScaleLM(replace(TINY, vocab=256, context=16, init_std=0.02)).eval()
    with torch.no_grad():  # so that every token is followed by x
        model.model.norm.weight.zero_()[0] = 1.0
        model.model.embed_tokens.weight.fill_(1.0)
        model.model.embed_tokens.weight[tokenizer.token_to_id("x"), 0] = 9.0
    pieces = stream_text(model, tokenizer, "abc", most, stop=[tokenizer.token_to_id(c) for c in stop])
    text, end = "", ""
    while not end:
        try:
            text += next(pieces)
        except StopIteration as last:
            end = last.value
    assert (text, end) == ("x" * tokens, ended)


@pytest.mark.parametrize("sampling", [Sampling(), Sampling(temperature=1.0)])
def test_logits_that_are_not_finite_are_no_choice(sampling):
    model = tiny(1)
    model.model.norm.weight.data *= 3e38
    with pytest.raises(CheckpointError, match="float32"):
        generate(model, [[3, 4]], 2, sampling)


@pytest.mark.parametrize(("config", "ends"), [({"eos_token_id": [3, 4]}, [3, 4]), ({}, [256])])
def test_a_text_ends_where_the_checkpoint_says_or_our_corpora_do(tmp_path, config, ends):
    tokenizer = byte_tokenizer(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert ends_of_text(tmp_path, tokenizer) == config.get("eos_token_id", [])
    tokenizer.add_special_tokens(["<|endoftext|>"])
    assert ends_of_text(tmp_path, tokenizer) == ends


def test_the_tokenizer_of_another_model(tmp_path):
    tokenizer = byte_tokenizer(tmp_path)
    with pytest.raises(PromptError, match=r"256.*200"):
        load_tokenizer(tmp_path, 200)
    tokenizer.add_special_tokens(["<pad>"])
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    assert (
        load_tokenizer(tmp_path, 256).get_vocab_size() == 257
    )  # a token of its own is not one of the prompt's
    assert len(encode_prompt(tokenizer, "abc", 256)) == 3
    with pytest.raises(PromptError, match=r"'<pad>'.*256.*256"):
        encode_prompt(tokenizer, "abc<pad>", 256)


def test_a_prompt_is_not_cut_or_filled_up_as_a_tokenizer_may_say(tmp_path):
    tokenizer = byte_tokenizer(tmp_path)
    tokenizer.enable_truncation(3)
    tokenizer.enable_padding(length=9)
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    assert len(encode_prompt(load_tokenizer(tmp_path), "abcdef", 256)) == 6


def test_left_pad():
    ids, mask = left_pad([[3, 4], [5]], 6, torch.device("cpu"))
    assert ids.tolist() == [[3, 4], [0, 5]]
    assert mask.tolist() == [[True, True], [False, True]]
    assert left_pad([[3], [5]], 6, torch.device("cpu"))[1] is None


def test_wrong_prompts(tmp_path):
    model = ParScaleLM(replace(TINY, context=16))
    with pytest.raises(PromptError, match="prompt"):
        generate(model, [[3], []], 4)
    with pytest.raises(PromptError, match=r"16.*context.*16"):
        generate(model, [[3], [4] * 16], 8)
    with pytest.raises(ValueError, match=r"61.*0\.\.60"):
        generate(model, [[61]], 4)
    with pytest.raises(PromptError, match=r"max_new_tokens.*1"):
        generate(model, PROMPTS, 0)
    with pytest.raises(PromptError, match=r"tokenizer.json"):
        load_tokenizer(tmp_path)
    (tmp_path / "tokenizer.json").write_text('{"half')
    with pytest.raises(ValueError, match=r"tokenizer.json"):
        load_tokenizer(tmp_path)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [({"temperature": -1}, "temperature"), ({"top_k": -1}, "top_k"), ({"top_p": 0.0}, "top_p")],
)
def test_wrong_sampling(wrong, message):
    with pytest.raises(PromptError, match=message):
        Sampling(**wrong)


def test_unknown_tokens_are_named_before_they_reach_a_device():
    with pytest.raises(ValueError, match=r"7.*0\.\.5"):
        left_pad([[3], [7]], 6, torch.device("meta"))
