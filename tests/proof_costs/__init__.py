"""What every fraud proof costs: `make proof-costs` compares with docs/proof-costs.md; UPDATE=1 rewrites that."""
