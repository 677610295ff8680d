"""``NamedTuple`` as in ``typing``, for what the commands on keys load.

Loading ``typing`` takes as long as starting Python does, and each class that it makes a third of a millisecond: together that was
more than all else that ``kvass set`` does. Here a class takes a hundredth of a millisecond, and behaves alike. Its module has
annotations of the future.
"""

from __future__ import annotations

from collections import _tuplegetter  # type: ignore[attr-defined]  # what reads the fields of all named tuples

TYPE_CHECKING = False  # as in ``typing``
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any, NamedTuple, Self

__all__ = ["NamedTuple"]

FEW = 8
"""Tuples of a class after which the next ones are made by a function for that class. Compiling it takes as long as making a
hundred without it, and a command makes one or two of each."""


class _Maker(type):
    """Makes the class of a named tuple from the annotations in its body; one that derives from that is a plain class."""

    def __new__(cls, name: str, bases: tuple[type, ...], body: dict[str, Any]) -> _Maker:
        """Make a class."""
        if getattr(bases[0], "_fields", None) == ():
            fields = tuple(body["__annotations__"])
            body["_field_defaults"] = {field: body[field] for field in fields if field in body}
            body.update((field, _tuplegetter(index, "")) for index, field in enumerate(fields))
            body |= {"_fields": fields, "__match_args__": fields, "__slots__": (), "_made": 0}
        return super().__new__(cls, name, bases, body)


class _Tuple(tuple, metaclass=_Maker):  # type: ignore[type-arg]
    """What named tuples have in common, see ``collections.namedtuple``."""

    __slots__ = ()
    _fields: tuple[str, ...] = ()
    _field_defaults: dict[str, Any]
    _made: int

    def __new__(cls, *values: Any, **named: Any) -> Self:
        """Make one of the first of a class."""
        cls._made += 1
        if cls._made > FEW:
            cls.__new__ = staticmethod(_compile(cls))  # type: ignore[method-assign]
        if len(values) != len(cls._fields):
            rest = cls._fields[len(values) :]
            known = cls._field_defaults | named
            values += tuple(known[field] for field in rest if field in known)
            named = {field: value for field, value in named.items() if field not in rest}
        if named or len(values) != len(cls._fields):
            raise TypeError(f"{cls.__name__} takes the fields {', '.join(cls._fields)}")
        return tuple.__new__(cls, values)

    @classmethod
    def _make(cls, values: Iterable[Any]) -> Self:
        made = tuple.__new__(cls, values)
        if len(made) != len(cls._fields):
            raise TypeError(f"{cls.__name__} has {len(cls._fields)} fields, not {len(made)}")
        return made

    def _replace(self, **named: Any) -> Self:
        replaced = self._make(map(named.pop, self._fields, self))
        if named:
            raise ValueError(f"{type(self).__name__} has no fields {', '.join(named)}")
        return replaced

    def _asdict(self) -> dict[str, Any]:
        return dict(zip(self._fields, self, strict=True))

    def __getnewargs__(self) -> tuple[Any, ...]:
        return tuple(self)

    def __repr__(self) -> str:
        named = ", ".join(f"{field}={value!r}" for field, value in self._asdict().items())
        return f"{type(self).__name__}({named})"


def _compile(kind: type[_Tuple]) -> Callable[..., Any]:
    """Return what ``collections.namedtuple`` has for ``__new__``."""
    names = ", ".join(kind._fields)
    new = eval(f"lambda _class, {names}: _new(_class, ({names},))", {"_new": tuple.__new__})  # noqa: S307  as it does
    new.__defaults__ = tuple(kind._field_defaults.values())
    return new  # type: ignore[no-any-return]


if not TYPE_CHECKING:
    NamedTuple = _Tuple
