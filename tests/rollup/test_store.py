"""What the store remembers through kills, full disks and second writers."""

import errno
import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hexbytes import HexBytes
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import create_engine

from fedblocks.rollup.conflicts import (
    ActionConflict,
    EpochConflict,
    InstanceConflict,
    IntentConflict,
    LevelConflict,
    UnknownRecord,
    WriterConflict,
)
from fedblocks.rollup.header import Header
from fedblocks.rollup.records import (
    ActionKind,
    ActionRecord,
    EpochRecord,
    InstanceKey,
    InstanceRecord,
    IntentKind,
    IntentRecord,
    IntentState,
    Level,
)
from fedblocks.rollup.store import RollupStore
from fedblocks.rollup.tables import ROLLUP
from fedblocks.storage import database
from fedblocks.storage.database import SchemaMismatch, StorageBusy, StorageGone, StoreNotFound
from fedblocks.storage.errors import StorageError, StorageReadOnly
from fedblocks.storage.postgres import PostgresServer


def address(k: int) -> Any:
    return f"0x{k:040x}"


def some_hash(k: int) -> Any:
    return k.to_bytes(32, "big")


KEY = InstanceKey(412346, address(0xC5), 7)  # type: ignore[arg-type]
INSTANCE = InstanceRecord(
    key=KEY,
    user=address(1),
    aggregator=address(2),
    cohort=tuple(address(k) for k in range(10, 14)),
    d=1_000_000,
    max_epochs=50,
    rules=(1, 2**256 - 1, 0),
    genesis_hash=some_hash(99),
    job_blob=some_hash(98),
)


def commit(seat: int = 0, epoch: int = 1, attempt: int = 1, mark: int = 0) -> ActionRecord:
    number = 1_000_000 * mark + 10_000 * attempt + 100 * epoch + seat
    return ActionRecord(
        epoch=epoch,  # type: ignore[arg-type]
        attempt=attempt,
        seat=seat,  # type: ignore[arg-type]
        kind=ActionKind.COMMIT,
        action_hash=some_hash(number),
        client=address(10 + seat),
        commitment=some_hash(number + 1),
        signature=bytes(65),
        acknowledgement=b"\x01" * 65,
    )


def reveal(of: ActionRecord, samples: int = 100) -> ActionRecord:
    return replace(
        of,
        kind=ActionKind.REVEAL,
        signature=None,
        update_blob=some_hash(1),
        update_root=some_hash(2),
        samples=samples,
        salt=some_hash(3),
    )


def executed(epoch: int = 1, attempt: int = 1, mark: int = 0, instance_id: int = 7) -> EpochRecord:
    header = Header(
        instance_id=instance_id,  # type: ignore[arg-type]
        epoch=epoch,  # type: ignore[arg-type]
        attempt=attempt,
        **{name: some_hash(k + mark) for k, name in enumerate(HASHES)},
        participants=2**64 - 1,  # type: ignore[arg-type]
        excluded=2**63,  # type: ignore[arg-type]
        slash_reasons=6 << 252,
        metric=812_300,
    )
    return EpochRecord(header, manifest_blob=some_hash(5))


HASHES = [
    *("previous_header_hash", "commits_root", "submissions_root", "gram_root", "stats_root", "base_model_root"),
    *("delta_root", "next_model_root", "carried_root", "data_locator"),
]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "node" / "rollup.db"


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, file: Path) -> str:
    """Every test that takes this runs on both databases."""
    return f"sqlite:///{file}" if request.param == "sqlite" else request.getfixturevalue("postgres_url")


@pytest.fixture
def store(url: str) -> Iterator[RollupStore]:
    with RollupStore(url) as store:
        store.add_instance(INSTANCE)
        store.acquire_writer(KEY, "node-1")
        yield store


@pytest.fixture
def sqlite_store(file: Path) -> Iterator[RollupStore]:
    with RollupStore(f"sqlite:///{file}") as store:
        store.add_instance(INSTANCE)
        store.acquire_writer(KEY, "node-1")
        yield store


class TestInstances:
    def test_an_instance_comes_out_as_it_went_in(self, store: RollupStore, url: str) -> None:
        assert store.get_instance(KEY) == INSTANCE
        with RollupStore(url, read_only=True) as other:
            assert other.list_instances() == [INSTANCE]

    def test_adding_an_instance_twice_is_adding_it_once(self, store: RollupStore) -> None:
        store.add_instance(INSTANCE)
        assert len(store.list_instances()) == 1

    def test_an_instance_with_other_values_is_refused(self, store: RollupStore) -> None:
        with pytest.raises(InstanceConflict, match="stored with other values"):
            store.add_instance(replace(INSTANCE, d=5))

    def test_instances_of_two_deployments_have_one_number_and_stay_apart(self, store: RollupStore) -> None:
        other = replace(KEY, contract=address(0xC6))
        store.add_instance(replace(INSTANCE, key=other, d=8))
        store.acquire_writer(other, "node-1")
        store.add_action(other, commit())
        assert store.actions(KEY, 1, 1) == []
        assert [record.d for record in store.list_instances()] == [1_000_000, 8]

    def test_the_user_may_name_another_aggregator(self, store: RollupStore) -> None:
        store.set_aggregator(KEY, address(3))
        named = replace(INSTANCE, aggregator=address(3), former_aggregators=(INSTANCE.aggregator,))
        assert store.get_instance(KEY) == named
        store.set_aggregator(KEY, address(3))
        assert store.get_instance(KEY) == named, "naming it again changes nothing"
        store.add_instance(INSTANCE)  # as first configured: no conflict

    def test_an_unknown_instance_is_named(self, store: RollupStore) -> None:
        other = replace(KEY, instance_id=8)
        assert store.get_instance(other) is None
        with pytest.raises(UnknownRecord, match=r"instance 8 of 0x.*c5 on chain 412346 is not in the store"):
            store.actions(other, 1, 1)


class TestActions:
    def test_actions_are_numbered_without_gaps_in_the_order_of_arrival(self, store: RollupStore) -> None:
        first = store.add_action(KEY, commit(2))
        rest = store.add_actions(KEY, [commit(0), commit(1), reveal(commit(2))])
        assert [record.sequence for record in (first, *rest)] == [1, 2, 3, 4]
        assert store.actions(KEY, 1, 1) == [first, *rest]
        assert store.actions(KEY, 1, 1, ActionKind.REVEAL) == [rest[2]]
        assert store.find_actions(commit(2).action_hash) == [first, rest[2]]

    def test_the_same_action_again_gives_what_was_stored(self, store: RollupStore) -> None:
        first = store.add_action(KEY, commit())
        again = store.add_action(KEY, replace(commit(), acknowledgement=None, signature=b"\x02" * 65))
        assert again == first
        assert store.add_action(KEY, commit(1)).sequence == 2

    def test_a_seat_commits_once_to_an_attempt(self, store: RollupStore) -> None:
        store.add_action(KEY, commit())
        with pytest.raises(ActionConflict, match=r"seat 0 .* has sent another commit for attempt 1 at epoch 1"):
            store.add_action(KEY, commit(mark=1))
        store.add_action(KEY, commit(attempt=2))
        store.add_action(KEY, commit(epoch=2))

    def test_a_batch_with_a_conflict_leaves_nothing(self, store: RollupStore) -> None:
        store.add_action(KEY, commit(3))
        with pytest.raises(ActionConflict):
            store.add_actions(KEY, [commit(0), commit(1), commit(3, mark=1)])
        assert [record.seat for record in store.actions(KEY, 1, 1)] == [3]

    @pytest.mark.parametrize("samples", [0, 1, 2**63, 2**256 - 1])
    def test_any_number_of_samples_that_can_be_committed_to_can_be_stored(
        self, store: RollupStore, samples: int
    ) -> None:
        store.add_action(KEY, reveal(commit(), samples))
        assert store.actions(KEY, 1, 1)[0].samples == samples

    def test_values_of_web3_and_numpy_are_stored_as_plain_ones(self, store: RollupStore) -> None:
        record = replace(
            commit(),
            seat=np.int64(0),  # type: ignore[arg-type]
            commitment=HexBytes(commit().commitment),  # type: ignore[arg-type]
        )
        store.add_action(KEY, record)
        (stored,) = store.actions(KEY, 1, 1)
        assert stored == replace(commit(), sequence=1)
        assert type(stored.commitment) is bytes


class TestLevels:
    def test_an_action_rises_with_its_epoch(self, store: RollupStore) -> None:
        action = store.add_action(KEY, commit())
        seen = [store.action_level(action.action_hash)]
        store.put_epoch(KEY, executed())
        seen.append(store.action_level(action.action_hash))
        for level in (Level.POSTED, Level.FINAL):
            store.set_level(KEY, 1, 1, level)
            seen.append(store.action_level(action.action_hash))
        assert seen == [Level.RECEIVED, Level.EXECUTED, Level.POSTED, Level.FINAL]

    def test_an_action_falls_with_its_epoch(self, store: RollupStore) -> None:
        action = store.add_action(KEY, commit())
        store.put_epoch(KEY, executed())
        store.set_level(KEY, 1, 1, Level.REVERTED)
        assert store.action_level(action.action_hash) is Level.REVERTED

    def test_what_was_never_executed_is_void_once_a_later_attempt_is_known(self, store: RollupStore) -> None:
        action = store.add_action(KEY, commit())
        store.add_intent(KEY, IntentRecord(IntentKind.CLOSE_COMMITS, 1, 2, some_hash(1)))  # type: ignore[arg-type]
        assert store.action_level(action.action_hash) is Level.REVERTED

    def test_a_later_attempt_does_not_void_what_is_final(self, store: RollupStore) -> None:
        action = store.add_action(KEY, commit())
        store.put_epoch(KEY, replace(executed(), level=Level.FINAL))
        store.add_action(KEY, commit(epoch=2, attempt=2))
        assert store.action_level(action.action_hash) is Level.FINAL

    def test_an_unknown_action_is_named(self, store: RollupStore) -> None:
        with pytest.raises(UnknownRecord, match="action 0x00"):
            store.action_level(some_hash(4))

    def test_the_chain_may_forget_a_posted_epoch(self, store: RollupStore) -> None:
        store.put_epoch(KEY, executed())
        store.set_level(KEY, 1, 1, Level.POSTED, transaction_hash=some_hash(8), block_number=70)
        posted = store.get_epoch(KEY, 1)
        assert posted == replace(executed(), level=Level.POSTED, transaction_hash=some_hash(8), block_number=70)
        store.set_level(KEY, 1, 1, Level.EXECUTED)
        assert store.get_epoch(KEY, 1) == executed()

    @pytest.mark.parametrize("end", [Level.FINAL, Level.REVERTED])
    @pytest.mark.parametrize("level", [Level.EXECUTED, Level.POSTED, Level.FINAL, Level.REVERTED])
    def test_final_and_reverted_epochs_stay_so(self, store: RollupStore, end: Level, level: Level) -> None:
        store.put_epoch(KEY, replace(executed(), level=end))
        if level is end:
            store.set_level(KEY, 1, 1, level)
        else:
            with pytest.raises(LevelConflict, match=f"is {end} and cannot become {level}"):
                store.set_level(KEY, 1, 1, level)

    def test_the_level_of_an_epoch_that_is_not_stored_cannot_be_set(self, store: RollupStore) -> None:
        with pytest.raises(UnknownRecord, match="attempt 1 at epoch 4"):
            store.set_level(KEY, 4, 1, Level.POSTED)


class TestEpochs:
    def test_an_epoch_comes_out_as_it_went_in(self, store: RollupStore) -> None:
        for epoch in (2, 1):
            store.put_epoch(KEY, executed(epoch))
        assert store.get_epoch(KEY, 2) == executed(2)
        assert store.epochs(KEY) == [executed(1), executed(2)]
        assert store.get_epoch(KEY, 3) is None

    def test_an_epoch_computed_again_is_stored_once(self, store: RollupStore) -> None:
        store.put_epoch(KEY, executed())
        store.set_level(KEY, 1, 1, Level.POSTED)
        store.put_epoch(KEY, executed())
        assert store.epochs(KEY) == [replace(executed(), level=Level.POSTED)]

    def test_a_second_truth_about_an_epoch_is_refused(self, store: RollupStore) -> None:
        store.put_epoch(KEY, executed())
        with pytest.raises(EpochConflict, match=r"attempt 1 has header 0x.* already, now 0x.* was computed"):
            store.put_epoch(KEY, executed(mark=1))
        with pytest.raises(EpochConflict, match="attempt 1 is executed; revert it before attempt 2"):
            store.put_epoch(KEY, executed(attempt=2))
        with pytest.raises(EpochConflict, match="the header is of instance 8"):
            store.put_epoch(KEY, executed(instance_id=8))

    def test_a_proven_fault_takes_the_epoch_and_all_after_it(self, store: RollupStore) -> None:
        for epoch in (1, 2, 3):
            store.put_epoch(KEY, executed(epoch))
        assert [record.epoch for record in store.revert_from(KEY, 2)] == [2, 3]
        store.put_epoch(KEY, executed(2, attempt=2))
        assert store.epochs(KEY) == [executed(1), executed(2, attempt=2)]
        assert store.get_epoch(KEY, 2, attempt=1) == replace(executed(2), level=Level.REVERTED)
        assert [(r.epoch, r.attempt) for r in store.epochs(KEY, include_reverted=True)] == [
            *((1, 1), (2, 1), (2, 2), (3, 1))
        ]

    def test_a_final_epoch_cannot_fall_nor_take_others_with_it(self, store: RollupStore) -> None:
        store.put_epoch(KEY, replace(executed(1), level=Level.FINAL))
        store.put_epoch(KEY, executed(2))
        with pytest.raises(LevelConflict):
            store.revert_from(KEY, 1)
        assert [record.level for record in store.epochs(KEY)] == [Level.FINAL, Level.EXECUTED]

    def test_an_epoch_is_never_merely_received(self) -> None:
        with pytest.raises(ValueError, match="only actions"):
            replace(executed(), level=Level.RECEIVED)


class TestIntents:
    CLOSE = IntentRecord(IntentKind.CLOSE_COMMITS, 1, 1, some_hash(1))  # type: ignore[arg-type]

    def test_a_restarted_submitter_finds_what_it_was_about_to_send(self, store: RollupStore, url: str) -> None:
        submit = replace(self.CLOSE, kind=IntentKind.SUBMIT_EPOCH)
        for intent in (submit, self.CLOSE):
            store.add_intent(KEY, intent)
        store.set_intent(KEY, IntentKind.CLOSE_COMMITS, 1, 1, IntentState.SENT, transaction_hash=some_hash(2))
        with RollupStore(url) as again:
            sent = replace(self.CLOSE, state=IntentState.SENT, transaction_hash=some_hash(2))
            assert again.open_intents(KEY) == [sent, submit]
            again.acquire_writer(KEY, "node-1")
            assert again.add_intent(KEY, self.CLOSE) == sent
            again.set_intent(KEY, IntentKind.CLOSE_COMMITS, 1, 1, IntentState.CONFIRMED)
            assert again.open_intents(KEY) == [submit]
            assert again.get_intent(KEY, IntentKind.CLOSE_COMMITS, 1, 1) == replace(sent, state=IntentState.CONFIRMED)

    def test_a_step_is_not_planned_with_two_payloads(self, store: RollupStore) -> None:
        store.add_intent(KEY, self.CLOSE)
        with pytest.raises(IntentConflict, match=r"closeCommits of attempt 1 at epoch 1 .* is planned with payload"):
            store.add_intent(KEY, replace(self.CLOSE, payload_hash=some_hash(2)))

    def test_a_step_that_failed_is_planned_anew(self, store: RollupStore) -> None:
        store.add_intent(KEY, self.CLOSE)
        store.set_intent(KEY, IntentKind.CLOSE_COMMITS, 1, 1, IntentState.FAILED, transaction_hash=some_hash(2))
        anew = replace(self.CLOSE, payload_hash=some_hash(3))
        assert store.add_intent(KEY, anew) == anew
        assert store.open_intents(KEY) == [anew]

    def test_an_unknown_intent_is_named(self, store: RollupStore) -> None:
        assert store.get_intent(KEY, IntentKind.FINALIZE_EPOCH, 1, 1) is None
        with pytest.raises(UnknownRecord, match="intent finalizeEpoch of attempt 1 at epoch 1"):
            store.set_intent(KEY, IntentKind.FINALIZE_EPOCH, 1, 1, IntentState.SENT)


class TestTransactions:
    def test_an_epoch_and_its_parts_land_together(self, store: RollupStore) -> None:
        def fail_at_the_end() -> None:
            with store.transaction():
                store.add_action(KEY, commit())
                store.put_epoch(KEY, executed())
                assert store.epochs(KEY) == [executed()]
                raise RuntimeError("power failure")

        with pytest.raises(RuntimeError, match="power failure"):
            fail_at_the_end()
        assert store.epochs(KEY) == []
        assert store.actions(KEY, 1, 1) == []

    def test_others_see_a_transaction_when_it_is_complete(self, store: RollupStore, url: str) -> None:
        with RollupStore(url, read_only=True) as reader:
            with store.transaction():
                store.put_epoch(KEY, executed())
                assert reader.epochs(KEY) == []
            assert reader.epochs(KEY) == [executed()]

    def test_threads_share_a_store(self, store: RollupStore) -> None:
        def send(seat: int) -> None:
            store.add_action(KEY, commit(seat))

        threads = [threading.Thread(target=send, args=(seat,)) for seat in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        stored = store.actions(KEY, 1, 1)
        assert [record.sequence for record in stored] == list(range(1, 9))
        assert {record.seat for record in stored} == set(range(8))

    @settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(steps=st.lists(st.tuples(st.integers(0, 3), st.booleans()), max_size=12))
    def test_only_what_was_kept_is_there_and_the_numbers_have_no_gaps(
        self, tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[int, bool]]
    ) -> None:
        with RollupStore(f"sqlite:///{tmp_path_factory.mktemp('steps')}/rollup.db") as store:
            store.add_instance(INSTANCE)
            store.acquire_writer(KEY, "node-1")
            kept: list[int] = []
            for seat, keep in steps:
                if keep:
                    store.add_action(KEY, commit(seat))
                    kept += [seat] if seat not in kept else []
                else:
                    with suppress(KeyboardInterrupt), store.transaction():
                        store.add_action(KEY, commit(seat))
                        raise KeyboardInterrupt
            stored = store.actions(KEY, 1, 1)
        assert [(record.seat, record.sequence) for record in stored] == [
            (seat, number) for number, seat in enumerate(kept, start=1)
        ]


class TestWriters:
    def test_nobody_writes_without_the_right(self, store: RollupStore, url: str) -> None:
        with RollupStore(url) as other:
            with pytest.raises(WriterConflict, match="is written by 'node-1', whose lease runs for"):
                other.add_action(KEY, commit())
            fresh = replace(INSTANCE, key=replace(KEY, instance_id=9))  # type: ignore[arg-type]
            other.add_instance(fresh)
            with pytest.raises(WriterConflict, match="has no writer: acquire it first"):
                other.put_epoch(fresh.key, executed(instance_id=9))
        assert store.actions(KEY, 1, 1) == []

    def test_a_second_node_waits_for_the_end_of_the_lease(
        self, store: RollupStore, url: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with RollupStore(url) as other:
            with pytest.raises(WriterConflict) as caught:
                other.acquire_writer(KEY, "node-2")
            assert (caught.value.owner, caught.value.actual) == ("node-2", "node-1")
            assert 0 < caught.value.seconds_left <= 60
            with monkeypatch.context() as later:
                later.setattr("fedblocks.rollup.leases.time.time", lambda: 1e11)
                other.acquire_writer(KEY, "node-2")
            other.add_action(KEY, commit())
            with pytest.raises(WriterConflict, match="node-2"):
                store.add_action(KEY, commit(1))

    def test_every_write_renews_the_lease(self, store: RollupStore, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("fedblocks.rollup.leases.time.time", lambda: 5e10)
        store.renew_writer(KEY)
        with RollupStore(url) as other:
            monkeypatch.setattr("fedblocks.rollup.leases.time.time", lambda: 5e10 + 59)
            with pytest.raises(WriterConflict, match="runs for 1 s more"):
                other.acquire_writer(KEY, "node-2")
            monkeypatch.setattr("fedblocks.rollup.leases.time.time", lambda: 5e10 + 61)
            other.acquire_writer(KEY, "node-2")

    def test_a_restarted_node_takes_over_from_its_former_self_at_once(self, store: RollupStore, url: str) -> None:
        with RollupStore(url) as again:
            again.acquire_writer(KEY, "node-1")
            again.add_action(KEY, commit())
            with pytest.raises(WriterConflict, match="was taken over by 'node-1': stop this node"):
                store.add_action(KEY, commit(1))
            assert [record.seat for record in again.actions(KEY, 1, 1)] == [0]

    def test_a_node_that_stops_hands_the_right_back(self, store: RollupStore, url: str) -> None:
        store.release_writer(KEY)
        store.release_writer(KEY)
        with RollupStore(url) as other:
            other.acquire_writer(KEY, "node-2")
            other.add_action(KEY, commit())
        with pytest.raises(WriterConflict):
            store.add_action(KEY, commit(1))

    def test_of_many_nodes_that_start_together_one_writes(self, store: RollupStore, url: str) -> None:
        store.release_writer(KEY)
        outcomes: list[str] = []

        def start(name: str) -> None:
            with RollupStore(url) as other:
                try:
                    other.acquire_writer(KEY, name)
                    outcomes.append("writes")
                except WriterConflict:
                    outcomes.append("waits")

        threads = [threading.Thread(target=start, args=(f"other-{k}",)) for k in range(5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(outcomes) == ["waits"] * 4 + ["writes"]


class TestServers:
    def test_a_server_that_is_gone_is_named_and_the_store_goes_on_when_it_is_back(
        self, postgres_server: PostgresServer, postgres_url: str
    ) -> None:
        with RollupStore(postgres_url) as store:
            store.add_instance(INSTANCE)
            store.acquire_writer(KEY, "node-1")
            store.add_action(KEY, commit(0))
            postgres_server.stop()
            with pytest.raises(StorageGone, match="the database server does not answer"):
                store.add_action(KEY, commit(1))
            postgres_server.start()
            store.ping()
            assert store.add_action(KEY, commit(1)).sequence == 2

    def test_an_url_without_a_driver_is_psycopgs(self, postgres_url: str) -> None:
        with RollupStore(postgres_url.replace("postgresql+psycopg", "postgresql")) as store:
            store.ping()


class TestFiles:
    def test_a_store_that_does_not_exist_is_not_made_by_looking(self, file: Path) -> None:
        with pytest.raises(StoreNotFound, match=f"no store at {file}") as caught:
            RollupStore(f"sqlite:///{file}", read_only=True)
        assert caught.value.path == str(file)
        assert not file.parent.exists()

    def test_a_database_without_a_store_is_not_found_either(self, url: str, tmp_path: Path) -> None:
        if "sqlite" in url:
            url = f"sqlite:///{tmp_path}/other.db"
            sqlite3.connect(tmp_path / "other.db").execute("CREATE TABLE indexer_events (id INTEGER)")
        with pytest.raises(StoreNotFound):
            RollupStore(url, read_only=True)
        with RollupStore(url) as store:
            store.add_instance(INSTANCE)

    def test_a_node_killed_in_a_transaction_finds_what_it_had_before(self, file: Path) -> None:
        script = f"""
            import os, signal
            from tests.rollup.test_store import INSTANCE, KEY, commit, executed
            from fedblocks.rollup.store import RollupStore
            store = RollupStore("sqlite:///{file}")
            store.add_instance(INSTANCE)
            store.acquire_writer(KEY, "node-1")
            store.add_action(KEY, commit(0))
            with store.transaction():
                store.put_epoch(KEY, executed())
                store.add_actions(KEY, [commit(seat) for seat in range(1, 30)])
                os.kill(os.getpid(), signal.SIGKILL)
        """
        result = run_script(script, check=False)
        assert result.returncode == -signal.SIGKILL, result.stderr
        with RollupStore(f"sqlite:///{file}") as store:
            store.acquire_writer(KEY, "node-1")
            assert [record.seat for record in store.actions(KEY, 1, 1)] == [0]
            assert store.epochs(KEY) == []
            assert store.add_action(KEY, commit(1)).sequence == 2

    def test_a_full_disk_is_named_and_loses_nothing(self, file: Path) -> None:
        # max_page_count makes SQLite itself report SQLITE_FULL; the pragma lasts as long as its connection.
        script = f"""
            from sqlalchemy import event
            from tests.rollup.test_store import INSTANCE, KEY, commit, reveal
            from fedblocks.storage.errors import StorageFull
            from fedblocks.rollup.store import RollupStore
            store = RollupStore("sqlite:///{file}")
            store.add_instance(INSTANCE)
            store.acquire_writer(KEY, "node-1")
            store.add_action(KEY, commit(0))
            with store.transaction():
                connection = store._database._current
                pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
                connection.exec_driver_sql(f"PRAGMA max_page_count = {{pages + 2}}")
            try:
                for epoch in range(1, 400):
                    store.add_actions(KEY, [commit(seat, epoch) for seat in range(1, 60)])
            except StorageFull as error:
                print(error)
        """
        result = run_script(script)
        assert str(file) in result.stdout
        assert "no space left" in result.stdout
        with RollupStore(f"sqlite:///{file}") as store:
            store.acquire_writer(KEY, "node-1")
            before = len(store.actions(KEY, 1, 1))
            assert before in (1, 60)
            store.add_action(KEY, commit(0, epoch=500))

    def test_the_systems_file_size_limit_is_named_and_loses_nothing(self, file: Path) -> None:
        script = f"""
            import resource, signal
            from tests.rollup.test_store import INSTANCE, KEY, commit
            from fedblocks.storage.errors import StorageError
            from fedblocks.rollup.store import RollupStore
            store = RollupStore("sqlite:///{file}")
            store.add_instance(INSTANCE)
            store.acquire_writer(KEY, "node-1")
            store.add_action(KEY, commit(0))
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
            try:
                for epoch in range(2, 400):
                    store.add_actions(KEY, [commit(seat, epoch) for seat in range(1, 60)])
            except StorageError as error:
                print(type(error).__name__, error)
        """
        result = run_script(script)
        assert result.stdout.startswith("StorageFull"), result.stdout
        with RollupStore(f"sqlite:///{file}") as store:
            assert [record.seat for record in store.actions(KEY, 1, 1)] == [0]

    def test_a_store_opened_for_reading_is_never_written(self, store: RollupStore, url: str) -> None:
        store.put_epoch(KEY, executed())
        with RollupStore(url, read_only=True) as reader:
            assert reader.epochs(KEY) == [executed()]
            with pytest.raises(StorageReadOnly, match="read-only"):
                reader.add_instance(INSTANCE)
            with pytest.raises(StorageReadOnly), reader.transaction():
                pass

    def test_a_read_only_database_is_named(self, sqlite_store: RollupStore, file: Path) -> None:
        with sqlite_store.transaction():
            sqlite_store._database._current.exec_driver_sql("PRAGMA query_only = ON")  # type: ignore[union-attr]
        with pytest.raises(StorageReadOnly, match=f"{file}: cannot be written"):
            sqlite_store.add_action(KEY, commit())

    def test_a_folder_that_cannot_be_made_is_named(self, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(*_: object, **__: object) -> None:
            raise OSError(errno.EROFS, "Read-only file system")

        monkeypatch.setattr(Path, "mkdir", refuse)
        with pytest.raises(StorageReadOnly, match="node: cannot be written"):
            RollupStore(f"sqlite:///{file}")

    def test_a_file_that_is_no_database_is_named(self, file: Path) -> None:
        file.parent.mkdir()
        file.write_bytes(b"this is a text, and quite a long one, about something else entirely" * 20)
        for read_only in (False, True):
            with pytest.raises(StorageError, match="the database cannot be used: file is not a database"):
                RollupStore(f"sqlite:///{file}", read_only=read_only)

    def test_a_folder_in_the_place_of_the_database_is_named(self, file: Path) -> None:
        file.mkdir(parents=True)
        with pytest.raises(StorageError, match="unable to open database file"):
            RollupStore(f"sqlite:///{file}")

    def test_a_store_of_another_version_is_refused(self, url: str) -> None:
        RollupStore(url).close()
        engine = create_engine(url)
        with engine.begin() as connection:
            connection.exec_driver_sql("UPDATE rollup_schema SET version = 99")
        engine.dispose()
        for read_only in (False, True):
            with pytest.raises(
                SchemaMismatch, match=f"has schema version 99; this FedBlocks reads version {ROLLUP.version}"
            ):
                RollupStore(url, read_only=read_only)

    def test_foreign_tables_of_the_same_names_are_refused(self, file: Path) -> None:
        file.parent.mkdir()
        sqlite3.connect(file).execute("CREATE TABLE rollup_epochs (id INTEGER)")
        with pytest.raises(SchemaMismatch, match="but no schema version"):
            RollupStore(f"sqlite:///{file}")

    def test_a_writer_that_blocks_for_too_long_is_named(self, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(database, "BUSY_SECONDS", 0.1)
        with RollupStore(f"sqlite:///{file}") as store:
            other = sqlite3.connect(file, isolation_level=None)
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(StorageBusy, match="held the write lock"):
                store.add_instance(INSTANCE)
            other.execute("ROLLBACK")
            store.add_instance(INSTANCE)

    def test_sqlite_keeps_foreign_keys_and_a_write_ahead_log(self, sqlite_store: RollupStore) -> None:
        with sqlite_store._database.read() as connection:
            assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1
            assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"

    def test_a_path_with_odd_characters_works(self, tmp_path: Path) -> None:
        url = f"sqlite:///{tmp_path}/a folder #1/node 7.db"
        with RollupStore(url) as store:
            store.add_instance(INSTANCE)
        with RollupStore(url, read_only=True) as store:
            assert store.get_instance(KEY) == INSTANCE
        assert (tmp_path / "a folder #1" / "node 7.db").exists()

    def test_a_store_in_memory_lives_as_long_as_it_is_open(self) -> None:
        with RollupStore("sqlite://") as store:
            store.add_instance(INSTANCE)
            assert store.list_instances() == [INSTANCE]
        with RollupStore("sqlite://") as store:
            assert store.list_instances() == []


def run_script(script: str, *, check: bool = True) -> subprocess.CompletedProcess[str]:
    root = Path(__file__).parents[2]
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        cwd=root,
        env=os.environ | {"PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        check=check,
    )
