"""Blobs are found by their contents, are whole or not there, and failing disks are named."""

import errno
import os
import signal
import subprocess
import sys
import textwrap
import uuid
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fedblocks.rollup.blobs import BlobCorrupt, BlobMissing, BlobStore
from fedblocks.rollup.keccak import keccak256
from fedblocks.storage.errors import StorageError, StorageFull, StorageReadOnly
from fedblocks.storage.files import UNFINISHED_PREFIX
from fedblocks.types import Hash32


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "blobs"


@pytest.fixture(params=["file", "memory"])
def blobs(request: pytest.FixtureRequest, folder: Path) -> BlobStore:
    return BlobStore(folder.as_uri() if request.param == "file" else f"memory://{uuid.uuid4().hex}")


@pytest.fixture
def disk(folder: Path) -> BlobStore:
    return BlobStore(folder.as_uri())


def files_in(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=40)
@given(data=st.binary(max_size=300))
def test_what_is_put_is_got_by_its_hash(blobs: BlobStore, data: bytes) -> None:
    address = blobs.put(data)
    assert address == keccak256(data)
    assert blobs.has(address)
    assert blobs.get(address) == data


def test_views_are_stored_like_bytes(blobs: BlobStore) -> None:
    data = bytes(range(200))
    assert blobs.get(blobs.put(memoryview(data)[5:])) == data[5:]
    assert blobs.get(blobs.put(bytearray(data))) == data


def test_putting_twice_is_putting_once(disk: BlobStore, folder: Path) -> None:
    address = disk.put(b"once")
    written = Path(disk.path_of(address)).stat()
    assert disk.put(b"once") == address
    assert Path(disk.path_of(address)).stat().st_ino == written.st_ino
    assert len(files_in(folder)) == 1


def test_another_process_finds_the_blobs(disk: BlobStore, folder: Path) -> None:
    address = disk.put(b"published")
    assert BlobStore(folder.as_uri()).get(address) == b"published"


def test_a_missing_blob_is_named(blobs: BlobStore) -> None:
    address = Hash32(b"\x07" * 32)
    assert not blobs.has(address)
    with pytest.raises(BlobMissing, match="no blob 0x0707") as caught:
        blobs.get(address)
    assert caught.value.address == address
    assert not str(caught.value).startswith("'")


def test_a_changed_blob_is_not_handed_out_and_can_be_replaced(disk: BlobStore) -> None:
    address = disk.put(b"honest")
    Path(disk.path_of(address)).write_bytes(b"forged")
    with pytest.raises(BlobCorrupt) as caught:
        disk.get(address)
    assert (caught.value.address, caught.value.actual) == (address, keccak256(b"forged"))
    disk.discard(address)
    assert not disk.has(address)
    disk.discard(address)
    disk.put(b"honest")
    assert disk.get(address) == b"honest"


def test_a_cut_off_blob_is_healed_by_putting_it_again(disk: BlobStore) -> None:
    address = disk.put(b"a long update")
    Path(disk.path_of(address)).write_bytes(b"a long")
    assert disk.get(disk.put(b"a long update")) == b"a long update"


def test_a_full_disk_leaves_nothing_behind(disk: BlobStore, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = disk.put(b"before")

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(StorageFull, match=r"blobs/.*no space left .* free some space"):
            disk.put(b"after")
    assert [path.read_bytes() for path in files_in(folder)] == [b"before"]
    assert disk.get(before) == b"before"
    assert disk.get(disk.put(b"after")) == b"after"


def test_a_file_size_limit_of_the_system_is_a_full_disk(folder: Path) -> None:
    script = f"""
        import resource, signal
        from fedblocks.rollup.blobs import BlobStore
        from fedblocks.storage.errors import StorageFull
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
        blobs = BlobStore({folder.as_uri()!r})
        small = blobs.put(bytes(900))
        try:
            blobs.put(bytes(5000))
        except StorageFull:
            print(blobs.get(small) == bytes(900))
    """
    result = subprocess.run(
        [sys.executable, "-B", "-c", textwrap.dedent(script)], capture_output=True, text=True, check=True
    )
    assert result.stdout == "True\n"
    assert len(files_in(folder)) == 1


@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES])
def test_a_read_only_place_is_named(disk: BlobStore, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    address = disk.put(b"here before")

    opening = Path.open

    def refuse(path: Path, mode: str = "r", **options: object) -> object:
        if mode != "rb":
            raise OSError(number, os.strerror(number))
        return opening(path, mode, **options)  # type: ignore[call-overload]

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(StorageReadOnly, match=r"blobs/.*read-only or belongs to someone else"):
        disk.put(b"new")
    assert disk.put(b"here before") == address


@pytest.mark.parametrize("damage", [b"here betore", b"here", b""])
def test_a_blob_whose_bytes_have_changed_is_written_anew_when_it_is_put_again(disk: BlobStore, damage: bytes) -> None:
    address = disk.put(b"here before")
    assert disk.is_whole(address)
    Path(disk.path_of(address)).write_bytes(damage)
    assert not disk.is_whole(address)
    disk.put(b"here before")
    assert disk.get(address) == b"here before"


def test_an_adopted_file_takes_the_place_of_a_damaged_blob(disk: BlobStore) -> None:
    address = disk.put(b"here before")
    Path(disk.path_of(address)).write_bytes(b"here betore")
    spooled = disk.spool / "new"
    spooled.write_bytes(b"here before")
    disk.adopt(spooled, address)
    assert disk.get(address) == b"here before"
    assert not spooled.exists()


def test_a_blob_that_is_not_there_is_not_whole(disk: BlobStore) -> None:
    assert not disk.is_whole(Hash32(bytes(32)))


@pytest.mark.skipif(os.geteuid() == 0, reason="no folder is read-only to root")
def test_a_folder_without_permission_is_named(disk: BlobStore, folder: Path) -> None:
    folder.mkdir()
    folder.chmod(0o500)
    with pytest.raises(StorageReadOnly):
        disk.put(b"new")


def test_a_damaged_blob_is_discarded_and_no_other(disk: BlobStore, monkeypatch: pytest.MonkeyPatch) -> None:
    address = disk.put(b"an update")
    assert not disk.discard_if_damaged(address)
    assert not disk.discard_if_damaged(keccak256(b"another"))
    path = Path(disk.path_of(address))
    path.write_bytes(b"an updaTe")
    with monkeypatch.context() as patched:
        patched.setattr(Path, "read_bytes", unreadable)
        assert not disk.discard_if_damaged(address)
    assert disk.has(address)
    assert disk.discard_if_damaged(address)
    assert not disk.has(address)


def unreadable(_: Path) -> bytes:
    raise OSError(errno.EMFILE, "Too many open files")


def test_a_file_in_the_way_is_named(folder: Path) -> None:
    folder.write_text("not a folder")
    with pytest.raises(StorageError, match="cannot be written"):
        BlobStore(folder.as_uri()).put(b"data")


def test_a_node_killed_while_writing_leaves_no_half_blob(folder: Path) -> None:
    script = f"""
        import os, signal
        from fedblocks.rollup import blobs
        os.fsync = lambda _: os.kill(os.getpid(), signal.SIGKILL)
        blobs.BlobStore({folder.as_uri()!r}).put(b"half")
    """
    result = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], check=False)
    assert result.returncode == -signal.SIGKILL
    blobs = BlobStore(folder.as_uri())
    assert not blobs.has(keccak256(b"half"))
    assert all(path.name.startswith(UNFINISHED_PREFIX) for path in files_in(folder))
    assert blobs.get(blobs.put(b"half")) == b"half"


def test_blobs_are_readable_as_the_umask_says(disk: BlobStore) -> None:
    before = os.umask(0o027)
    try:
        address = disk.put(b"shared with the group")
    finally:
        os.umask(before)
    assert Path(disk.path_of(address)).stat().st_mode & 0o777 == 0o640


def test_a_large_blob_is_not_copied_on_its_way_to_the_disk(folder: Path) -> None:
    size = 64 << 20
    script = f"""
        import resource
        from fedblocks.rollup.blobs import BlobStore
        blobs = BlobStore({folder.as_uri()!r})
        blobs.put(b"warm")
        data = bytearray({size})
        data[::4096] = b"x" * len(data[::4096])
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        blobs.put(data)
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
    """
    result = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, check=True)
    kilobytes = int(result.stdout) if sys.platform != "darwin" else int(result.stdout) >> 10
    assert kilobytes < size >> 12
