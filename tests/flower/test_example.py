"""The quickstart, before and after."""

import pytest

from tests.flower.difference import EXAMPLE, difference, files, shown


def test_the_page_shows_what_the_files_differ_by():
    assert shown() == difference(), "run: python -m tests.flower.difference"


def test_the_model_and_its_training_stay_as_they_are():
    assert [path.name for path in files() if path.name == "task.py"] == ["task.py"]
    assert "task.py" not in difference()


@pytest.mark.parametrize("side", ["client_app.py", "server_app.py"])
def test_few_lines_are_added(side):
    before, after = ((EXAMPLE / version / "pytorchexample" / side).read_text() for version in ("before", "after"))
    added = set(after.splitlines()) - set(before.splitlines())
    assert 0 < len(added) <= 5
