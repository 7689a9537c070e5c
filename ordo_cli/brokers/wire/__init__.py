"""The wire gate: one exclusive HTTP/1.1 connection per leg, where the permit is checked and every byte is counted."""

from ordo_cli.brokers.wire.address import Address
from ordo_cli.brokers.wire.exchange import Limits
from ordo_cli.brokers.wire.question import Question, Reply, Timeouts, Ungated
from ordo_cli.brokers.wire.route import Route
from ordo_cli.brokers.wire.transport import WireTransport

__all__ = ["Address", "Limits", "Question", "Reply", "Route", "Timeouts", "Ungated", "WireTransport"]
