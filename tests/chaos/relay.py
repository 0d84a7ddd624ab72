"""A network between a client and the aggregator's node on which one upload gets stuck.

Bytes pass as they come, until the client begins to send an update. Of that, part passes; then nothing does for a
while, with the connection open; then it goes on, or breaks.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time


class StallingRelay:
    """Listens on a port of its own and passes everything on to another one.

    Args:
        port: of the node, on this machine.
        stalls: how many uploads get stuck.
        seconds: for how long.
        after: how many bytes of the update pass.
        breaks: whether the connection then breaks.
    """

    MARK = b"/reveals"

    def __init__(self, port: int, *, stalls: int, seconds: float, after: int, breaks: bool) -> None:
        self._port, self._left, self._seconds, self._after, self._breaks = port, stalls, seconds, after, breaks
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._server.getsockname()[1]
        self.stalled = 0
        self._stopped = threading.Event()
        threading.Thread(target=self._listen, daemon=True).start()

    def close(self) -> None:
        self._stopped.set()
        with contextlib.suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()

    def _listen(self) -> None:
        while not self._stopped.is_set():
            try:
                near, _ = self._server.accept()
            except OSError:
                return
            try:
                far = socket.create_connection(("127.0.0.1", self._port), timeout=5)
            except OSError:
                near.close()
                continue
            far.settimeout(None)
            for source, target, is_upload in ((near, far, True), (far, near, False)):
                threading.Thread(target=self._pass, args=(source, target, is_upload), daemon=True).start()

    def _pass(self, source: socket.socket, target: socket.socket, is_upload: bool) -> None:
        with contextlib.suppress(OSError):
            while piece := source.recv(65536):
                if is_upload and self._left and self.MARK in piece:
                    self._left -= 1
                    self.stalled += 1
                    head, end = piece.partition(b"\r\n\r\n")[0], min(len(piece), self._cut(piece))
                    assert len(head) <= end
                    target.sendall(piece[:end])
                    time.sleep(self._seconds)
                    if self._breaks:
                        break
                    piece = piece[end:]
                target.sendall(piece)
        for each in (source, target):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _cut(self, piece: bytes) -> int:
        head = piece.find(b"\r\n\r\n")
        return len(piece) if head < 0 else head + 4 + self._after
