"""Which network to talk to, as one object that is made once and passed in.

A network is named as in ape: ``ecosystem:network:provider``, where what is left out has a default and the provider is
a name or a URL. ``arbitrum:sepolia`` is the test network through its public node, ``arbitrum:mainnet:https://…`` the
real one through a node of one's own, ``::http://…`` or a bare URL whatever chain that node serves.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from fedblocks.exceptions import FedBlocksError

LOCAL = "local"
LOCAL_URL = "http://127.0.0.1:8545"
DEFAULT_ECOSYSTEM = "ethereum"  # ape's
PUBLIC = "node"
"""The provider that stands for a network's public node, as in ape."""


@dataclass(frozen=True)
class KnownNetwork:
    """A network that has a name.

    Attributes:
        chain_id: what its nodes must answer; None where it may be any.
        url: its public node, which limits how much one may ask; None where there is none that anyone may use.
    """

    chain_id: int | None
    url: str | None


NETWORKS: Mapping[str, Mapping[str, KnownNetwork]] = {
    "arbitrum": {
        "mainnet": KnownNetwork(42_161, "https://arb1.arbitrum.io/rpc"),
        "sepolia": KnownNetwork(421_614, "https://sepolia-rollup.arbitrum.io/rpc"),
        LOCAL: KnownNetwork(None, LOCAL_URL),
    },
    "ethereum": {
        "mainnet": KnownNetwork(1, None),
        "sepolia": KnownNetwork(11_155_111, None),
        LOCAL: KnownNetwork(None, LOCAL_URL),
    },
}
"""Networks by ecosystem and name."""


class UnknownNetwork(FedBlocksError, ValueError):
    """A network was named that is neither a URL nor a known ``ecosystem:network:provider``."""

    def __init__(self, part: str, known: list[str]) -> None:
        super().__init__(
            f"{redact(part)!r} is not one of {', '.join(known)}; write ecosystem:network:provider, like "
            "arbitrum:sepolia or arbitrum:mainnet:https://…, or a URL"
        )


class NoPublicNode(FedBlocksError, ValueError):
    """A network was named without a provider, and there is no node of it that anyone may use."""

    def __init__(self, name: str) -> None:
        super().__init__(f"{name} has no public node here; add one of yours, like {name}:https://…")


@dataclass(frozen=True)
class Network:
    """A node, and which chain it must serve.

    Attributes:
        name: ``ecosystem:network``, as it was meant.
        url: the node's HTTP endpoint; it may hold an API key, so it is not shown.
        chain_id: None if it may be any.
    """

    name: str
    url: str = field(repr=False)
    chain_id: int | None


def parse_network(text: str) -> Network:
    """Read a network as people and ape write it.

    >>> parse_network("arbitrum:sepolia").chain_id
    421614

    Raises:
        UnknownNetwork: if it is neither a URL nor made of known names.
        NoPublicNode: if a provider is needed.
    """
    text = text.strip()
    if _is_url(text):
        return Network(f"{DEFAULT_ECOSYSTEM}:{LOCAL}", text, None)
    ecosystem, network, provider = (*text.split(":", 2), "", "")[:3]
    ecosystem, network = ecosystem or DEFAULT_ECOSYSTEM, network or LOCAL
    if ecosystem not in NETWORKS:
        raise UnknownNetwork(ecosystem, list(NETWORKS))
    if network not in NETWORKS[ecosystem]:
        raise UnknownNetwork(network, [f"{ecosystem}:{name}" for name in NETWORKS[ecosystem]])
    known, name = NETWORKS[ecosystem][network], f"{ecosystem}:{network}"
    if _is_url(provider):
        return Network(name, provider, known.chain_id)
    providers = [PUBLIC, "foundry"] if network == LOCAL else [PUBLIC]
    if provider and provider not in providers:
        raise UnknownNetwork(provider, [*(f"{name}:{each}" for each in providers), f"{name}:https://…"])
    if known.url is None:
        raise NoPublicNode(name)
    return Network(name, known.url, known.chain_id)


def _is_url(text: str) -> bool:
    return text.startswith(("http://", "https://"))


def redact(url: str) -> str:
    """A URL as it may be shown: providers put the API key into the path, the query or the user name."""
    if "://" not in url:
        return url
    parts = urlsplit(url)
    port = f":{parts.port}" if parts.port else ""
    hidden = "/…" if parts.path.strip("/") or parts.query or parts.username else ""
    return f"{parts.scheme}://{parts.hostname}{port}{hidden}"


@dataclass(frozen=True, kw_only=True)
class NetworkConfig:
    """A node, and the deployment that is looked at through it."""

    url: str = field(repr=False)
    """The node's HTTP endpoint; it may hold an API key, so it is not shown."""
    deployment: Path
    """The deployments file. The chain that it names is the one that the node must serve."""
    timeout: float = 10.0
    """Seconds to wait for each answer of the node."""
