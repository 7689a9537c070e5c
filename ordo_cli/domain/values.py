"""Frozen dataclasses that cost nothing until one is made.

The standard library compiles six methods for every dataclass when its module is imported: 0.7 ms each, 60 ms for all
that one `ordo buy` imports, a third of the whole command. Here a frozen, slotted dataclass shares its methods with all
others and compiles its `__init__` when a few instances were made. Type checkers see the standard library's.
"""

from __future__ import annotations

import dataclasses
from dataclasses import field, fields
from operator import attrgetter
from typing import TYPE_CHECKING, Any

A_FEW = 5  # instances before a compiled `__init__` pays

__all__ = ["dataclass", "field", "fields", "replace"]

OFTEN = 25  # copies before a compiled way of making them pays

if TYPE_CHECKING:
    from dataclasses import dataclass, replace
else:

    def replace(value: Any, /, **changes: Any) -> Any:
        """As `dataclasses.replace`; of classes that are copied often, five times as fast."""
        copy = vars(type(value)).get("_copy")
        return dataclasses.replace(value, **changes) if copy is None else copy(value, **changes)

    def dataclass(cls: type | None = None, /, *, frozen: bool = False, slots: bool = False, **more: Any) -> Any:
        """As `dataclasses.dataclass`; frozen slotted classes without a dataclass as base are made the cheap way."""

        def decorate(cls: type) -> type:
            cheap = frozen and slots and not more and not any(map(dataclasses.is_dataclass, cls.__bases__))
            return _value(cls) if cheap else dataclasses.dataclass(cls, frozen=frozen, slots=slots, **more)

        return decorate if cls is None else decorate(cls)


def _value(cls: type) -> type:
    """The class with slots for its fields and the shared methods; what it defines itself stays."""
    found = {
        name: _field(cls, name, hint)
        for name, hint in cls.__annotations__.items()
        if not str(hint).startswith("ClassVar")
    }
    names = {name: attribute for name, attribute in vars(cls).items() if name not in found and name not in NOT_COPIED}
    compared = [name for name, each in found.items() if each.compare]
    shared = {**METHODS, "__init__": _first_init(), "_compared": attrgetter(*compared) if compared else _nothing}
    body = {**shared, **names}
    if found and all(each.init for each in found.values()):
        body["_copy"] = staticmethod(_first_copy())
    body["__slots__"] = tuple(found)
    body["__match_args__"] = tuple(name for name, each in found.items() if each.init)
    body["__dataclass_fields__"] = found
    body["__dataclass_params__"] = PARAMS
    made = type(cls)(cls.__name__, cls.__bases__, body)
    made.__qualname__ = cls.__qualname__
    return made


def _field(cls: type, name: str, hint: object) -> dataclasses.Field[Any]:
    default = vars(cls).get(name, dataclasses.MISSING)
    made: Any = default if isinstance(default, dataclasses.Field) else field(default=default)
    made.name, made.type, made._field_type = name, hint, dataclasses._FIELD  # type: ignore[attr-defined]
    made.kw_only = False
    return made  # type: ignore[no-any-return]


def _first_init() -> Any:
    """An `__init__` that does for the first few instances, and then puts a compiled one in its own place."""
    made = 0

    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        nonlocal made
        made += 1
        cls: Any = type(self)
        if vars(cls).get("__init__") is not __init__:  # called by a subclass
            cls = next(each for each in cls.__mro__ if vars(each).get("__init__") is __init__)
        if made > A_FEW:
            cls.__init__ = _compiled_init(cls)
            cls.__init__(self, *args, **kwargs)
        else:
            _fill(cls, self, args, kwargs)

    return __init__


def _fill(cls: Any, self: Any, args: tuple[Any, ...], given: dict[str, Any]) -> None:
    """What the compiled `__init__` would do; slower by 3 us an instance, and nothing to compile for 100."""
    own = vars(cls)
    if len(args) > len(cls.__match_args__):
        raise TypeError(f"{cls.__qualname__} takes {len(cls.__match_args__)} values, not {len(args)}")
    for name, value in zip(cls.__match_args__, args, strict=False):
        if name in given:
            raise TypeError(f"{cls.__qualname__} got two values for {name!r}")
        given[name] = value
    for name, each in own["__dataclass_fields__"].items():
        if each.init and name in given:
            value = given.pop(name)
        elif each.default is not dataclasses.MISSING:
            value = each.default
        elif each.default_factory is not dataclasses.MISSING:
            value = each.default_factory()
        elif each.init:
            raise TypeError(f"{cls.__qualname__} misses {name!r}")
        else:
            continue
        own[name].__set__(self, value)
    if given:
        raise TypeError(f"{cls.__qualname__} has no {next(iter(given))!r} to give")
    if hasattr(cls, "__post_init__"):
        self.__post_init__()


def _compiled_init(cls: Any) -> Any:
    known: dict[str, Any] = {}
    parameters, lines = [], []
    for name, each in cls.__dataclass_fields__.items():
        known[f"_set_{name}"] = vars(cls)[name].__set__
        given = name
        if each.default_factory is not dataclasses.MISSING:
            known[f"_make_{name}"], known["_none"] = each.default_factory, dataclasses.MISSING
            given = f"_make_{name}() if {name} is _none else {name}" if each.init else f"_make_{name}()"
            parameters += [f"{name}=_none"] if each.init else []
        elif each.default is not dataclasses.MISSING:
            known[f"_default_{name}"] = each.default
            given = name if each.init else f"_default_{name}"
            parameters += [f"{name}=_default_{name}"] if each.init else []
        elif each.init:
            parameters.append(name)
        else:
            continue
        lines.append(f" _set_{name}(self, {given})")
    if hasattr(cls, "__post_init__"):
        lines.append(" self.__post_init__()")
    # Nothing foreign is in it: the names are those of fields, which Python has accepted as names already.
    exec(f"def __init__(self, {', '.join(parameters)}):\n" + "\n".join(lines or [" pass"]), known)  # noqa: S102
    made = known["__init__"]
    made.__qualname__ = f"{cls.__qualname__}.__init__"
    return made


def _first_copy() -> Any:
    """Copies the first few times as the standard library does, and then puts a compiled way in its own place."""
    made = 0

    def copy(value: Any, **changes: Any) -> Any:
        nonlocal made
        made += 1
        cls: Any = type(value)
        if made > OFTEN:
            cls._copy = staticmethod(_compiled_copy(cls))
        return dataclasses.replace(value, **changes)

    return copy


def _compiled_copy(cls: Any) -> Any:
    known: dict[str, Any] = {"_new": object.__new__, "_cls": cls, "_same": dataclasses.MISSING}
    parameters, lines = [], [" made = _new(_cls)"]
    for name in cls.__dataclass_fields__:
        slot = vars(cls)[name]
        known[f"_get_{name}"], known[f"_set_{name}"] = slot.__get__, slot.__set__
        parameters.append(f"{name}=_same")
        lines.append(f" _set_{name}(made, _get_{name}(_old) if {name} is _same else {name})")
    if hasattr(cls, "__post_init__"):
        lines.append(" made.__post_init__()")
    # As above, nothing foreign is in it.
    exec(f"def copy(_old, *, {', '.join(parameters)}):\n" + "\n".join(lines) + "\n return made", known)  # noqa: S102
    return known["copy"]


def _nothing(value: object) -> tuple[()]:
    return ()


def _equal(self: Any, other: Any) -> Any:
    if self is other:
        return True
    if other.__class__ is not self.__class__:
        return NotImplemented
    return type(self)._compared(self) == type(self)._compared(other)


def _hash(self: Any) -> int:
    return hash(type(self)._compared(self))


def _repr(self: Any) -> str:
    shown = [f"{name}={getattr(self, name)!r}" for name, each in self.__dataclass_fields__.items() if each.repr]
    return f"{type(self).__qualname__}({', '.join(shown)})"


def _refuse_to_set(self: Any, name: str, value: object) -> None:
    raise dataclasses.FrozenInstanceError(f"cannot assign to field {name!r}")


def _refuse_to_delete(self: Any, name: str) -> None:
    raise dataclasses.FrozenInstanceError(f"cannot delete field {name!r}")


def _state(self: Any) -> list[Any]:
    return [getattr(self, name) for name in self.__dataclass_fields__]


def _take_state(self: Any, state: list[Any]) -> None:
    for name, value in zip(self.__dataclass_fields__, state, strict=True):
        object.__setattr__(self, name, value)


METHODS = {
    "__eq__": _equal,
    "__hash__": _hash,
    "__repr__": _repr,
    "__setattr__": _refuse_to_set,
    "__delattr__": _refuse_to_delete,
    "__getstate__": _state,
    "__setstate__": _take_state,
}
NOT_COPIED = {"__dict__", "__weakref__"}


@dataclasses.dataclass(frozen=True, slots=True)
class _Example:
    """Lends its parameters, which say how it was decorated, to all values."""


PARAMS = _Example.__dataclass_params__  # type: ignore[attr-defined]
