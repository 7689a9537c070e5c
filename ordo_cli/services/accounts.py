"""Accounts: adding, changing and removing them, with their credentials, their limits and their arming files."""

from __future__ import annotations

import ipaddress
import json
import tomllib
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

from ordo_cli import arming, config
from ordo_cli.brokers.base import TOTP_SEED, BrokerSpec
from ordo_cli.desk import Desk
from ordo_cli.domain.accounts import Account, AccountId, BrokerName, GroupName
from ordo_cli.domain.addresses import without_password
from ordo_cli.domain.errors import Invalid, NotFound, OrdoError, Refused
from ordo_cli.domain.fanouts import Mode
from ordo_cli.domain.kill import scopes_over
from ordo_cli.domain.limits import RULES
from ordo_cli.domain.money import parse_price, shown
from ordo_cli.domain.tokens import TokenScope
from ordo_cli.domain.values import dataclass, replace
from ordo_cli.secrets import check_value
from ordo_cli.services import covered, totp
from ordo_cli.services.setup import Step, arm_new, fresh, initialise


@dataclass(frozen=True, slots=True)
class Wishes:
    """What `add` or `edit` were told of an account; None leaves a thing as it is."""

    groups: tuple[str, ...] | None = None
    weight: Decimal | None = None
    base_url: str | None = None
    egress: str | None = None
    behaviours: tuple[str, ...] | None = None
    limits: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Described:
    """One account with what belongs to it elsewhere: its limits, its arming, its credentials."""

    account: Account
    mode: Mode
    limits: tuple[tuple[str, str, str], ...]  # name, value as it is written in config.toml, the setting that decides
    disarmed: tuple[str, ...]  # scopes over it that are not armed
    credentials: Mapping[str, bool | None]  # None: the place for secrets did not tell


async def add(desk: Desk, name: str, broker: str, wishes: Wishes, credentials: Mapping[str, str]) -> list[Step]:
    """Take a new account in, credentials first; a home that was never set up is set up on the way.

    Gives the steps of that set-up. Raises Invalid before anything is written when something makes no sense.
    """
    desk.rights.require_all_of_it()
    spec = desk.find(broker)
    account = _wished(Account(AccountId(name), BrokerName(broker)), wishes)
    _check(account, spec, wishes)
    _check_credentials(spec, credentials)
    if any(known.id == account.id for known in await desk.store.accounts.all()):
        raise Invalid(f"there is an account {account.id} already", hint=f"ordo account edit {account.id}")
    steps = await initialise(desk, None) if fresh(desk) else []
    _keep(desk, account.id, credentials)
    await desk.store.sessions.forget(account.id, "the account is new")
    try:
        await desk.store.accounts.add(account)
    except BaseException:
        _take_back(desk, account.id, credentials)
        raise
    await _limit(desk, account.id, wishes)
    await arm_new(desk, scopes_over(account))
    return steps


async def edit(desk: Desk, name: str, wishes: Wishes, credentials: Mapping[str, str]) -> Account:
    """Change an account. New groups bring their arming files with them."""
    desk.rights.require_all_of_it()
    before = await desk.store.accounts.get(AccountId(name))
    spec = desk.spec(before)
    account = _wished(before, wishes)
    _check(account, spec, wishes)
    _check_credentials(spec, credentials, all_of_them=False)
    _keep(desk, account.id, credentials)
    if account != before:
        await desk.store.accounts.save(account)
    if credentials or account.base_url != before.base_url:  # the session is of somebody else, or of another server
        await desk.store.sessions.forget(account.id, "what it logs in with was changed")
    await _limit(desk, account.id, wishes)
    await arm_new(desk, scopes_over(account))
    return account


async def enable(desk: Desk, name: str, enabled: bool) -> Account:
    """Let an account take part again, or leave it out."""
    desk.rights.require_all_of_it()
    account = replace(await desk.store.accounts.get(AccountId(name)), enabled=enabled)
    await desk.store.accounts.save(account)
    return account


async def remove(desk: Desk, name: str) -> None:
    """Forget an account, its credentials and its limits. Refused while anything of it is unsettled.

    Its arming file stays, so that a switch pressed for it still holds should it come back.
    """
    desk.rights.require_all_of_it()
    account = await desk.store.accounts.get(AccountId(name))
    unsettled = await desk.store.journal.unsettled(account.id)
    if unsettled:
        legs = ", ".join(leg.id for _, leg in unsettled[:3]) + (" …" if len(unsettled) > 3 else "")
        raise Refused(
            f"{account.id} has {len(unsettled)} unsettled leg{'s' if len(unsettled) > 1 else ''} ({legs})",
            hint=f"settle them first: ordo fanout reconcile; ordo order cancel-all {account.id}",
            code="unsettled",
        )
    spec = desk.spec(account)
    fields = (*spec.credentials, *spec.optional)
    if fields:
        desk.secrets.remove(account.id, fields)
    await desk.store.sessions.forget(account.id, "the account was removed")
    await desk.store.accounts.remove(account.id)
    if config.forget(desk.home, desk.disk, f"limits.accounts.{account.id}"):
        await desk.store.audit.append("limit-change", {"limits": "removed"}, {"account": account.id})


async def everyone(desk: Desk) -> list[tuple[Account, Mode]]:
    """All accounts that the rights reach, each with its mode."""
    desk.rights.require(TokenScope.READ)
    return [(account, desk.spec(account).mode) for account in await covered.accounts(desk)]


async def describe(desk: Desk, name: str) -> Described:
    """One account and all that bears on it."""
    desk.rights.require(TokenScope.READ)
    await covered.require(desk, [AccountId(name)])
    account = await desk.store.accounts.get(AccountId(name))
    spec = desk.spec(account)
    book = config.load(desk.home).limits  # read again: this very command may have changed one
    limits = book.for_account(account, spec.mode is Mode.PAPER)
    return Described(
        account,
        spec.mode,
        tuple((name, config.plain(getattr(limits, name)), book.where(name, account)) for name in RULES),
        tuple(str(scope) for scope in scopes_over(account) if not _armed(desk, scope.kind, scope.name)),
        {name: _kept(desk, account.id, name) for name in (*spec.credentials, *spec.optional)},
    )


async def set_value(desk: Desk, path: str, text: str) -> None:
    """Change one setting in config.toml; a changed limit is on the record."""
    if without_password(text) != text:
        raise Invalid(
            "a password among the words of a command can be read by everybody on this machine",
            hint=f"set {config.variable_of(path)} instead, or write it into the file: ordo config path",
        )
    desk.rights.require_all_of_it()
    before = _value(desk, path)
    if text == config.DEFAULT:
        config.reset(desk.home, desk.disk, path)
    else:
        config.change(desk.home, desk.disk, path, text)
    if path.startswith("limits."):
        await desk.store.audit.append("limit-change", {"setting": path, "from": before, "to": text}, {})


def read_credentials(text: str, broker: str, wanted: Sequence[str]) -> dict[str, str]:
    """The fields of a secrets file, JSON or TOML. Errors name places and fields, never what stands there."""
    try:
        found = json.loads(text) if text.lstrip().startswith("{") else tomllib.loads(text)
    except (ValueError, RecursionError):
        raise Invalid("the secrets file is neither TOML nor JSON", hint='write lines like: api_key = "…"') from None
    for field, value in found.items():
        if field not in wanted:
            raise Invalid(f"{broker} has no credential {shown(str(field))}", hint="it needs: " + _listed(wanted))
        if not isinstance(value, str):
            raise Invalid(f"{field} in the secrets file is not a text", hint="put it in quotes")
    return dict(found)


def check_base_url(url: str) -> str:
    """The URL itself when it may be used: https, or http to this machine. Raises Invalid."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        raise Invalid(f"{shown(url)} is not a URL") from None
    if not host or parts.username is not None or parts.query or parts.fragment or not url.isprintable():
        raise Invalid(f"{shown(url)} is not a plain URL of a server", hint="write it like https://api.example.com/v1")
    if parts.scheme != "https" and not (parts.scheme == "http" and _is_loopback(host)):
        raise Invalid("a base URL is https; plain http is for this machine alone", hint="like http://127.0.0.1:8080")
    return url


def check_egress(egress: str) -> str:
    """The source address or proxy itself when it is one. Raises Invalid."""
    try:
        return str(ipaddress.ip_address(egress))
    except ValueError:
        pass
    try:
        parts = urlsplit(egress)
        proxy = parts.scheme in ("http", "https", "socks5") and parts.hostname and parts.port and not parts.username
    except ValueError:
        proxy = False
    if not proxy:
        raise Invalid(
            f"{shown(egress)} is neither an address of this machine nor a proxy",
            hint="write it like 203.0.113.7 or http://proxy.example:3128, without a password",
        )
    return egress


def _wished(account: Account, wishes: Wishes) -> Account:
    changes: dict[str, Any] = {
        "groups": None if wishes.groups is None else tuple(dict.fromkeys(map(GroupName, wishes.groups))),
        "weight": wishes.weight,
        "base_url": wishes.base_url,
        "egress": wishes.egress,
        "behaviours": wishes.behaviours,
    }
    changed = replace(account, **{name: value for name, value in changes.items() if value is not None})
    return replace(changed, base_url=changed.base_url or None, egress=changed.egress or None)


def _check(account: Account, spec: BrokerSpec, wishes: Wishes) -> None:
    if wishes.base_url:
        check_base_url(wishes.base_url)
    if wishes.egress:
        check_egress(wishes.egress)
    if account.behaviours and spec.mode is not Mode.PAPER:
        raise Invalid(f"behaviours are for paper accounts; {spec.name} is {spec.mode}")
    spec.check_account(account)
    for limit, value in (wishes.limits or {}).items():
        config.read(f"limits.accounts.{account.id}.{limit}", value)


def _check_credentials(spec: BrokerSpec, credentials: Mapping[str, str], all_of_them: bool = True) -> None:
    missing = [field for field in spec.credentials if field not in credentials]
    if missing and all_of_them:
        raise Invalid(f"{spec.name} needs {_listed(missing)}", hint="give them with --secrets-file F, or - for input")
    for field, value in credentials.items():
        check_value(field, value)
    if TOTP_SEED in credentials:
        totp.check_seed(credentials[TOTP_SEED])


def _keep(desk: Desk, account: AccountId, credentials: Mapping[str, str]) -> None:
    try:
        for field, value in credentials.items():
            desk.secrets.put(account, field, value)
    except OrdoError as error:
        raise type(error)(
            f"{account} was left as it was: {error.message}", hint=error.hint, code=error.reason
        ) from None


def _take_back(desk: Desk, account: AccountId, credentials: Mapping[str, str]) -> None:
    """Take back what was kept for an account that then could not be added."""
    try:
        desk.secrets.remove(account, credentials)
    except OrdoError:
        return  # the account does not exist; what is left is found again, and replaced, when it is added


async def _limit(desk: Desk, account: AccountId, wishes: Wishes) -> None:
    for limit, value in (wishes.limits or {}).items():
        await set_value(desk, f"limits.accounts.{account}.{limit}", value)


def _value(desk: Desk, path: str) -> str | None:
    try:
        return str(config.origin_of(desk.config, path).value)
    except NotFound:
        return None


def _armed(desk: Desk, kind: str, name: str) -> bool:
    try:
        arming.armed(arming.path_of(desk.home.run, kind, name))
    except OSError:
        return False
    return True


def _kept(desk: Desk, account: AccountId, field: str) -> bool | None:
    try:
        return desk.secrets.fields(account, (field,)) != ()
    except OrdoError:
        return None


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names) or "no credentials"


def parse_weight(text: str) -> Decimal:
    """A weight as typed: above zero, up to four decimals."""
    try:
        return parse_price(text, "weight")
    except Invalid:
        raise Invalid(f"weight {shown(text)} is not a number above zero", hint="write it like 2 or 0.5") from None
