"""Telling lives of a deployment without a node: a scripted chain, and a model of the contracts that speaks there."""
