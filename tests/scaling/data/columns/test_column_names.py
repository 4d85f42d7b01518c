"""What names say: one axis and one unit for each of the ways that people write it, and nothing for other names."""

import pytest

from scaling.data.columns.column_names import FLOPS, PERPLEXITY, SCORE, loss_unit, meaning, of_axis, plainly
from scaling.data.reading import NATS

BILLION = ["params_B", "N (B)", "N [billions]", "params (in billions)", "N_billions", "billion_params", "paramsB", "N/1e9",
           "N (x10^9)", "model_size_B", "tokens (B)", "tokens_in_billions", "D [1e9]", "Tokens (billions of tokens)",
           "config.params_B"]  # fmt: skip


def test_billions() -> None:
    for name in BILLION:
        said = meaning(name)
        assert (said.scale, said.unit) == (1e9, "billions"), name
        assert said.axis == ("D" if "oken" in name or name.startswith("D") else "N"), name


@pytest.mark.parametrize(
    ("names", "axis"),
    [
        ("N n params n_params num_params numParams NParams Params num_parameters parameter_count total_params N_params "
         "trainable_params non_embedding_params params.non_embedding config.N config.N.value params_N model.n_params", "N"),
        ("D d tokens n_tokens num_tokens train_tokens tokens_seen config/tokens TOKENS trainingTokens D_tokens", "D"),
        ("C flops train_flops total_flops training_flops", "C"),
        ("loss Loss LOSS val_loss eval/loss val/loss validation_loss test_loss final_val_loss train_loss val_nll "
         "cross_entropy metrics.val/loss loss_nats", "loss"),
        ("P p streams n_streams num_streams P_streams parallel_size parscale_n parscale.n parallel_streams numStreams "
         "stream_count config.streams parscale", "P"),
    ],
)  # fmt: skip
def test_names_of_an_axis(names: str, axis: str) -> None:
    assert {name: meaning(name).axis for name in names.split()} == dict.fromkeys(names.split(), axis)


OTHERS = (
    "d_model model_d n_model total_n size seed lr layers width heads kv_heads prefix_tokens tokens_per_s "
    "batch_tokens seq_len wall_s "
    "mean_p n_total compute peak_memory_bytes "
    "run_id loss_se val_loss_std N_active ffn epochs stream_similarity weight_0 tensor_parallel_size n_gpus c "
    "streams_per_gpu unique_tokens"
)


def test_names_of_none() -> None:
    assert [name for name in OTHERS.split() if meaning(name).axis] == []


def test_compute_says_its_unit() -> None:
    names = {"C (PF-days)": "PF-days", "pf_days": "PF-days", "PFdays": "PF-days", "compute_pfdays": "PF-days",
             "EFLOPs": "EFLOPs", "compute (ZFLOPs)": "ZFLOPs", "petaflop/s-days": "PF-days"}  # fmt: skip
    for name, unit in names.items():
        assert (meaning(name).axis, meaning(name).unit, meaning(name).scale) == ("C", unit, FLOPS[unit]), name


UNITS = [("bits_per_byte", "bits per byte"), ("val_bpb", "bits per byte"), ("loss (bits/byte)", "bits per byte"),
     ("bits_per_token", "bits per token"), ("loss_bits", "bits per token"), ("bpc", "bits per character"),
     ("val_ppl", PERPLEXITY), ("Perplexity", PERPLEXITY), ("top1_acc", SCORE), ("hellaswag accuracy", SCORE),
     ("val_loss", NATS), ("c4_loss_last", NATS), ("x", ""), ("loss_se", "")]  # fmt: skip


def test_the_unit_of_a_loss() -> None:
    assert {name: loss_unit(name) for name, _ in UNITS} == dict(UNITS)


def test_the_likeliest_name_comes_first() -> None:
    assert of_axis(["total_params", "loss", "non_embedding_params"], "N") == [
        "non_embedding_params",
        "total_params",
    ]
    assert of_axis(["train_loss", "c4_loss", "val_loss"], "loss") == ["val_loss", "train_loss", "c4_loss"]


def test_an_axis_own_name_in_a_container() -> None:
    assert plainly("config.P", "P")
    assert plainly("P (streams)", "P")
    assert not plainly("p", "P")
