"""A broker that wants credentials, for tests of the commands that handle them. It speaks to nobody."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager

from ordo_cli.brokers.base import Broker, BrokerSpec, Capabilities, RateLimits, Tools
from ordo_cli.domain.accounts import Account, BrokerName
from ordo_cli.domain.errors import Unreachable
from ordo_cli.domain.fanouts import Mode


class Gone(AbstractAsyncContextManager[Broker]):
    async def __aenter__(self) -> Broker:
        raise Unreachable("acme is not there")

    async def __aexit__(self, *problem: object) -> None: ...


def connect(account: Account, credentials: Mapping[str, str], tools: Tools) -> Gone:
    assert set(credentials) == {"api_key", "api_secret"}
    return Gone()


def capabilities(account: Account) -> Capabilities:
    return Capabilities(frozenset(), frozenset(), frozenset(), frozenset())


SPEC = BrokerSpec(
    BrokerName("acme"), "Acme Broking", Mode.LIVE, ("api_key", "api_secret"), capabilities, RateLimits(), connect
)
