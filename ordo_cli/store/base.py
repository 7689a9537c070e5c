"""What a database is to the rest of the store: bodies in, results out, and the truth about how well it keeps them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from ordo_cli.store.driver import Body


class Database(Protocol):
    """Runs transaction bodies. Which product is behind it is nobody's business but its own."""

    async def run[**P, T](self, body: Callable[P, Body[T]], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a body in a durable transaction. Its refusal harms no other; after StoreFailed it counts as not kept."""
        ...

    async def read[**P, T](self, body: Callable[P, Body[T]], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a body that only reads, on one unchanging picture of the database."""
        ...

    async def glance[**P, T](self, body: Callable[P, Body[T]], *args: P.args, **kwargs: P.kwargs) -> T:
        """As `read`, of few rows: whoever can answer it without a change of threads does."""
        ...

    async def settle(self) -> None:
        """Wait until everything handed in is committed or refused."""
        ...

    def on_commit(self, told: Callable[[float, int], None]) -> None:
        """Call this after each commit with its seconds and how many bodies it held."""
        ...

    async def described(self) -> str:
        """Which database this is and how far its commits can be trusted, in one line for the user."""
        ...

    async def health(self) -> str | None:
        """The first thing wrong with it or its promise of durability, found quickly; None when all is well."""
        ...

    async def faults(self) -> list[str]:
        """Everything wrong with what it holds: damage, dangling rows, missing guards; empty when all is well."""
        ...

    async def backup(self, path: str) -> None:
        """A consistent copy of the whole in a new SQLite file, made while others go on."""
        ...
