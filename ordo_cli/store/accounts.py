"""The accounts that ordo knows, each change with its audit row."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from ordo_cli.domain.accounts import Account, AccountId
from ordo_cli.domain.errors import Invalid, NotFound
from ordo_cli.store.chain import Origin, Tell
from ordo_cli.store.driver import Ask, Body
from ordo_cli.store.rows import account_of, account_row, accounts_of
from ordo_cli.store.sql import COLUMNS

if TYPE_CHECKING:
    from ordo_cli.store.base import Database


class Accounts:
    def __init__(self, database: Database, origin: Callable[[], Origin]) -> None:
        self._database = database
        self._origin = origin

    async def all(self) -> list[Account]:
        """Every account, by name."""
        return await self._database.read(all_accounts)

    async def get(self, account: AccountId) -> Account:
        """One account. Raises NotFound."""
        return await self._database.read(_get, account)

    async def add(self, account: Account) -> None:
        """Take a new account. Raises Invalid when the name is taken."""
        await self._database.run(_adding, account, self._origin())

    async def save(self, account: Account) -> None:
        """Replace an account's settings. Raises NotFound."""
        await self._database.run(_saving, account, self._origin())

    async def remove(self, account: AccountId) -> None:
        """Forget an account; its legs and its audit rows stay. Raises NotFound."""
        await self._database.run(_removing, account, self._origin())


def all_accounts() -> Body[list[Account]]:
    return list(accounts_of((yield Ask("accounts"))))


def _get(account: AccountId) -> Body[Account]:
    rows = yield Ask("account", {"id": account})
    if not rows:
        raise NotFound(f"there is no account {account}", hint="see: ordo account list")
    return account_of(rows[0])


def _adding(account: Account, origin: Origin) -> Body[None]:
    if (yield Ask("account", {"id": account.id})):
        raise Invalid(f"there is already an account {account.id}", hint="choose another name, or: ordo account edit")
    yield Ask("add_account", account_row(account))
    yield _tell(origin, account, None, "added", _facts(account))


def _saving(account: Account, origin: Origin) -> Body[None]:
    before = yield from _get(account.id)
    if before == account:
        return
    yield Ask("save_account", dict(zip(COLUMNS["accounts"], account_row(account), strict=True)))
    known = _facts(before)
    changed = {name: value for name, value in _facts(account).items() if value != known[name]}
    yield _tell(origin, account, "known", "changed", changed)


def _removing(account: AccountId, origin: Origin) -> Body[None]:
    before = yield from _get(account)
    yield Ask("remove_account", {"id": account})
    yield _tell(origin, before, "known", "removed", _facts(before))


def _facts(account: Account) -> dict[str, object]:
    return dict(zip(COLUMNS["accounts"], account_row(account), strict=True))


def _tell(origin: Origin, account: Account, before: str | None, after: str, data: Mapping[str, object]) -> Tell:
    return Tell(origin, "account", ids={"account": account.id}, before=before, after=after, data=data)
