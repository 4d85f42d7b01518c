"use strict";
// The inference cost model of analysis/inference_cost.py and the shapes of analysis/costs/shapes.py.
// h width, f ffn, B rows (batch x P), S prompt tokens with the prefix, F FLOP/s, W bytes/s, b bytes a value.
const Cost = (() => {
  const { max, sqrt } = Math;

  // Width and ffn, fractions allowed, of the member of the paper's family with N parameters at P streams.
  function shape(N, P, m) {
    const kv = m.kvHeads / m.heads;
    let square = m.layers * (2 * (1 + kv) + 3 * m.ffnPerWidth);
    let linear = m.layers * (1 + 2 * kv + 2) + 1, constant = -N;
    if (P > 1) {
      square += P;
      linear += 1 + P + 2 * m.prefix * kv * m.layers * P;
      constant += P;
    }
    const h = (-linear + sqrt(linear * linear - 4 * square * constant)) / (2 * square);
    return { h, f: m.ffnPerWidth * h };
  }

  function attention(x, B, s) {
    const arithmetic = 4 * B * s * x.h ** 2 * (1 + x.kv) + 4 * B * s ** 2 * x.h;
    const activations = max(3 * x.b * s * B * x.h, 2 * x.heads * s ** 2 * B * x.b);
    return max(arithmetic / x.F, (x.attention * x.b + activations) / x.W);
  }
  const mlp = (x, B, s) => max(6 * B * s * x.h * x.f / x.F, (x.mlp * x.b + x.b * x.f * s * B) / x.W);
  const norm = (x, B, s) => max(5 * s * B * x.h / x.F, 4 * s * B * x.h / x.W);
  function pass(x, B, s) {
    const layer = attention(x, B, s) + mlp(x, B, s) + 2 * norm(x, B, s);
    return x.layers * layer + x.vocab * x.h * x.b / x.W + 2 * s * B * x.vocab * x.h / x.F;
  }

  // Memory in bytes and latency in seconds of one batch; null where no model is that small.
  function estimate(N, P, work, device, m) {
    const { h, f } = shape(N, P, m), kv = m.kvHeads / m.heads;
    if (!(h >= 1)) return null;
    const x = { h, f, kv, heads: m.heads, layers: m.layers, vocab: m.vocab, b: device.bytes, F: device.flops,
      W: device.bandwidth, attention: 2 * h ** 2 * (1 + kv), mlp: 3 * h * f };
    const B = work.batch * P, S = work.input + (P > 1 ? m.prefix : 0), all = work.input + work.output;
    const cache = 2 * B * (S + work.output) * h * kv * x.b * x.layers;
    const aggregation = P > 1 ? (h + 1) * h * P : 0;
    const weights = x.b * (x.layers * (x.attention + x.mlp + 2 * h) + h * x.vocab + h + aggregation);
    const activations = max(3 * x.b * S * B * h, (2 * S * B * h + 4 * x.heads * S * B) * x.b,
      x.b * f * S * B, x.vocab * work.batch * S * x.b);
    const once = 2 * all * (B - work.batch) * x.vocab * h / x.F;
    const mixing = aggregation / x.mlp * mlp(x, work.batch, all);
    const decode = work.output * (pass(x, B, 1) + 2 * cache / x.W) + mixing - once;
    return { memory: cache + weights + activations, latency: pass(x, B, S) + decode };
  }

  return { shape, estimate };
})();
