"""schemathesis reads the OpenAPI document and asks whatever it allows, and whatever it does not."""

import os

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis import checks
from schemathesis.specs.openapi import checks as openapi

EXAMPLES = int(os.environ.get("SERVICE_EXAMPLES", "10"))
"""Requests of each kind for each operation."""

CHECKS = (
    checks.not_a_server_error,
    openapi.status_code_conformance,
    openapi.content_type_conformance,
    openapi.response_headers_conformance,
    openapi.response_schema_conformance,
    openapi.negative_data_rejection,
    openapi.unsupported_method,
)


@pytest.fixture(scope="module")
def document(standing_node, standing_instance):
    standing_instance.run_epoch()
    return schemathesis.openapi.from_url(f"{standing_node.url}/openapi.json")


schema = schemathesis.pytest.from_fixture("document")


@schema.parametrize()
@settings(max_examples=EXAMPLES, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_what_the_document_allows_is_answered_as_it_says(case):
    if case.path.endswith("/events"):
        # Following goes on for ever.
        case.query = dict(case.query or {}) | {"wait": "false"}
    response = case.call()
    # schemathesis knows 413 as no refusal, though a body may be wrong by being too large.
    left_out = {openapi.negative_data_rejection} if response.status_code == 413 else set()
    case.validate_response(response, checks=[check for check in CHECKS if check not in left_out])
