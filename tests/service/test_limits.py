"""Rates, slots and workers by themselves; addresses to listen at."""

import asyncio
import threading

import pytest

from fedblocks.service.limits import REMEMBERED, Rate, Slots, Workers
from fedblocks.service.problems import Busy, TooManyRequests
from fedblocks.service.server import BadListenAddress, parse_listen


def test_a_sender_has_its_burst_and_then_its_rate():
    now = 0.0
    rate = Rate(2.0, 3, clock=lambda: now)
    for _ in range(3):
        rate.spend("a", "a")
    with pytest.raises(TooManyRequests) as caught:
        rate.spend("a", "this address")
    assert caught.value.seconds == pytest.approx(0.5)
    rate.spend("b", "another has its own")
    now = 0.5
    rate.spend("a", "a")
    with pytest.raises(TooManyRequests):
        rate.spend("a", "a")


def test_the_rates_of_countless_senders_take_no_more_room():
    rate = Rate(1.0, 1, clock=lambda: 0.0)
    for sender in range(REMEMBERED + 50):
        rate.spend(str(sender), "one")
    assert len(rate._buckets) == REMEMBERED


def test_slots_are_given_back_after_a_failure_too():
    slots = Slots(1, "all are taken")
    with slots.one(), pytest.raises(Busy, match="all are taken"), slots.one():
        pass
    with pytest.raises(RuntimeError), slots.one():
        raise RuntimeError
    with slots.one():
        assert slots.taken == 1


def test_calls_that_would_pile_up_are_sent_away():
    async def ask() -> None:
        workers, gate = Workers(1, 1), threading.Event()
        waiting = [asyncio.create_task(workers.run(gate.wait)) for _ in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(Busy, match="wait for the node's storage"):
            await workers.run(gate.wait)
        gate.set()
        assert await asyncio.gather(*waiting) == [True, True]
        assert await workers.run(max, 1, 2) == 2
        workers.close()

    asyncio.run(ask())


@pytest.mark.parametrize(
    ("given", "meant"), [("127.0.0.1:8700", ("127.0.0.1", 8700)), ("[::1]:80", ("::1", 80)), ("node:0", ("node", 0))]
)
def test_an_address_to_listen_at_is_host_and_port(given, meant):
    assert parse_listen(given) == meant


@pytest.mark.parametrize("given", ["8700", ":8700", "host:", "host:port", "host:70000", ""])
def test_anything_else_is_named(given):
    with pytest.raises(BadListenAddress, match="write HOST:PORT"):
        parse_listen(given)
