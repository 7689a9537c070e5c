"""Opening an account's line: its broker's address or its own, and the way out that the account is bound to."""

from __future__ import annotations

from collections.abc import Mapping

from ordo_cli.brokers.base import Tools
from ordo_cli.brokers.http import Classify, Http
from ordo_cli.brokers.wire import Address, Route, Timeouts, WireTransport
from ordo_cli.domain.accounts import Account
from ordo_cli.domain.errors import Invalid


def check_account(account: Account) -> None:
    """Raises Invalid for an account whose address or way out cannot be used, or that is told to behave like paper."""
    route_of(account, "https://broker.invalid")
    if account.behaviours:
        raise Invalid(f"{account.broker} cannot be told to behave", hint="--behaviour is for paper accounts")


def address_of(account: Account, usual: str) -> str:
    """Where this account's broker is: the account's own base URL (a sandbox, a recorded server), else the usual one."""
    return (account.base_url or usual).rstrip("/")


def route_of(account: Account, usual: str) -> Route:
    """The host and the way to it. Raises Invalid for plain http beyond this machine, and for an egress that is none."""
    return way_to(account, address_of(account, usual))


def way_to(account: Account, url: str) -> Route:
    """The way to what is elsewhere than the account's broker, such as its list of instruments. Raises as `route_of`."""
    address, proxy = _egress(account)
    return Route(Address.of(url), local_address=address, proxy=proxy)


def line_of(
    account: Account,
    tools: Tools,
    usual: str,
    *,
    classify: Classify,
    headers: Mapping[str, str] | None = None,
    lines: int = 10,
) -> Http:
    """One account's line, not yet connected. `lines` is how many exchanges may be under way at once."""
    route = route_of(account, usual)
    timeouts = Timeouts(read=tools.read_timeout, whole=tools.read_timeout + 10.0)
    return Http(
        WireTransport(route, lines=lines) if tools.transport is None else tools.transport,
        str(route.base_url),
        clock=tools.clock,
        chance=tools.chance,
        classify=classify,
        headers=headers,
        timeouts=timeouts,
        pace=tools.pace,
    )


def _egress(account: Account) -> tuple[str | None, Address | None]:
    """The local address or the proxy that an account's calls leave from."""
    if account.egress is None:
        return None, None
    import ipaddress  # 2 ms, where an account has a way out of its own

    try:
        return str(ipaddress.ip_address(account.egress)), None
    except ValueError:  # then it is a proxy, as was made sure when the account was given it
        pass
    return None, Address.of(account.egress)
