"""Values behave as the standard library's frozen dataclasses do; only their making is cheaper."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from typing import Any, ClassVar

import pytest

from ordo_cli.domain import values


@values.dataclass(frozen=True, slots=True)
class Ours:
    a: int
    b: str = "x"
    c: list[int] = values.field(default_factory=list, compare=False)
    d: int = values.field(default=4, repr=False)
    e: int = values.field(default=5, init=False)
    limit: ClassVar[int] = 3

    def __post_init__(self) -> None:
        if self.a > self.limit:
            raise ValueError(self.a)

    @property
    def twice(self) -> int:
        return 2 * self.a


@dataclasses.dataclass(frozen=True, slots=True)
class Theirs:
    a: int
    b: str = "x"
    c: list[int] = dataclasses.field(default_factory=list, compare=False)
    d: int = dataclasses.field(default=4, repr=False)
    e: int = dataclasses.field(default=5, init=False)
    limit: ClassVar[int] = 3

    def __post_init__(self) -> None:
        if self.a > self.limit:
            raise ValueError(self.a)


@values.dataclass(frozen=True, slots=True)
class Box[T]:
    inside: T


@values.dataclass(frozen=True, slots=True)
class Empty:
    """Nothing."""


BOTH: list[Any] = [Ours, Theirs]


@pytest.fixture(params=["fresh", "worn"], autouse=True)
def _wear(request: pytest.FixtureRequest) -> None:
    """Everything holds for the first instances and for those after the compiling."""
    if request.param == "worn":
        for _ in range(values.A_FEW + 1):
            Ours(1), Box(1), Empty()


@pytest.mark.parametrize("made", BOTH)
def test_defaults_and_arguments(made: Any) -> None:
    one = made(1, c=[7])
    assert (one.a, one.b, one.c, one.d, one.e, one.limit) == (1, "x", [7], 4, 5, 3)
    assert made(a=1).c is not made(a=1).c


@pytest.mark.parametrize("made", BOTH)
def test_what_is_missing_or_too_much_is_refused(made: Any) -> None:
    for wrong in ({}, {"a": 1, "nope": 2}, {"a": 1, "e": 2}):
        with pytest.raises(TypeError):
            made(**wrong)
    many: list[tuple[Any, ...]] = [(1, "x", [], 4, 5), (1, "x", [], 4, 5, 6)]
    for much in many:
        with pytest.raises(TypeError):
            made(*much)
    with pytest.raises(TypeError):
        made(1, a=1)
    with pytest.raises(ValueError, match="4"):
        made(4)


@pytest.mark.parametrize("made", BOTH)
def test_equality_and_hash_go_by_the_compared_fields(made: Any) -> None:
    assert made(1, c=[1]) == made(1, c=[2])
    assert hash(made(1, c=[1])) == hash(made(1))
    assert made(1) != made(2)
    assert made(1) != (1, "x", 4, 5)
    assert len({made(1), made(1), made(2)}) == 2


def test_two_kinds_are_never_equal() -> None:
    ours, theirs = (made(1) for made in BOTH)
    assert ours != theirs


@pytest.mark.parametrize("made", BOTH)
def test_nothing_of_it_changes(made: Any) -> None:
    one = made(1)
    with pytest.raises(dataclasses.FrozenInstanceError, match="'a'"):
        one.a = 2
    with pytest.raises(dataclasses.FrozenInstanceError, match="'a'"):
        del one.a
    with pytest.raises((dataclasses.FrozenInstanceError, TypeError, AttributeError)):
        one.other = 2
    assert not hasattr(one, "__dict__")


@pytest.mark.parametrize("made", BOTH)
def test_the_tools_of_the_standard_library_work(made: Any) -> None:
    one: Any = made(1, d=9)
    assert dataclasses.is_dataclass(type(one))
    assert [each.name for each in dataclasses.fields(one)] == ["a", "b", "c", "d", "e"]
    assert dataclasses.asdict(one) == {"a": 1, "b": "x", "c": [], "d": 9, "e": 5}
    with pytest.raises((TypeError, ValueError)):
        dataclasses.replace(one, nope=1)
    assert copy.copy(one) == copy.deepcopy(one) == pickle.loads(pickle.dumps(one)) == one
    assert made.__match_args__ == ("a", "b", "c", "d")


def test_replace_makes_another() -> None:
    @values.dataclass(frozen=True, slots=True)
    class Point:
        x: int
        y: int = 0

    assert values.replace(Point(1), y=2) == Point(1, 2)


def test_repr_reads_like_the_call() -> None:
    assert repr(Ours(1)) == repr(Theirs(1)).replace("Theirs", "Ours")


def test_generic_and_empty_ones() -> None:
    assert Box[int](3) == Box(3)
    assert Box(3).inside == 3
    assert Empty() == Empty()
    assert hash(Empty()) == hash(())
    assert repr(Empty()) == "Empty()"
    assert Ours(2).twice == 4


def test_a_subclass_of_one_is_made_the_ordinary_way() -> None:
    @values.dataclass(frozen=True, slots=True)
    class Base:
        a: int

    @values.dataclass(frozen=True, slots=True)
    class More(Base):
        b: int = 2

    assert More(1).b == 2
    assert (Base(1).a, More(1).a) == (1, 1)


def test_an_ordinary_dataclass_stays_one() -> None:
    @values.dataclass
    class Loose:
        a: int

    loose = Loose(1)
    loose.a = 2
    assert loose == Loose(2)


@values.dataclass(frozen=True, slots=True)
class Copied:
    a: int
    b: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if self.a < 0:
            raise ValueError(self.a)


def test_a_value_copied_often_is_copied_as_before() -> None:
    value: Copied | Ours = Copied(1, (2,))
    for number in range(100):
        value = values.replace(value, a=number)
        assert (value.a, value.b, type(value)) == (number, (2,), Copied)
        assert values.replace(value) == value
        with pytest.raises(ValueError, match="-1"):
            values.replace(value, a=-1)
        with pytest.raises(TypeError):
            values.replace(value, z=1)  # type: ignore[call-arg]


def test_a_field_that_nobody_gives_cannot_be_replaced_however_often_one_tries() -> None:
    value = Ours(1)
    for _ in range(60):
        with pytest.raises((ValueError, TypeError), match="e"):  # the first by Python 3.12, the other since
            values.replace(value, e=3)
        assert values.replace(value, a=2).a == 2
