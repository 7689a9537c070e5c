"""The kill switch's durable record, scope by scope. Its bodies are light, as `ordo kill` runs them without a loop."""

from __future__ import annotations

import os

from ordo_cli.store.chain import Origin, Tell
from ordo_cli.store.driver import Ask

TYPE_CHECKING = False  # typing itself costs 8 ms, which a kill does not have
if TYPE_CHECKING:
    from collections.abc import Callable

    from ordo_cli.domain.kill import Level, Scope, Switch
    from ordo_cli.store.base import Database
    from ordo_cli.store.driver import Body

    Row = tuple[str, str, int, int | None, int, str | None, str | None, int | None]


def engage_body(
    kind: str, name: str, level: int, reason: str | None, actor: str, at: float, request: str | None = None
) -> Body[int]:
    """Engage a scope as the kill switch's own path does: `at` in seconds since 1970. Answers the scope's epoch."""
    origin = Origin(actor, int(at * 1_000_000), host=os.uname().nodename, pid=os.getpid(), request=request)
    return engaging(kind, name, level, reason, origin)


def names_something(kind: str, name: str) -> Body[bool]:
    """Whether there is anything that this scope could stop, or it was pressed before."""
    if kind == "global" or (yield Ask("switch", {"kind": kind, "name": name})):
        return True
    rows = yield Ask("accounts")
    if kind == "account":
        return any(row[0] == name for row in rows)
    if kind == "broker":
        return any(row[1] == name for row in rows)
    return any(f'"{name}"' in row[2] for row in rows)  # the groups as JSON; no name contains a quote


def engaging(kind: str, name: str, level: int, reason: str | None, origin: Origin) -> Body[int]:
    """Engage a scope, or raise its level; answers its epoch. A lower press never lowers what is engaged."""
    found = yield Ask("switch", {"kind": kind, "name": name})
    before: Row = found[0] if found else (kind, name, 0, None, 0, None, None, None)
    reached = max(level, before[3] or 0) if before[2] else level
    yield from _write(before, bool(found), (1, reached, before[4], reason), origin)
    yield _tell(origin, "kill", before, after=f"engaged:{reached}", pressed=level, reason=reason)
    return before[4]


def releasing(kind: str, name: str, reason: str | None, origin: Origin) -> Body[int]:
    """Release a scope; answers its new epoch, by which nothing planned before can pass any more."""
    found = yield Ask("switch", {"kind": kind, "name": name})
    before: Row = found[0] if found else (kind, name, 0, None, 0, None, None, None)
    yield from _write(before, bool(found), (0, None, before[4] + 1, reason), origin)
    yield _tell(origin, "release", before, after="released", epoch=before[4] + 1, reason=reason)
    return before[4] + 1


def all_body() -> Body[list[Row]]:
    """Every scope that was ever pressed or released."""
    return (yield Ask("switches"))


def _write(before: Row, exists: bool, state: tuple[int, int | None, int, str | None], origin: Origin) -> Body[None]:
    kind, name = before[:2]
    engaged, level, epoch, reason = state
    if not exists:
        yield Ask("add_switch", (kind, name, engaged, level, epoch, reason, origin.actor, origin.at))
        return
    yield Ask(
        "save_switch",
        {
            "kind": kind,
            "name": name,
            "engaged": engaged,
            "level": level,
            "epoch": epoch,
            "reason": reason,
            "actor": origin.actor,
            "changed_at": origin.at,
        },
    )


def _tell(origin: Origin, event: str, before: Row, *, after: str, **data: object) -> Tell:
    was = f"engaged:{before[3]}" if before[2] else "released"
    scope = before[0] if before[0] == "global" else f"{before[0]}:{before[1]}"
    return Tell(origin, event, before=was, after=after, data={"scope": scope, **data})


class Switches:
    """The record as the services see it."""

    def __init__(self, database: Database, origin: Callable[[], Origin]) -> None:
        self._database = database
        self._origin = origin

    async def all(self) -> list[Switch]:
        """Every scope that was ever pressed or released."""
        return [switch_of(row) for row in await self._database.read(all_body)]

    async def get(self, scope: Scope) -> Switch:
        """One scope's record; one never touched is released at epoch 0."""
        for switch in await self.all():
            if switch.scope == scope:
                return switch
        return switch_of((str(scope.kind.value), scope.name, 0, None, 0, None, None, None))

    async def engage(self, scope: Scope, level: Level, reason: str | None) -> int:
        """Engage a scope or raise its level; answers its epoch."""
        origin = self._origin()
        return await self._database.run(engaging, scope.kind.value, scope.name, int(level), reason, origin)

    async def release(self, scope: Scope, reason: str | None) -> int:
        """Release a scope; answers its new epoch."""
        return await self._database.run(releasing, scope.kind.value, scope.name, reason, self._origin())


def switch_of(row: Row) -> Switch:
    # Here and not above: the kill switch's own path must not pay for enums and dataclasses.
    from ordo_cli.domain.kill import Level, Scope, ScopeKind, Switch
    from ordo_cli.store.rows import time_of

    kind, name, engaged, level, epoch, reason, actor, changed_at = row
    return Switch(
        Scope(ScopeKind(kind), name),
        bool(engaged),
        Level(level) if level else None,
        epoch,
        reason,
        actor,
        time_of(changed_at) if changed_at is not None else None,
    )
