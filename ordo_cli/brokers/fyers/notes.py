"""What a user of Fyers must know before the first order, for `ordo broker show`."""

from __future__ import annotations

NOTES = """\
Register: make an app for API v3 at myapi.fyers.in, with the permission to place orders. Apps from before April 2026
read data only. Give ordo app_id with its suffix (ABCD1234XY-100), app_secret, and redirect_uri exactly as registered.
Redirect URL: the one that is registered for the app; nothing needs to answer there. After the login copy the whole
address of the browser's last page; ordo checks its state. A bare auth_code works too, unchecked.
Login: once each trading day, by you, in a browser. Ordo counts a session until 06:00 IST; the true end is unconfirmed.
Static IP: placing, changing, cancelling and closing are taken only from addresses that are registered for the app, so
the kill switch too must run there. Reads come from anywhere. An address is shared within a family only (told by
another broker for the common rule). How Fyers answers from a wrong address is not documented: such an order stays
unknown until the book shows it.
Limits: 10 orders a second, changes and cancels counted in; 200 calls a minute of all kinds, reads too. Above that
three times in a day, Fyers blocks the account for the rest of it. Ordo stays below, counting for all terminals and
servers of this home: of an account 100 orders and 65 reads a minute, which leaves room for cancels and the kill
switch; these are never held up by it. What other programs ask with the same app, ordo cannot count.
Market orders are sent as such; Fyers turns them into orders with a protection price, so that one may rest unfilled.
Segments: shares and their derivatives at NSE and BSE. Currency and commodity can be seen and cancelled, not ordered or
closed: whether Fyers counts units or lots there is unconfirmed. CO and BO orders are shown under names that begin with
UNREAD_, as is all else that ordo cannot name, and can be cancelled, not changed or closed.
Never used: queued (async) orders, several orders in one call, slicing by the broker, its own exit of positions.
Unconfirmed: when a session ends, that a changed quantity is that of the whole order, what a margin question looks like
(ordo estimates instead), the age of a quote, after-market orders by API.
Selling shares from the demat account without DDPI or POA needs an authorisation (eDIS) in Fyers' app first."""
