"""What clients say about their data, kept for whoever looks for a cohort: the latest of each client."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from sqlalchemy import and_, func, insert, select, update

from fedblocks.exceptions import FedBlocksError
from fedblocks.rollup.actions import DataProfile
from fedblocks.rollup.tables import profiles
from fedblocks.storage.database import Database
from fedblocks.types import Address


class StaleProfile(FedBlocksError, ValueError):
    """A later profile of the client is known."""

    def __init__(self, client: Address, known: int, offered: int) -> None:
        super().__init__(
            f"a profile of {client} issued at {known} is known, later than this one of {offered}; sign one anew"
        )
        self.client, self.known, self.offered = client, known, offered


class TooManyProfiles(FedBlocksError, RuntimeError):
    """There is no room for another client's profile."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"{limit} clients have published a profile here already; use another node")
        self.limit = limit


@dataclass(frozen=True)
class ProfileRecord:
    """A profile with its client's signature, whoever has checked it.

    Attributes:
        chain_id, contract: the deployment that it was signed for.
    """

    chain_id: int
    contract: Address
    profile: DataProfile
    signature: bytes


class Profiles:
    """The latest profile of each client, in a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, record: ProfileRecord, *, limit: int) -> None:
        """Keep a profile whose signature was checked; an earlier one of the client goes.

        Raises:
            StaleProfile: if it is not the client's latest, or another one was issued in the same second.
            TooManyProfiles: if there are `limit` already and this is of a client that has none.
        """
        profile = record.profile
        this = and_(
            profiles.c.chain_id == record.chain_id,
            profiles.c.contract == record.contract,
            profiles.c.client == profile.client,
        )
        values = {"profile": asdict(profile), "issued_at": profile.issued_at, "signature": record.signature}
        with self._database.write() as connection:
            known = connection.execute(select(profiles).where(this)).one_or_none()
            if known is None:
                if (connection.scalar(select(func.count()).select_from(profiles)) or 0) >= limit:
                    raise TooManyProfiles(limit)
                key = {"chain_id": record.chain_id, "contract": record.contract, "client": profile.client}
                connection.execute(insert(profiles).values(**key, **values))
                return
            if known.profile == values["profile"]:
                return
            if known.issued_at >= profile.issued_at:
                raise StaleProfile(profile.client, known.issued_at, profile.issued_at)
            connection.execute(update(profiles).where(this).values(**values))

    def list(self, *, after: str = "", limit: int = 100) -> list[ProfileRecord]:
        """Profiles in the order of their clients' addresses, from the one after `after` on."""
        query = select(profiles).where(profiles.c.client > after).order_by(profiles.c.client, profiles.c.contract)
        with self._database.read() as connection:
            rows = connection.execute(query.limit(limit)).all()
        return [ProfileRecord(row.chain_id, row.contract, DataProfile(**row.profile), row.signature) for row in rows]
