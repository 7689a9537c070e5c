"""What ships the code is valid too: the image's recipe, the workflows, the scripts of the house."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.house.tree import ROOT

BESIDE = Path(sys.executable).parent
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
    passes(BESIDE / "check-jsonschema", "--builtin-schema", "vendor.github-workflows", *WORKFLOWS)
    passes(BESIDE / "check-jsonschema", "--builtin-schema", "vendor.dependabot", ROOT / ".github" / "dependabot.yml")


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
