"""Every statement that ordo runs, written once in SQLAlchemy; `generate` compiles them ahead into `sql`."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    Insert,
    Integer,
    Table,
    and_,
    bindparam,
    delete,
    func,
    insert,
    literal_column,
    null,
    or_,
    select,
    update,
)
from sqlalchemy.sql.expression import ClauseElement
from sqlmodel import SQLModel

from ordo_cli.store import models


def table(model: type[SQLModel]) -> Table:
    return SQLModel.metadata.tables[str(model.__tablename__)]


INSTALL = table(models.InstallRow)
ACCOUNTS = table(models.AccountRow)
SWITCHES = table(models.SwitchRow)
KEYS = table(models.KeyRow)
FANOUTS = table(models.FanOutRow)
LEGS = table(models.LegRow)
PRE_IMAGES = table(models.PreImageRow)
OPERATIONS = table(models.OperationRow)
BOOKS = table(models.BookRow)
AUDIT = table(models.AuditRow)
TOKENS = table(models.TokenRow)
SESSIONS = table(models.SessionRow)
CHALLENGES = table(models.ChallengeRow)


def word(text: str) -> Any:
    """A constant, written into the statement instead of becoming a parameter."""
    return literal_column(f"'{text}'")


NO: Any = literal_column("0")
YES: Any = literal_column("1")
MOST = bindparam("most", type_=Integer())
DOUBT = [word("unknown"), word("disputed")]
OWNED = [word("planned"), word("sending"), word("not_sent")]
OUT = [word("sending"), word("acked"), word("unknown"), word("disputed")]


def given(column: Any) -> Any:
    """A parameter with the column's own name."""
    return bindparam(column.name, type_=column.type)


def same(*columns: Any) -> Any:
    return and_(*(column == given(column) for column in columns))


def changed(target: Table, *kept: str) -> dict[str, Any]:
    """A parameter for every column but these."""
    return {column.name: given(column) for column in target.c if column.name not in kept}


WITH_LEG = select(*FANOUTS.c, *LEGS.c).join_from(LEGS, FANOUTS, LEGS.c.fan_out == FANOUTS.c.id)
MINE = FANOUTS.alias("mine")


def of_leg(column: str) -> Any:
    """What the leg's fan-out says. As a subquery of the leg: a join would begin at all the day's fan-outs."""
    return select(FANOUTS.c[column]).where(FANOUTS.c.id == LEGS.c.fan_out).scalar_subquery()


def of_mine(column: str) -> Any:
    return select(MINE.c[column]).where(MINE.c.id == bindparam("fan_out")).scalar_subquery()


BY_PREFIX = and_(FANOUTS.c.id >= bindparam("low"), FANOUTS.c.id < bindparam("high"))
OLDER = and_(
    FANOUTS.c.created_at <= bindparam("before_at", type_=FANOUTS.c.created_at.type),
    or_(
        FANOUTS.c.created_at < bindparam("before_at", type_=FANOUTS.c.created_at.type),
        FANOUTS.c.id < bindparam("before_id", type_=FANOUTS.c.id.type),
    ),
)
RECENT = (
    select(FANOUTS.c.id).where(OLDER).order_by(FANOUTS.c.created_at.desc(), FANOUTS.c.id.desc()).limit(MOST).offset(NO)
)
RECENT_OF = RECENT.where(
    select(LEGS.c.number).where(LEGS.c.fan_out == FANOUTS.c.id, LEGS.c.account == bindparam("account")).exists()
)

# What a claim asks of the account, beside the leg: one statement instead of four, for a thousand legs may ask at once.
NEWEST = (
    select(OPERATIONS.c.elapsed)
    .where(OPERATIONS.c.account == LEGS.c.account, same(OPERATIONS.c.boot))
    .order_by(OPERATIONS.c.elapsed.desc())
    .limit(YES)
    .offset(bindparam("newer", type_=Integer()))
    .scalar_subquery()
)
SENT_TODAY = (OPERATIONS.c.account == LEGS.c.account, same(OPERATIONS.c.day), OPERATIONS.c.kind == word("place"))
ORDERS = select(func.count()).where(*SENT_TODAY).scalar_subquery()
VALUE = select(func.coalesce(func.sum(OPERATIONS.c.value), NO)).where(*SENT_TODAY).scalar_subquery()
LAST = (
    select(OPERATIONS.c.at)
    .where(OPERATIONS.c.account == ACCOUNTS.c.id)
    .order_by(OPERATIONS.c.id.desc())
    .limit(YES)
    .offset(NO)
    .scalar_subquery()
)
OTHERS = LEGS.alias("others")
OPENED = (
    select(func.count())
    .where(OTHERS.c.settled == NO, OTHERS.c.submission.in_(OUT), OTHERS.c.account == LEGS.c.account)
    .scalar_subquery()
)

OVER = or_(
    SWITCHES.c.kind == word("global"),
    and_(SWITCHES.c.kind == word("broker"), SWITCHES.c.name == bindparam("broker", type_=SWITCHES.c.name.type)),
    and_(SWITCHES.c.kind == word("account"), SWITCHES.c.name == bindparam("account", type_=SWITCHES.c.name.type)),
    SWITCHES.c.kind == word("group"),
)

BULK: dict[str, Insert] = {
    "add_install": insert(INSTALL),
    "add_account": insert(ACCOUNTS),
    "add_switch": insert(SWITCHES),
    "add_key": insert(KEYS),
    "add_fan_out": insert(FANOUTS),
    "add_leg": insert(LEGS),
    "add_pre_image": insert(PRE_IMAGES),
    "add_operation": insert(OPERATIONS).values(changed(OPERATIONS, "id")),
    "add_book": insert(BOOKS),
    "add_audit": insert(AUDIT),
    "add_token": insert(TOKENS),
    "add_session": insert(SESSIONS),
    "add_challenge": insert(CHALLENGES),
}
"""Inserts: their parameters are a sequence in the order of the table's columns."""

NAMED: dict[str, ClauseElement] = {
    "install": select(INSTALL.c.id, INSTALL.c.tag_key),
    "accounts": select(*ACCOUNTS.c).order_by(ACCOUNTS.c.id),
    "account": select(*ACCOUNTS.c).where(same(ACCOUNTS.c.id)),
    "save_account": update(ACCOUNTS).values(changed(ACCOUNTS, "id")).where(ACCOUNTS.c.id == bindparam("id")),
    "remove_account": delete(ACCOUNTS).where(same(ACCOUNTS.c.id)),
    "switches": select(*SWITCHES.c).order_by(SWITCHES.c.kind, SWITCHES.c.name),
    "switch": select(*SWITCHES.c).where(same(SWITCHES.c.kind, SWITCHES.c.name)).with_for_update(),
    "switches_over": select(*SWITCHES.c).where(OVER),
    # Whether engaged or not: on PostgreSQL the press of one that is read here waits until this transaction is over.
    "engaged": select(SWITCHES.c.kind, SWITCHES.c.name, SWITCHES.c.engaged).where(OVER).with_for_update(read=True),
    "save_switch": update(SWITCHES)
    .values(changed(SWITCHES, "kind", "name"))
    .where(SWITCHES.c.kind == bindparam("kind"), SWITCHES.c.name == bindparam("name")),
    "key": select(KEYS.c.fingerprint, KEYS.c.fan_out).where(same(KEYS.c.principal, KEYS.c.verb, KEYS.c.key)),
    "has_fan_out": select(FANOUTS.c.id).where(same(FANOUTS.c.id)),
    "twins": select(
        LEGS.c.account,
        LEGS.c.quantity,
        FANOUTS.c.limit_price,
        FANOUTS.c.trigger_price,
        FANOUTS.c.id,
        FANOUTS.c.created_at,
        LEGS.c.sent_at,
    )
    .join_from(FANOUTS, LEGS, LEGS.c.fan_out == FANOUTS.c.id)
    .where(
        same(FANOUTS.c.instrument, FANOUTS.c.side),
        FANOUTS.c.created_at >= bindparam("since"),
        LEGS.c.submission.not_in([word("blocked"), word("rejected")]),  # what the broker refused is not out twice
    ),
    "doubtful": select(LEGS.c.account, LEGS.c.fan_out, LEGS.c.number).where(
        LEGS.c.submission.in_(DOUBT), of_leg("instrument") == given(FANOUTS.c.instrument)
    ),
    "leg": select(*LEGS.c).where(same(LEGS.c.fan_out, LEGS.c.number)).with_for_update(),
    "claimable": select(*LEGS.c, NEWEST, ORDERS, VALUE, OPENED).where(same(LEGS.c.fan_out, LEGS.c.number)),
    "claim_leg": update(LEGS)
    .values({name: given(LEGS.c[name]) for name in ("submission", "attempt", "sent_at", "owner")})
    .where(LEGS.c.fan_out == bindparam("fan_out"), LEGS.c.number == bindparam("number")),
    "save_leg": update(LEGS)
    .values(changed(LEGS, "fan_out", "number", "account", "broker", "tag", "purpose", "owner"))
    .where(LEGS.c.fan_out == bindparam("fan_out"), LEGS.c.number == bindparam("number")),
    "in_flight": select(LEGS.c.fan_out, LEGS.c.number).where(
        LEGS.c.settled == NO,
        LEGS.c.submission.in_([word("sending"), word("unknown")]),
        same(LEGS.c.account),
        of_leg("instrument") == of_mine("instrument"),
        of_leg("side") == of_mine("side"),
    ),
    "nth_operation": select(OPERATIONS.c.elapsed)
    .where(same(OPERATIONS.c.account, OPERATIONS.c.boot))
    .order_by(OPERATIONS.c.elapsed.desc())
    .limit(YES)
    .offset(bindparam("newer", type_=Integer())),
    "day_uses": select(OPERATIONS.c.account, func.count(), func.coalesce(func.sum(OPERATIONS.c.value), NO))
    .where(same(OPERATIONS.c.day), OPERATIONS.c.kind == word("place"))
    .group_by(OPERATIONS.c.account),
    "day_use": select(
        select(func.count())
        .where(same(OPERATIONS.c.account, OPERATIONS.c.day), OPERATIONS.c.kind == word("place"))
        .scalar_subquery(),
        select(func.coalesce(func.sum(OPERATIONS.c.value), NO))
        .where(same(OPERATIONS.c.account, OPERATIONS.c.day), OPERATIONS.c.kind == word("place"))
        .scalar_subquery(),
        select(func.count())
        .where(LEGS.c.settled == NO, LEGS.c.submission.in_(OUT), same(LEGS.c.account))
        .scalar_subquery(),
    ),
    "all_open_orders": select(LEGS.c.account, func.count())
    .where(LEGS.c.settled == NO, LEGS.c.submission.in_(OUT))
    .group_by(LEGS.c.account),
    "day_operations": select(func.count()).where(same(OPERATIONS.c.account, OPERATIONS.c.day)),
    "modifications": select(func.count()).where(
        same(OPERATIONS.c.account, OPERATIONS.c.day), OPERATIONS.c.kind == word("modify"), same(OPERATIONS.c.leg)
    ),
    "fan_out_legs": WITH_LEG.where(FANOUTS.c.id == bindparam("id")).order_by(LEGS.c.number),
    "fan_outs_like": select(FANOUTS.c.id).where(BY_PREFIX).order_by(FANOUTS.c.id).limit(MOST).offset(NO),
    "recent_legs": WITH_LEG.where(FANOUTS.c.id.in_(RECENT)).order_by(
        FANOUTS.c.created_at.desc(), FANOUTS.c.id.desc(), LEGS.c.number
    ),
    "recent_legs_of": WITH_LEG.where(FANOUTS.c.id.in_(RECENT_OF)).order_by(
        FANOUTS.c.created_at.desc(), FANOUTS.c.id.desc(), LEGS.c.number
    ),
    "unsettled": WITH_LEG.where(
        LEGS.c.settled == NO, or_(bindparam("account", type_=LEGS.c.account.type).is_(None), same(LEGS.c.account))
    ).order_by(FANOUTS.c.created_at, FANOUTS.c.id, LEGS.c.number),
    "owned": select(LEGS.c.fan_out, LEGS.c.number, func.coalesce(LEGS.c.owner, FANOUTS.c.owner))
    .join_from(LEGS, FANOUTS, LEGS.c.fan_out == FANOUTS.c.id)
    .where(
        LEGS.c.settled == NO,
        LEGS.c.submission.in_(OWNED),
        # A leg that waits for its turn is its planner's, unless an attempt has given it a sender already.
        func.coalesce(LEGS.c.owner, FANOUTS.c.owner) != bindparam("besides", type_=LEGS.c.owner.type),
    ),
    "waiting_at": select(LEGS.c.account, LEGS.c.sent_at)
    .where(
        LEGS.c.settled == NO,
        of_leg("instrument") == given(FANOUTS.c.instrument),
        of_leg("side") == given(FANOUTS.c.side),
    )
    .order_by(LEGS.c.account),
    "by_order_id": select(LEGS.c.broker_order_id, LEGS.c.fan_out, LEGS.c.number).where(
        same(LEGS.c.account, LEGS.c.broker_order_id)
    ),
    "by_tag": select(LEGS.c.tag, LEGS.c.fan_out, LEGS.c.number).where(same(LEGS.c.account, LEGS.c.tag)),
    "pre_image": select(PRE_IMAGES.c.order_ids).where(same(PRE_IMAGES.c.fan_out, PRE_IMAGES.c.number)),
    "remove_pre_image": delete(PRE_IMAGES).where(same(PRE_IMAGES.c.fan_out, PRE_IMAGES.c.number)),
    "book": select(BOOKS.c.order_ids).where(same(BOOKS.c.account, BOOKS.c.day)),
    "save_book": update(BOOKS)
    .values(changed(BOOKS, "account", "day"))
    .where(BOOKS.c.account == bindparam("account"), BOOKS.c.day == bindparam("day")),
    "last_operations": select(ACCOUNTS.c.id, LAST).where(LAST.is_not(None)),
    "audit_head": select(AUDIT.c.seq, AUDIT.c.hash).order_by(AUDIT.c.seq.desc()).limit(YES).offset(NO),
    "audit_page": select(AUDIT.c.seq, AUDIT.c.at, AUDIT.c.type, AUDIT.c.fan_out, AUDIT.c.body, AUDIT.c.hash)
    .where(AUDIT.c.seq > bindparam("after"))
    .order_by(AUDIT.c.seq)
    .limit(MOST)
    .offset(NO),
    "audit_of_fan_out": select(AUDIT.c.seq, AUDIT.c.body)
    .where(same(AUDIT.c.fan_out), AUDIT.c.seq > bindparam("after"))
    .order_by(AUDIT.c.seq)
    .limit(MOST)
    .offset(NO),
    "audit_rows": select(AUDIT.c.body)
    .where(
        AUDIT.c.seq < bindparam("before"),
        AUDIT.c.at >= bindparam("since"),
        or_(bindparam("type", type_=AUDIT.c.type.type).is_(None), same(AUDIT.c.type)),
        or_(bindparam("fan_out", type_=AUDIT.c.fan_out.type).is_(None), same(AUDIT.c.fan_out)),
    )
    .order_by(AUDIT.c.seq.desc())
    .limit(MOST)
    .offset(NO),
    "tokens": select(*TOKENS.c).order_by(TOKENS.c.created_at, TOKENS.c.id),
    "token": select(*TOKENS.c).where(same(TOKENS.c.id)),
    "revoke_token": update(TOKENS)
    .values(revoked_at=given(TOKENS.c.revoked_at))
    .where(TOKENS.c.id == bindparam("id"), TOKENS.c.revoked_at.is_(None)),
    "touch_token": update(TOKENS)
    .values(last_used_at=given(TOKENS.c.last_used_at))
    .where(TOKENS.c.id == bindparam("id")),
    "sessions": select(*SESSIONS.c).order_by(SESSIONS.c.account),
    "session": select(*SESSIONS.c).where(same(SESSIONS.c.account)),
    "remove_session": delete(SESSIONS).where(same(SESSIONS.c.account)),
    "challenges_of": select(*CHALLENGES.c).where(same(CHALLENGES.c.account)).order_by(CHALLENGES.c.created_at.desc()),
    "all_challenges": select(*CHALLENGES.c).order_by(CHALLENGES.c.account, CHALLENGES.c.created_at.desc()),
    "claim_challenge": update(CHALLENGES)
    .values(answered_at=bindparam("now", type_=CHALLENGES.c.answered_at.type), attempts=CHALLENGES.c.attempts + YES)
    .where(
        same(CHALLENGES.c.id),
        CHALLENGES.c.answered_at.is_(None),
        CHALLENGES.c.attempts < bindparam("attempts_most", type_=Integer()),
        CHALLENGES.c.expires_at > bindparam("now", type_=CHALLENGES.c.answered_at.type),
    )
    .returning(CHALLENGES.c.id),
    "reopen_challenge": update(CHALLENGES)
    .values(answered_at=null(), attempts=CHALLENGES.c.attempts - bindparam("given_back", type_=Integer()))
    .where(same(CHALLENGES.c.id)),
    "close_challenges": update(CHALLENGES)
    .values(answered_at=bindparam("now", type_=CHALLENGES.c.answered_at.type))
    .where(same(CHALLENGES.c.account), CHALLENGES.c.answered_at.is_(None)),
    "remove_challenges": delete(CHALLENGES).where(same(CHALLENGES.c.account)),
}
"""All others: their parameters are a mapping by name."""
