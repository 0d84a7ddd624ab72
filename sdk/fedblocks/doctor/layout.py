"""Where a contract keeps what it says of a client, found by asking.

A scene in which a staking period has passed cannot be played in one call, since no time passes in it. So the doctor
sets the stage: it writes the client's credit and its timelock into the registry's storage. Where they lie is found
without knowing the compiler: every place at which a mapping may keep them gets a number of its own, and the getter
says which one it reads.
"""

from __future__ import annotations

from eth_utils.crypto import keccak

from fedblocks.doctor.simulation import Simulation, State, Step
from fedblocks.types import Address

_SLOTS = 64
_FIELDS = 4
"""A mapping may keep structs: the first few words of each are tried."""
_FIRST_TAG = 1_000_003


def candidate_slots(client: Address) -> list[int]:
    """Where a mapping by address may keep a client's word: Solidity hashes the key first, Vyper the mapping's slot."""
    key = bytes.fromhex(client[2:]).rjust(32, b"\0")
    places = []
    for slot in range(_SLOTS):
        word = slot.to_bytes(32, "big")
        for place in (keccak(key + word), keccak(word + key)):
            places += [(int.from_bytes(place, "big") + offset) % 2**256 for offset in range(_FIELDS)]
    return places


def find_slot(simulation: Simulation, target: Address, getters: tuple[str, ...], client: Address) -> int | None:
    """The storage slot that a getter reads for a client; None when it was not found.

    Args:
        simulation: Where to look.
        target: The contract.
        getters: Signatures of getters by address that all read the same word; those that are missing are passed over.
        client: A client of whom the contract knows nothing yet.
    """
    places = candidate_slots(client)
    tags = {place: _FIRST_TAG + index for index, place in enumerate(places)}
    steps = [Step(target, getter, (client,)) for getter in getters]
    for outcome in simulation.play(steps, State(storage={target: tags})):
        if outcome.number is not None and 0 <= outcome.number - _FIRST_TAG < len(places):
            return places[outcome.number - _FIRST_TAG]
    return None
