"""What a client remembers between its commitment and its reveal."""

import numpy as np
import pytest

from fedblocks.aggregation.rules import Rules
from fedblocks.chain.node import Anvil
from fedblocks.engines.notebook import Notebook, NotebookDamaged, Page
from fedblocks.rollup.state import InstanceContext
from fedblocks.training.client import FederatedClient, RoundTask

D = 300


@pytest.fixture
def signer():
    return Anvil().signer(3)


@pytest.fixture
def context(signer):
    cohort = (Anvil().signer(1).address, signer.address)
    return InstanceContext(31337, "0x" + "12" * 20, 4, cohort, D, bytes(32), Rules())


def page_of(context, signer, notebook, epoch=2, seed=0):
    task = RoundTask(context, epoch, 1, np.zeros(D, np.int32), bytes([9]) * 32, np.zeros(D, np.int16))
    client = FederatedClient(signer, None, notebook.secret())
    update = np.random.default_rng(seed).integers(-500, 500, D).astype(np.int16)
    commit = client.commit(task, update, 77)
    return Page(commit, client.reveal(task), {"train_loss": 0.25, "num-examples": 77})


def test_a_page_is_found_again_by_another_process(tmp_path, context, signer):
    written = Notebook(tmp_path, signer.address)
    page = written.write(context, page_of(context, signer, written))
    read = Notebook(tmp_path, signer.address).read(context, 2, 1)
    assert read.commit == page.commit
    assert read.reveal.update.tolist() == page.reveal.update.tolist()
    assert (read.reveal.samples, read.reveal.salt, read.metrics) == (77, page.reveal.salt, page.metrics)
    assert read.reveal.commitment(signer.address) == page.commit.action.commitment


def test_what_was_committed_to_first_stays(tmp_path, context, signer):
    notebook = Notebook(tmp_path, signer.address)
    first = notebook.write(context, page_of(context, signer, notebook, seed=1))
    second = notebook.write(context, page_of(context, signer, notebook, seed=2))
    assert second.commit == first.commit


def test_nothing_is_found_of_other_epochs_attempts_and_instances(tmp_path, context, signer):
    notebook = Notebook(tmp_path, signer.address)
    notebook.write(context, page_of(context, signer, notebook))
    assert notebook.read(context, 3, 1) is None
    assert notebook.read(context, 2, 2) is None
    other = InstanceContext(31337, "0x" + "12" * 20, 5, context.cohort, D, bytes(32), Rules())
    assert notebook.read(other, 2, 1) is None


def test_pages_that_nobody_can_ask_for_any_more_are_deleted(tmp_path, context, signer):
    notebook = Notebook(tmp_path, signer.address)
    for epoch in (2, 3, 4):
        notebook.write(context, page_of(context, signer, notebook, epoch))
    assert [notebook.read(context, epoch, 1) is None for epoch in (2, 3, 4)] == [True, False, False]


def test_the_secret_is_drawn_once_and_belongs_to_one_client(tmp_path, context, signer):
    secret = Notebook(tmp_path, signer.address).secret()
    assert len(secret) == 32
    assert Notebook(tmp_path, signer.address).secret() == secret
    assert Notebook(tmp_path, context.cohort[0]).secret() != secret


def test_nobody_else_can_read_it(tmp_path, context, signer):
    notebook = Notebook(tmp_path, signer.address)
    notebook.write(context, page_of(context, signer, notebook))
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) == 2
    assert {path.stat().st_mode & 0o077 for path in files} == {0}


@pytest.mark.parametrize("damage", [lambda old: old[:-1], lambda old: b"{}\n" + old, lambda old: old[:-1] + b"\x01"])
def test_a_damaged_page_is_named(tmp_path, context, signer, damage):
    notebook = Notebook(tmp_path, signer.address)
    notebook.write(context, page_of(context, signer, notebook))
    (path,) = tmp_path.rglob("00002-1")
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(NotebookDamaged, match="00002-1"):
        notebook.read(context, 2, 1)
