"""Brokers as a user sees them: what each can do, how much of it, and what it wants to know."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass

from ordo_cli import brokers
from ordo_cli.domain.accounts import Account, AccountId
from ordo_cli.domain.fanouts import Mode


@dataclass(frozen=True, slots=True)
class Declared:
    """What a broker declares of itself; a rate of None is no such limit."""

    name: str
    title: str
    mode: Mode
    credentials: tuple[str, ...]
    exchanges: tuple[str, ...]
    types: tuple[str, ...]
    products: tuple[str, ...]
    validities: tuple[str, ...]
    after_market: bool
    disclosed: bool
    tagged: bool
    rates: Mapping[str, int | None]
    behaviours: Mapping[str, str]
    optional: tuple[str, ...] = ()
    notes: str = ""


def declared(name: str, plugins: Collection[str] = ()) -> Declared:
    """What one broker is and can do; `plugins` are the packages whose brokers may be used. Raises NotFound."""
    spec = brokers.spec(name, plugins)
    able = spec.capabilities(Account(AccountId("anybody"), spec.name))
    return Declared(
        spec.name,
        spec.title,
        spec.mode,
        spec.credentials,
        tuple(sorted(able.exchanges)),
        tuple(sorted(able.types)),
        tuple(sorted(able.products)),
        tuple(sorted(able.validities)),
        able.after_market,
        able.disclosed,
        able.tagged,
        asdict(spec.rates),
        spec.behaviours,
        spec.optional,
        spec.notes,
    )


def all_of_them(plugins: Collection[str] = ()) -> list[Declared]:
    """Every broker that ordo speaks to."""
    return [declared(name, plugins) for name in brokers.names(plugins)]


def credentials_of(name: str, plugins: Collection[str] = ()) -> tuple[str, ...]:
    """What this broker's accounts need to log in. Raises NotFound."""
    return brokers.spec(name, plugins).credentials


def fields_of(name: str, plugins: Collection[str] = ()) -> tuple[str, ...]:
    """What an account of this broker may have besides, too. Raises NotFound."""
    spec = brokers.spec(name, plugins)
    return (*spec.credentials, *spec.optional)
