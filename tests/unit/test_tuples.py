"""kvassfs.tuples: a class that is made there is one that `typing` makes, in all that is done with it."""

from __future__ import annotations

import copy
import pickle
import typing
from typing import Any

import pytest

from kvassfs.tuples import FEW, NamedTuple


class Light(NamedTuple):
    """A tuple."""

    one: int
    two: str = "two"
    three: int | None = None

    @property
    def sum(self) -> int:
        """Not a field."""
        return self.one + (self.three or 0)


class Heavy(typing.NamedTuple):
    """A tuple."""

    one: int
    two: str = "two"
    three: int | None = None

    @property
    def sum(self) -> int:
        """Not a field."""
        return self.one + (self.three or 0)


class Changing(NamedTuple):
    """One of which none has been made when its test begins."""

    one: int
    two: int = 2


MADE: list[tuple[tuple[Any, ...], dict[str, Any]]] = [
    ((1,), {}),
    ((1, "x", 3), {}),
    ((1, "x"), {"three": 3}),
    ((), {"three": 3, "one": 1}),
    ((1,), {"three": 3}),
]
REFUSED: list[tuple[tuple[Any, ...], dict[str, Any]]] = [
    ((), {}),
    ((1, "x", 3, 4), {}),
    ((1,), {"one": 1}),
    ((1, "x", 3), {"three": 3}),
    ((1,), {"four": 4}),
    ((), {"two": "x"}),
]


@pytest.mark.parametrize(("values", "named"), MADE)
@pytest.mark.parametrize("count", [1, 2 * FEW])
def test_it_is_made_alike_the_first_times_and_later(values: tuple[Any, ...], named: dict[str, Any], count: int) -> None:
    *_, made = [Light(*values, **named) for _ in range(count)]
    assert made._asdict() == Heavy(*values, **named)._asdict()
    assert type(made) is Light


@pytest.mark.parametrize(("values", "named"), REFUSED)
def test_what_fits_no_field_is_refused_alike(values: tuple[Any, ...], named: dict[str, Any]) -> None:
    class New(NamedTuple):
        one: int
        two: str = "two"
        three: int | None = None

    for kind in [Heavy, *[New] * (FEW + 2)]:
        with pytest.raises(TypeError):
            kind(*values, **named)


def test_after_a_few_they_are_made_by_a_function_for_the_class() -> None:
    new = Changing.__new__
    made = [Changing(number) for number in range(FEW)]
    assert Changing.__new__ is new
    made += [Changing(number) for number in range(FEW)]
    assert Changing.__new__ is not new
    assert made[:FEW] == made[FEW:] == [(number, 2) for number in range(FEW)]


@pytest.mark.parametrize("kind", [Light, Heavy])
def test_it_is_used_alike(kind: Any) -> None:
    made = kind(1, three=3)
    one, two, three = made
    assert (one, two, three, made.one, made.two, made.three, made[0], len(made)) == (1, "two", 3, 1, "two", 3, 1, 3)
    assert made.sum == 4
    assert (hash(made), made < kind(2), made == (1, "two", 3)) == (hash((1, "two", 3)), True, True)
    assert repr(made) == f"{kind.__name__}(one=1, two='two', three=3)"
    assert kind._make([1, "two", 3]) == made
    assert made._replace(one=2, three=None) == (2, "two", None)
    assert type(made._replace(one=2)) is kind
    assert made._asdict() == {"one": 1, "two": "two", "three": 3}
    assert (kind._fields, kind._field_defaults) == (("one", "two", "three"), {"two": "two", "three": None})
    match made:
        case kind(one, three=third):
            assert (one, third) == (1, 3)
    for copied in (copy.copy(made), pickle.loads(pickle.dumps(made))):
        assert copied == made
        assert type(copied) is kind


@pytest.mark.parametrize("kind", [Light, Heavy])
def test_it_cannot_be_changed_alike(kind: Any) -> None:
    made = kind(1)
    with pytest.raises(AttributeError):
        made.one = 2
    with pytest.raises(AttributeError):
        made.other = 2
    with pytest.raises(TypeError):
        kind._make([1])
    with pytest.raises((TypeError, ValueError)):
        made._replace(four=4)


def test_what_derives_from_one_is_a_class_as_any() -> None:
    class Derived(Light):
        four = 4

    made = Derived(1)
    assert (made, made.four, made._fields) == ((1, "two", None), 4, Light._fields)
