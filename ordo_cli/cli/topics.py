"""The topics of `ordo help`, as text."""

from pathlib import Path

from ordo_cli import deploy

EXIT_CODES = """\
Exit codes. They are never renumbered.

  ordo buy NSE:INFY --qty 10 --to @family; echo $?

    0  every leg reached the state asked for
    1  failed; nothing was sent
    2  the command line makes no sense
    3  refused before sending by a limit or a check; nothing was sent
    4  a login or a session is needed
    5  every leg was definitively refused by its broker
    6  partial: some are in, some refused or not sent
    7  unknown: at least one leg is unresolved; this outranks 6
    8  accepted, but not yet at the state asked for when --timeout ran out
    9  the kill switch is engaged
   10  kill ran, but the account was not observed flat or quiet
  130  interrupted

After 7 nothing is sent again: `ordo fanout reconcile` looks in the brokers' books until it knows.
"""

ENVIRONMENT = """\
Environment. A flag outranks a variable, a variable outranks config.toml, that outranks the default.

  ORDO_HOME=/srv/ordo ordo status

  ORDO_HOME                everything in one folder: config, data, run files, logs
  ORDO_REMOTE              the address of an ordo serve: what it can do is done there (--remote; --home is here)
  ORDO_TOKEN               the token for that server; or ORDO_TOKEN_FILE, or the keyring (ordo remote login URL)
  ORDO_CLIENT_CERT         a PEM file with certificate and key, for a server that asks for one; SSL_CERT_FILE adds trust
  ORDO_OTP_<ACCOUNT>       the answer that a broker asks for at a login (a-b is ORDO_OTP_A_B); see ordo login otp --help
  ORDO_<TABLE>__<NAME>     any setting: ORDO_LIMITS__VALUE_ORDER_MAX=50000, ORDO_SENDING__READ_TIMEOUT=10
  OTEL_EXPORTER_OTLP_ENDPOINT   where `ordo serve` sends spans, with the extra otel
  NO_COLOR                 no colours
  TERM=dumb                no colours, no live table
  COLUMNS                  the width of tables

`ordo config show` names where each value came from; `ordo config path` the files.
"""

OUTPUT = """\
Output. Results go to standard output; talk, progress and questions to standard error.

  ordo orders --json | jq '.data.rows[] | select(.state == "open")'

On a terminal there are tables and a live view; piped, the same columns come as aligned plain text.
  --json   one document: {"schema_version": 1, "command": …, "exit_code": …, "data": …}
           an error has "error": {"code", "message", "hint"} instead of "data", and the same exit code
  --csv    lists only; a cell that a spreadsheet would run as a formula starts with '

Money is a string, a quantity an integer, a time UTC ISO 8601; tables show times in IST, wherever the machine is.
Fields are added, never renamed.
Lists over several accounts carry "failures" beside "rows": an account that could not be read is named there.

Nothing waits for an answer without a terminal: it fails and names the flag. --no-input forces that.
"""

SAFETY = """\
Safety. What ordo promises, and how.

  ordo kill --reason "stop"        nothing new leaves after this returns
  ordo fanout reconcile            find out what became of legs that nobody answered for

An order is written down before it is sent, and it is never sent twice because an answer was lost: a leg without an
answer is "unknown", and it stays so until the broker's book, or a person, settles it.
The same --key sends once, however often the command runs. The same order again within seconds is stopped too;
--allow-duplicate lets it through.
Limits stand in config.toml, and a refusal names the limit, the value and how to change it.
An order that its account has no money for is refused before it is sent; where the broker does not tell what an order
blocks, that is an estimate, and --confirm lets it through.
The kill switch stops entries; cancelling and closing are always possible: order cancel-all, position close.
Live orders show their table and ask; --yes answers. A banner names the accounts before every write.
The first Ctrl-C starts nothing more and waits a moment for what is out; the second leaves at once.
"""

PAPER = """\
Paper. An exchange of its own in a file on this machine: no network, no money.

  ordo account add alice --broker paper
  ordo account add bob --broker paper --behaviour silent
  ordo buy NSE:INFY --qty 10 --to alice --to bob

It matches by price and time, checks tick, lot, band and funds, fills in parts and moves its prices by itself.
  ordo instrument search nifty            what it lists
  ordo instrument price NSE:INFY 1500     set a price to rehearse with; --free lets it move again

A paper account can be told to misbehave (`--behaviour`, again for more):
  latency=MS, refuse, silent, silent-cancel, late=SECONDS, expired, otp, tagless, lagging=SECONDS, partial,
  duplicate-sensitive, rate-limited, down. `ordo broker show paper` explains each.
"""

BATCH = """\
Batch. A file of orders: CSV, JSON, JSON Lines or YAML.

  ordo batch check morning.csv     every mistake with its line; sends nothing
  ordo batch run morning.csv       sends each order once

  side,instrument,qty,limit,to
  buy,NSE:INFY,10,1500,alice @family
  sell,NSE:TCS,5,,bob

The whole file is checked before the first order leaves. Run it again and rows that went already are answered from
the journal, not sent again. Only one run goes at a time, and nothing asks when no terminal is there.
"""


def systemd() -> str:
    """The unit that ships with ordo, as it can be put in place."""
    return Path(deploy.__file__).with_name("ordo.service").read_text(encoding="utf-8")


TOPICS = {
    "exit-codes": EXIT_CODES,
    "environment": ENVIRONMENT,
    "output": OUTPUT,
    "safety": SAFETY,
    "paper": PAPER,
    "batch": BATCH,
    "systemd": systemd(),
}
