"""Configuration files: TOML read into frozen dataclasses, and written as an example that explains itself.

The dataclasses are the only description there is: a field's type says what is accepted, its documentation goes into the
example, and whatever else stands in a file is refused with the name that was probably meant. A misspelt name would
otherwise silently be a default. Paths are relative to the folder of the file, so that it can be moved as a whole.
"""

from __future__ import annotations

import difflib
import json
import textwrap
import tomllib
import types
from collections.abc import Mapping
from dataclasses import MISSING, Field, field, fields, is_dataclass
from pathlib import Path
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from fedblocks.exceptions import FedBlocksError

T = TypeVar("T")

_NAMES = {str: "text", int: "an integer", float: "a number", bool: "true or false", Path: "a path"}


class InvalidConfig(FedBlocksError, ValueError):
    """A configuration file is missing or unreadable, or says something that cannot be meant."""

    def __init__(self, path: Path, where: str, why: str) -> None:
        super().__init__(f"{path}: {where}{': ' if where else ''}{why}")
        self.path, self.where, self.why = path, where, why


def setting(
    text: str, default: Any = MISSING, *, example: Any = None, minimum: float | None = None, shown: bool = True
) -> Any:
    """A field of a configuration.

    Args:
        text: what it means, for whoever reads the example.
        default: what holds when it is left out; without one, it has to be given.
        example: what the example says in place of the default.
        minimum: of a number, or of each in a list.
        shown: whether it may be seen where the configuration is printed.
    """
    return field(default=default, repr=shown, metadata={"text": text, "example": example, "minimum": minimum})


def load(cls: type[T], path: Path) -> T:
    """Read a file.

    Raises:
        InvalidConfig: if it cannot be read, has a field too many, too few, or one of another type.
    """
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InvalidConfig(path, "", f"cannot be read: {error.strerror or error}") from error
    except ValueError as error:
        raise InvalidConfig(path, "", f"is not TOML: {error}") from error
    read: T = _Reader(path).table(cls, document, "")
    return read


class _Reader:
    def __init__(self, path: Path) -> None:
        self._path, self._folder = path, path.absolute().parent

    def table(self, cls: type[Any], document: Mapping[str, Any], prefix: str) -> Any:
        known = {each.name: each for each in fields(cls)}
        kinds = get_type_hints(cls)
        for name in document:
            if name not in known:
                close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
                hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(known)}"
                raise InvalidConfig(self._path, prefix + name, f"is unknown; {hint}")
        values = {name: self._value(kinds[name], known[name], each, prefix + name) for name, each in document.items()}
        for name, each in known.items():
            if name not in values and each.default is MISSING and each.default_factory is MISSING:
                raise InvalidConfig(self._path, prefix + name, f"is missing: {each.metadata['text']}")
        try:
            return cls(**values)
        except ValueError as error:
            raise InvalidConfig(self._path, prefix.rstrip("."), str(error)) from error

    def _value(self, kind: Any, known: Field[Any], value: Any, where: str) -> Any:
        kind = _present(kind)
        if get_origin(kind) is tuple:
            if not isinstance(value, list):
                raise InvalidConfig(self._path, where, f"must be a list, not {value!r}")
            element = get_args(kind)[0]
            return tuple(self._value(element, known, each, f"{where}[{i}]") for i, each in enumerate(value))
        if is_dataclass(kind):
            if not isinstance(value, dict):
                raise InvalidConfig(self._path, where, "must be a table")
            assert isinstance(kind, type)
            return self.table(kind, value, f"{where}.")
        if kind is float and type(value) is int:
            value = float(value)
        if type(value) is not (str if kind is Path else kind):
            raise InvalidConfig(self._path, where, f"must be {_NAMES[kind]}, not {value!r}")
        minimum = known.metadata.get("minimum")
        if minimum is not None and value < minimum:
            raise InvalidConfig(self._path, where, f"must be at least {minimum:g}, not {value}")
        return self._folder / Path(value).expanduser() if kind is Path else value


def example(cls: type[Any], title: str) -> str:
    """A file with every field, explained; what has a default is there as a comment."""
    return "\n".join([*(f"# {line}" for line in title.splitlines()), "", *_lines(cls)]).rstrip() + "\n"


def _lines(cls: type[Any], prefix: str = "") -> list[str]:
    kinds = get_type_hints(cls)
    plain: list[str] = []
    tables: list[str] = []
    for each in fields(cls):
        kind = _present(kinds[each.name])
        many = get_origin(kind) is tuple and is_dataclass(get_args(kind)[0])
        text = [f"# {line}" for line in _wrapped(each.metadata["text"])]
        if many or is_dataclass(kind):
            inner: Any = get_args(kind)[0] if many else kind
            name = prefix + each.name
            tables += [*text, f"[[{name}]]" if many else f"[{name}]", *_lines(inner, f"{name}.")]
            continue
        shown = each.metadata["example"] if each.metadata["example"] is not None else each.default
        given = each.default is MISSING
        line = f"{each.name} = {_written(shown)}" if shown is not None else f'{each.name} = ""'
        plain += [*text, line if given else f"# {line}", ""]
    return [*plain, *tables]


def _wrapped(text: str, width: int = 100) -> list[str]:
    return textwrap.wrap(text, width)


def _written(value: Any) -> str:
    if isinstance(value, tuple):
        return "[" + ", ".join(_written(each) for each in value) + "]"
    return json.dumps(str(value) if isinstance(value, Path) else value, ensure_ascii=False)


def _present(kind: Any) -> Any:
    """A type without its None."""
    if get_origin(kind) in (Union, types.UnionType):
        return next(each for each in get_args(kind) if each is not type(None))
    return kind
