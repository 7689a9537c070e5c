"""The tables, once for every database. The migrations are the only other description, and a test holds both equal.

Money is exact text; an order's value, which is summed, a whole number of 1/10,000 rupee;
times are microseconds since 1970.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, CheckConstraint, Column, Float, ForeignKey, Index, Integer, LargeBinary, Text, text
from sqlmodel import Field, SQLModel

BIG_KEY = BigInteger().with_variant(Integer(), "sqlite")  # only INTEGER is a rowid, which numbers itself
TEXT = Text().with_variant(Text(collation="C"), "postgresql")  # in the order of its bytes, as in SQLite


def _text(*, null: bool = False, key: bool = False) -> Column[str]:
    return Column(TEXT, nullable=null, primary_key=key)


def _number(*, null: bool = False, key: bool = False) -> Column[int]:
    return Column(Integer, nullable=null, primary_key=key)


def _time(*, null: bool = False, key: bool = False) -> Column[int]:
    return Column(BigInteger, nullable=null, primary_key=key)


def _one_of(column: str, *words: str, name: str) -> CheckConstraint:
    listed = ", ".join(f"'{word}'" for word in words)
    return CheckConstraint(f"{column} IN ({listed})", name=name)


class InstallRow(SQLModel, table=True):
    """This installation: one row, made with the database."""

    __tablename__ = "install"

    id: str = Field(sa_column=_text(key=True))
    tag_key: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    created_at: int = Field(sa_column=_time())


class AccountRow(SQLModel, table=True):
    __tablename__ = "accounts"

    id: str = Field(sa_column=_text(key=True))
    broker: str = Field(sa_column=_text())
    groups: str = Field(sa_column=_text())
    weight: str = Field(sa_column=_text())
    enabled: int = Field(sa_column=_number())
    base_url: str | None = Field(sa_column=_text(null=True))
    egress: str | None = Field(sa_column=_text(null=True))
    behaviours: str = Field(sa_column=_text())


class SwitchRow(SQLModel, table=True):
    """The kill switch's record of one scope."""

    __tablename__ = "switches"
    __table_args__ = (_one_of("kind", "global", "broker", "account", "group", name="ck_switches_kind"),)

    kind: str = Field(sa_column=_text(key=True))
    name: str = Field(sa_column=_text(key=True))
    engaged: int = Field(sa_column=_number())
    level: int | None = Field(sa_column=_number(null=True))
    epoch: int = Field(sa_column=_number())
    reason: str | None = Field(sa_column=_text(null=True))
    actor: str | None = Field(sa_column=_text(null=True))
    changed_at: int | None = Field(sa_column=_time(null=True))


class KeyRow(SQLModel, table=True):
    """An idempotency key and what it was used for. Never deleted: a key must not become free again."""

    __tablename__ = "keys"

    principal: str = Field(sa_column=_text(key=True))
    verb: str = Field(sa_column=_text(key=True))
    key: str = Field(sa_column=_text(key=True))
    fingerprint: str = Field(sa_column=_text())
    fan_out: str = Field(sa_column=_text())


class FanOutRow(SQLModel, table=True):
    __tablename__ = "fanouts"
    __table_args__ = (
        _one_of("mode", "live", "paper", "sandbox", name="ck_fanouts_mode"),
        _one_of("side", "buy", "sell", name="ck_fanouts_side"),
        Index("ix_fanouts_created_at", "created_at"),
        Index("ix_fanouts_instrument", "instrument", "created_at"),
    )

    id: str = Field(sa_column=_text(key=True))
    key: str = Field(sa_column=_text())
    principal: str = Field(sa_column=_text())
    verb: str = Field(sa_column=_text())
    fingerprint: str = Field(sa_column=_text())
    mode: str = Field(sa_column=_text())
    created_at: int = Field(sa_column=_time())
    side: str = Field(sa_column=_text())
    instrument: str = Field(sa_column=_text())
    quantity: int = Field(sa_column=_number())
    limit_price: str | None = Field(sa_column=_text(null=True))
    trigger_price: str | None = Field(sa_column=_text(null=True))
    product: str = Field(sa_column=_text())
    validity: str = Field(sa_column=_text())
    after_market: int = Field(sa_column=_number())
    disclosed: int | None = Field(sa_column=_number(null=True))
    label: str | None = Field(sa_column=_text(null=True))
    owner: str | None = Field(sa_column=_text(null=True))
    request_id: str | None = Field(sa_column=_text(null=True))


class LegRow(SQLModel, table=True):
    """One account's order. Its id is the fan-out's, a dash and the number: said by the key, not stored twice."""

    __tablename__ = "legs"
    __table_args__ = (
        _one_of("purpose", "entry", "close", name="ck_legs_purpose"),
        _one_of(
            "submission",
            "planned",
            "blocked",
            "sending",
            "not_sent",
            "acked",
            "rejected",
            "unknown",
            "absent",
            "disputed",
            name="ck_legs_submission",
        ),
        CheckConstraint("filled_quantity BETWEEN 0 AND quantity", name="ck_legs_filled_quantity"),
        Index("ux_legs_tag", "account", "tag", unique=True),
        Index(
            "ix_legs_unsettled",
            "account",
            sqlite_where=text("settled = 0"),
            postgresql_where=text("settled = 0"),
        ),
        Index(
            "ix_legs_doubtful",  # hardly any: every new order asks whether one stands in its way
            "account",
            sqlite_where=text("submission IN ('unknown', 'disputed')"),
            postgresql_where=text("submission IN ('unknown', 'disputed')"),
        ),
        Index(
            "ix_legs_broker_order_id",
            "account",
            "broker_order_id",
            sqlite_where=text("broker_order_id IS NOT NULL"),
            postgresql_where=text("broker_order_id IS NOT NULL"),
        ),
        {"sqlite_with_rowid": False},
    )

    fan_out: str = Field(sa_column=Column(TEXT, ForeignKey("fanouts.id"), nullable=False, primary_key=True))
    number: int = Field(sa_column=Column(Integer, nullable=False, primary_key=True, autoincrement=False))
    account: str = Field(sa_column=_text())
    broker: str = Field(sa_column=_text())
    quantity: int = Field(sa_column=_number())
    tag: str = Field(sa_column=_text())
    purpose: str = Field(sa_column=_text())
    submission: str = Field(sa_column=_text())
    working: str | None = Field(sa_column=_text(null=True))
    cancel: str = Field(sa_column=_text())
    evidence: str | None = Field(sa_column=_text(null=True))
    attempt: int = Field(sa_column=_number())
    broker_order_id: str | None = Field(sa_column=_text(null=True))
    filled_quantity: int = Field(sa_column=_number())
    average_price: str | None = Field(sa_column=_text(null=True))
    problem_code: str | None = Field(sa_column=_text(null=True))
    problem_message: str | None = Field(sa_column=_text(null=True))
    problem_hint: str | None = Field(sa_column=_text(null=True))
    sent_at: int | None = Field(sa_column=_time(null=True))
    answered_at: int | None = Field(sa_column=_time(null=True))
    latency_ms: float | None = Field(sa_column=Column(Float, nullable=True))
    supersedes: str | None = Field(sa_column=_text(null=True))
    settled: int = Field(sa_column=_number())
    owner: str | None = Field(sa_column=_text(null=True))


class PreImageRow(SQLModel, table=True):
    """The broker's order ids just before a leg without a tag was sent."""

    __tablename__ = "pre_images"

    fan_out: str = Field(sa_column=_text(key=True))
    number: int = Field(sa_column=Column(Integer, nullable=False, primary_key=True, autoincrement=False))
    order_ids: str = Field(sa_column=_text())


class OperationRow(SQLModel, table=True):
    """One operation that a broker counts: place, modify or cancel."""

    __tablename__ = "operations"
    __table_args__ = (
        _one_of("kind", "place", "modify", "cancel", name="ck_operations_kind"),
        Index("ix_operations_account", "account"),
        Index("ix_operations_rate", "account", "boot", "elapsed"),
        Index("ix_operations_day", "day", "account", "kind", "value"),
    )

    id: int = Field(sa_column=Column(BIG_KEY, primary_key=True, nullable=False, autoincrement=True))
    account: str = Field(sa_column=_text())
    kind: str = Field(sa_column=_text())
    leg: str | None = Field(sa_column=_text(null=True))
    boot: str = Field(sa_column=_text())
    elapsed: float = Field(sa_column=Column(Float, nullable=False))
    at: int = Field(sa_column=_time())
    day: str = Field(sa_column=_text())
    value: int = Field(sa_column=_time())


class BookRow(SQLModel, table=True):
    """The order ids of the last book that could be trusted, per account and trading day."""

    __tablename__ = "books"

    account: str = Field(sa_column=_text(key=True))
    day: str = Field(sa_column=_text(key=True))
    at: int = Field(sa_column=_time())
    order_ids: str = Field(sa_column=_text())


class AuditRow(SQLModel, table=True):
    """One row of the audit chain. `body` is what was hashed; the columns beside it are for finding rows."""

    __tablename__ = "audit"
    __table_args__ = (
        Index(
            "ix_audit_fan_out",
            "fan_out",
            sqlite_where=text("fan_out IS NOT NULL"),
            postgresql_where=text("fan_out IS NOT NULL"),
        ),
    )

    seq: int = Field(sa_column=Column(BIG_KEY, primary_key=True, nullable=False, autoincrement=False))
    at: int = Field(sa_column=_time())
    type: str = Field(sa_column=_text())
    fan_out: str | None = Field(sa_column=_text(null=True))
    body: str = Field(sa_column=_text())
    hash: bytes = Field(sa_column=Column(LargeBinary, nullable=False))


class TokenRow(SQLModel, table=True):
    """A token of the HTTP API. Its secret is not here, only what it hashes to."""

    __tablename__ = "tokens"
    __table_args__ = (
        Index(
            "ux_tokens_name",
            "name",
            unique=True,
            sqlite_where=text("revoked_at IS NULL"),
            postgresql_where=text("revoked_at IS NULL"),
        ),
    )

    id: str = Field(sa_column=_text(key=True))
    name: str = Field(sa_column=_text())
    digest: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    scopes: str = Field(sa_column=_text())
    accounts: str | None = Field(sa_column=_text(null=True))
    max_value: str | None = Field(sa_column=_text(null=True))
    created_at: int = Field(sa_column=_time())
    expires_at: int | None = Field(sa_column=_time(null=True))
    last_used_at: int | None = Field(sa_column=_time(null=True))
    revoked_at: int | None = Field(sa_column=_time(null=True))


class SessionRow(SQLModel, table=True):
    """An account's session with its broker, sealed under a key that the database does not hold."""

    __tablename__ = "sessions"

    account: str = Field(sa_column=_text(key=True))
    sealed: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    created_at: int = Field(sa_column=_time())
    expires_at: int | None = Field(sa_column=_time(null=True))


class ChallengeRow(SQLModel, table=True):
    """What a broker asks before it lets an account in, until it is answered or over; the sealed part is the login's."""

    __tablename__ = "challenges"
    __table_args__ = (Index("ix_challenges_account", "account", "created_at"),)

    id: str = Field(sa_column=_text(key=True))
    account: str = Field(sa_column=_text())
    kind: str = Field(sa_column=_text())
    prompt: str = Field(sa_column=_text())
    sealed: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    created_at: int = Field(sa_column=_time())
    expires_at: int = Field(sa_column=_time())
    attempts: int = Field(sa_column=_number())
    answered_at: int | None = Field(sa_column=_time(null=True))


AUDIT_GUARDS = {
    "sqlite": tuple(
        f"CREATE TRIGGER audit_is_never_{done} BEFORE {doing} ON audit"
        " BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END"
        for done, doing in (("updated", "UPDATE"), ("deleted", "DELETE"))
    ),
    "postgresql": (
        """CREATE FUNCTION audit_is_append_only() RETURNS trigger LANGUAGE plpgsql
 AS $$ BEGIN RAISE EXCEPTION 'the audit log is append-only'; END $$""",
        """CREATE TRIGGER audit_is_never_changed BEFORE UPDATE OR DELETE OR TRUNCATE ON audit
 FOR EACH STATEMENT EXECUTE FUNCTION audit_is_append_only()""",
    ),
}
"""What keeps the audit log append-only, in each database's own words."""
