"""Prints what a release is made of, from the lock, as a CycloneDX document.

    python .ci/sbom.py > ordo.cdx.json

Every package that ordo or one of its extras can bring, with the hashes of its files. Needs nothing but the standard
library, and says the same each time for the same lock.
"""

from __future__ import annotations

import json
import re
import tomllib
import uuid
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]


def name_of(text: str) -> str:
    """A package's name as everybody writes it; of a requirement, that of what is required."""
    return re.sub(r"[-_.]+", "-", re.split(r"[\s\[<>=!~;(]", text, maxsplit=1)[0]).lower()


def address(package: dict[str, Any]) -> str:
    return f"pkg:pypi/{name_of(package['name'])}@{package['version']}"


def component(package: dict[str, Any]) -> dict[str, Any]:
    """One locked package, with the hashes of its files."""
    page = f"https://pypi.org/project/{package['name']}/{package['version']}/"
    hashes = [{"alg": "SHA-256", "content": file["hash"].removeprefix("sha256:")} for file in package["files"]]
    return {
        "type": "library",
        "bom-ref": address(package),
        "name": package["name"],
        "version": package["version"],
        "purl": address(package),
        "scope": "optional" if package["optional"] else "required",
        "externalReferences": [{"type": "distribution", "url": page, "hashes": hashes}],
    }


def bill(lock: dict[str, Any], project: dict[str, Any]) -> dict[str, Any]:
    """The whole document."""
    shipped = {name_of(package["name"]): package for package in lock["package"] if "main" in package["groups"]}
    own = [*project["dependencies"], *(each for extra in project["optional-dependencies"].values() for each in extra)]
    needs = {address(project): own} | {address(each): each.get("dependencies", {}) for each in shipped.values()}
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": uuid.uuid5(uuid.NAMESPACE_URL, address(project) + lock["metadata"]["content-hash"]).urn,
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": address(project),
                "name": project["name"],
                "version": project["version"],
                "purl": address(project),
                "licenses": [{"license": {"id": project["license"]}}],
            }
        },
        "components": [component(shipped[name]) for name in sorted(shipped)],
        "dependencies": [
            {
                "ref": ref,
                "dependsOn": sorted({address(shipped[name]) for name in map(name_of, those) if name in shipped}),
            }
            for ref, those in sorted(needs.items())
        ],
    }


def main() -> None:
    lock = tomllib.loads((ROOT / "poetry.lock").read_text(encoding="utf-8"))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    print(json.dumps(bill(lock, project), indent=1))


if __name__ == "__main__":
    main()
