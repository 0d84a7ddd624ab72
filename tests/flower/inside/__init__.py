"""Tests that import flwr, and so run in Flower's own environment; tests/flower/test_network.py starts them there."""
