"""How a node is asked over HTTP: again where that may help, and with one error for every way of not answering."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any, TypeVar

import requests
from web3 import HTTPProvider
from web3.types import RPCEndpoint, RPCResponse

from fedblocks.chain.connection import NodeUnreachable
from fedblocks.chain.retries import Retries, is_behind, is_busy, is_harmless, seconds_asked_for

Answer = TypeVar("Answer")


class _Failure(Exception):
    """One question without an answer: what to say if it stays the last, and whether asking again may help."""

    def __init__(self, reason: str, *, tries: int, wait: float = 0.0) -> None:
        super().__init__(reason)
        self.reason, self.tries, self.wait = reason, tries, wait


class PatientProvider(HTTPProvider):
    """web3's HTTP provider: it asks again what may be asked again, and names every failure NodeUnreachable."""

    def __init__(self, url: str, *, timeout: float = 10.0, retries: Retries = Retries()) -> None:  # noqa: B008
        super().__init__(
            url,
            request_kwargs={"timeout": timeout},
            # web3's own retries know neither Retry-After nor a damaged body.
            exception_retry_configuration=None,
            # It asks which chain this is twice before every call, and no node changes its chain.
            cache_allowed_requests=True,
            cacheable_requests={RPCEndpoint("eth_chainId")},
        )
        self._retries = retries

    def make_request(self, method: RPCEndpoint, params: Any) -> RPCResponse:
        return self._persist(str(method), lambda: super(PatientProvider, self).make_request(method, params))

    def make_batch_request(self, batch_requests: list[tuple[RPCEndpoint, Any]]) -> list[RPCResponse] | RPCResponse:
        methods = {str(method) for method, _ in batch_requests}
        method = next((method for method in methods if not is_harmless(method)), f"a batch of {len(batch_requests)}")
        return self._persist(method, lambda: super(PatientProvider, self).make_batch_request(batch_requests))

    def _persist(self, method: str, ask: Callable[[], Answer]) -> Answer:
        """Ask until there is an answer, or asking again is of no use."""
        tried = 0
        while True:
            tried += 1
            last = tried >= self._retries.attempts or not is_harmless(method)
            try:
                answer = self._once(method, ask)
            except _Failure as failure:
                if last or tried >= failure.tries:
                    raise NodeUnreachable(str(self.endpoint_uri), failure.reason) from failure.__cause__
                time.sleep(self._retries.pause(tried, failure.wait))
                continue
            if last or not (is_busy(method, answer) or is_behind(answer)):
                return answer
            time.sleep(self._retries.pause(tried))

    def _once(self, method: str, ask: Callable[[], Answer]) -> Answer:
        many = self._retries.attempts
        try:
            answer = ask()
        except requests.Timeout as error:
            # Each costs the whole timeout: a node that is as slow twice is called slow.
            raise _Failure(f"{method} timed out", tries=2) from error
        except requests.HTTPError as error:
            response = error.response
            status = response.status_code if response is not None else 0
            again = many if status in (408, 425, 429) or status >= 500 else 1
            wait = seconds_asked_for(response.headers.get("Retry-After") if response is not None else None)
            reason = f"{method} was answered with HTTP {status or 'error'}"
            raise _Failure(reason, tries=again, wait=wait) from error
        except requests.RequestException as error:
            # requests repeats the whole URL in its message, with the API key in it.
            raise _Failure("the connection failed", tries=many) from error
        except (json.JSONDecodeError, UnicodeDecodeError) as error:
            raise _Failure(f"{method} was not answered with JSON", tries=many) from error
        if not isinstance(answer, dict | list):
            raise _Failure(f"{method} was answered with JSON that is no answer", tries=many)
        return answer
