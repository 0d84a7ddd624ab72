"""What a node allows: sizes, rates and patience."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ServiceSettings:
    """The limits of a node; what goes over one is refused with a problem that says which.

    Attributes:
        json_bytes: the largest JSON body.
        header_bytes: all headers of a request together.
        header_seconds: how long a connection may take to send a request's headers.
        idle_seconds: how long a body, or whoever reads an answer, may pause.
        upload_bytes_per_second: the slowest upload that is borne with, on average, after the first ten seconds.
        uploads: updates taken in at the same time, all clients together.
        workers: threads that read and write the store.
        waiting: requests that may wait for a worker.
        reads_per_second, read_burst: requests of one IP address that change nothing.
        writes_per_second, write_burst: likewise, of those that may.
        actions_per_minute: actions of one client of a cohort.
        event_streams: who follows the progress at the same time.
        connections: open at the same time.
        profiles: clients that may publish what data they have.
        clock_skew: by how many seconds a profile may be issued in the future.
        proxies: addresses whose X-Forwarded-For is believed; by default nobody's.
    """

    json_bytes: int = 16_384
    header_bytes: int = 16_384
    header_seconds: float = 10.0
    idle_seconds: float = 20.0
    upload_bytes_per_second: int = 16_384
    uploads: int = 4
    workers: int = 4
    waiting: int = 64
    reads_per_second: float = 200.0
    read_burst: int = 1000
    writes_per_second: float = 20.0
    write_burst: int = 100
    actions_per_minute: float = 60.0
    event_streams: int = 200
    connections: int = 1000
    profiles: int = 10_000
    clock_skew: int = 300
    proxies: tuple[str, ...] = ()
