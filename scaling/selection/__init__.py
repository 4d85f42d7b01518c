"""Which law: comparison, backtests, paired gains and what streams are worth."""
