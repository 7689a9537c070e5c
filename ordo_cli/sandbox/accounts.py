"""The sandbox's accounts: made at the start from the seed, each with the credentials of its broker's kind."""

from __future__ import annotations

from base64 import b32encode

from ordo_cli.domain.accounts import AccountId
from ordo_cli.domain.values import dataclass
from ordo_cli.sandbox.chance import SeededChance


@dataclass(frozen=True, slots=True)
class SandboxAccount:
    """One customer of one broker. Everything here is made up, and is shown to whoever runs the sandbox."""

    broker: str
    user: str  # the broker's id of the customer
    name: str
    api_key: str
    api_secret: str
    password: str
    pin: str
    totp_secret: str  # base32, as an authenticator takes it
    has_totp: bool  # logs in with an authenticator; else with a code that is sent

    @property
    def paper(self) -> AccountId:
        """Its name at the paper exchange."""
        return AccountId(f"{self.broker}-{self.user.lower()}")


# How each broker's ids and keys look: user id, key; `#` is a digit, `?` a letter or digit.
SHAPES = {
    "zerodha": ("ZZ####", "????????????????"),
    "fyers": ("XA#####", "??????????-100"),
    "hdfc": ("########", "????????????????????????????????"),
    "mstock": ("MA#######", "?????????????????????+?/?="),
}
ALWAYS_TOTP, EITHER = frozenset({"zerodha", "fyers"}), frozenset({"mstock"})  # HDFC Securities knows sent codes only
NAMES = ("Asha Test", "Bharat Test", "Chitra Test", "Dev Test", "Esha Test", "Farhan Test")


def make_accounts(broker: str, how_many: int, chance: SeededChance) -> list[SandboxAccount]:
    return [_make(broker, number, chance.of(f"{broker}/{number}")) for number in range(how_many)]


def _make(broker: str, number: int, chance: SeededChance) -> SandboxAccount:
    user, key = SHAPES[broker]
    return SandboxAccount(
        broker=broker,
        user=_shaped(user, chance),
        name=NAMES[number % len(NAMES)],
        api_key=_shaped(key, chance).upper() if broker == "fyers" else _shaped(key, chance),
        api_secret=chance.token(32),
        password=f"pass-{chance.token(6)}",
        pin=chance.digits(4),
        totp_secret=b32encode(chance.token(20).encode()).decode(),
        has_totp=broker in ALWAYS_TOTP or (broker in EITHER and number % 2 == 1),
    )


def _shaped(shape: str, chance: SeededChance) -> str:
    return "".join(chance.digits(1) if sign == "#" else chance.token(1) if sign == "?" else sign for sign in shape)
