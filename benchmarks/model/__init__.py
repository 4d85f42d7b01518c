"""What a model costs: a training step, decoding, growth along each dial, Muon; beside plain baselines."""
