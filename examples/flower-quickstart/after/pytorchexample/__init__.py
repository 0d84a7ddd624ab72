"""Flower's PyTorch quickstart."""
