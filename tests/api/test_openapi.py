"""The API describes itself well: nouns in their order, a sentence for each route, an order to begin with."""

from __future__ import annotations

import json
import re

import httpx

from ordo_cli.api.openapi import NOUNS
from ordo_cli.schemas.requests import FIRST
from tests.house.tree import ROOT


async def test_every_route_is_told_under_its_noun_in_a_sentence(client: httpx.AsyncClient) -> None:
    told = (await client.get("/api/v1/openapi.json")).json()
    assert [tag["name"] for tag in told["tags"]] == list(NOUNS)
    operations = [operation for verbs in told["paths"].values() for operation in verbs.values()]
    assert {tag for operation in operations for tag in operation["tags"]} == set(NOUNS)
    for operation in operations:
        assert operation["description"].startswith(operation["summary"])
        assert 10 < len(operation["summary"]) < 110
        assert not operation["summary"].endswith(".")


async def test_the_order_that_the_page_suggests_is_that_of_the_readme(client: httpx.AsyncClient) -> None:
    [body] = re.findall(r"/orders .* -d '(.*)'", (ROOT / "README.md").read_text(encoding="utf-8"))
    schemas = (await client.get("/api/v1/openapi.json")).json()["components"]["schemas"]
    assert schemas["PlaceOrder"]["examples"] == [FIRST] == [json.loads(body)]
