"""What a model costs: a training step, decoding, growth along each dial, Muon. Each against a plain baseline."""
