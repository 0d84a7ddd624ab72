"""What need not be said every time: defaults of the options, from a file.

The file is TOML, with a table of defaults and, where somebody works with several networks, profiles:

    profile = "sepolia"

    [defaults]
    account = "alice"

    [profiles.sepolia]
    network = "arbitrum:sepolia"
    deployment = "deployments/arbitrum-sepolia.json"

An option that is given wins over the profile, the profile over the defaults, and those over what is built in. Nothing
secret belongs here: an account is an alias or a key file's path, and its passphrase lies elsewhere.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

from fedblocks.exceptions import FedBlocksError

PATH_VARIABLE = "FEDBLOCKS_CONFIG"
PROFILE_VARIABLE = "FEDBLOCKS_PROFILE"

KEYS: Mapping[str, tuple[type, str]] = {
    "network": (str, "ecosystem:network:provider, or a URL"),
    "deployment": (str, "a deployments file, or v1"),
    "database": (str, "the index: an SQLAlchemy URL"),
    "data": (str, "where epochs' data are published: a URL"),
    "account": (str, "ape's alias, or a key file's path"),
    "timeout": (float, "seconds to wait for each answer of the node"),
    "max_fee": (str, "the most to pay for a unit of gas, in gwei"),
}
"""What may be set, its type, and what it means."""

_PROFILE = re.compile(r"[A-Za-z0-9_-]{1,40}")
_LOOKS_SECRET = re.compile(r"private|secret|password|passphrase|mnemonic|seed|(^|_)key", re.IGNORECASE)
_KEY_ITSELF = re.compile(r"(0x)?[0-9a-fA-F]{64}")


class InvalidSettings(FedBlocksError, ValueError):
    """The configuration file, or something to be written into it, is not as it must be."""

    def __init__(self, path: Path, why: str) -> None:
        self.path = path
        super().__init__(f"the configuration in {path}: {why}")


@dataclass(frozen=True)
class Setting:
    """One value, and where it comes from."""

    value: Any
    source: str


@dataclass(frozen=True)
class Settings:
    """The configuration file's content, checked.

    Attributes:
        path: where it is, whether it exists or not.
        profile: which profile is used now; None for none.
        default_profile: which one the file itself chooses.
        defaults: the values that hold in every profile.
        profiles: the values of each profile.
    """

    path: Path
    profile: str | None = None
    default_profile: str | None = None
    defaults: Mapping[str, Any] = field(default_factory=dict)
    profiles: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @classmethod
    def load(cls, path: Path | None = None, profile: str | None = None) -> Settings:
        """Read the configuration.

        Args:
            path: Where from; `settings_path` when left out. A file that is not there is an empty one.
            profile: Which profile to use; else ``$FEDBLOCKS_PROFILE``, else the file's own choice.

        Raises:
            InvalidSettings: if it is no TOML, has unknown or secret keys or values of a wrong type, or does not have
                the profile.
        """
        path = settings_path() if path is None else path
        try:
            content = tomllib.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            content = {}
        except (OSError, UnicodeDecodeError) as error:
            raise InvalidSettings(path, f"it cannot be read ({error})") from error
        except tomllib.TOMLDecodeError as error:
            raise InvalidSettings(path, f"it is not TOML: {error}") from error
        return cls._from(path, content, profile or os.environ.get(PROFILE_VARIABLE))

    @classmethod
    def _from(cls, path: Path, content: Mapping[str, Any], profile: str | None) -> Settings:
        unknown = content.keys() - {"profile", "defaults", "profiles"}
        if unknown:
            raise InvalidSettings(path, f"{min(unknown)!r} is unknown; values go into [defaults] or [profiles.NAME]")
        defaults, profiles = content.get("defaults", {}), content.get("profiles", {})
        if not isinstance(defaults, dict) or not isinstance(profiles, dict):
            raise InvalidSettings(path, "defaults and profiles must be tables")
        check_values(path, "defaults", defaults)
        for name, values in profiles.items():
            if not _PROFILE.fullmatch(name) or not isinstance(values, dict):
                raise InvalidSettings(path, f"profiles.{name} must be a table with a name of letters, digits, _ and -")
            check_values(path, f"profiles.{name}", values)
        default_profile = content.get("profile")
        for chosen in (default_profile, profile):
            if chosen is not None and chosen not in profiles:
                known = ", ".join(profiles) or "none"
                raise InvalidSettings(path, f"there is no profile {chosen!r}; there are: {known}")
        return cls(path, profile or default_profile, default_profile, defaults, profiles)

    def get(self, key: str) -> Setting | None:
        """A value and its source; None where the file says nothing."""
        if self.profile is not None and key in self.profiles[self.profile]:
            return Setting(self.profiles[self.profile][key], f"profile {self.profile} in {self.path}")
        if key in self.defaults:
            return Setting(self.defaults[key], f"defaults in {self.path}")
        return None

    def with_value(self, key: str, value: Any, profile: str | None) -> Settings:
        """The same with one value set, in a profile or in the defaults; None takes it out.

        Raises:
            InvalidSettings: if the value cannot be.
        """
        table = dict(self.defaults if profile is None else self.profiles.get(profile, {}))
        table.pop(key, None)
        if value is not None:
            table[key] = value
        content = self.to_content()
        if profile is None:
            content["defaults"] = table
        else:
            content.setdefault("profiles", {})[profile] = table
        return self._from(self.path, content, None)

    def to_content(self) -> dict[str, Any]:
        """What the file holds."""
        content: dict[str, Any] = {} if self.default_profile is None else {"profile": self.default_profile}
        if self.defaults:
            content["defaults"] = dict(self.defaults)
        if self.profiles:
            content["profiles"] = {name: dict(values) for name, values in self.profiles.items()}
        return content

    def save(self) -> None:
        """Write the file; a reader never sees half of it."""
        import tomli_w

        self.path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = self.path.with_name(self.path.name + ".unfinished")
        unfinished.write_text(tomli_w.dumps(self.to_content()), encoding="utf-8")
        unfinished.replace(self.path)


def settings_path() -> Path:
    """Where the configuration is: ``$FEDBLOCKS_CONFIG``, or the system's place for such files."""
    given = os.environ.get(PATH_VARIABLE)
    return Path(given).expanduser() if given else Path(click.get_app_dir("fedblocks")) / "config.toml"


def check_values(path: Path, table: str, values: Mapping[str, Any]) -> None:
    """Raise InvalidSettings unless all values are known, of their type, and not secret."""
    for key, value in values.items():
        if key not in KEYS:
            if _LOOKS_SECRET.search(key):
                raise InvalidSettings(
                    path, f"{table}.{key} looks like a secret, which does not belong here; use --passphrase-file"
                )
            raise InvalidSettings(path, f"{table}.{key} is unknown; known are {', '.join(KEYS)}")
        kind, meaning = KEYS[key]
        fits = isinstance(value, (int, float) if kind is float else kind) and not isinstance(value, bool)
        if isinstance(value, str) and _KEY_ITSELF.fullmatch(value.strip()):
            raise InvalidSettings(path, f"{table}.{key} looks like a private key, which does not belong here")
        if not fits:
            raise InvalidSettings(path, f"{table}.{key} must be {meaning}, not {value!r}")
        if kind is float and not value > 0:
            raise InvalidSettings(path, f"{table}.{key} must be above zero, not {value!r}")
