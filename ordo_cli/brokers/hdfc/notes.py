"""What a user of HDFC Securities has to know, for `ordo broker show hdfc`."""

from __future__ import annotations

NOTES = """\
To register. Make an app at developer.hdfcsec.com for the holder's own InvestRight account; it has an API key and an
API secret. Ordo also wants the user id and the password, because HDFC's login over its API asks for both, and asks
for the OTP that comes to the mobile number or by e-mail each morning. Logging in agrees to HDFC's terms in your name.

The login. A wrong password or OTP ends it, and ordo tries neither again by itself: HDFC locks accounts. When HDFC
demands a captcha, log in once at its own site and start again. A session lasts until its token expires, at the latest
until 03:00; reports differ (8 hours, the trading day, 24 hours), so that a session may end earlier than ordo says.
HDFC has no call that ends one: `ordo login out` forgets it here.

Addresses. Since 1 April 2026 API orders are taken from registered static addresses alone, with at most 10 orders a
second. HDFC's own page on it was not found. Answers with 403 are the sign of an address that is not on record, and of
a dead session too: ordo cannot tell which, and says so. Several holders on one machine may each need an address:
--egress. One report says that the host has IPv4 only.

Orders. LIMIT and SL only: no protection of market orders is documented, so `ordo buy` without --limit is refused.
Closing a position (`ordo position close`, `ordo kill --flatten`) sends a market order all the same. GTD, cover and
basket orders are not offered. A change of an order reads it first and may give it another number. No quotes and no
margins: limits by last price do not apply, and open profit is not told, so that a limit on the day's loss counts what
is realised.

Unconfirmed by anybody. That the number ordo sends with an order comes back in the book: orders whose answer was lost
are found by comparing the book with the one before, one order in flight per account, instrument and side. Most status
words, the spelling of expiry and option type in orders, the limits on calls, and the rule for ticks in the list of
instruments. What HDFC refuses in words that ordo has on no list stays unknown until the book shows it.

Settings, in `[brokers.hdfc]` of config.toml: `user_agent`, which HDFC demands, and `consent`, the word for yes
(true)."""
