"""Requests as a client's program writes them, to be changed by tests before they are sent."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import httpx

from fedblocks.rollup.actions import CommitUpdate, Reveal
from fedblocks.rollup.vectors import encode_vector
from tests.rollup.instance import StoredInstance

COMMITS, REVEALS = "/v1/instances/1/commits", "/v1/instances/1/reveals"


def commit_body(instance: StoredInstance, action: CommitUpdate, signature: bytes, **changes: Any) -> dict[str, Any]:
    context = instance.cohort.context
    fields = asdict(action)
    body = {
        "chainId": context.chain_id,
        "settlement": context.settlement,
        "instanceId": fields["instance_id"],
        "epoch": fields["epoch"],
        "attempt": fields["attempt"],
        "baseModelRoot": "0x" + action.base_model_root.hex(),
        "commitment": "0x" + action.commitment.hex(),
        "signature": "0x" + signature.hex(),
    }
    return body | changes


def reveal_headers(action: CommitUpdate, reveal: Reveal, **changes: str) -> dict[str, str]:
    headers = {
        "content-type": "application/octet-stream",
        "fedblocks-epoch": str(action.epoch),
        "fedblocks-attempt": str(action.attempt),
        "fedblocks-seat": str(reveal.seat),
        "fedblocks-samples": str(reveal.samples),
        "fedblocks-salt": "0x" + reveal.salt.hex(),
        "fedblocks-update-root": "0x" + reveal.update_root.hex(),
    }
    return headers | {"fedblocks-" + name.replace("_", "-"): value for name, value in changes.items()}


def body_of(reveal: Reveal) -> bytes:
    return encode_vector(reveal.update)


def refused(response: httpx.Response, status: int, kind: str, *, says: str = "") -> None:
    """Make sure that a response is a problem of this kind."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    problem = response.json()
    assert problem["type"] == f"urn:fedblocks:problem:{kind}"
    assert problem["status"] == status
    assert says in problem["detail"]
