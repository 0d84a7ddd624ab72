"""Data profiles as files: what a client publishes of its data, and what a user matches with.

A file is one JSON object with the fields of the signed text and the signature, so that anyone can check it:

    {"client": "0x…", "domain": "fashion", "modality": "image", "inputShape": "1x28x28", "labels": "0,1,2",
     "samples": 600, "issuedAt": 1700000000, "signature": "0x…"}
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fedblocks.cli.output import camel
from fedblocks.exceptions import FedBlocksError

if TYPE_CHECKING:
    from fedblocks.training.profile import SignedProfile

_LARGEST = 1 << 16
_TEXTS = ("client", "domain", "modality", "input_shape", "labels")
_NUMBERS = ("samples", "issued_at")


class ProfileUnreadable(FedBlocksError, ValueError):
    """A file in the folder of profiles is not one."""

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(f"{path} is no data profile: {why}")


class NoProfiles(FedBlocksError, FileNotFoundError):
    """There is nothing to match with."""

    def __init__(self, folder: Path) -> None:
        super().__init__(
            f"there are no data profiles (*.json) in {folder}; clients make them with `fedblocks job profile`"
        )


def profile_to_json(signed: SignedProfile) -> str:
    """A signed profile as its file holds it."""
    content = {camel(name): value for name, value in asdict(signed.profile).items()}
    return json.dumps({**content, "signature": "0x" + signed.signature.hex()}, indent=2) + "\n"


def read_profile(path: Path) -> SignedProfile:
    """Read one profile; its signature is checked when it is matched.

    Raises:
        ProfileUnreadable: if the file is something else.
    """
    from fedblocks.rollup.actions import DataProfile
    from fedblocks.training.profile import SignedProfile

    try:
        if path.stat().st_size > _LARGEST:  # profiles come from strangers
            raise ProfileUnreadable(path, f"it is larger than {_LARGEST:,} bytes")
        content: Any = json.loads(path.read_text(encoding="utf-8"))
        values: dict[str, Any] = {name: content[camel(name)] for name in (*_TEXTS, *_NUMBERS)}
        for name, value in values.items():
            wanted = str if name in _TEXTS else int
            if not isinstance(value, wanted) or isinstance(value, bool):
                raise ProfileUnreadable(path, f"{camel(name)} must be {'text' if wanted is str else 'an integer'}")
        return SignedProfile(DataProfile(**values), bytes.fromhex(str(content["signature"]).removeprefix("0x")))
    except KeyError as error:
        raise ProfileUnreadable(path, f"{error} is missing") from error
    except (OSError, TypeError, RecursionError) as error:
        raise ProfileUnreadable(path, str(error)) from error
    except ValueError as error:
        if isinstance(error, ProfileUnreadable):
            raise
        raise ProfileUnreadable(path, str(error)) from error


def read_profiles(folder: Path) -> Iterator[SignedProfile | ProfileUnreadable]:
    """All profiles in a folder; a file that is none comes as the error that says why.

    Raises:
        NoProfiles: if there is no file at all.
    """
    paths = sorted(folder.glob("*.json"))
    if not paths:
        raise NoProfiles(folder)
    for path in paths:
        try:
            yield read_profile(path)
        except ProfileUnreadable as error:
            yield error
