"""Reading a chain in chunks: limits of nodes, progress, restarts, two processes; and a real node."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fedblocks.chain.connection import BlockHeader, NodeRefused, NodeUnreachable
from fedblocks.chain.events import ChainEvent, EventRegistry
from fedblocks.chain.node import Anvil
from fedblocks.contracts.artifacts import load_artifact
from fedblocks.monitor.indexer import BlockTooLarge, Indexer, LogsMissing, Progress
from fedblocks.monitor.monitor import Monitor, NoSource, NotIndexed, index_database
from fedblocks.monitor.recording import RecordedSource, record
from fedblocks.monitor.sources import NodeSource, RawLog
from fedblocks.monitor.stored import arguments_from_json, arguments_to_json
from fedblocks.monitor.views import ClientState, HealthState, OwnState
from fedblocks.types import BlockNumber, Wei
from tests.anvil import Roles
from tests.monitor.lives import born, live
from tests.monitor.story import story, tell
from tests.monitor.test_reorgs import fresh, rows
from tests.telling.scripted import ScriptedChain, scripted_subject


class Narrow(RecordedSource):
    """A node that gives at most so many logs, or blocks, at once."""

    most = 7

    def logs(self, first: BlockNumber, last: BlockNumber) -> Sequence[RawLog]:
        found = super().logs(first, last)
        if len(found) > self.most and last > first:
            raise NodeRefused("http://node", "query returned more than 7 results")
        return found


def test_a_range_that_the_node_refuses_is_halved_until_it_is_not(tmp_path: Path) -> None:
    source = Narrow(story().recording)
    database = index_database(tmp_path / "index.db")
    Indexer(database, source.subject, source).sync()
    assert rows(database) == fresh(story())


def test_a_node_that_leaves_logs_out_is_told_and_nothing_of_the_chunk_is_kept(tmp_path: Path) -> None:
    class Forgetful(RecordedSource):
        def logs(self, first: BlockNumber, last: BlockNumber) -> Sequence[RawLog]:
            found = super().logs(first, last)
            chain = self.subject.addresses["ModelParameterChain"]
            return [log for log in found if log.address != chain or log.log_index != 0]

    source = Forgetful(story().recording)
    database = index_database(tmp_path / "index.db")
    with pytest.raises(LogsMissing, match=r"ModelParameterChain\.\w+ in block \d+, transaction 0x.* leaves logs out"):
        Indexer(database, source.subject, source).sync()
    assert not rows(database)["monitor_events"]


def test_a_node_that_refuses_a_single_block_is_told_with_the_block(tmp_path: Path) -> None:
    class Mute(RecordedSource):
        def logs(self, first: BlockNumber, last: BlockNumber) -> Sequence[RawLog]:
            if last >= 10:
                raise NodeRefused("http://node", "no logs today")
            return super().logs(first, last)

    source = Mute(story().recording)
    indexer = Indexer(index_database(tmp_path / "index.db"), source.subject, source)
    with pytest.raises(BlockTooLarge, match="block 10: no logs today"):
        indexer.sync()
    tip = indexer.tip()
    assert tip is not None
    assert tip.number == 9  # what could be read is kept


def test_progress_is_told_from_the_first_block_to_the_last(tmp_path: Path) -> None:
    source = story()
    indexer = Indexer(index_database(tmp_path / "index.db"), source.subject, source)
    indexer._size = 10
    told: list[Progress] = []
    synced = indexer.sync(told.append)
    assert [each.block for each in told] == sorted(each.block for each in told)
    assert told[-1].block == told[-1].target == source.last
    assert told[-1].events == synced.new_events == len(source.recording.logs)
    assert told[-1].share == 1.0


def test_a_crash_in_the_middle_of_a_chunk_leaves_the_chunk_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = story()
    database = index_database(tmp_path / "index.db")
    indexer = Indexer(database, source.subject, source)
    indexer._size = 10
    moved = 0
    move = Indexer._move

    def crash(self: Indexer, *arguments: Any) -> None:
        nonlocal moved
        moved += 1
        if moved == 2:
            raise KeyboardInterrupt
        move(self, *arguments)

    monkeypatch.setattr(Indexer, "_move", crash)
    with pytest.raises(KeyboardInterrupt):
        indexer.sync()
    tip = indexer.tip()
    assert tip is not None
    assert {row[1] for row in rows(database)["monitor_events"]} <= set(range(tip.number + 1))
    indexer.sync()
    assert rows(database) == fresh(story())


def test_two_processes_on_one_index_do_not_count_anything_twice(tmp_path: Path) -> None:
    source = story()
    first = Indexer(index_database(tmp_path / "index.db"), source.subject, source)
    second = Indexer(index_database(tmp_path / "index.db"), source.subject, source)
    first._size = second._size = 5

    def interrupt(progress: Progress) -> None:
        if progress.block == 10:
            second.sync()

    first.sync(interrupt)
    assert rows(first.database) == fresh(story())


def test_syncing_again_changes_nothing(tmp_path: Path) -> None:
    source = story()
    database = index_database(tmp_path / "index.db")
    indexer = Indexer(database, source.subject, source)
    indexer.sync()
    before = rows(database)
    assert indexer.sync().new_events == 0
    assert rows(database) == before


def test_a_node_that_goes_is_a_disconnection_and_comes_back_by_itself(tmp_path: Path) -> None:
    class Failing(RecordedSource):
        down = False

        def head(self) -> BlockHeader:
            if self.down:
                raise NodeUnreachable("http://node", "the connection failed")
            return super().head()

    source = Failing(story().recording)
    with Monitor(source.subject, source, index_database(tmp_path / "index.db")) as monitor:
        assert monitor.health().state is HealthState.LOADING
        monitor.update()
        assert monitor.health().state is HealthState.HEALTHY
        source.down = True
        with pytest.raises(NodeUnreachable):
            monitor.update()
        assert monitor.health().state is HealthState.DISCONNECTED
        with monitor.snapshot() as snapshot:
            assert len(snapshot.slashes()) == 2  # what was known is still shown
        source.down = False
        source.advance(BlockNumber(source.last - 2))
        monitor.update()
        assert monitor.health().state is HealthState.LAGGING
        source.advance(source.last)
        monitor.update()
        assert monitor.health().state is HealthState.HEALTHY


def test_an_index_can_be_read_without_a_chain_and_without_writing(tmp_path: Path) -> None:
    source = story()
    with Monitor(source.subject, source, index_database(tmp_path / "index.db")) as monitor:
        monitor.update()
    reader = Monitor(source.subject, None, index_database(tmp_path / "index.db", read_only=True))
    with reader, reader.snapshot() as snapshot:
        assert len(snapshot.clients()) == 9
        with pytest.raises(NoSource):
            reader.update()
    other = scripted_subject(chain_id=5)
    with pytest.raises(NotIndexed, match="fedblocks index"):
        Monitor(other, None, index_database(tmp_path / "index.db", read_only=True))


def _as_web3_decodes(subject_name: str, log: RawLog, cls: type[ChainEvent]) -> dict[str, Any]:
    from web3 import Web3

    from fedblocks.chain.events import hints_of, snake_case, to_type

    contract = Web3().eth.contract(abi=load_artifact(subject_name).abi)
    decoded = contract.events[cls.__name__]().process_log(
        {
            "address": log.address,
            "topics": list(log.topics),
            "data": log.data,
            "blockNumber": log.block,
            "blockHash": log.block_hash,
            "transactionHash": log.transaction_hash,
            "transactionIndex": 0,
            "logIndex": log.log_index,
        }
    )
    hints = hints_of(cls)
    return {snake_case(name): to_type(hints[snake_case(name)], value) for name, value in decoded["args"].items()}


@settings(max_examples=3, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_logs_are_decoded_as_web3_decodes_them_and_stored_without_loss(seed: int) -> None:
    from random import Random

    teller = born()
    live(teller, Random(seed), 12)
    chain: ScriptedChain = teller.chain
    registry: EventRegistry = chain.subject.event_registry()
    names = chain.subject.names
    for log in [*chain.logs, *tell().chain.logs]:
        decoder = registry.decoder(log.address, log.topics)
        assert decoder is not None
        arguments = decoder.arguments(log.topics, log.data)
        assert arguments == _as_web3_decodes(names[log.address], log, decoder.cls)
        event = decoder.cls(
            address=log.address,
            block=log.block,
            block_hash=log.block_hash,
            transaction_hash=log.transaction_hash,
            log_index=log.log_index,
            **arguments,
        )
        assert arguments_from_json(decoder.cls, arguments_to_json(event)) == arguments


def test_a_real_node_is_indexed_recorded_and_taken_back(staked: Roles, node: Anvil, tmp_path: Path) -> None:
    fedblocks = staked.stranger
    first, second = staked.clients[:2]
    with Monitor.of(fedblocks, index_database(tmp_path / "index.db")) as monitor:
        monitor.update()
        before = rows(monitor.database)
        snapshot_id = node.snapshot()
        sent = first.staking.unregister()
        address = staked.cohort[0]
        monitor.journal.note_sent(sent.transaction_hash, address, "StakingRegistry.unRegister", Wei(0), nonce=99)
        update = monitor.update()
        assert update.new_events == 2
        assert update.block is not None
        assert update.block.hash == sent.block_hash
        with monitor.snapshot() as seen:
            status = first.staking.client_status(address)
            client = seen.client(address)
            assert client is not None
            assert (client.state, client.unbonding) == (ClientState.UNBONDING, status.unbonding)
            assert client.withdrawable_at == status.withdrawable_at
            (own,) = seen.own_transactions()
            assert (own.state, own.block, own.fee) == (OwnState.SUCCEEDED, sent.block, sent.fee)
        source = NodeSource(fedblocks.connection, monitor.subject.addresses.values())
        recording = record(source, monitor.subject, tmp_path / "run.gz")
        assert fresh(RecordedSource(recording))["monitor_events"] == rows(monitor.database)["monitor_events"]

        node.revert(snapshot_id)
        again = second.staking.unregister()
        update = monitor.update()
        assert update.rolled_back == 1
        with monitor.snapshot() as seen:
            client, other = seen.client(address), seen.client(staked.cohort[1])
            assert client is not None
            assert other is not None
            assert (client.state, other.state) == (ClientState.STAKED, ClientState.UNBONDING)
            assert other.since.transaction_hash == again.transaction_hash
            (own,) = seen.own_transactions()
            assert own.state is OwnState.PENDING  # taken back, and its nonce is still free
        gone = [row for row in before["monitor_entities"] if row not in rows(monitor.database)["monitor_entities"]]
        assert len(gone) == 1


def test_block_times_come_from_headers_where_a_nodes_logs_have_none(
    staked: Roles, node: Anvil, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = staked.stranger.connection
    source = NodeSource(connection, [contract.address for contract in staked.stranger.contracts])
    with_times = source.logs(BlockNumber(0), connection.block_number())
    rpc = connection.rpc

    def without(method: str, *parameters: Any) -> Any:
        return [{name: log[name] for name in log if name != "blockTimestamp"} for log in rpc(method, *parameters)]

    monkeypatch.setattr(connection, "rpc", without)
    assert source.logs(BlockNumber(0), connection.block_number()) == with_times
    assert {log.timestamp for log in with_times} == {
        connection.block(number).timestamp for number in {log.block for log in with_times}
    }
