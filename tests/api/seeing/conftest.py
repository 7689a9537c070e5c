"""The desk of the services' tests, its clock jumping and its firm obedient, behind the application."""

from __future__ import annotations

from tests.services.conftest import add, clock, firm, home, reopen

__all__ = ["add", "clock", "firm", "home", "reopen"]
