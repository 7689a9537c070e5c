"""Configuration: every setting, what it is worth here and where that value came from; and the file that keeps them."""

from __future__ import annotations

import os
import re
import stat
import tomllib
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from ordo_cli.config import text as configtext
from ordo_cli.domain import urls
from ordo_cli.domain.accounts import check_name
from ordo_cli.domain.addresses import redis_address, without_password
from ordo_cli.domain.errors import Invalid, NotFound, Refused
from ordo_cli.domain.limits import RULES, LimitBook, Limits, rule_of
from ordo_cli.domain.money import shown
from ordo_cli.domain.values import dataclass, field
from ordo_cli.home import at_once

if TYPE_CHECKING:
    from ordo_cli.domain.seams import Disk
    from ordo_cli.home import Home

DEFAULT = "default"
FILE = "config.toml"
FLAG = "flag"
PREFIX = "ORDO_"


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting: its path in config.toml, how a value is read, what it is when nobody says, and what it means."""

    path: str
    read: Callable[[object], Any]
    default: Any
    comment: str


def _text(value: object) -> str:
    if not isinstance(value, str) or not value.isprintable():
        raise Invalid(f"{shown(str(value))} is not a text", hint="put it in quotes")
    return value


def _database(value: object) -> str:
    if not isinstance(value, str) or not value.isprintable():  # it may hold a password, so it is not repeated
        raise Invalid("the URL of the database is not a text in one line", hint="put it in quotes")
    if "://" in value and not value.startswith((urls.SQLITE, *urls.POSTGRESQL)):
        raise Invalid(
            f"{shown(value.partition('://')[0])} is not a database that ordo can use",
            hint="write it like sqlite:////srv/ordo.db or postgresql+asyncpg://user:password@host/database",
        )
    return value


def _redis(value: object) -> str:
    if value == "":
        return ""
    redis_address(value)
    return str(value)


def _seconds(value: object) -> float:
    number = RULES["ltp_max_age"].read(value)
    if not 0 < number <= 3600:
        raise Invalid(f"{value} is not a number of seconds above 0 and up to 3600")
    return float(number)


def _port(value: object) -> int:
    number = int(value) if isinstance(value, str) and value.isascii() and value.isdigit() else value
    if not isinstance(number, int) or isinstance(number, bool) or not 1024 <= number <= 65535:
        raise Invalid(f"{value} is not a port between 1024 and 65535")
    return number


def _packages(value: object) -> tuple[str, ...]:
    names = [str(each) for each in value] if isinstance(value, list) else str(value).split(",")
    found = tuple(name.strip() for name in names if name.strip())
    for name in found:
        if not re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,98}[A-Za-z0-9])?", name):
            raise Invalid(f"{shown(name)} is not the name of a package", hint="write it as you would for pip")
    return found


def _backend(value: object) -> str:
    if value not in ("", "keyring", "vault"):
        raise Invalid(
            f"{shown(str(value))} is not a place for secrets", hint="it is keyring or vault; ordo init chooses it"
        )
    return str(value)


SETTINGS = (
    Setting(
        "database.url", _database, "", "where ordo remembers: a file or a PostgreSQL; empty is ordo.db among the data"
    ),
    Setting("redis.url", _redis, "", "a Redis 7 or later as a cache; ORDO_REDIS__URL keeps its password out of here"),
    Setting(
        "sending.deadline_marketable", _seconds, 5.0, "seconds after which a market order that has not left is dropped"
    ),
    Setting("sending.deadline_resting", _seconds, 30.0, "the same for orders with a price of their own"),
    Setting(
        "sending.read_timeout", _seconds, 15.0, "seconds an order waits for its broker's answer before it is unknown"
    ),
    Setting("sending.wait_timeout", _seconds, 30.0, "seconds --wait waits when no --timeout is given"),
    Setting(
        "login.redirect_port", _port, 8021, "where a broker's login page sends the browser back to, on this machine"
    ),
    Setting("plugins.allowed", _packages, (), "packages of others whose brokers may be used, with commas between"),
    Setting("secrets.name", _text, "", "the name under which this ordo keeps its secrets; ordo init chose it"),
    Setting("secrets.backend", _backend, "", "where credentials are kept, keyring or vault; ordo init chose it"),
    Setting("secrets.key_file", _text, "", "the 32-byte key that opens the vault"),
    Setting("secrets.passphrase_file", _text, "", "or the file with the passphrase that opens it"),
)
BY_PATH = {setting.path: setting for setting in SETTINGS}


@dataclass(frozen=True, slots=True)
class Origin:
    """One value as it was given, and by whom: `default`, `config.toml`, a variable's name or `flag`."""

    path: str
    value: Any = field(repr=False)  # may be an address with its password
    source: str


@dataclass(frozen=True, slots=True)
class Config:
    """All settings of this run. `origins` has one row for each, defaults included."""

    database_url: str = field(repr=False)  # it may hold a password
    limits: LimitBook = field(default_factory=LimitBook)
    brokers: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    redis_url: str = field(default="", repr=False)
    deadline_marketable: float = 5.0
    deadline_resting: float = 30.0
    read_timeout: float = 15.0
    wait_timeout: float = 30.0
    redirect_port: int = 8021
    plugins: tuple[str, ...] = ()
    secrets_name: str = ""
    secrets_backend: str = ""
    key_file: str = ""
    passphrase_file: str = ""
    origins: tuple[Origin, ...] = ()
    distrust: str | None = None  # why nobody may trade on these limits: somebody else could have written them

    def require_trusted(self) -> None:
        """Raises Refused when others may write the file that the limits come from."""
        if self.distrust:
            raise Refused(self.distrust, hint="see: ordo doctor", code="CONFIG_UNSAFE")


def load(home: Home, environ: Mapping[str, str] = os.environ, overrides: Mapping[str, str] | None = None) -> Config:
    """The settings of this run: flags before environment before file before default.

    Raises Invalid for names nobody knows and values that make no sense, naming the line or the variable.
    """
    given = {setting.path: Origin(setting.path, setting.default, DEFAULT) for setting in SETTINGS}
    for name in RULES:
        given[f"limits.{name}"] = Origin(f"limits.{name}", getattr(Limits(), name), DEFAULT)
    for origin in (*_from_file(home.config_file), *_from_environment(environ), *_from_flags(overrides or {})):
        given[origin.path] = origin
    return _config(home, given)


def change(home: Home, disk: Disk, path: str, text: str) -> None:
    """Write one setting into config.toml; every other line stays. Raises Invalid, and then nothing is written."""
    value = configtext.literal(_for_file(read(path, text)))
    _save(home, disk, configtext.with_value(_read_file(home.config_file) or template(), path, value))


def reset(home: Home, disk: Disk, path: str) -> None:
    """Take one setting out of config.toml, so that its default holds again. Raises Invalid for one nobody knows."""
    _reader(path)
    _save(home, disk, configtext.without_value(_read_file(home.config_file), path))


def forget(home: Home, disk: Disk, table: str) -> bool:
    """Take a whole table out of config.toml, as when its account is removed. False when there was none."""
    before = _read_file(home.config_file)
    after = configtext.without_table(before, table)
    if after == before:
        return False
    _save(home, disk, after)
    return True


def read(path: str, value: object) -> Any:
    """The value of one setting, checked. Raises Invalid for a path that names nothing."""
    return _reader(path)(value)


def _reader(path: str) -> Callable[[object], Any]:
    if path in BY_PATH:
        return BY_PATH[path].read
    match path.split("."):
        case ["limits", limit]:
            return rule_of(limit).read
        case ["limits", "groups" | "accounts" as kind, name, limit]:
            check_name(name, kind[:-1])
            return rule_of(limit).read
        case ["brokers", broker, option]:
            check_name(broker, "broker")
            check_name(option, "option")
            return _scalar
    raise Invalid(f"there is no setting {shown(path)}", hint="see: ordo config show")


def _save(home: Home, disk: Disk, text: str) -> None:
    _parse(text, home.config_file)
    try:
        disk.write(home.config_file, text.encode())
    except OSError as error:
        raise Refused(f"{home.config_file} could not be written: {error.strerror}", hint="see: ordo doctor") from error


def template() -> str:
    """A config.toml that sets nothing and names every setting with its default and what it means."""
    tables: dict[str, list[str]] = {}
    for setting in SETTINGS:
        table, _, key = setting.path.rpartition(".")
        tables.setdefault(table, []).append(_comment(key, setting.default, setting.comment))
    tables["limits"] = [_comment(name, getattr(Limits(), name), rule.comment) for name, rule in RULES.items()]
    parts = [f"[{table}]\n" + "\n".join(lines) + "\n" for table, lines in tables.items()]
    return configtext.HEAD + "\n" + "\n".join(parts) + "\n" + configtext.TAIL


def distrusted(path: str, uid: int) -> str | None:
    """Why somebody else could have written this file or replaced it in its folder, or None."""
    for place, what in ((path, "file"), (os.path.dirname(path), "folder")):
        try:
            found = os.stat(place)
        except FileNotFoundError:
            continue
        if stat.S_IMODE(found.st_mode) & 0o022:
            return f"others may write the {what} {place}; until then no order is sent (mend: chmod go-w {place})"
        if found.st_uid not in (uid, 0):
            return f"the {what} {place} belongs to another user; no order is sent on its limits"
    return None


def _comment(key: str, default: object, comment: str) -> str:
    return f"# {key} = {configtext.literal(_for_file(default))}".ljust(40) + f"  # {comment}"


def plain(value: Any) -> str:
    """A value as `ordo config set` takes it, without the password that an address may have in it."""
    written = _for_file(value)
    if isinstance(written, str) and "://" in written:
        return without_password(written)
    return ",".join(written) if isinstance(written, list) else configtext.literal(written).strip('"')


def _for_file(value: Any) -> Any:
    if isinstance(value, tuple):
        return list(value) if all(isinstance(each, str) for each in value) else sorted(set().union(*value))
    if isinstance(value, frozenset):
        return sorted(value)
    return "off" if value is None else value


def _scalar(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if not isinstance(value, str | int | Decimal):
        raise Invalid("a broker's option is a text, a number or true/false")
    return str(value)


def _read_file(path: str) -> str:
    try:
        with open(path, encoding="utf-8", opener=at_once) as file:
            return file.read()
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise Invalid(f"{path} cannot be read: {error}", hint="see: ordo doctor") from error


def _parse(text: str, path: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text, parse_float=Decimal)
    except tomllib.TOMLDecodeError as error:
        raise Invalid(f"{path} is not TOML: {error}") from error


def _from_file(path: str) -> Iterator[Origin]:
    text = _read_file(path)
    for name, value in _flat(_parse(text, path)):
        try:
            yield Origin(name, read(name, value), FILE)
        except Invalid as error:
            line = configtext.line_of(text, name)
            at = f"{path} line {line}" if line else path
            raise Invalid(f"{at}, {name}: {error.message}", hint=error.hint) from error


def _flat(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in table.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value


def _from_environment(environ: Mapping[str, str]) -> Iterator[Origin]:
    for variable, text in environ.items():
        if not variable.startswith(PREFIX) or "__" not in variable or variable.startswith(f"{PREFIX}OTP_"):
            continue  # ORDO_HOME and the like are not settings, nor is an answer for an account's login
        path = variable.removeprefix(PREFIX).lower().replace("__", ".")
        yield Origin(path, _said(variable, path, text), variable)


def _from_flags(overrides: Mapping[str, str]) -> Iterator[Origin]:
    for path, text in overrides.items():
        yield Origin(path, _said(path, path, text), FLAG)


def _said(by: str, path: str, text: str) -> Any:
    try:
        return read(path, text)
    except Invalid as error:
        raise Invalid(f"{by}: {error.message}", hint=error.hint) from error


def _config(home: Home, given: Mapping[str, Origin]) -> Config:
    tables: dict[str, dict[str, dict[str, Any]]] = {"groups": {}, "accounts": {}, "brokers": {}}
    for origin in given.values():
        match origin.path.split("."):
            case ["limits", kind, name, limit]:
                tables[kind].setdefault(name, {})[limit] = origin.value
            case ["brokers", broker, option]:
                tables["brokers"].setdefault(broker, {})[option] = origin.value
    return Config(
        database_url=given["database.url"].value or f"sqlite:///{home.database}",
        limits=LimitBook(
            Limits(**{name: given[f"limits.{name}"].value for name in RULES}), tables["groups"], tables["accounts"]
        ),
        brokers=tables["brokers"],
        redis_url=given["redis.url"].value,
        deadline_marketable=given["sending.deadline_marketable"].value,
        deadline_resting=given["sending.deadline_resting"].value,
        read_timeout=given["sending.read_timeout"].value,
        wait_timeout=given["sending.wait_timeout"].value,
        redirect_port=given["login.redirect_port"].value,
        plugins=given["plugins.allowed"].value,
        secrets_name=given["secrets.name"].value,
        secrets_backend=given["secrets.backend"].value,
        key_file=given["secrets.key_file"].value,
        passphrase_file=given["secrets.passphrase_file"].value,
        origins=tuple(given.values()),
        distrust=distrusted(home.config_file, os.getuid()) if hasattr(os, "getuid") else None,
    )


def variable_of(path: str) -> str:
    """The variable of the environment that gives this setting."""
    return PREFIX + path.upper().replace(".", "__")


def origin_of(config: Config, path: str) -> Origin:
    """The value of one setting and who gave it. Raises NotFound."""
    for origin in config.origins:
        if origin.path == path:
            return origin
    raise NotFound(f"there is no setting {shown(path)}", hint="see: ordo config show")
