"""What all of the public JSON is made of: exact money, UTC moments, cleaned foreign text, problems."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, PlainSerializer

from ordo_cli.domain import accounts, legs
from ordo_cli.domain.moments import moment_text
from ordo_cli.domain.money import text_of
from ordo_cli.domain.text import clean

Money = Annotated[Decimal, PlainSerializer(text_of, return_type=str)]
Moment = Annotated[datetime, PlainSerializer(moment_text, return_type=str)]
Foreign = Annotated[str, PlainSerializer(clean, return_type=str)]  # written by a broker or a user


class Out(BaseModel):
    """Base of everything public: frozen, and nothing unknown slips in."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @classmethod
    def unchecked(cls, **fields: Any) -> Self:
        """One whose fields are the domain's own and right already: each order is told, and checking it takes as long
        as writing it. A test holds it against what is checked.
        """
        new = cls.__new__(cls)
        fill = object.__setattr__
        fill(new, "__dict__", fields)
        fill(new, "__pydantic_fields_set__", set(fields))
        fill(new, "__pydantic_extra__", None)
        fill(new, "__pydantic_private__", None)
        return new

    def text(self) -> bytes:
        """Its JSON."""
        return self.__pydantic_serializer__.to_json(self)


class Problem(Out):
    code: Foreign
    message: Foreign
    hint: Foreign | None

    @classmethod
    def of(cls, problem: legs.Problem) -> Self:
        return cls.unchecked(code=problem.code, message=problem.message, hint=problem.hint)


class AccountRow(Out):
    """Where a row of a consolidated list comes from."""

    account: str
    broker: str


class Failure(Out):
    account: str
    problem: Problem


def failures(found: Iterable[tuple[accounts.AccountId, legs.Problem]]) -> list[dict[str, Any]]:
    return [Failure(account=name, problem=Problem.of(problem)).model_dump(mode="json") for name, problem in found]
