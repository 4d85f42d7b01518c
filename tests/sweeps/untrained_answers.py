"""A sweep of models that were never trained, on a task whose answers can be asked for."""

from dataclasses import replace

from sweeps.checkpoint import released_format
from sweeps.config.model import ModelConfig
from sweeps.config.run import RunConfig
from sweeps.corpora.tasks.alphabet import SIZE
from sweeps.model.parscale import ParScaleLM
from sweeps.store.store import Store

MODEL = ModelConfig(
    vocab=SIZE, width=16, ffn=24, layers=3, heads=2, kv_heads=1, prefix_tokens=3, init_std=0.3
)


def untrained_sweep(folder):
    """Untrained models of P = 2 and r = 2 on sums with and without work, as finished runs in a folder."""
    store = Store(folder)
    store.create("test", "")
    for corpus, model, size in (
        ("task:arithmetic#digits=1", replace(MODEL, P=2), "16x3"),
        ("task:arithmetic#digits=1#steps=1", replace(MODEL, loops=2), "16x3r2"),
    ):
        run = RunConfig(model, "test", size, seed=0, corpus=corpus, steps=1, batch=1, seq_len=16)
        (run_id,) = store.add([run])
        released_format.save_checkpoint(ParScaleLM(model), store.checkpoint(run_id))
        store.finish(
            run_id, {"corpus": corpus, "size": size, "N": model.N, "P": model.P, "seed": 0, "loss": 3.0}
        )
    store.gather()
    return folder
