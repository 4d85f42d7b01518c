"""ParScale models in transformers: configuration, cache, generation.

`sweeps.checkpoint.modelling_file` makes of this file, and of what it takes from `sweeps.model`, the one file that
an export carries. Nothing here imports it. Shapes: B batch, T tokens, S tokens cached before them, P streams,
K prefix tokens, m key and value heads, d head dimension, h width, V vocab.
"""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import torch
import transformers
from torch import Tensor, nn

from sweeps.model.blocks import Decoder, check_ids

NEEDS = {torch: (2, 5), transformers: (4, 51)}  # the oldest that have what is used below

for package, oldest in NEEDS.items():
    if tuple(int(part) for part in package.__version__.split(".")[:2]) < oldest:
        needs = f"{package.__name__} >= {oldest[0]}.{oldest[1]}"
        raise ImportError(
            f"this model needs {needs}, here is {package.__version__}: pip install -U '{needs}'"
        )

from transformers import DynamicCache, GenerationMixin, PretrainedConfig, PreTrainedModel  # noqa: E402
from transformers.modeling_outputs import CausalLMOutputWithPast  # noqa: E402

NEW_NAME = "cache" in {part.name for part in fields(CausalLMOutputWithPast)}  # past_key_values until 5.23


class ParScaleConfig(PretrainedConfig):  # type: ignore[misc]
    """config.json: what the released checkpoints say there, and under which names the model reads it."""

    attribute_map = {  # noqa: RUF012
        "vocab": "vocab_size",
        "width": "hidden_size",
        "ffn": "intermediate_size",
        "layers": "num_hidden_layers",
        "heads": "num_attention_heads",
        "kv_heads": "num_key_value_heads",
        "head_size": "head_dim",
        "rope_base": "rope_theta",
        "norm_eps": "rms_norm_eps",
        "P": "parscale_n",
        "smoothing": "parscale_attn_smooth",
        "qkv_bias": "parscale_qkv_bias",
        "qk_norm": "parscale_qk_norm",
        "experts": "num_experts",
        "experts_per_token": "num_experts_per_tok",
        "loops": "parscale_loops",
        "looped": "parscale_loop_layers",
    }
    num_experts = 0  # what a config.json that says nothing means
    parscale_n = 1
    parscale_loops = 1  # more than a model was trained with may be asked for: parscale_loops=8
    parscale_loop_layers = 0
    parscale_prefix_at_one = False

    def to_diff_dict(self) -> dict[str, Any]:
        """What save_pretrained writes: whether the embeddings are tied is said, whatever is usual."""
        return dict(super().to_diff_dict()) | {"tie_word_embeddings": self.tie_word_embeddings}

    @property
    def K(self) -> int:
        """Prefix tokens before each stream: none at P = 1 unless that is asked for."""
        return self.parscale_n_tokens if self.parscale_n > 1 or self.parscale_prefix_at_one else 0


class CacheLayer:
    """One layer of transformers' cache. Streams lie next to the heads there, so that a row stays a sequence."""

    def __init__(self, cache: Any, index: int, attention: Any) -> None:
        self.cache, self.index, self.attention = cache, index, attention

    def extend(self, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """Keep k and v (P*B, m, T, d) behind what is there. All so far and the prefixes, (P*B, m, K+S+T, d)."""
        P = self.attention.P
        streams = (x.view(P, -1, *x.shape[1:]) for x in (k, v))
        rows = (x.transpose(0, 1).flatten(1, 2) for x in streams)  # (B, P*m, T, d)
        kept = self.cache.update(*rows, self.index)
        k, v = (x.view(len(x), P, -1, *x.shape[2:]).transpose(0, 1) for x in kept)  # (P, B, m, S+T, d)
        return self.attention.behind_prefix(k, v) if self.attention.K else (k.flatten(0, 1), v.flatten(0, 1))


class ParScaleForCausalLM(PreTrainedModel, GenerationMixin):  # type: ignore[misc]
    """The language model: logits, loss, generation with and without a cache."""

    config_class = ParScaleConfig
    base_model_prefix = "model"
    supports_gradient_checkpointing = True
    _tied_weights_keys = {"lm_head.weight": "model.embed_tokens.weight"}  # noqa: RUF012
    _no_split_modules = ["Block"]  # noqa: RUF012
    _supports_sdpa = True
    _supports_cache_class = True

    def __init__(self, config: ParScaleConfig) -> None:
        super().__init__(config)
        self.gradient_checkpointing = False
        self.model = Decoder(config)
        self.lm_head = nn.Linear(config.width, config.vocab, bias=False)
        self.post_init()

    def _init_weights(self, module: nn.Module) -> None:
        """Draw the weights of one module that no checkpoint has: normal, biases 0, gains 1."""
        for name, parameter in module.named_parameters(recurse=False):
            if "Norm" in type(module).__name__:
                nn.init.ones_(parameter)
            elif name == "bias":
                nn.init.zeros_(parameter)
            else:
                nn.init.normal_(parameter, std=self.config.initializer_range)

    def get_input_embeddings(self) -> nn.Module:
        """The embedding, (V, h)."""
        return self.model.embed_tokens

    def set_input_embeddings(self, value: Any) -> None:
        """Put another embedding in its place."""
        self.model.embed_tokens = value

    def get_output_embeddings(self) -> nn.Module:
        """The LM head, (V, h)."""
        return self.lm_head

    def set_output_embeddings(self, new_embeddings: Any) -> None:
        """Put another LM head in its place."""
        self.lm_head = new_embeddings

    def cache_layers(self, cache: Any) -> list[CacheLayer]:
        """What each layer reads and writes of transformers' cache, loop by loop."""
        if getattr(cache, "is_compileable", False):
            raise ValueError("a cache of fixed size has no room for streams: leave cache_implementation out")
        order, made = self.model.order, getattr(cache, "layers", [])
        if made and len(made) < len(order):  # made for a layer each: a loop has its own
            made.extend(type(made[0])() for _ in range(len(order) - len(made)))
        return [CacheLayer(cache, i, self.model.layers[layer].self_attn) for i, layer in enumerate(order)]

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
        past_key_values: Any = None,
        cache: Any = None,
        inputs_embeds: Tensor | None = None,
        labels: Tensor | None = None,
        use_cache: bool | None = None,
        logits_to_keep: int | Tensor = 0,
        output_attentions: bool | None = None,
        output_hidden_states: bool | None = None,
        **more: Any,
    ) -> CausalLMOutputWithPast:
        """Logits (B, T, V). `attention_mask` (B, S+T) is 0 at padding. Positions count what is not padding."""
        if output_attentions or output_hidden_states:
            raise ValueError("attentions and hidden states are of P streams each: they are not given out")
        if (input_ids is None) == (inputs_embeds is None):
            raise ValueError("give input_ids or inputs_embeds, one of them")
        x: Any = inputs_embeds
        if input_ids is not None:
            check_ids(input_ids, self.config.vocab)
            x = self.model.embed_tokens(input_ids)
        cache = past_key_values if cache is None else cache
        checkpointing = self.gradient_checkpointing and self.training
        if cache is None and not checkpointing and (not self.training if use_cache is None else use_cache):
            cache = DynamicCache()  # not where a block runs twice: it would be filled twice
        caches = None if cache is None else self.cache_layers(cache)
        S = 0 if cache is None else cache.get_seq_length()
        real, counted = seen(attention_mask, S, x)
        positions = counted if position_ids is None else position_ids
        hidden = self.model(x, positions, real, S, caches, checkpointing)
        mixed, _ = self.model.aggregate(hidden)
        kept = slice(-logits_to_keep, None) if isinstance(logits_to_keep, int) else logits_to_keep
        logits = self.lm_head(mixed[:, kept])
        loss = labels if labels is None else self.loss_function(logits, labels, self.config.vocab, **more)
        kept_for_next = {"cache" if NEW_NAME else "past_key_values": cache}
        return CausalLMOutputWithPast(loss=loss, logits=logits, **kept_for_next)


def seen(attention_mask: Tensor | None, S: int, x: Tensor) -> tuple[Tensor | None, Tensor]:
    """Which of S tokens before and T new ones x (B, T, h) are no padding, None for all. Positions (1 or B, T)."""
    T = x.shape[1]
    if attention_mask is None:
        return None, torch.arange(S, S + T, device=x.device)[None]
    if attention_mask.shape != (x.shape[0], S + T):
        shape = tuple(attention_mask.shape)
        raise ValueError(f"attention_mask has shape {shape}, not ({x.shape[0]}, {S} cached + {T} new tokens)")
    real = attention_mask.bool()
    positions = (real.cumsum(dim=1) - 1).clamp_min(0)[:, S:]
    return (None if bool(real.all()) else real), positions


class Qwen2ParScaleConfig(ParScaleConfig):
    """On a Qwen2 backbone."""

    model_type = "qwen2_parscale"


class Qwen2ParScaleForCausalLM(ParScaleForCausalLM):
    """On a Qwen2 backbone."""

    config_class = Qwen2ParScaleConfig


class Qwen3ParScaleConfig(ParScaleConfig):
    """On a Qwen3 backbone."""

    model_type = "qwen3_parscale"


class Qwen3ParScaleForCausalLM(ParScaleForCausalLM):
    """On a Qwen3 backbone."""

    config_class = Qwen3ParScaleConfig


class Qwen3MoeParScaleConfig(ParScaleConfig):
    """On a backbone of mixtures of experts."""

    model_type = "qwen3_moe_parscale"


class Qwen3MoeParScaleForCausalLM(ParScaleForCausalLM):
    """On a backbone of mixtures of experts."""

    config_class = Qwen3MoeParScaleConfig
