"""Our models answering the harness's requests."""

from types import SimpleNamespace

import pytest
import torch
from tokenizers import Tokenizer

from sweeps.config.model import ModelConfig
from sweeps.corpora.tasks.alphabet import SIZE, codes_of, write_tokenizer
from sweeps.inspect.generate import generate
from sweeps.model.parscale import ParScaleLM

pytest.importorskip("lm_eval", reason="pip install -c constraints.txt -e '.[eval]'")


@pytest.mark.filterwarnings("ignore")
@torch.no_grad()
def test_every_kind_of_request_is_answered_as_the_model_says(one_thread, tmp_path):
    from sweeps.inspect.harness_model import HarnessModel

    write_tokenizer(tmp_path / "tokenizer.json")
    config = ModelConfig(SIZE, 32, 48, 3, 4, 2, P=2, prefix_tokens=3, init_std=0.4, loops=2, context=12)
    model = ParScaleLM(config).eval()
    harness = HarnessModel(model, Tokenizer.from_file(str(tmp_path / "tokenizer.json")))

    def asked(*args):
        return SimpleNamespace(args=args)

    pairs = [("ab=", "ab\n"), ("x+y+z=", "q"), ("", "ab")]
    for (context, told), (found, greedy) in zip(
        pairs, harness.loglikelihood([asked(*p) for p in pairs]), strict=True
    ):
        prompt = codes_of(context).tolist() or [0]
        ids = torch.tensor([[*prompt, *codes_of(told).tolist()]])
        own = model(ids[:, :-1]).log_softmax(dim=-1)[0].gather(1, ids[0, 1:, None])[len(prompt) - 1 :]
        assert found == pytest.approx(float(own.sum()), abs=1e-5)
        assert greedy == (generate(model, [prompt], len(told))[0] == codes_of(told).tolist())
    text = "abcdefghijklmnop"
    first, then = torch.tensor([[0, *codes_of(text[:12])]]), torch.tensor([codes_of(text[3:])])
    sums = [  # 12 tokens behind none, then the other 4 behind as many as the context holds
        float(model(ids[:, :-1]).log_softmax(-1)[0].gather(1, ids[0, 1:, None])[-last:].sum())
        for ids, last in ((first, 12), (then, 4))
    ]
    assert harness.loglikelihood_rolling([asked(text)]) == pytest.approx([sum(sums)], abs=1e-4)
    (whole,) = harness.generate_until([asked("ab=", {"until": [], "max_gen_toks": 6})])
    assert codes_of(whole).tolist() == [
        i for i in generate(model, [codes_of("ab=").tolist()], 6, stop=[0])[0] if i
    ]
    (cut,) = harness.generate_until([asked("ab=", {"until": [whole[1]], "max_gen_toks": 6})])
    assert cut == whole[: whole.index(whole[1])]


@pytest.mark.filterwarnings("ignore")
def test_repeated_requests_are_sampled_apart_and_the_same_again(one_thread, tmp_path):
    from sweeps.inspect.harness_model import HarnessModel

    write_tokenizer(tmp_path / "tokenizer.json")
    torch.manual_seed(5)
    model = ParScaleLM(ModelConfig(SIZE, 32, 48, 2, 4, 2, init_std=0.05)).eval()
    harness = HarnessModel(model, Tokenizer.from_file(str(tmp_path / "tokenizer.json")))

    def asked(context, **how):
        return SimpleNamespace(args=(context, {"until": [], "max_gen_toks": 8, **how}))

    apart = [asked("ab=", do_sample=True)] * 8 + [asked("cd=", do_sample=True)] * 8
    texts = harness.generate_until(apart)
    assert len(set(texts)) == 16  # without a temperature, 1
    assert harness.generate_until(apart[:8]) == texts[:8]  # whatever else is asked
    assert harness.generate_until([asked("ab=", do_sample=True, temperature=1.0)]) == texts[:1]
    greedy = harness.generate_until([asked("ab=")])
    for how in ({"do_sample": False, "temperature": 2.0}, {"do_sample": True, "top_k": 1}):
        assert harness.generate_until([asked("ab=", **how)] * 2) == greedy * 2
    assert len(set(harness.generate_until([asked("ab=", temperature=1.0)] * 4))) == 4
