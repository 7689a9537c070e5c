"""compose.yaml starts paper mode with no edit, opens nothing to other machines, and waits for what it needs."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from ordo_cli.deploy import start
from tests.house.test_packaging import SCHEMA, passes
from tests.house.tree import ROOT

FILE = ROOT / "compose.yaml"
COMPOSE: dict[str, Any] = yaml.safe_load(FILE.read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
each = pytest.mark.parametrize("name", SERVICES)


def volumes(name: str) -> dict[str, str]:
    """Where each volume of a service is, by its name."""
    return dict(str(mount).split(":")[:2] for mount in SERVICES[name].get("volumes", []))


def needed(name: str) -> dict[str, str]:
    return {other: how["condition"] for other, how in SERVICES[name].get("depends_on", {}).items()}


def test_it_is_what_compose_expects() -> None:
    passes(*SCHEMA, "--builtin-schema", "vendor.compose-spec", FILE)


@each
def test_a_service_waits_only_for_services_that_there_are(name: str) -> None:
    """The schema does not notice one that is missing."""
    assert set(needed(name)) <= set(SERVICES)
    for other, condition in needed(name).items():
        if condition == "service_healthy":
            assert "test" in SERVICES[other]["healthcheck"]
        else:
            assert (condition, SERVICES[other]["restart"]) == ("service_completed_successfully", "no")
        assert set(SERVICES[other].get("profiles", [])) <= set(SERVICES[name].get("profiles", []))


def test_ordo_waits_for_its_secrets_its_database_and_its_cache() -> None:
    assert needed("ordo") == {
        "secrets": "service_completed_successfully",
        "postgres": "service_healthy",
        "redis": "service_healthy",
    }
    assert "secrets" in needed("postgres")


@each
def test_a_port_is_published_to_this_machine_alone(name: str) -> None:
    for port in SERVICES[name].get("ports", []):
        assert re.fullmatch(r"127\.0\.0\.1:\d+:\d+", port)
    assert SERVICES[name].get("network_mode") in {None, "none"}


def test_what_ordo_remembers_is_published_nowhere_and_reachable_by_ordo_alone() -> None:
    for name in ("postgres", "redis"):
        assert "ports" not in SERVICES[name]
        assert SERVICES[name]["networks"] == ["store"]
    assert COMPOSE["networks"]["store"] == {"internal": True}
    assert [name for name in SERVICES if "store" in SERVICES[name].get("networks", [])] == ["ordo", "postgres", "redis"]


@each
def test_a_container_can_do_no_more_than_it_must(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "cap_add" not in service
    assert "privileged" not in service


@each
def test_an_image_is_named_by_its_version(name: str) -> None:
    assert re.fullmatch(r"ordo:local|[a-z/]+:v?\d[\w.-]*", SERVICES[name]["image"])


@each
def test_no_secret_is_written_here(name: str) -> None:
    said = SERVICES[name].get("environment", {})
    secret = {variable for variable in said if re.search("PASSWORD|SECRET|TOKEN|PASSPHRASE", variable)}
    assert all(variable.endswith("_FILE") and said[variable].startswith("/run/secrets/") for variable in secret)
    assert not [value for value in said.values() if re.search(r"//[^/]*:[^/]*@", value)]


def test_each_container_is_handed_only_what_is_for_it() -> None:
    for name in ("postgres", "prometheus", "grafana"):
        handed = [mount for mount in SERVICES[name]["volumes"] if "for-" in mount]
        assert handed == [f"for-{name}:/run/secrets:ro"]
        assert volumes("secrets")[f"for-{name}"] == volumes("ordo")[f"for-{name}"] == f"/data/handover/{name}"


def test_the_image_has_a_folder_that_ordo_owns_for_everything_it_is_handed() -> None:
    """A new volume takes the owner of what it covers: without a folder it would be root's, and the start fail."""
    image = (ROOT / "Dockerfile").read_text()
    last = image.rpartition("\nFROM ")[2]
    made = {word for line in re.findall(r"install -d -o 10001 -g 10001 (.*)", last) for word in line.split()}
    assert set(volumes("ordo").values()) <= made


def test_every_volume_network_and_file_that_is_used_is_there() -> None:
    for name, service in SERVICES.items():
        named = {volume for volume in volumes(name) if not volume.startswith("/")}
        assert named <= set(COMPOSE["volumes"])
        assert set(service.get("networks", [])) <= set(COMPOSE["networks"])
        assert {config["source"] for config in service.get("configs", [])} <= set(COMPOSE["configs"])
    used = {config["source"] for service in SERVICES.values() for config in service.get("configs", [])}
    assert used == set(COMPOSE["configs"])
    assert [each["file"] for each in COMPOSE["configs"].values() if not (ROOT / each["file"]).is_file()] == []


def test_only_what_looks_on_is_left_out_unless_asked_for() -> None:
    assert {name for name, service in SERVICES.items() if "profiles" in service} == {"prometheus", "grafana"}


def test_the_certificate_is_for_the_name_that_prometheus_calls() -> None:
    scrape = yaml.safe_load((ROOT / COMPOSE["configs"]["prometheus"]["file"]).read_text())["scrape_configs"][0]
    host = scrape["static_configs"][0]["targets"][0].partition(":")[0]
    assert host in SERVICES
    assert host in start.NAMES
