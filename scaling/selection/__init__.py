"""Which law: comparison, backtests, isoFLOP optima, paired gains and what streams are worth."""
