"""What a user must know before the first order at Zerodha: the text of `ordo broker show zerodha`."""

NOTES = """\
To register. On developers.kite.trade make an app of the paid kind (Kite Connect) and give it a redirect URL on this
machine, such as http://127.0.0.1:5000/. Nothing has to answer there: after the login the browser shows an error page,
and ordo wants the address in its address bar. An app may serve several accounts of a family; each ordo account takes
the app's api_key and api_secret and its own user_id. There is no sandbox.

To log in. Once a day, on Kite's own page; TOTP must be on. ordo never sees the password. The session ends at 06:00 in
India, and whoever logs in with the same app and account elsewhere ends it at once. Sign in as the user that ordo names:
a browser that is still signed in to Kite as somebody else logs that account in, which ordo refuses.

Addresses. Orders, changes and cancels are taken only from addresses listed on the profile page of the developer
account: two at most, for all of its apps, changed no more than once in a calendar week. Reads need none. On a machine
with both IPv4 and IPv6, calls leave by IPv6 and are refused although the IPv4 address is listed: bind the account to
the listed one with `ordo account edit NAME --egress ADDRESS`.

Orders. Market and stop-market orders carry the broker's own price protection; what it leaves unfilled stays open as a
limit order, and the book may show it as one. ordo never lets the broker slice an order. Not taken: cover, bracket,
iceberg and auction orders, GTT, validity TTL. Commodities and currencies are not ordered, because nobody has confirmed
whether their quantities are lots or units; those of MCX show in the order book and in trades as Zerodha gives them.
Shares sold out of holdings must be authorised (CDSL TPIN or DDPI). Zerodha shows such a sale as a negative delivery
position; ordo shows it as none, so that nothing ever buys the shares back.

Limits. 10 order operations a second, 400 a minute, 5000 a day, 25 changes of one order; refused calls count too.
Quotes may be read once a second. All of them belong to the trading account, whatever the number of apps.

The broker has no call that cancels everything, and no kill switch for programs: ordo cancels one by one.

Unconfirmed. The status of a refusal for the address. That a changed quantity is the new total. That lapsed orders show
as cancelled. Whether a login between midnight and six in the morning lasts beyond six; ordo takes it that it does not.
That the state which ordo sends along comes back in the address; if it does not, paste the request_token alone.
"""
