"""A client's notebook: what it has committed to, on disk until it is revealed.

Flower runs each message in a process of its own, so that a client has no memory between its commitment and its reveal
but the disk. More depends on it than convenience: whoever commits twice to one epoch, because it forgot the first
time, is refused, and training is rarely repeatable to the last bit. So the update is written down before the commitment
leaves the machine, under a name that only the first of two processes can take, and who is asked again answers the same
again.

The salts follow from a secret that is drawn when the notebook is first opened.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from fedblocks.exceptions import FedBlocksError
from fedblocks.rollup.actions import CommitUpdate, Reveal
from fedblocks.rollup.state import InstanceContext
from fedblocks.rollup.vectors import VectorKind, WrongVectorSize, decode_vector, encode_vector
from fedblocks.storage.files import create_file
from fedblocks.training.client import SignedCommit
from fedblocks.types import Address, EpochNumber, Hash32

_KEPT_EPOCHS = 2


class NotebookDamaged(FedBlocksError, ValueError):
    """A page of a client's notebook cannot be read; its epoch is lost to the client, and nothing else."""

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(f"{path} is damaged: {why}; the client is absent from this epoch")
        self.path = path


@dataclass(frozen=True)
class Page:
    """What a client has committed to in an epoch.

    Attributes:
        commit: as it was signed.
        reveal: what opens it.
        metrics: what the app measured while it trained; numbers by name.
    """

    commit: SignedCommit
    reveal: Reveal
    metrics: Mapping[str, int | float]


class Notebook:
    """One client's notebook.

    Args:
        folder: the client's, and nobody else's; made when it is not there.
        client: whose it is; a folder can hold those of several.
    """

    def __init__(self, folder: Path, client: Address) -> None:
        self._folder, self._client = folder / client.lower(), client
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    def secret(self) -> bytes:
        """32 bytes from which the salts follow; drawn when they are first asked for."""
        path = self._folder / "secret"
        if not path.is_file():
            create_file(path, secrets.token_bytes(32), private=True)
        return path.read_bytes()

    def read(self, context: InstanceContext, epoch: EpochNumber, attempt: int) -> Page | None:
        """What was committed to in an epoch; None if nothing was.

        Raises:
            NotebookDamaged: if the page cannot be read.
        """
        path = self._path(context, epoch, attempt)
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            return None
        head, _, body = content.partition(b"\n")
        try:
            values = json.loads(head)
            update = decode_vector(body, VectorKind.UPDATE, context.d)
            commit, salt = _hash(values["commitment"]), _hash(values["salt"])
            samples, signature = int(values["samples"]), bytes.fromhex(values["signature"])
            metrics, base = dict(values["metrics"]), _hash(values["base_model_root"])
        except (ValueError, KeyError, TypeError, WrongVectorSize) as error:
            raise NotebookDamaged(path, str(error)) from error
        reveal = Reveal(context.seat_of(self._client), update, samples, salt)  # type: ignore[arg-type]
        if reveal.commitment(self._client) != commit:
            raise NotebookDamaged(path, "its update does not open its commitment")
        action = CommitUpdate(context.instance_id, epoch, attempt, base, commit)
        return Page(SignedCommit(self._client, action, signature), reveal, metrics)

    def kept(self, context: InstanceContext) -> list[tuple[EpochNumber, int]]:
        """The epochs and attempts of an instance whose pages are still there, in order."""
        folder = self._path(context, EpochNumber(0), 0).parent
        names = [path.name.split("-") for path in folder.iterdir()] if folder.is_dir() else []
        return sorted((EpochNumber(int(parts[0])), int(parts[1])) for parts in names if parts[0].isdecimal())

    def write(self, context: InstanceContext, page: Page) -> Page:
        """Write down what is about to be committed to; what stands there already wins, and is returned."""
        action, reveal = page.commit.action, page.reveal
        path = self._path(context, action.epoch, action.attempt)
        values = {
            "base_model_root": action.base_model_root.hex(),
            "commitment": action.commitment.hex(),
            "signature": page.commit.signature.hex(),
            "samples": reveal.samples,
            "salt": reveal.salt.hex(),
            "metrics": dict(page.metrics),
        }
        create_file(path, json.dumps(values).encode() + b"\n" + encode_vector(reveal.update), private=True)
        self._forget_before(path.parent, action.epoch)
        written = self.read(context, action.epoch, action.attempt)
        assert written is not None
        return written

    def _path(self, context: InstanceContext, epoch: EpochNumber, attempt: int) -> Path:
        place = f"{context.chain_id}-{context.settlement.lower()}-{context.instance_id}"
        return self._folder / place / f"{epoch:05d}-{attempt}"

    def _forget_before(self, folder: Path, epoch: EpochNumber) -> None:
        """Delete the pages of epochs that nobody can ask for any more."""
        for path in folder.iterdir():
            number = path.name.partition("-")[0]
            if number.isdecimal() and int(number) <= epoch - _KEPT_EPOCHS:
                path.unlink(missing_ok=True)


def _hash(text: str) -> Hash32:
    value = bytes.fromhex(text)
    if len(value) != 32:
        raise ValueError(f"a hash has 32 bytes, not {len(value)}")
    return Hash32(value)
