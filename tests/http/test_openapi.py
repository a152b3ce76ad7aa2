"""The OpenAPI document: nothing is served that it does not tell of, and it tells of nothing else."""
from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from offbeat import errors
from offbeat.errors import Refused
from offbeat.gateways import GATEWAYS
from offbeat.http import openapi
from offbeat.http.app import API
from offbeat.http.openapi import as_30
from offbeat.http.parameters import LIMIT
from offbeat.http.route import Route
from offbeat.http.schemas import SCHEMAS
from tests.http import rows
from tests.http.conformity import misfits
from tests.http.parts import Behind, MemoryResults, serving

DOCS = Path(__file__).parents[2] / "docs"
GUIDE = f"{(DOCS / 'jobs.md').read_text()}\n{(DOCS / 'api.md').read_text()}"
ROUTES = [route for route in (*API, *GATEWAYS) if route.listed]
DOCUMENT = openapi.document((*API, *GATEWAYS), "1.2.3")


def operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Path, method and operation of each operation of the document."""
    for path, methods in DOCUMENT["paths"].items():
        for method, operation in methods.items():
            yield path, method.upper(), operation


def named_in(path: str) -> str:
    """*path* as the guide writes it."""
    return path.removeprefix("/api/v1") or "/"


async def test_the_document_served_is_this_one() -> None:
    async with serving() as door:
        assert await door.get("/openapi.json") == json.loads(json.dumps(DOCUMENT))


def test_each_route_is_in_the_document_and_no_other() -> None:
    assert {(path, method) for path, method, _ in operations()} == {(route.path, route.method) for route in ROUTES}


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_each_route_and_each_of_its_parameters_is_in_the_guide(route: Route) -> None:
    assert re.search(rf"`(\w+ )?{re.escape(named_in(route.path))}`", GUIDE), (
        f"docs/api.md does not tell of {route.path}"
    )
    if route.tag != "influx":  # what those clients send is InfluxDB's to describe
        missing = [name for name in route.parameters.known if not re.search(rf"`{name}[`=]", GUIDE)]
        assert missing == []


def test_each_path_of_the_guide_is_in_the_document() -> None:
    told = set(re.findall(r"`(?:GET|POST|PATCH|DELETE) (/[\w/{}]+)`", GUIDE))
    told |= set(re.findall(r"`(/[\w/.]+)`", GUIDE.split("## Beside `/api/v1`")[1]))
    told |= set(re.findall(r"`(/[\w/{}]+)`", "\n".join(line for line in GUIDE.splitlines() if line.startswith("### "))))
    assert told - {"/api/v1"} <= {named_in(path) for path in DOCUMENT["paths"]}
    assert len(told) > 15


def test_each_refusal_is_in_the_guide_and_somewhere_in_the_document() -> None:
    table = GUIDE.split("| status | codes |")[1].split("\n\n")[0]
    told = set(re.findall(r"`(\w+)`", table))
    kinds = {kind.code for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, Refused)} - {
        "refused"
    }
    assert kinds <= told
    shown = {code for _, _, operation in operations() for answer in operation["responses"].values()
             for media in answer.get("content", {}).values() for code in media.get("examples", ())}
    assert kinds - {"method_not_allowed"} <= shown  # no operation has that: it is what a method that is none gets


def test_operations_are_named_once_summed_up_and_sorted() -> None:
    names = [operation["operationId"] for _, _, operation in operations()]
    assert len(set(names)) == len(names)
    tags = {tag["name"] for tag in DOCUMENT["tags"]}
    for path, method, operation in operations():
        assert operation["summary"].endswith("."), (path, method)
        assert set(operation["tags"]) <= tags


def test_each_place_in_a_path_is_a_parameter() -> None:
    for path, _, operation in operations():
        places = {p["name"] for p in operation["parameters"] if p["in"] == "path"}
        assert places == set(re.findall(r"{(\w+)}", path))


def test_each_example_keeps_to_its_schema() -> None:
    seen = 0
    for path, method, operation in operations():
        contents = [operation.get("requestBody", {}), *operation["responses"].values()]
        for media in (media for content in contents for media in content.get("content", {}).values()):
            examples = (
                [media["example"]] if "example" in media else [one["value"] for one in media["examples"].values()]
            )
            for example in examples:
                assert misfits(example, media["schema"]) == [], (path, method)
                seen += 1
    assert seen > 100


def test_each_reference_leads_somewhere_and_each_schema_is_used() -> None:
    used = set(re.findall(r'"\$ref": "#/components/schemas/(\w+)"', json.dumps(DOCUMENT)))
    assert used == set(SCHEMAS)


def test_the_greatest_limit_of_the_document_is_that_of_the_settings() -> None:
    limits = [p["schema"] for _, _, operation in operations() for p in operation["parameters"] if p["name"] == "limit"]
    assert {**LIMIT.schema, "maximum": 10_000} in limits
    assert all(limit["maximum"] == 10_000 or limit["default"] < limit["maximum"] < 10_000 for limit in limits)


def test_the_form_for_the_page_has_nothing_that_3_0_does_not_know() -> None:
    older = json.dumps(as_30(DOCUMENT))
    assert json.loads(older)["openapi"] == "3.0.3"
    assert '"null"' not in older
    assert not re.search(r'"examples": \[', older)
    assert as_30({"type": ["number", "null"]}) == {"type": "number", "nullable": True}


async def test_the_page_of_the_api_is_whole_without_a_network() -> None:
    async with serving(Behind(results=MemoryResults({"diagnosis": rows.DIAGNOSIS}))) as door:
        async with door.client.get(f"{door.url}/docs") as response:
            html = await response.text()
            assert response.status == 200
            assert "script-src 'self'" in response.headers["Content-Security-Policy"]
        start = await (await door.client.get(f"{door.url}/docs/start.js")).text()
        links = [*re.findall(r'(?:src|href)="([^"]+)"', html), *re.findall(r"url: '([^']+)'", start)]
        assert len(links) >= 4
        for link in links:
            assert not re.match(r"\w+:|/", link), "a page behind a proxy may stand anywhere"
            async with door.client.get(f"{door.url}/{link}") as response:
                assert response.status == 200
                assert await response.read()
        assert (await door.get("/docs/..%2f__init__.py", 404))["error"]["code"] == "not_found"
