"""Replay: the same headers from what is stored, and the name of whatever was changed."""

import sqlite3

import pytest

from fedblocks.rollup.blobs import BlobStore
from fedblocks.rollup.conflicts import UnknownRecord
from fedblocks.rollup.recorded import DataLost
from fedblocks.rollup.records import InstanceKey
from fedblocks.rollup.replay import Replay, ReplayMismatch
from fedblocks.rollup.store import RollupStore
from tests.rollup.instance import StoredInstance


@pytest.fixture
def stored(tmp_path):
    """Three epochs; seat 4 stays away from the second."""
    instance = StoredInstance(tmp_path)
    instance.headers = [instance.run_epoch(seats).header for seats in (None, [0, 1, 2, 3], None)]
    instance.store.close()
    return instance


def replay(stored):
    store = RollupStore(f"sqlite:///{stored.database}", read_only=True)
    try:
        return [
            epoch.header for epoch in Replay(store, BlobStore(f"file://{stored.folder / 'blobs'}"), stored.key).epochs()
        ]
    finally:
        store.close()


def change(stored, sql, *values):
    with sqlite3.connect(stored.database) as connection:
        assert connection.execute(sql, values).rowcount == 1
    connection.close()


def flip(stored, table, column, where, position=0):
    """Change one byte of one value."""
    with sqlite3.connect(stored.database) as connection:
        (old,) = connection.execute(f"SELECT {column} FROM {table} WHERE {where}").fetchone()
    connection.close()
    new = bytearray(old)
    new[position] ^= 1
    change(stored, f"UPDATE {table} SET {column} = ? WHERE {where}", bytes(new))


def test_every_header_is_recomputed_bit_for_bit(stored):
    assert replay(stored) == stored.headers


def test_replaying_leaves_the_store_as_it_was(stored):
    before = stored.database.read_bytes()
    replay(stored)
    assert stored.database.read_bytes() == before


@pytest.mark.parametrize(
    "column",
    ["commitment", "signature", "action_hash", "update_blob", "update_root", "samples", "salt", "acknowledgement"],
)
@pytest.mark.parametrize("seat", [0, 3])
def test_one_changed_byte_of_an_action_names_epoch_and_client(stored, column, seat):
    kind = "commit" if column in {"commitment", "signature"} else "reveal"
    flip(stored, "rollup_actions", column, f"epoch = 2 AND seat = {seat} AND kind = '{kind}'", position=-1)
    with pytest.raises(ReplayMismatch) as caught:
        replay(stored)
    assert caught.value.epoch == 2
    assert caught.value.client == stored.cohort.context.cohort[seat]


def test_one_changed_byte_of_an_update_names_epoch_and_client(stored):
    store = RollupStore(f"sqlite:///{stored.database}", read_only=True)
    (record,) = [each for each in store.actions(stored.key, 3, 0) if each.seat == 4 and each.update_blob]
    store.close()
    path = stored.folder / "blobs" / BlobStore("file:///").path_of(record.update_blob).lstrip("/")
    assert path.exists(), path
    content = bytearray(path.read_bytes())
    content[777] ^= 0x80
    path.write_bytes(content)
    with pytest.raises(
        ReplayMismatch, match=f"epoch 3, client {stored.cohort.context.cohort[4]}: its reveal: "
    ) as caught:
        replay(stored)
    assert (caught.value.epoch, caught.value.client) == (3, stored.cohort.context.cohort[4])


@pytest.mark.parametrize("position", [63, 95, 16 * 32, 543])
def test_one_changed_byte_of_a_header_names_its_epoch(stored, position):
    flip(stored, "rollup_epochs", "header", "epoch = 2", position)
    with pytest.raises(ReplayMismatch) as caught:
        replay(stored)
    assert (caught.value.epoch, caught.value.client) == (2, None)


@pytest.mark.parametrize("column", ["header_hash", "manifest_blob"])
def test_one_changed_byte_of_an_epochs_addresses_names_it(stored, column):
    flip(stored, "rollup_epochs", column, "epoch = 3")
    with pytest.raises(ReplayMismatch, match="epoch 3"):
        replay(stored)


@pytest.mark.parametrize("column", ["rules", "genesis_hash"])
def test_one_changed_byte_of_the_instance_names_the_genesis(stored, column):
    flip(stored, "rollup_instances", column, "instance_id = 1", position=-1)
    with pytest.raises(ReplayMismatch, match="epoch 0"):
        replay(stored)


def test_every_blob_is_looked_at(stored):
    """Whichever blob is changed, an epoch is named."""
    blobs = [path for path in (stored.folder / "blobs").rglob("*") if path.is_file()]
    assert len(blobs) == 1 + (5 + 4 + 5) + 3 * 4, "genesis, updates; Gram, delta, model and manifest of each epoch"
    for path in blobs:
        content = path.read_bytes()
        path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        with pytest.raises(ReplayMismatch):
            replay(stored)
        path.write_bytes(content)
    assert replay(stored) == stored.headers


def test_whoever_mends_writes_what_follows_from_updates_anew_and_names_the_rest(stored):
    blobs = BlobStore(f"file://{stored.folder / 'blobs'}")
    store = RollupStore(f"sqlite:///{stored.database}", read_only=True)
    updates = {each.update_blob for epoch in (1, 2, 3) for each in store.actions(stored.key, epoch, 0)} - {None}
    given = {address.hex() for address in (*updates, store.get_instance(stored.key).genesis_model_blob)}
    computed = {
        path: path.read_bytes()
        for path in (stored.folder / "blobs").rglob("*")
        if path.is_file() and path.name not in given
    }
    assert len(computed) == 3 * 4, "Gram rows, delta, model and manifest of each epoch"
    for number, (path, content) in enumerate(computed.items()):
        if number % 3:
            path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        else:
            path.unlink()
    assert [each.header for each in Replay(store, blobs, stored.key, mend=True).epochs()] == stored.headers
    assert {path: path.read_bytes() for path in computed} == computed
    lost = min(updates)
    blobs.discard(lost)
    with pytest.raises(DataLost, match=lost.hex()):
        list(Replay(store, blobs, stored.key, mend=True).epochs())
    store.close()


def test_a_missing_epoch_is_named(stored):
    change(stored, "DELETE FROM rollup_epochs WHERE epoch = 2")
    with pytest.raises(ReplayMismatch, match="epoch 2: is missing; the next that is stored is 3"):
        replay(stored)


def test_a_missing_action_is_noticed_in_its_epoch(stored):
    change(stored, "DELETE FROM rollup_actions WHERE epoch = 1 AND seat = 1 AND kind = 'reveal'")
    with pytest.raises(ReplayMismatch, match=r"epoch 1: the header differs in submissions_root, gram_root"):
        replay(stored)


def test_an_instance_that_is_not_stored_is_named(stored):
    store = RollupStore(f"sqlite:///{stored.database}", read_only=True)
    with pytest.raises(UnknownRecord, match="instance 9"):
        Replay(store, stored.blobs, InstanceKey(31337, stored.key.contract, 9))
    store.close()
