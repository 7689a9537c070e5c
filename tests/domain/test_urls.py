"""A URL is shown without its password, however carelessly it was written."""

from __future__ import annotations

import pytest

from ordo_cli.domain.urls import is_postgresql, passwords, shown, without_password

BARE = "postgresql+asyncpg://ordo@db.example:5432/ordo?ssl=require"


@pytest.mark.parametrize(
    ("url", "bare", "password"),
    [
        (BARE, BARE, None),
        (BARE.replace("ordo@", "ordo:s3cret@"), BARE, "s3cret"),
        (BARE.replace("ordo@", "ordo:s3/c?r#et@"), BARE, "s3/c?r#et"),
        (BARE.replace("ordo@", "ordo:s3@cret@"), BARE, "s3@cret"),
        (BARE.replace("ordo@", "ordo:a:b@"), BARE, "a:b"),
        (BARE.replace("ordo@", "ordo:@"), BARE, None),
        (BARE + "&password=s3cret", BARE, "s3cret"),
        (BARE.replace("ssl=require", "PASSWORD=s3cret"), BARE.partition("?")[0], "s3cret"),
        ("postgresql://:pw@/ordo", "postgresql://@/ordo", "pw"),
        ("postgresql:///ordo", "postgresql:///ordo", None),
        ("sqlite:////srv/ordo.db", "sqlite:////srv/ordo.db", None),
    ],
)
def test_a_url_is_taken_apart(url: str, bare: str, password: str | None) -> None:
    assert without_password(url) == (bare, password)
    assert password is None or password not in shown(url)
    assert shown(bare) == bare


def test_it_is_shown_that_there_was_a_password() -> None:
    assert shown("postgresql://ordo:s3cret@db/ordo") == "postgresql://ordo:***@db/ordo"
    assert shown("postgresql:///ordo?password=s3cret") == "postgresql:///ordo (with a password)"
    assert shown("/srv/ordo.db") == "/srv/ordo.db"


def test_a_password_is_hidden_as_it_stands_there_and_as_it_is_meant() -> None:
    assert passwords("postgresql://ordo:p%40ss@db/ordo") == ("p%40ss", "p@ss")
    assert passwords("postgresql://ordo@db/ordo") == ()


@pytest.mark.parametrize(
    ("url", "is_it"),
    [
        ("postgresql+asyncpg://db/ordo", True),
        ("postgresql://db/ordo", True),
        ("postgres://db/ordo", True),
        ("postgresql+psycopg://db/ordo", False),
        ("sqlite:///x", False),
        ("/srv/postgresql", False),
    ],
)
def test_a_postgresql_is_known_by_its_scheme(url: str, is_it: bool) -> None:
    assert is_postgresql(url) is is_it
