"""What every call costs: `make gas` measures it and compares it with docs/gas.md; `make gas UPDATE=1` rewrites that."""
