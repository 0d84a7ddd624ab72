"""The palette (ctrl+p): go to any screen, client or instance by typing a part of its name."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from textual.command import DiscoveryHit, Hit, Hits, Provider

if TYPE_CHECKING:
    from fedblocks_tui.app import FedBlocksApp

_MOST = 20


class Places(Provider):
    """Clients and instances. Thousands are looked through by a plain search, not letter by letter."""

    @property
    def _fed(self) -> FedBlocksApp:
        from fedblocks_tui.app import FedBlocksApp  # the app names this provider

        assert isinstance(self.app, FedBlocksApp)
        return self.app

    async def discover(self) -> Hits:
        """What is offered before anything is typed."""
        picture = self._fed.picture
        for instance in () if picture is None else picture.instances[-5:]:
            go = partial(self._fed.go_to_instance, instance.instance_id)
            yield DiscoveryHit(f"Go to job {instance.instance_id}", go, help=f"{instance.state} by {instance.user}")

    async def search(self, query: str) -> Hits:
        """Clients whose address, and instances whose number, has what was typed."""
        picture, wanted = self._fed.picture, query.lower().strip()
        if picture is None:
            return
        found = 0
        for instance in picture.instances:
            title = f"Go to job {instance.instance_id}"
            if wanted == str(instance.instance_id) or wanted in title.lower():
                yield Hit(1.0, title, partial(self._fed.go_to_instance, instance.instance_id), help=instance.state)
                found += 1
            if found >= _MOST:
                break
        found = 0
        for client in picture.clients:
            if wanted in client.address.lower() or wanted in f"go to client {client.address.lower()}":
                title = f"Go to client {client.address}"
                yield Hit(0.9, title, partial(self._fed.go_to_client, client.address), help=client.state)
                found += 1
                if found >= _MOST:
                    break
