"""What a node says of itself to Prometheus. No address and no instance's content is ever a label."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest


class Metrics:
    """The metrics of one application, in a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        make = {"registry": self.registry, "namespace": "fedblocks"}
        self.requests = Counter("http_requests", "Requests by route, method and status.", _REQUEST, **make)  # type: ignore[arg-type]
        self.seconds = Histogram("http_request_seconds", "How long an answer took.", ["route"], **make)  # type: ignore[arg-type]
        self.accepted = Counter("actions_accepted", "Actions stored and acknowledged.", ["kind"], **make)  # type: ignore[arg-type]
        self.refused = Counter("requests_refused", "Requests refused, by problem.", ["problem"], **make)  # type: ignore[arg-type]
        self.received = Counter("update_bytes_received", "Bytes of updates taken in.", **make)  # type: ignore[arg-type]
        self.sent = Counter("blob_bytes_sent", "Bytes of blobs sent.", **make)  # type: ignore[arg-type]
        self.uploads = Gauge("uploads_in_progress", "Updates that are arriving.", **make)  # type: ignore[arg-type]
        self.streams = Gauge("event_streams", "Who follows the progress.", **make)  # type: ignore[arg-type]
        self.waiting = Gauge("storage_calls", "Calls that run or wait for a worker.", **make)  # type: ignore[arg-type]

    def text(self) -> bytes:
        """All of it in Prometheus's text format."""
        return generate_latest(self.registry)


_REQUEST = ["route", "method", "status"]
