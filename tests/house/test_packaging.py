"""What ships the code is valid too: the image's recipe, the workflows, the scripts of the house."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.house.tree import ROOT

BESIDE = Path(sys.executable).parent
SCHEMA = (sys.executable, "-m", "check_jsonschema")
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
SCRIPTS = [path for path in sorted((ROOT / ".ci").iterdir()) if path.is_file() and path.suffix == ""]


def passes(*command: str | Path) -> None:
    done = subprocess.run([str(word) for word in command], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_dockerfile_is_clean() -> None:
    passes(BESIDE / "hadolint", "Dockerfile")


def test_the_image_runs_as_nobody_in_particular_and_says_whether_it_is_well() -> None:
    last = (ROOT / "Dockerfile").read_text().rpartition("\nFROM ")[2]
    assert re.search(r"^USER \d+:\d+$", last, re.MULTILINE)
    assert re.search(r'^HEALTHCHECK .*CMD \["python", "-m", "ordo_cli\.deploy\.health"\]$', last, re.MULTILINE)
    assert re.search(r'^ENTRYPOINT \["ordo"\]$', last, re.MULTILINE)
    assert re.search(r'^CMD \["serve"\]$', last, re.MULTILINE)


def test_the_image_gets_every_file_that_its_recipe_copies() -> None:
    kept = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert {name for line in copied for name in line.split()} <= kept


def test_the_workflows_are_what_the_service_expects() -> None:
    passes(*SCHEMA, "--builtin-schema", "vendor.github-workflows", *WORKFLOWS)
    passes(*SCHEMA, "--builtin-schema", "vendor.dependabot", ROOT / ".github" / "dependabot.yml")


def test_the_workflows_hold_no_known_weakness() -> None:
    passes(BESIDE / "zizmor", "--offline", "--quiet", "--no-progress", ".github")


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: str(path.name))
def test_every_action_is_pinned_and_nothing_is_permitted_by_default(path: Path) -> None:
    text = path.read_text()
    used = re.findall(r"uses: (\S+)(.*)", text)
    assert [
        action for action, note in used if not re.fullmatch(r"[^@]+@[0-9a-f]{40}", action) or "# v" not in note
    ] == []
    assert yaml.safe_load(text)["permissions"] == {"contents": "read"}
    assert text.count("persist-credentials: false") == text.count("actions/checkout@")


def jobs(path: Path) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = yaml.safe_load(path.read_text())["jobs"]
    return found


def test_every_job_that_runs_the_tests_runs_them_on_the_servers_that_are_named() -> None:
    """PostgreSQL 15 and Redis 7; and no test may be left out there because a server is missing."""
    tested = 0
    for path in WORKFLOWS:
        for job in jobs(path).values():
            if not re.search(r"\.ci/(test|run)\b", str(job["steps"])):
                continue
            tested += 1
            images = {name: service["image"] for name, service in job["services"].items()}
            assert images == {"postgres": "postgres:15-bookworm", "redis": "redis:7-bookworm"}
            assert all(port.startswith("127.0.0.1:") for each in job["services"].values() for port in each["ports"])
            assert job["env"]["ORDO_TEST_REQUIRE_SERVICES"] == "1"
    assert tested == 3


def test_the_brokers_own_clients_run_wherever_the_tests_do() -> None:
    """An ordinary run leaves them out, as they come from PyPI; the gate and every job of the tests ask for them."""
    for path in (ROOT / "tests" / "sdk").glob("test_*.py"):
        assert "\npytestmark = pytest.mark.sdk\n" in path.read_text(), path
    called = ".ci/test tests/sdk -m sdk"
    assert called in (ROOT / ".ci" / "run").read_text()
    for path in WORKFLOWS:
        for job in jobs(path).values():
            steps = str(job["steps"])
            assert ".ci/test" not in steps or called in steps


def test_both_pythons_are_tested() -> None:
    [ci] = [path for path in WORKFLOWS if path.name == "ci.yml"]
    assert jobs(ci)["tests"]["strategy"]["matrix"]["python"] == ["3.12", "3.13"]


def test_only_the_jobs_that_publish_may_write_anything() -> None:
    allowed = {
        ("publish.yml", "attest"): {"id-token": "write", "attestations": "write"},
        ("publish.yml", "pypi"): {"id-token": "write"},
        ("publish.yml", "image"): {"contents": "read", "id-token": "write", "attestations": "write"},
    }
    given = {
        (path.name, name): job["permissions"]
        for path in WORKFLOWS
        for name, job in jobs(path).items()
        if "permissions" in job
    }
    assert given == allowed


def test_nothing_is_published_that_was_not_tested_and_attested() -> None:
    [publish] = [path for path in WORKFLOWS if path.name == "publish.yml"]
    needs = {name: job.get("needs") for name, job in jobs(publish).items()}
    assert needs == {"build": None, "attest": "build", "pypi": "attest", "image": "attest"}
    assert ".ci/run" in str(jobs(publish)["build"]["steps"])


def test_the_bill_of_materials_names_what_the_image_installs() -> None:
    """And says the same each time."""
    asked = [sys.executable, ".ci/sbom.py"]
    first, second = (subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, check=True).stdout for _ in "12")
    assert first == second
    told = json.loads(first)
    names = {each["name"].lower() for each in told["components"]}
    wanted = [sys.executable, ".ci/requirements.py", "--extra", "postgres", "--extra", "redis", "--extra", "otel"]
    listed = subprocess.run(wanted, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert set(re.findall(r"^([\w.-]+)==", listed.lower(), re.MULTILINE)) == names
    refs = {each["bom-ref"] for each in told["components"]} | {told["metadata"]["component"]["bom-ref"]}
    assert {each["ref"] for each in told["dependencies"]} == refs
    assert {ref for each in told["dependencies"] for ref in each["dependsOn"]} <= refs
    assert not names & {"pytest", "mypy", "ruff"}


def test_the_workflows_run_only_scripts_that_exist() -> None:
    named = {name for path in WORKFLOWS for name in re.findall(r"(?<![\w/])\.ci/\w+(?:\.py)?", path.read_text())}
    assert [name for name in sorted(named) if not (ROOT / name).is_file()] == []


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: str(path.name))
def test_a_script_of_the_house_can_be_run(path: Path) -> None:
    shell = path.read_text().partition("\n")[0].rpartition("/")[2].rpartition(" ")[2]
    assert os.access(path, os.X_OK)
    passes(shell, "-n", path)


def test_without_a_fitting_python_the_scripts_say_so_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "python3").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "python3").chmod(0o755)
    finder = (ROOT / ".ci" / "python").read_text().replace("/opt/homebrew/bin/python3 /usr/local/bin/python3", "")
    bare = {"PATH": str(tmp_path), "HOME": str(tmp_path)}
    done = subprocess.run(["/bin/sh", "-c", finder], env=bare, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (1, "")
    assert "ordo needs Python 3.12 or newer" in done.stderr


def test_the_changelog_and_licence_are_there() -> None:
    assert "## Unreleased" in (ROOT / "CHANGELOG.md").read_text() or "## 0." in (ROOT / "CHANGELOG.md").read_text()
    assert (ROOT / "LICENSE").read_text().startswith("MIT License")
