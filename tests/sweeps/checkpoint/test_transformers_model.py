"""Exports opened by transformers and run by the evaluation harness, compared with the model itself."""

import importlib
import json
import random
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer, models, pre_tokenizers

from sweeps.checkpoint.export import export_model
from sweeps.checkpoint.released_format import load_checkpoint, save_checkpoint
from sweeps.config.model import ModelConfig
from sweeps.corpora.tokens import train_tokenizer
from sweeps.inspect.generate import generate
from sweeps.model.parscale import ParScaleLM
from tests.sweeps.plain_checkpoint import WORDS

transformers = pytest.importorskip("transformers")
FIXTURES = Path(__file__).parents[2] / "fixtures"
TINY = ModelConfig(
    vocab=61, width=32, ffn=48, layers=2, heads=4, kv_heads=2, prefix_tokens=5, init_std=0.4, rope_base=5e4,
    norm_eps=1e-5, context=64,
)  # fmt: skip
QWEN3 = {"qk_norm": True, "qkv_bias": False}
MODELS = {
    "plain": {},
    "three streams": {"P": 3, "head_dim": 10, "smoothing": 0.03},
    "eight streams": {"P": 8, "tied_embeddings": False, **QWEN3},
    "a prefix alone": {"prefix_at_one": True},
    "experts": {"experts": 4},
    "experts of Qwen3": {"experts": 4, **QWEN3},
    "experts, three streams": {"P": 3, "experts": 4},
    "two loops": {"layers": 4, "loops": 2},
    "two loops of three streams": {"layers": 3, "loops": 2, "loop_layers": 2, "P": 3},
}
NO_CODE = ("plain", "experts of Qwen3")  # types that transformers has itself
PROMPTS = [[5, 9, 2, 40], [7], [1, 2, 3, 4, 5, 6, 7, 8, 9]]
NEW = 10
GREEDY = {"max_new_tokens": NEW, "do_sample": False, "pad_token_id": 0, "eos_token_id": None}


@pytest.fixture(autouse=True)
def _apart(monkeypatch, tmp_path, one_thread):
    """Nothing is fetched, and code of exports is copied nowhere else."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr("transformers.dynamic_module_utils.HF_MODULES_CACHE", str(tmp_path / "modules"))
    monkeypatch.syspath_prepend(tmp_path / "modules")


def drawn(**changes):
    """A model with every parameter away from its default."""
    model = ParScaleLM(replace(TINY, **changes)).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.02)
    return model


def opened(model, folder, code=True):
    out = export_model(model, folder / "none", folder / "out")
    return transformers.AutoModelForCausalLM.from_pretrained(out, trust_remote_code=code).eval()


def padded():
    """PROMPTS with zeros on the left, and their mask."""
    longest = max(map(len, PROMPTS))
    rows = [[0] * (longest - len(prompt)) + prompt for prompt in PROMPTS]
    mask = [[0] * (longest - len(prompt)) + [1] * len(prompt) for prompt in PROMPTS]
    return torch.tensor(rows), torch.tensor(mask)


@pytest.mark.parametrize("name", MODELS)
@torch.no_grad()
def test_logits_and_greedy_text_are_ours(name, tmp_path):
    ours = drawn(**MODELS[name])
    theirs = opened(ours, tmp_path, code=name not in NO_CODE)
    assert type(theirs).__module__.startswith("transformers.models") == (name in NO_CODE)
    ids, mask = padded()
    positions = (mask.cumsum(dim=1) - 1).clamp_min(0)
    logits = theirs(ids, attention_mask=mask, position_ids=positions).logits
    torch.testing.assert_close(logits[mask.bool()], ours(ids, mask)[mask.bool()], atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(theirs(ids).logits, ours(ids), atol=1e-5, rtol=1e-5)
    made = [
        theirs.generate(ids, attention_mask=mask, use_cache=cached, **GREEDY)[:, ids.shape[1] :].tolist()
        for cached in (True, False)
    ]
    assert made == [generate(ours, PROMPTS, NEW)] * 2


@torch.no_grad()
def test_loops_are_chosen_when_an_export_is_opened(tmp_path):
    ours, (ids, mask) = drawn(layers=3, loops=2), padded()
    out = export_model(ours, tmp_path / "none", tmp_path / "out")
    theirs = transformers.AutoModelForCausalLM.from_pretrained(out, trust_remote_code=True, parscale_loops=4)
    made = theirs.eval().generate(ids, attention_mask=mask, **GREEDY)[:, ids.shape[1] :].tolist()
    assert made == generate(ours.set_loops(4), PROMPTS, NEW)


@torch.no_grad()
def test_the_released_implementation_s_numbers_come_out_of_an_export(tmp_path):
    folder = FIXTURES / "official_p4"
    expected = load_file(folder / "expected.safetensors")
    theirs = opened(load_checkpoint(folder), tmp_path)
    prompt, greedy = expected["input_ids"][:1], expected["greedy_ids"]
    assert (theirs(expected["input_ids"]).logits - expected["logits"]).abs().max() < 1e-4
    new = greedy.shape[1] - prompt.shape[1]
    mask = torch.ones_like(prompt)  # a 0 in it is a token like any other
    made = theirs.generate(prompt, attention_mask=mask, **{**GREEDY, "max_new_tokens": new})
    assert torch.equal(made, greedy[:1])


@torch.no_grad()
def test_streams_in_transformers_cache(tmp_path):
    ours = drawn(P=3)
    theirs = opened(ours, tmp_path)
    ids, mask = padded()
    whole = theirs(ids, attention_mask=mask, use_cache=False)
    assert theirs(ids, use_cache=False)[1:] == ()  # no cache was asked for
    first = theirs(ids[:, :4], attention_mask=mask[:, :4])
    name = "cache" if "cache" in first else "past_key_values"
    then = theirs(ids[:, 4:], attention_mask=mask, **{name: first[name]})
    torch.testing.assert_close(then.logits, whole.logits[:, 4:], atol=1e-5, rtol=1e-5)
    with pytest.raises(ValueError, match=r"\b9\b"):
        theirs(ids[:, :1], attention_mask=mask[:, :1], **{name: then[name]})
    beams = [
        theirs.generate(ids, attention_mask=mask, num_beams=3, use_cache=cached, **GREEDY)
        for cached in (True, False)
    ]
    assert torch.equal(*beams)  # the cache was sorted with the beams
    with pytest.raises(ValueError, match="cache_implementation"):
        theirs.generate(ids, cache_implementation="static", **GREEDY)
    with pytest.raises(ValueError, match="hidden states"):
        theirs(ids, output_hidden_states=True)


@pytest.mark.filterwarnings("ignore:.*gradient_checkpointing_enable:FutureWarning")  # its name until 5.22
def test_a_model_trained_and_saved_there_comes_back(tmp_path):
    ours = drawn(P=3)
    theirs = opened(ours, tmp_path).train()
    ids, _ = padded()
    gradients = []
    for checkpointing in (False, True):
        theirs.zero_grad()
        if checkpointing:
            theirs.gradient_checkpointing_enable()
        assert theirs.gradient_checkpointing == checkpointing
        loss = theirs(ids, labels=ids, use_cache=True).loss
        torch.testing.assert_close(loss, ours.loss(ids[:, :-1], ids[:, 1:]))
        loss.backward()
        gradients.append(theirs.model.layers[0].self_attn.prefix_k.grad.clone())
    torch.testing.assert_close(*gradients)
    with torch.no_grad():
        theirs.model.layers[1].self_attn.prefix_v.mul_(2)
    theirs.save_pretrained(tmp_path / "back")
    back = load_checkpoint(tmp_path / "back")
    torch.testing.assert_close(back(ids), theirs.eval()(ids).logits, atol=1e-5, rtol=1e-5)
    fresh = transformers.AutoModelForCausalLM.from_config(theirs.config, trust_remote_code=True)
    stds = [parameter.std().item() for parameter in fresh.parameters() if parameter.dim() > 1]
    assert min(stds) == pytest.approx(max(stds), rel=0.5)  # nothing is left as memory was


def test_the_tokenizer_is_the_runs(tmp_path):
    text = "für çok 漢字 ash ash birch, 12 elms\n\n  fir's "
    ours = train_tokenizer([text * 3], 270)
    ours.save(str(tmp_path / "tokenizer.json"))
    source = save_checkpoint(drawn(vocab=270), tmp_path / "run", tokenizer=tmp_path / "tokenizer.json")
    theirs = transformers.AutoTokenizer.from_pretrained(
        export_model(load_checkpoint(source), source, tmp_path / "out")
    )
    assert theirs(text)["input_ids"] == ours.encode(text).ids
    assert theirs.decode(ours.encode(text).ids) == text
    assert (theirs.eos_token_id, theirs.pad_token_id, theirs.model_max_length) == (0, 0, 64)
    assert theirs(["ash", "ash ash"], padding=True)["attention_mask"][0][0] == 0  # padded on the left


def tasks(folder):
    """Twenty questions with three answers each, as a local task of the harness. Returns the questions."""
    generator = random.Random(0)
    questions = [
        {"text": " ".join(generator.choices(WORDS[1:], k=5)), "answers": generator.sample(WORDS[1:], 3)}
        | {"right": generator.randrange(3)}
        for _ in range(20)
    ]
    (folder / "trees.jsonl").write_text("\n".join(map(json.dumps, questions)))
    task = {
        "task": "trees",
        "dataset_path": "json",
        "dataset_kwargs": {
            "data_files": {"test": str(folder / "trees.jsonl")},
            "cache_dir": str(folder / "cache"),
        },
        "test_split": "test",
        "output_type": "multiple_choice",
        "doc_to_text": "{{text}}",
        "doc_to_choice": "{{answers}}",
        "doc_to_target": "right",
        "metric_list": [{"metric": "acc", "aggregation": "mean", "higher_is_better": True}],
    }
    (folder / "trees.yaml").write_text(json.dumps(task))  # JSON is YAML
    return questions


@pytest.mark.filterwarnings("ignore")
@torch.no_grad()
def test_the_evaluation_harness_scores_it_as_we_do(tmp_path):
    harness = pytest.importorskip("lm_eval", reason="pip install -c constraints.txt -e '.[eval]'")
    words = Tokenizer(models.WordLevel({word: i for i, word in enumerate(WORDS)}, unk_token="fir"))
    words.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    words.save(str(tmp_path / "tokenizer.json"))
    model = drawn(P=3, vocab=len(WORDS))
    source = save_checkpoint(model, tmp_path / "run", tokenizer=tmp_path / "tokenizer.json")
    questions, out = tasks(tmp_path), export_model(model, source, tmp_path / "out")
    found = harness.simple_evaluate(
        model="hf",
        model_args={"pretrained": str(out), "trust_remote_code": True},
        tasks=["trees"],
        task_manager=importlib.import_module("lm_eval.tasks").TaskManager(
            include_path=str(tmp_path), include_defaults=False
        ),
        device="cpu",
        batch_size=4,
        bootstrap_iters=0,
    )
    right = 0
    for sample, question in zip(found["samples"]["trees"], questions, strict=True):
        logits = model(torch.tensor([words.encode(question["text"]).ids]))[0, -1].log_softmax(dim=-1)
        own = [logits[words.token_to_id(answer)].item() for answer in question["answers"]]
        assert [float(one[0][0]) for one in sample["resps"]] == pytest.approx(own, abs=1e-5)
        right += own.index(max(own)) == question["right"]
    assert found["results"]["trees"]["acc,none"] == pytest.approx(right / len(questions))
