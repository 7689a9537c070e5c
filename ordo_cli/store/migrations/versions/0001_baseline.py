"""The first schema: accounts, keys, fan-outs, legs, operations, kill switch and audit log."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")  # in the order of its bytes, as in SQLite

GUARDS = {
    "sqlite": (
        """CREATE TRIGGER audit_is_never_updated BEFORE UPDATE ON audit
 BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END""",
        """CREATE TRIGGER audit_is_never_deleted BEFORE DELETE ON audit
 BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END""",
    ),
    "postgresql": (
        """CREATE FUNCTION audit_is_append_only() RETURNS trigger LANGUAGE plpgsql
 AS $$ BEGIN RAISE EXCEPTION 'the audit log is append-only'; END $$""",
        """CREATE TRIGGER audit_is_never_changed BEFORE UPDATE OR DELETE OR TRUNCATE ON audit
 FOR EACH STATEMENT EXECUTE FUNCTION audit_is_append_only()""",
    ),
}


def upgrade() -> None:
    op.create_table(
        "accounts",
        sa.Column("id", TEXT, nullable=False),
        sa.Column("broker", TEXT, nullable=False),
        sa.Column("groups", TEXT, nullable=False),
        sa.Column("weight", TEXT, nullable=False),
        sa.Column("enabled", sa.Integer(), nullable=False),
        sa.Column("base_url", TEXT, nullable=True),
        sa.Column("egress", TEXT, nullable=True),
        sa.Column("behaviours", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "audit",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("type", TEXT, nullable=False),
        sa.Column("fan_out", TEXT, nullable=True),
        sa.Column("body", TEXT, nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("seq"),
    )
    op.create_index(
        "ix_audit_fan_out",
        "audit",
        ["fan_out"],
        unique=False,
        sqlite_where=sa.text("fan_out IS NOT NULL"),
        postgresql_where=sa.text("fan_out IS NOT NULL"),
    )

    op.create_table(
        "books",
        sa.Column("account", TEXT, nullable=False),
        sa.Column("day", TEXT, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("order_ids", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("account", "day"),
    )
    op.create_table(
        "fanouts",
        sa.Column("id", TEXT, nullable=False),
        sa.Column("key", TEXT, nullable=False),
        sa.Column("principal", TEXT, nullable=False),
        sa.Column("verb", TEXT, nullable=False),
        sa.Column("fingerprint", TEXT, nullable=False),
        sa.Column("mode", TEXT, nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("side", TEXT, nullable=False),
        sa.Column("instrument", TEXT, nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("limit_price", TEXT, nullable=True),
        sa.Column("trigger_price", TEXT, nullable=True),
        sa.Column("product", TEXT, nullable=False),
        sa.Column("validity", TEXT, nullable=False),
        sa.Column("after_market", sa.Integer(), nullable=False),
        sa.Column("disclosed", sa.Integer(), nullable=True),
        sa.Column("label", TEXT, nullable=True),
        sa.Column("owner", TEXT, nullable=True),
        sa.CheckConstraint("mode IN ('live', 'paper', 'sandbox')", name="ck_fanouts_mode"),
        sa.CheckConstraint("side IN ('buy', 'sell')", name="ck_fanouts_side"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_fanouts_created_at", "fanouts", ["created_at"], unique=False)
    op.create_index("ix_fanouts_instrument", "fanouts", ["instrument", "created_at"], unique=False)

    op.create_table(
        "install",
        sa.Column("id", TEXT, nullable=False),
        sa.Column("tag_key", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "keys",
        sa.Column("principal", TEXT, nullable=False),
        sa.Column("verb", TEXT, nullable=False),
        sa.Column("key", TEXT, nullable=False),
        sa.Column("fingerprint", TEXT, nullable=False),
        sa.Column("fan_out", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("principal", "verb", "key"),
    )
    op.create_table(
        "operations",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("account", TEXT, nullable=False),
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("leg", TEXT, nullable=True),
        sa.Column("boot", TEXT, nullable=False),
        sa.Column("elapsed", sa.Float(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("day", TEXT, nullable=False),
        sa.Column("value", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("kind IN ('place', 'modify', 'cancel')", name="ck_operations_kind"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_operations_account", "operations", ["account"], unique=False)
    op.create_index("ix_operations_day", "operations", ["day", "account", "kind", "value"], unique=False)
    op.create_index("ix_operations_rate", "operations", ["account", "boot", "elapsed"], unique=False)

    op.create_table(
        "pre_images",
        sa.Column("fan_out", TEXT, nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("order_ids", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("fan_out", "number"),
    )
    op.create_table(
        "switches",
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("name", TEXT, nullable=False),
        sa.Column("engaged", sa.Integer(), nullable=False),
        sa.Column("level", sa.Integer(), nullable=True),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("reason", TEXT, nullable=True),
        sa.Column("actor", TEXT, nullable=True),
        sa.Column("changed_at", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("kind IN ('global', 'broker', 'account', 'group')", name="ck_switches_kind"),
        sa.PrimaryKeyConstraint("kind", "name"),
    )
    op.create_table(
        "legs",
        sa.Column("fan_out", TEXT, nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("account", TEXT, nullable=False),
        sa.Column("broker", TEXT, nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("tag", TEXT, nullable=False),
        sa.Column("purpose", TEXT, nullable=False),
        sa.Column("submission", TEXT, nullable=False),
        sa.Column("working", TEXT, nullable=True),
        sa.Column("cancel", TEXT, nullable=False),
        sa.Column("evidence", TEXT, nullable=True),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("broker_order_id", TEXT, nullable=True),
        sa.Column("filled_quantity", sa.Integer(), nullable=False),
        sa.Column("average_price", TEXT, nullable=True),
        sa.Column("problem_code", TEXT, nullable=True),
        sa.Column("problem_message", TEXT, nullable=True),
        sa.Column("problem_hint", TEXT, nullable=True),
        sa.Column("sent_at", sa.BigInteger(), nullable=True),
        sa.Column("answered_at", sa.BigInteger(), nullable=True),
        sa.Column("latency_ms", sa.Float(), nullable=True),
        sa.Column("supersedes", TEXT, nullable=True),
        sa.Column("settled", sa.Integer(), nullable=False),
        sa.Column("owner", TEXT, nullable=True),
        sa.CheckConstraint("purpose IN ('entry', 'close')", name="ck_legs_purpose"),
        sa.CheckConstraint(
            "submission IN ('planned', 'blocked', 'sending', 'not_sent', 'acked',"
            " 'rejected', 'unknown', 'absent', 'disputed')",
            name="ck_legs_submission",
        ),
        sa.CheckConstraint("filled_quantity BETWEEN 0 AND quantity", name="ck_legs_filled_quantity"),
        sa.ForeignKeyConstraint(
            ["fan_out"],
            ["fanouts.id"],
        ),
        sa.PrimaryKeyConstraint("fan_out", "number"),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ix_legs_broker_order_id",
        "legs",
        ["account", "broker_order_id"],
        unique=False,
        sqlite_where=sa.text("broker_order_id IS NOT NULL"),
        postgresql_where=sa.text("broker_order_id IS NOT NULL"),
    )
    op.create_index(
        "ix_legs_unsettled",
        "legs",
        ["account"],
        unique=False,
        sqlite_where=sa.text("settled = 0"),
        postgresql_where=sa.text("settled = 0"),
    )
    op.create_index("ux_legs_tag", "legs", ["account", "tag"], unique=True)
    for statement in GUARDS[op.get_bind().dialect.name]:
        op.execute(statement)
