"""The fixtures, where there is Flower; elsewhere the tests skip themselves and say why."""

from importlib.util import find_spec

if find_spec("flwr"):
    from tests.flower.inside.stage import expected, opened, stage

    __all__ = ["expected", "opened", "stage"]
