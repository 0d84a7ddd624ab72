"""What the contracts' sources say of themselves: NatSpec where Vyper has it, comments where it has none.

Vyper takes NatSpec in the docstrings of contracts and functions. Events and public variables have no docstring: the
comment right above one says what it is. A public immutable without a comment is what the constructor's parameter is
that it keeps.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from vyper import ast
from vyper.compiler.input_bundle import FilesystemInputBundle
from vyper.compiler.phases import CompilerData
from vyper.semantics.types.function import ContractFunctionT
from vyper.semantics.types.module import ModuleT
from vyper.semantics.types.user import EventT, StructT


class Undocumented(ValueError):
    """Something that anyone can call, or read in the log, has no text."""

    def __init__(self, contract: str, what: str) -> None:
        super().__init__(f"{contract}: {what} has no NatSpec, nor a comment right above it; write one in its source")


@dataclass(frozen=True)
class NatSpec:
    """A docstring, taken apart.

    Attributes:
        notice: What it does, for whoever calls it.
        dev: What a developer should know.
        params: What each parameter is, by its name.
        returns: What is given back, value by value.
    """

    notice: str = ""
    dev: str = ""
    params: dict[str, str] = field(default_factory=dict)
    returns: tuple[str, ...] = ()

    @classmethod
    def parse(cls, docstring: str) -> NatSpec:
        fields: dict[str, list[str]] = {}
        for tag, text in re.findall(r"@(\w+)\s+(.*?)(?=\n\s*@\w+\s|\Z)", docstring.strip(), re.DOTALL):
            fields.setdefault(tag, []).append(" ".join(text.split()))
        params = dict(each.split(" ", 1) for each in fields.get("param", []))
        return cls(
            " ".join(fields.get("notice", [])), " ".join(fields.get("dev", [])), params, tuple(fields.get("return", []))
        )


def natspec_of(node: Any) -> NatSpec:
    """Of a function or a module, by its node; empty if it has none."""
    return NatSpec.parse(node.doc_string.value) if getattr(node, "doc_string", None) else NatSpec()


class Contract:
    """A compiled contract, with its modules' parts.

    Args:
        path: The contract's source; its modules are found beside it.
    """

    def __init__(self, path: Path) -> None:
        self.name = path.stem
        self.folder = path.parent
        bundle = FilesystemInputBundle([path.parent.parent])
        data = CompilerData(bundle.load_file(path.relative_to(path.parent.parent)), bundle)
        self.tree = data.annotated_vyper_module
        self.module: ModuleT = data.global_ctx
        self._lines: dict[str, list[str]] = {}

    @cached_property
    def constructor(self) -> ContractFunctionT:
        return self.module.init_function

    @cached_property
    def functions(self) -> list[ContractFunctionT]:
        """What anyone can call and somebody has written, in the order of the source; the fallback last."""
        written = [
            each for each in self.module.exposed_functions if natspec_of(each.decl_node).notice or not _getter(each)
        ]
        return sorted((each for each in written if not each.is_constructor), key=lambda each: each.is_fallback)

    @cached_property
    def getters(self) -> list[ContractFunctionT]:
        """The views that Vyper writes for public variables."""
        return [each for each in self.module.exposed_functions if _getter(each)]

    @cached_property
    def events(self) -> list[EventT]:
        """In the order of the source."""
        return sorted(self.module.used_events, key=lambda each: (self._path(each.decl_node), each.decl_node.lineno))

    @cached_property
    def structs(self) -> list[StructT]:
        """Those that occur in what can be called, by name, with the structs within them."""
        found: dict[str, StructT] = {}
        functions = [self.constructor, *self.functions, *self.getters]
        kinds: list[Any] = [argument.typ for each in functions for argument in each.arguments]
        kinds += [each.return_type for each in functions if each.return_type is not None]
        kinds += [kind for event in self.events for kind in event.arguments.values()]
        while kinds:
            kind = kinds.pop()
            if isinstance(kind, StructT):
                found[kind.name] = kind
            members = getattr(kind, "member_types", ())
            kinds += members.values() if isinstance(members, dict) else members
            if hasattr(kind, "value_type"):
                kinds.append(kind.value_type)
        return [found[name] for name in sorted(found)]

    def notice(self, function: ContractFunctionT) -> NatSpec:
        """What a function's author says.

        Raises:
            Undocumented: if that is nothing, or a parameter or the result is left out.
        """
        said = natspec_of(function.decl_node)
        if not said.notice and not function.is_constructor:
            raise Undocumented(self.name, f"{function.name}()")
        for argument in function.arguments:
            if argument.name not in said.params:
                raise Undocumented(self.name, f"the parameter {argument.name} of {function.name}()")
        if function.return_type is not None and not said.returns:
            raise Undocumented(self.name, f"what {function.name}() returns")
        return said

    def meaning(self, declared: Any) -> str:
        """What an event or a getter's variable is; raises Undocumented when nothing says it."""
        node = declared.decl_node
        above = self._comment(node) if isinstance(declared, EventT) else self._variable(node)
        if not above:
            raise Undocumented(self.name, declared.name)
        return above

    def reverts(self, function: ContractFunctionT) -> list[str]:
        """The reasons for which a function, with all that it calls within the contract, can refuse."""
        reasons = [self._reason(node.msg) for node in self._all(function, ast.Assert) if node.msg is not None]
        return list(dict.fromkeys(reasons))

    def emits(self, function: ContractFunctionT) -> list[str]:
        """The events that a function can log."""
        return list(dict.fromkeys(node._metadata["type"].name for node in self._all(function, ast.Log)))

    def _all(self, function: ContractFunctionT, kind: type) -> Iterator[Any]:
        nodes = [function.decl_node, *(each.decl_node for each in function.reachable_internal_functions)]
        for node in nodes:
            yield from node.get_descendants(kind) if node is not None else ()

    def _reason(self, message: Any) -> str:
        if isinstance(message, ast.Str):
            return str(message.value)
        # Modules are told the contract's name and put it in front.
        return "".join(str(each.value) if isinstance(each, ast.Str) else self.name for each in message.args)

    def _path(self, node: Any) -> str:
        return str(node.module_node.path)

    def _source(self, node: Any) -> list[str]:
        path = self._path(node)
        if path not in self._lines:
            self._lines[path] = (self.folder.parent / path).read_text(encoding="utf-8").split("\n")
        return self._lines[path]

    def _comment(self, node: Any) -> str:
        lines, at = self._source(node), node.lineno - 2
        comment: list[str] = []
        while lines[at].startswith("#"):
            comment.insert(0, lines[at].removeprefix("#").strip())
            at -= 1
        return " ".join(comment)

    def _variable(self, getter: Any) -> str:
        module = getter.module_node
        (variable,) = (each for each in module.get_children(ast.VariableDecl) if each.target.id == getter.name)
        return self._comment(variable) or self._kept(module, getter.name)

    def _kept(self, module: Any, name: str) -> str:
        """What the parameter is that the constructor keeps under a name."""
        (constructor,) = (each for each in module.get_children(ast.FunctionDef) if each.name == "__init__")
        for assigned in constructor.get_descendants(ast.Assign):
            if getattr(assigned.target, "id", None) == name and isinstance(assigned.value, ast.Name):
                return natspec_of(constructor).params.get(assigned.value.id, "")
        return ""


def _getter(function: ContractFunctionT) -> bool:
    """Whether a function was written by the compiler, for a public variable."""
    module = function.decl_node.module_node
    return any(each.target.id == function.name for each in module.get_children(ast.VariableDecl))
