"""`ordo`, with the loopback broker among its brokers: `python -m tests.benchmarks.ordo_with_loopback serve …`."""

from __future__ import annotations

from ordo_cli import brokers
from ordo_cli.__main__ import main
from ordo_cli.domain.accounts import BrokerName

if __name__ == "__main__":
    brokers.MODULES[BrokerName("loopback")] = "tests.benchmarks.loopback_spec"
    main()
