"""What may be asked over HTTP: bodies read strictly, with nothing unknown, nothing folded and no price as a number."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

from ordo_cli.domain.accounts import parse_target
from ordo_cli.domain.allocation import Split
from ordo_cli.domain.errors import Invalid
from ordo_cli.domain.instruments import Exchange, parse_instrument
from ordo_cli.domain.money import parse_price
from ordo_cli.domain.orders import Changes, OrderIntent, OrderType, Product, Side, Validity
from ordo_cli.domain.sessions import LONGEST_ANSWER
from ordo_cli.services.planning import OnPartial, PlaceRequest

NAME = "[a-z0-9][a-z0-9_-]{0,31}"
MOST_TARGETS = MOST_LEGS = 1_000
UNSEEN = r"\u0000-\u001f\u007f-\u009f"  # control characters, which no note of a user's needs

Units = Annotated[int, Field(ge=1, le=999_999_999)]
Price = Annotated[str, Field(pattern=r"^[0-9]{1,8}(\.[0-9]{1,4})?$", examples=["1500.05"])]
InstrumentName = Annotated[
    str,
    Field(pattern=rf"^({'|'.join(Exchange)}):[A-Z0-9&_.:-]{{1,40}}$", examples=["NSE:INFY"]),
]
TargetWord = Annotated[
    str,
    Field(
        pattern=rf"^({NAME}(=[0-9]{{1,9}})?|@{NAME}|all)$",
        examples=["alice"],
        description="An account, `@group`, `all`, or `account=QTY`",
    ),
]
ScopeWord = Annotated[
    str, Field(pattern=rf"^(global|(broker|account|group):{NAME})$", examples=["global", "account:alice"])
]
Note = Annotated[str, Field(min_length=1, max_length=200, pattern=rf"^[^{UNSEEN}]*$")]

FIRST: JsonDict = {"side": "buy", "instrument": "NSE:INFY", "quantity": 10, "targets": ["@family"]}
"""The order that the README places."""


class In(BaseModel):
    """Base of everything that is asked: no coercion, and nothing unknown slips in."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False, hide_input_in_errors=True)


class Answer(In):
    """What somebody answers to a broker that asks before it lets an account in."""

    answer: str = Field(min_length=1, max_length=LONGEST_ANSWER, pattern=rf"^[^{UNSEEN}]*$", repr=False)
    challenge: str | None = Field(
        None,
        pattern="^[0-9a-z]{1,26}$",
        description="Its id; whatever else the account is asked by then is not answered",
    )


class PlaceOrder(In):
    """One order for one or many accounts: the fields of an intent, and whom it is for."""

    model_config = ConfigDict(json_schema_extra={"examples": [FIRST]})

    side: Literal["buy", "sell"]
    instrument: InstrumentName
    quantity: Units
    type: Literal["market", "limit", "sl", "sl-m"] | None = Field(
        None, description="Follows from the prices; when given, it must agree with them"
    )
    limit_price: Price | None = None
    trigger_price: Price | None = None
    product: Literal["cnc", "mis", "nrml", "mtf"] = "cnc"
    validity: Literal["day", "ioc"] = "day"
    after_market: bool = False
    disclosed: Units | None = None
    label: Note | None = None
    targets: list[TargetWord] = Field(min_length=1, max_length=MOST_TARGETS)
    split: Literal["each", "equal", "weights"] = "each"
    on_partial: Literal["keep", "cancel-rest"] = "keep"
    allow_duplicate: bool = False
    confirm: bool = Field(False, description="Accept the checks that ask for a second look")

    def request(self, key: str | None = None) -> PlaceRequest:
        """The same in ordo's own words. Raises Invalid where the fields contradict each other."""
        return PlaceRequest(
            intent=self._intent(),
            targets=tuple(parse_target(word) for word in self.targets),
            split=Split(self.split),
            key=key,
            on_partial=OnPartial(self.on_partial),
            allow_duplicate=self.allow_duplicate,
            confirmed=self.confirm,
            most_legs=MOST_LEGS,
        )

    def _intent(self) -> OrderIntent:
        intent = OrderIntent(
            side=Side(self.side),
            instrument=parse_instrument(self.instrument),
            quantity=self.quantity,
            limit_price=_price(self.limit_price, "limit_price"),
            trigger_price=_price(self.trigger_price, "trigger_price"),
            product=Product(self.product),
            validity=Validity(self.validity),
            after_market=self.after_market,
            disclosed=self.disclosed,
            label=self.label,
        )
        if self.type is not None and OrderType(self.type) is not intent.type:
            raise Invalid(f"type {self.type} does not fit the prices, which make it {intent.type}")
        return intent


class ChangeOrder(In):
    """What is to be different about a working order; at least one of the first three."""

    quantity: Units | None = None
    limit_price: Price | None = None
    trigger_price: Price | None = None
    confirm: bool = Field(False, description="Accept the checks that ask for a second look")

    def changes(self) -> Changes:
        """The same in ordo's own words. Raises Invalid when nothing is to change."""
        return Changes(
            quantity=self.quantity,
            limit_price=_price(self.limit_price, "limit_price"),
            trigger_price=_price(self.trigger_price, "trigger_price"),
        )


class PressKill(In):
    """What to stop, and how far: `block` lets nothing new out, `cancel` cancels too, `flatten` closes positions too."""

    scope: ScopeWord = "global"
    level: Literal["block", "cancel", "flatten"] = "block"
    reason: Annotated[str, Field(max_length=500, pattern=rf"^[^{UNSEEN}]*$")] = ""
    include_protective: bool = Field(False, description="Cancel stops that protect a position too")
    all: bool = Field(False, description="Cancel orders that ordo did not place too")


class ReleaseKill(In):
    """What may send again, and why; `acknowledge` names legs that may stay unknown."""

    scope: ScopeWord
    reason: Note
    acknowledge: list[Annotated[str, Field(max_length=40)]] = Field(default=[], max_length=1_000)


def _price(text: str | None, what: str) -> Decimal | None:
    return None if text is None else parse_price(text, what)
