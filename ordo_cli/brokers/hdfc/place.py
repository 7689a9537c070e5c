"""Where HDFC Securities is and as what ordo comes there."""

from __future__ import annotations

HOST = "https://developer.hdfcsec.com"  # confirmed (DOC, OA, ORDO)
MASTER = "/oapi/v1/security-master"  # confirmed (DOC, OA); needs no credentials

USER_AGENT = "Mozilla/5.0 (compatible; ordo-cli)"
"""Calls without a User-Agent are refused (confirmed, DOC and OA). Whether it must look like a browser's is unconfirmed:
this one does and still says who comes; `user_agent` in `[brokers.hdfc]` of config.toml replaces it."""
