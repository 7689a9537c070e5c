"""A broker that wants credentials, for tests of the commands that handle them. It speaks to nobody."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from datetime import timedelta

from ordo_cli.brokers.base import (
    WRONG_ANSWER,
    Broker,
    BrokerSession,
    BrokerSpec,
    Capabilities,
    Challenge,
    ChallengeKind,
    Login,
    RateLimits,
    Tools,
)
from ordo_cli.domain.accounts import Account, BrokerName
from ordo_cli.domain.errors import Rejected, SessionExpired, Unreachable
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


class AcmeLogin:
    """Asks for a code, repeats every wrong one aloud, and makes the right one the token. Groups say what goes wrong."""

    async def start(self, account: Account, credentials: Mapping[str, str], tools: Tools) -> Challenge:
        until = tools.clock.now() + timedelta(minutes=5)
        return Challenge(ChallengeKind.OTP, "the code on acme's key", until, credentials["api_secret"].encode())

    async def answer(
        self, account: Account, credentials: Mapping[str, str], tools: Tools, state: bytes, text: str
    ) -> BrokerSession:
        assert state.decode() == credentials["api_secret"]
        if "buggy" in account.groups:
            raise ValueError(f"invalid literal: {text}")
        if text.startswith("wrong"):
            raise Rejected(f"{text} is not the code", code=WRONG_ANSWER)
        return BrokerSession({"access": text, "refresh": state.decode()}, tools.clock.now() + timedelta(hours=1))

    async def probe(self, account: Account, _: Mapping[str, str], tools: Tools, session: BrokerSession) -> None:
        if "forgetful" in account.groups:
            raise SessionExpired("acme has forgotten it")

    async def logout(self, account: Account, _: Mapping[str, str], tools: Tools, session: BrokerSession) -> None:
        raise Unreachable("acme is not there")


def login(account: Account) -> Login | None:
    """Only those of a group log in, as the others only test commands that handle credentials."""
    return AcmeLogin() if "login" in account.groups else None


SPEC = BrokerSpec(
    BrokerName("acme"),
    "Acme Broking",
    Mode.LIVE,
    ("api_key", "api_secret"),
    capabilities,
    RateLimits(),
    connect,
    login=login,
)
