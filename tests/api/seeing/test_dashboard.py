"""The dashboard and the alerts that ship: every metric that they look at is one that ordo tells."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from ordo_cli.api.metrics import Counted, Now
from ordo_cli.domain.kill import GLOBAL
from ordo_cli.services.kill import KillState, ScopeState
from ordo_cli.services.status import Status
from tests.fakes import MONDAY_NOON
from tests.house.tree import PACKAGE

DEPLOY = PACKAGE / "deploy"
DASHBOARD: dict[str, Any] = json.loads((DEPLOY / "dashboard.json").read_text())
RULES: list[dict[str, Any]] = yaml.safe_load((DEPLOY / "alerts.yml").read_text())["groups"][0]["rules"]
PANELS: dict[str, list[str]] = {
    panel["title"]: [target["expr"] for target in panel["targets"]] for panel in DASHBOARD["panels"]
}
FROM_PROMETHEUS = {"up"}
WORDS = {"by", "and", "or", "on", "unless", "without", "ignoring", "le", "bool", "offset"}
SUFFIXES = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count"), "gauge": ("",)}


def known() -> dict[str, set[str]]:
    """Every series that ordo tells, and its labels."""
    kill = KillState((ScopeState(GLOBAL, True, None, None),), (), (), 0)
    families = [*Counted().registry.collect(), *Now(Status(MONDAY_NOON, MONDAY_NOON.date(), kill, (), (), 0)).collect()]
    assert families
    return {f"{family.name}{suffix}": set() for family in families for suffix in SUFFIXES[family.type]}


def looked_at(expression: str) -> set[str]:
    """The metrics that an expression names: words outside of braces and brackets that are no function."""
    bare = re.sub(r'"[^"]*"', '""', expression)
    bare = re.sub(r"\{[^}]*\}|\[[^\]]*\]", " ", bare)
    bare = re.sub(r"\b(by|without|on|ignoring)\s*\([^)]*\)", " ", bare)
    names = re.findall(r"(?<![\w.$])([a-zA-Z_]\w*)(?!\w*\s*\()", bare)
    return {name for name in names if name not in WORDS}


def balanced(expression: str) -> bool:
    closing, open_ones = {")": "(", "}": "{", "]": "["}, list[str]()
    for sign in re.sub(r'"[^"]*"', "", expression):
        if sign in "({[":
            open_ones.append(sign)
        elif sign in closing and (not open_ones or open_ones.pop() != closing[sign]):
            return False
    return not open_ones


EXPRESSIONS = [*(rule["expr"] for rule in RULES), *(each for panel in PANELS.values() for each in panel)]


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_every_metric_that_is_looked_at_is_told(expression: str) -> None:
    names = looked_at(expression)
    assert names
    assert names - set(known()) - FROM_PROMETHEUS == set()
    assert balanced(expression)


def test_every_metric_of_ordo_is_on_the_dashboard() -> None:
    shown = {name for panel in PANELS.values() for each in panel for name in looked_at(each)}
    families = {re.sub("_(total|bucket|sum|count)$", "", name) for name in known()}
    assert families - {re.sub("_(total|bucket|sum|count)$", "", name) for name in shown} == set()


@pytest.mark.parametrize(
    ("expression", "names"),
    [
        ('rate(ordo_legs_total{state=~"a|b"}[5m])', {"ordo_legs_total"}),
        ("sum by (le, broker) (rate(x_bucket[$__rate_interval]))", {"x_bucket"}),
        ("a > 0 and b > 60", {"a", "b"}),
    ],
)
def test_the_check_sees_this(expression: str, names: set[str]) -> None:
    assert looked_at(expression) == names


def test_an_alert_says_what_it_is_and_how_bad() -> None:
    for rule in RULES:
        assert re.fullmatch(r"[A-Z][A-Za-z]+", rule["alert"])
        assert rule["labels"]["severity"] in {"warning", "critical"}
        assert rule["annotations"]["summary"]
        assert set(rule) <= {"alert", "expr", "for", "labels", "annotations"}
    assert len({rule["alert"] for rule in RULES}) == len(RULES)


def test_what_nobody_may_miss_has_an_alert() -> None:
    names = {name for rule in RULES for name in looked_at(rule["expr"])}
    assert {"up", "ordo_unknown_legs", "ordo_kill_engaged", "ordo_legs_total"} <= names


def test_panels_do_not_cover_each_other() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        at = panel["gridPos"]
        squares = {(at["x"] + x, at["y"] + y) for x in range(at["w"]) for y in range(at["h"])}
        assert at["x"] + at["w"] <= 24
        assert not squares & taken
        taken |= squares
    assert len(PANELS) == len(DASHBOARD["panels"])


def test_the_dashboard_asks_the_source_that_is_set_up() -> None:
    [source] = yaml.safe_load((DEPLOY / "grafana" / "source.yml").read_text())["datasources"]
    assert {panel["datasource"]["uid"] for panel in DASHBOARD["panels"]} == {source["uid"]}
    compose = yaml.safe_load((PACKAGE.parent / "compose.yaml").read_text())["services"]
    [provider] = yaml.safe_load((DEPLOY / "grafana" / "dashboards.yml").read_text())["providers"]
    assert provider["options"]["path"] in {each["target"] for each in compose["grafana"]["configs"]}
    assert source["url"].removeprefix("http://").partition(":")[0] in compose
    rules = yaml.safe_load((DEPLOY / "prometheus.yml").read_text())["rule_files"]
    assert {Path(path).name for path in rules} == {"alerts.yml"}
