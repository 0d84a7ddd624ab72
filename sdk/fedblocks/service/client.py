"""Talking to a node: what a client's or an aggregator's process needs of it, as typed calls.

Everything may be sent again: reading changes nothing, and an action that is sent twice is stored once and acknowledged
twice. So every call is tried again, after pauses that grow, when the connection breaks or the node asks to wait. What
the node says is not taken on trust where it can be checked: acknowledgements must be signed by the aggregator, blobs
must hash to their addresses and openings to the header's roots.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

import httpx
import numpy as np

from fedblocks.aggregation.fixed_point import Int16Array, Int32Array
from fedblocks.exceptions import FedBlocksError
from fedblocks.rollup.actions import (
    Acknowledgement,
    CommitUpdate,
    Reveal,
    SigningDomain,
    action_hash,
    check_signature,
    signing_domain,
)
from fedblocks.rollup.admission import revealed_hash
from fedblocks.rollup.intake import SignedAcknowledgement
from fedblocks.rollup.keccak import keccak256
from fedblocks.rollup.vectors import VectorKind, decode_vector, encode_vector
from fedblocks.service.proofs import CheckedProof, check_proof
from fedblocks.service.schemas import (
    Acknowledged,
    ActionLevel,
    Commit,
    Epoch,
    Event,
    HeaderEntry,
    HeaderPage,
    Health,
    Instance,
    Instances,
    Profile,
    ProfilePage,
    Proof,
    Round,
    Wire,
    from_hex,
    hexadecimal,
)
from fedblocks.service.transfer import PIECE_BYTES, WrongBlob, fetch_to
from fedblocks.training.profile import SignedProfile
from fedblocks.types import Address, Hash32

W = TypeVar("W", bound=Wire)

_AGAIN = {408, 429, 502, 503, 504}


class NodeProblem(FedBlocksError, RuntimeError):
    """A node has refused a request; `kind` and `status` say why, for programs."""

    def __init__(self, status: int, kind: str, detail: str, url: str) -> None:
        super().__init__(f"{url} refuses ({status}): {detail}")
        self.status, self.kind, self.detail, self.url = status, kind, detail, url


class NodeAway(FedBlocksError, ConnectionError):
    """A node could not be reached, or broke off, as often as it was tried."""

    def __init__(self, url: str, tries: int, why: str) -> None:
        super().__init__(f"{url} did not answer in {tries} tries ({why}); check the address and the network")
        self.url, self.tries = url, tries


class MpsClient:
    """A connection to one node; safe to share between threads.

    Args:
        url: the node's, such as ``http://127.0.0.1:8700``.
        timeout: seconds to wait for each piece of an answer.
        tries: how often to try, all together.
        pause: seconds before the second try; they double with each, up to ten.
        sleep: waits.
    """

    def __init__(
        self,
        url: str,
        *,
        timeout: float = 30.0,
        tries: int = 6,
        pause: float = 0.25,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.url = url.rstrip("/")
        self._http = httpx.Client(base_url=self.url, timeout=timeout)
        self._tries, self._pause, self._sleep = tries, pause, sleep

    def __enter__(self) -> MpsClient:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    # What there is

    def ready(self) -> Health:
        """Whether the node's storage answers."""
        return self._get("/readyz", Health)

    def instances(self) -> Instances:
        """All instances that the node knows."""
        return self._get("/v1/instances", Instances)

    def instance(self, instance: int | str) -> Instance:
        """What never changes in an instance. Hold it against the chain: it is the node's word."""
        return self._get(f"/v1/instances/{instance}", Instance)

    def round(self, instance: int | str) -> Round | None:
        """The round under way; None when there is none."""
        try:
            return self._get(f"/v1/instances/{instance}/round", Round)
        except NodeProblem as problem:
            if problem.kind == "unknown-thing":
                return None
            raise

    def headers(self, instance: int | str, first: int = 1) -> Iterator[HeaderEntry]:
        """The headers that count, from an epoch on, in order."""
        at: int | None = first
        while at is not None:
            page = self._get(f"/v1/instances/{instance}/headers", HeaderPage, first=at)
            yield from page.headers
            at = page.next

    def epoch(self, instance: int | str, epoch: int) -> Epoch:
        """An executed epoch."""
        return self._get(f"/v1/instances/{instance}/epochs/{epoch}", Epoch)

    def proof(self, instance: int | str, epoch: int, seat: int) -> CheckedProof:
        """What an epoch says of a seat, checked against the header that it comes with.

        Raises:
            WrongProof: if it is not what the header commits to. (That the header is on chain is for the caller to see.)
        """
        return check_proof(self._get(f"/v1/instances/{instance}/epochs/{epoch}/proofs/{seat}", Proof))

    def action_level(self, digest: Hash32) -> ActionLevel:
        """How certain it is that an acknowledged commitment counts."""
        return self._get(f"/v1/actions/{hexadecimal(digest)}", ActionLevel)

    # Signed actions

    def commit(
        self, domain: SigningDomain, action: CommitUpdate, signature: bytes, aggregator: Address
    ) -> SignedAcknowledgement:
        """Send a commitment; the aggregator's acknowledgement.

        Raises:
            NodeProblem: if it is refused.
            WrongSigner: if the acknowledgement is not the aggregator's.
        """
        wire = Commit(
            chain_id=domain.chain_id,
            settlement=domain.verifying_contract,
            instance_id=action.instance_id,
            epoch=action.epoch,
            attempt=action.attempt,
            base_model_root=hexadecimal(action.base_model_root),
            commitment=hexadecimal(action.commitment),
            signature=hexadecimal(signature),
        )
        answer = self._send(
            "POST", f"/v1/instances/{_name(domain, action)}/commits", json=wire.model_dump(by_alias=True)
        )
        return _acknowledgement(answer, domain, action_hash(action, domain), aggregator)

    def reveal(
        self, domain: SigningDomain, action: CommitUpdate, reveal: Reveal, aggregator: Address
    ) -> SignedAcknowledgement:
        """Send the update that opens a commitment; the aggregator's acknowledgement.

        Args:
            domain, action: the commitment.
            reveal: what opens it.
            aggregator: who has to acknowledge it.

        Raises:
            NodeProblem: if it is refused.
            WrongSigner: if the acknowledgement is not the aggregator's.
        """
        body = memoryview(encode_vector(reveal.update))
        headers = {
            "content-type": "application/octet-stream",
            "content-length": str(len(body)),
            "fedblocks-epoch": str(action.epoch),
            "fedblocks-attempt": str(action.attempt),
            "fedblocks-seat": str(reveal.seat),
            "fedblocks-samples": str(reveal.samples),
            "fedblocks-salt": hexadecimal(reveal.salt),
            "fedblocks-update-root": hexadecimal(reveal.update_root),
        }

        def pieces() -> Iterator[bytes]:
            for start in range(0, len(body), PIECE_BYTES):
                yield bytes(body[start : start + PIECE_BYTES])

        path = f"/v1/instances/{_name(domain, action)}/reveals"
        answer = self._send("POST", path, headers=headers, content=pieces)
        return _acknowledgement(answer, domain, revealed_hash(action_hash(action, domain)), aggregator)

    # Profiles

    def publish_profile(self, chain_id: int, settlement: Address, signed: SignedProfile) -> None:
        """Publish what data a client has.

        Raises:
            NodeProblem: if it is refused.
        """
        profile = signed.profile
        wire = Profile(
            chain_id=chain_id,
            settlement=settlement,
            client=profile.client,
            domain=profile.domain,
            modality=profile.modality,
            input_shape=profile.input_shape,
            labels=profile.labels,
            samples=profile.samples,
            issued_at=profile.issued_at,
            signature=hexadecimal(signed.signature),
        )
        self._send("POST", "/v1/profiles", json=wire.model_dump(by_alias=True))

    def profiles(self) -> Iterator[Profile]:
        """All published profiles; check their signatures."""
        after: str | None = None
        while True:
            page = self._get("/v1/profiles", ProfilePage, **({} if after is None else {"after": after}))
            yield from page.profiles
            if page.next is None:
                return
            after = page.next

    # Blobs

    def blob(self, address: Hash32) -> bytes:
        """A blob, checked against its address.

        Raises:
            WrongBlob: if the node sent something else.
        """
        content = self._send("GET", f"/v1/blobs/{address.hex()}").content
        actual = keccak256(content)
        if actual != address:
            raise WrongBlob(address, actual, self.url)
        return content

    def blob_size(self, address: Hash32) -> int | None:
        """How many bytes a blob has; None if the node has none of this address."""
        try:
            return int(self._send("HEAD", f"/v1/blobs/{address.hex()}").headers["content-length"])
        except NodeProblem as problem:
            if problem.status == httpx.codes.NOT_FOUND:
                return None
            raise

    def fetch(self, address: Hash32, target: Path) -> Path:
        """A blob as a file, fetched piece by piece; one that was begun before is taken up.

        Raises:
            WrongBlob: if the node sent something else.
            NodeProblem: if there is none.
        """
        path = f"/v1/blobs/{address.hex()}"
        try:
            fetch_to(self._http, path, address, target, tries=self._tries, pause=self._pause)
        except httpx.HTTPStatusError as error:
            raise _problem(error.response, self.url) from error
        except httpx.TransportError as error:
            raise NodeAway(self.url, self._tries, str(error)) from error
        return target

    def model(self, address: Hash32, d: int) -> Int32Array:
        """A model, int32[d], by its blob's address. Hold its root against the chain."""
        return decode_vector(self.blob(address), VectorKind.MODEL, d)  # type: ignore[return-value]

    def delta(self, address: Hash32 | None, d: int) -> Int16Array:
        """A global step, int16[d]; zeros where there is none yet."""
        if address is None:
            return np.zeros(d, dtype=np.int16)
        return decode_vector(self.blob(address), VectorKind.UPDATE, d)  # type: ignore[return-value]

    # Progress

    def events(self, instance: int | str, after: int = 0, *, wait: bool = True) -> Iterator[Event]:
        """What happens in an instance, from a number on; a broken connection is taken up where it broke.

        Args:
            instance: which.
            after: the number of the last event that was seen.
            wait: whether to go on when everything has been told.
        """
        failures = 0
        while True:
            try:
                for event in self._events(instance, after, wait):
                    after, failures = event.number, 0
                    yield event
                if not wait:
                    return
            except httpx.TransportError as error:
                failures += 1
                if failures >= self._tries:
                    raise NodeAway(self.url, self._tries, str(error)) from error
            self._rest(failures)

    def _events(self, instance: int | str, after: int, wait: bool) -> Iterator[Event]:
        params = {"after": after, "wait": "true" if wait else "false"}
        with self._http.stream("GET", f"/v1/instances/{instance}/events", params=params) as response:
            if response.is_error:
                response.read()
                raise _problem(response, self.url)
            for line in response.iter_lines():
                if line.startswith("data: "):
                    yield Event.model_validate_json(line.removeprefix("data: "))

    # The wire

    def _get(self, path: str, kind: type[W], **params: Any) -> W:
        return kind.model_validate_json(self._send("GET", path, params=params).content)

    def _send(
        self, method: str, path: str, *, content: Callable[[], Iterator[bytes]] | None = None, **options: Any
    ) -> httpx.Response:
        """Send a request, as often as it takes; a body that is streamed is begun anew each time."""
        failures = 0
        while True:
            try:
                response = self._http.request(method, path, content=None if content is None else content(), **options)
                if not response.is_error:
                    return response
                failures += 1
                if response.status_code not in _AGAIN or failures >= self._tries:
                    raise _problem(response, self.url)
                asked = response.headers.get("retry-after", "")
                self._rest(failures, float(asked) if asked.isdigit() else 0.0)
            except httpx.TransportError as error:
                failures += 1
                if failures >= self._tries:
                    raise NodeAway(self.url, self._tries, f"{type(error).__name__}: {error}") from error
                self._rest(failures)

    def _rest(self, failures: int, asked: float = 0.0) -> None:
        self._sleep(max(asked, min(10.0, self._pause * 2 ** max(0, failures - 1))))


def _name(domain: SigningDomain, action: CommitUpdate) -> str:
    return f"{domain.chain_id}-{domain.verifying_contract}-{action.instance_id}"


def _acknowledgement(
    response: httpx.Response, domain: SigningDomain, expected: Hash32, aggregator: Address
) -> SignedAcknowledgement:
    wire = Acknowledged.model_validate_json(response.content)
    # What was sent is what has to be acknowledged, whatever the answer says that it is.
    acknowledgement, signature = Acknowledgement(expected), from_hex(wire.signature)
    check_signature(acknowledgement, domain, signature, aggregator)
    return SignedAcknowledgement(acknowledgement, signature)


def _problem(response: httpx.Response, url: str) -> NodeProblem:
    try:
        content = json.loads(response.content)
        kind, detail = content["type"].rpartition(":")[2], content["detail"]
    except (ValueError, KeyError, TypeError, AttributeError):
        kind, detail = "http", response.reason_phrase
    return NodeProblem(response.status_code, str(kind), str(detail), url)


__all__ = ["MpsClient", "NodeAway", "NodeProblem", "WrongBlob", "signing_domain"]
