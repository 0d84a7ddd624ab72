"""The attack laboratory: whole closed loops without a chain, many of them, and what they show of the rules."""
