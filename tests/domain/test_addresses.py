"""An address of Redis is read strictly, and its password is shown nowhere."""

from __future__ import annotations

import pytest

from ordo_cli.domain.addresses import RedisAddress, redis_address, without_password
from ordo_cli.domain.errors import Invalid

SECRET = "hunter2-hunter2"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("redis://127.0.0.1", "redis://127.0.0.1:6379/0"),
        (f"redis://:{SECRET}@cache.example.com:6380/3", "redis://cache.example.com:6380/3"),
        (f"rediss://ordo:{SECRET}@[::1]", "rediss://[::1]:6379/0"),
        ("unix:///run/redis.sock?db=2", "unix:///run/redis.sock"),
        (f"unix://:{SECRET}@/run/redis.sock", "unix:///run/redis.sock"),
    ],
)
def test_an_address_is_shown_without_its_login(text: str, shown: str) -> None:
    address = redis_address(text)
    assert str(address) == shown
    assert SECRET not in repr(address)
    assert SECRET not in without_password(text)


def test_a_password_is_what_its_percent_signs_spell() -> None:
    assert redis_address("redis://:p%40ss%2Fword@h").password == "p@ss/word"


def test_an_address_says_what_it_says() -> None:
    assert redis_address("rediss://u:p@h:1/2") == RedisAddress("h", 1, "", True, 2, "u", "p")
    assert redis_address("unix:///run/r.sock?db=7") == RedisAddress("", 6379, "/run/r.sock", False, 7)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "127.0.0.1:6379",
        f"http://:{SECRET}@h",
        f"redis://:{SECRET}@",
        f"redis://:{SECRET}@h:99999",
        f"redis://:{SECRET}@h:0",
        f"redis://:{SECRET}@h/zero",
        f"redis://:{SECRET}@h/-1",
        f"redis://:{SECRET}@h/" + "9" * 5000,
        f"redis://:{SECRET}@h/99999",
        f"redis://:{SECRET}@h?ssl_cert_reqs=none",
        f"redis://:{SECRET}@h?db",
        f"redis://:{SECRET}@h#part",
        f"redis://:{SECRET}/@h",
        f"redis://{SECRET}@h",
        f"unix://:{SECRET}@host/run/redis.sock",
        f"unix://:{SECRET}@",
        f"redis://:{SECRET} @h",
        f"redis://:{SECRET}\n@h",
        f"redis://:{SECRET}@[::1",
        6379,
        None,
    ],
)
def test_what_is_no_address_is_refused_and_not_repeated(text: object) -> None:
    with pytest.raises(Invalid) as refused:
        redis_address(text)
    assert SECRET not in refused.value.message + (refused.value.hint or "")
    assert refused.value.__cause__ is None


@pytest.mark.parametrize(
    "url",
    [
        f"redis://:{SECRET}@h",
        f"postgresql+asyncpg://ordo:{SECRET}@db/ordo",
        f"redis://u:{SECRET}@{SECRET}@h",
        f"redis://:{SECRET}/{SECRET}@h/0?x=@y",
    ],
)
def test_no_part_of_a_password_is_shown(url: str) -> None:
    assert SECRET not in without_password(url)


@pytest.mark.parametrize("text", ["sqlite:////srv/ordo.db", "redis://h/0", "postgresql://ordo@db", "a@b:c", ""])
def test_what_has_no_password_is_shown_as_it_is(text: str) -> None:
    assert without_password(text) == text
