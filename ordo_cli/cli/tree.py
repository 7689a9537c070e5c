"""The first words of `ordo`: where each lives and what it does. Imports nothing, so that help is instant."""

TOPICS = (
    (
        "Trade",
        (
            ("login", "ordo_cli.cli.login", "app", "Log accounts in, and answer what their brokers ask"),
            ("buy", "ordo_cli.cli.shortcuts", "buy", "Buy in one or many accounts"),
            ("sell", "ordo_cli.cli.shortcuts", "sell", "Sell in one or many accounts"),
            ("order", "ordo_cli.cli.orders", "app", "Place, list, show, modify and cancel orders"),
            ("fanout", "ordo_cli.cli.fanouts", "app", "One order sent to many accounts: list, show, watch, settle"),
            ("leg", "ordo_cli.cli.legs", "app", "Settle a leg that nobody could answer for"),
            ("batch", "ordo_cli.cli.batch", "app", "Check and run files of orders"),
        ),
    ),
    (
        "Stop",
        (
            ("kill", "ordo_cli.cli.kill", "app", "Stop everything that has not left yet"),
            ("position", "ordo_cli.cli.portfolio", "app", "Close positions"),
        ),
    ),
    (
        "See",
        (
            (
                "status",
                "ordo_cli.cli.status",
                "status",
                "Sessions, kill switch, unknown legs, last call of each account",
            ),
            ("positions", "ordo_cli.cli.portfolio", "positions", "Net positions of the day"),
            ("holdings", "ordo_cli.cli.portfolio", "holdings", "Shares held"),
            ("funds", "ordo_cli.cli.portfolio", "funds", "Money free and used"),
            ("orders", "ordo_cli.cli.portfolio", "orders", "The order books of the brokers"),
            ("trades", "ordo_cli.cli.portfolio", "trades", "Today's trades"),
            ("quote", "ordo_cli.cli.instruments", "quote", "Last price, bid and ask"),
            ("instrument", "ordo_cli.cli.instruments", "app", "Find and show instruments"),
            ("audit", "ordo_cli.cli.audit", "app", "Show, verify and export the audit trail"),
        ),
    ),
    (
        "Set up",
        (
            ("init", "ordo_cli.cli.init", "init", "Set up home, secrets and database; safe to run again"),
            ("demo", "ordo_cli.cli.demo", "demo", "An offline tour on throw-away paper accounts"),
            ("doctor", "ordo_cli.cli.doctor", "doctor", "Say what is wrong with this installation and how to mend it"),
            ("account", "ordo_cli.cli.account", "app", "Add, list, show, edit and remove accounts"),
            ("broker", "ordo_cli.cli.broker", "app", "What each broker can do"),
            ("serve", "ordo_cli.cli.serve", "serve", "The same operations over HTTP"),
            ("sandbox", "ordo_cli.cli.sandbox", "sandbox", "Brokers' own protocols on this machine, to try things on"),
            ("token", "ordo_cli.cli.token", "app", "Make, list and revoke tokens for the HTTP API"),
            ("remote", "ordo_cli.cli.remote.tokens", "app", "Keep the token of a server in the keyring"),
            ("config", "ordo_cli.cli.config", "app", "Show and set the configuration"),
            ("db", "ordo_cli.cli.db", "app", "Upgrade, check, back up and restore the database"),
            ("help", "ordo_cli.cli.help", "help_", "Explain exit codes, output, safety and more"),
        ),
    ),
)
GLOBALS = (
    ("--home FOLDER", "Keep everything in this folder instead of the usual places"),
    ("--remote URL", "Do it at an ordo serve: https://…, or http and unix:// on this machine"),
    ("--token-file F", "The token for that server; else ORDO_TOKEN or the keyring"),
    ("--no-input", "Never ask; fail and name the flag that answers"),
    ("--version", "Print the version"),
    ("--help", "Show help; works after every command too"),
)
FAR = frozenset(
    {
        "login",
        "login otp",
        "login status",
        "login out",
        "order place",
        "order list",
        "order show",
        "order modify",
        "order cancel",
        "fanout list",
        "fanout show",
        "fanout watch",
        "fanout reconcile",
        "fanout cancel",
        "kill",
        "kill status",
        "kill release",
        "positions",
        "holdings",
        "funds",
        "orders",
        "trades",
        "quote",
        "account list",
        "status",
        "audit show",
    }
)
"""The commands that a server does too, with --remote."""
ALIASES = {"buy": "order place", "sell": "order place"}  # what a short form calls itself in JSON


def entries() -> dict[str, tuple[str, str, str]]:
    """Every first word with its module, attribute and line of help."""
    return {name: (module, attribute, line) for _, group in TOPICS for name, module, attribute, line in group}
