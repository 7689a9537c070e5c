"""What can be wrong with a PostgreSQL, in sentences: weak promises, missing or sleeping guards, dangling rows."""

from __future__ import annotations

from collections.abc import Mapping

from ordo_cli.store.faults import SHOWN, named
from ordo_cli.store.postgres.connecting import Line, Place
from ordo_cli.store.postgres.driver import fetch
from ordo_cli.store.sql import POSTGRESQL_SCHEMA

SETTINGS = ("fsync", "full_page_writes", "synchronous_commit", "server_encoding", "server_version")
STANDBYS = "SELECT count(*) FROM pg_stat_replication WHERE sync_state IN ('sync', 'quorum')"
THERE = """
SELECT CASE relkind WHEN 'i' THEN 'index' ELSE 'table' END, relname FROM pg_class
 WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'i')
UNION ALL SELECT 'function', proname FROM pg_proc WHERE pronamespace = current_schema()::regnamespace
UNION ALL SELECT 'trigger', tgname FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid
 WHERE relnamespace = current_schema()::regnamespace AND NOT tgisinternal AND tgenabled IN ('O', 'A')
"""
INVALID = """
SELECT relname FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid
 WHERE relnamespace = current_schema()::regnamespace AND NOT (indisvalid AND indisready)
"""
DANGLING = """
SELECT count(*) FROM legs WHERE NOT EXISTS (SELECT 1 FROM fanouts WHERE fanouts.id = legs.fan_out)
"""


async def trouble_of(line: Line) -> str | None:
    """The first thing that weakens what a commit promises; None when all is well."""
    return weakness(await _settings(line))


def weakness(settings: Mapping[str, str]) -> str | None:
    """What these settings of a server take away from the promise of a commit."""
    if settings.get("synchronous_commit") == "off":
        return "commits are not forced to the disk (synchronous_commit is off)"
    if settings.get("fsync") == "off":
        return "nothing is forced to the disk (fsync is off)"
    if settings.get("full_page_writes") == "off":
        return "a power cut may tear pages (full_page_writes is off)"
    if settings.get("server_encoding", "UTF8") != "UTF8":
        return f"the database cannot hold every text (its encoding is {settings['server_encoding']}, not UTF8)"
    return None


async def described(line: Line, place: Place) -> str:
    """Which database this is, and how far its commits reach."""
    settings = await _settings(line)
    standbys = (await fetch(line, STANDBYS))[0][0]
    reach = "every commit reaches its disk" if weakness(settings) is None else "NOT DURABLE"
    beyond = "and a standby's" if standbys else "no standby waits with it, so a fail-over may lose the last moments"
    version = settings["server_version"].partition(" ")[0]
    return f"PostgreSQL {version} at {place}, {reach}{' ' if standbys else '; '}{beyond}"


async def faults_of(line: Line) -> list[str]:
    """What the schema has and this database has not, by name, and rows that belong to none; empty when all is well."""
    there = {(kind, name) for kind, name in await fetch(line, THERE)}
    wanted = [named(statement) for statement in POSTGRESQL_SCHEMA]
    faults = [f"the {kind} {name} is missing" for kind, name in wanted if (kind, name) not in there]
    faults += [f"the index {name} is not valid" for (name,) in await fetch(line, INVALID)]
    if {("table", "legs"), ("table", "fanouts")} <= there:
        dangling = (await fetch(line, DANGLING))[0][0]
        faults += [f"{dangling} rows of legs belong to no fanouts"] if dangling else []
    return faults[:SHOWN]


async def _settings(line: Line) -> dict[str, str]:
    return dict(await fetch(line, "SELECT name, setting FROM pg_settings WHERE name = ANY($1)", list(SETTINGS)))
