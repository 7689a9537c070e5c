"""The JSON of accounts, brokers, settings, tokens, set-up steps and the doctor's verdicts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ordo_cli import config
from ordo_cli.domain import accounts, tokens
from ordo_cli.schemas.base import Foreign, Moment, Money, Out

if TYPE_CHECKING:
    from ordo_cli.config import Origin
    from ordo_cli.services.accounts import Described
    from ordo_cli.services.brokers import Declared
    from ordo_cli.services.doctor import Verdict
    from ordo_cli.services.setup import Step
    from ordo_cli.services.tokens import Made


class Account(Out):
    account: str
    broker: str
    mode: str
    groups: tuple[str, ...]
    weight: str
    enabled: bool
    base_url: str | None
    egress: str | None
    behaviours: tuple[str, ...]


class Limit(Out):
    value: str  # as it is written in config.toml; "off" is none
    set_by: str


class AccountShown(Account):
    stopped_by: tuple[str, ...]
    credentials: dict[str, bool | None]
    limits: dict[str, Limit]


class Broker(Out):
    broker: str
    title: str
    mode: str
    credentials: tuple[str, ...]
    exchanges: tuple[str, ...]
    types: tuple[str, ...]
    products: tuple[str, ...]
    validities: tuple[str, ...]
    after_market: bool
    disclosed: bool
    tagged: bool
    rates: dict[str, int | None]
    behaviours: dict[str, str]
    optional_credentials: tuple[str, ...]
    notes: str


class VerdictOut(Out):
    check: str
    verdict: str
    message: Foreign
    mend: Foreign | None


class StepOut(Out):
    what: str
    where: str
    made: bool | None  # null: it was there, or opening it made it


class Setting(Out):
    setting: str
    value: str
    source: str


class Token(Out):
    id: str
    name: str
    state: str
    scopes: tuple[str, ...]
    accounts: tuple[str, ...] | None  # null: every account
    max_value: Money | None
    created_at: Moment
    expires_at: Moment | None
    last_used_at: Moment | None
    revoked_at: Moment | None


class TokenMade(Token):
    token: str  # the text, which is told here and never again


def account(value: accounts.Account, mode: str) -> dict[str, Any]:
    return Account(**_facts(value, mode)).model_dump(mode="json")


def account_shown(found: Described) -> dict[str, Any]:
    whole = AccountShown(
        **_facts(found.account, found.mode),
        stopped_by=found.disarmed,
        credentials=dict(found.credentials),
        limits={name: Limit(value=value, set_by=path) for name, value, path in found.limits},
    )
    return whole.model_dump(mode="json")


def broker(found: Declared) -> dict[str, Any]:
    whole = Broker(
        broker=found.name,
        title=found.title,
        mode=found.mode,
        credentials=found.credentials,
        exchanges=found.exchanges,
        types=found.types,
        products=found.products,
        validities=found.validities,
        after_market=found.after_market,
        disclosed=found.disclosed,
        tagged=found.tagged,
        rates=dict(found.rates),
        behaviours=dict(found.behaviours),
        optional_credentials=found.optional,
        notes=found.notes,
    )
    return whole.model_dump(mode="json")


def verdict(value: Verdict) -> dict[str, Any]:
    whole = VerdictOut(check=value.check, verdict=value.verdict, message=value.message, mend=value.mend)
    return whole.model_dump(mode="json")


def step(value: Step) -> dict[str, Any]:
    return StepOut(what=value.what, where=value.where, made=value.made).model_dump(mode="json")


def token(value: tokens.Token, state: str) -> dict[str, Any]:
    return Token(**_token(value, state)).model_dump(mode="json")


def token_made(made: Made) -> dict[str, Any]:
    facts = _token(made.token, tokens.TokenState.LIVE)
    return TokenMade(**facts, token=made.text).model_dump(mode="json")


def setting(value: Origin) -> dict[str, Any]:
    return Setting(setting=value.path, value=config.plain(value.value), source=value.source).model_dump(mode="json")


def _facts(value: accounts.Account, mode: str) -> dict[str, Any]:
    return {
        "account": value.id,
        "broker": value.broker,
        "mode": mode,
        "groups": value.groups,
        "weight": format(value.weight.normalize(), "f"),
        "enabled": value.enabled,
        "base_url": value.base_url,
        "egress": value.egress,
        "behaviours": value.behaviours,
    }


def _token(value: tokens.Token, state: str) -> dict[str, Any]:
    rights = value.rights
    return {
        "id": value.id,
        "name": value.name,
        "state": state,
        "scopes": tuple(sorted(rights.scopes)),
        "accounts": None if rights.accounts is None else tuple(map(str, rights.accounts)),
        "max_value": rights.max_value,
        "created_at": value.created_at,
        "expires_at": value.expires_at,
        "last_used_at": value.last_used_at,
        "revoked_at": value.revoked_at,
    }
