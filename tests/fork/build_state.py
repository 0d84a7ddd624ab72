"""Build the stand-in for Arbitrum One: a chain with id 42161 that has something like version 1 at its five addresses.

    python -m tests.fork.build_state state.json
    anvil --chain-id 42161 --load-state state.json

The stand-ins (standins/*.vy) are written from a table of version 1's behaviour. Nothing here comes from the real chain;
with ARBITRUM_RPC_URL set, the fork tests ask that instead.
"""

from __future__ import annotations

import gzip
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from eth_abi import encode
from vyper import compile_code

from fedblocks.chain.node import Anvil
from fedblocks.chain.transactions import Call, TransactionSender
from fedblocks.contracts.v1 import V1_ARBITRUM
from fedblocks.contracts.v1.base import load_v1_artifact
from fedblocks.types import Address
from fedblocks.units import ether

STANDINS = Path(__file__).with_name("standins")

STAKE_AMOUNT = ether("0.1")
STAKING_PERIOD = 7 * 86_400
FEE_PER_EPOCH = ether("0.01")
PROTOCOL_FEE_PERCENTAGE = 2_000_000
ADMIN, SLASHER = 8, 9
"""Accounts of the development phrase."""


@dataclass(frozen=True)
class StandIn:
    """A stand-in and its constructor's arguments."""

    contract: str
    arguments: tuple[Any, ...]
    balance: int


def stand_ins(admin: Address, slasher: Address) -> list[StandIn]:
    """All five, which name each other at version 1's addresses."""
    at = V1_ARBITRUM.address
    return [
        StandIn("SlashTreasury", (admin,), ether("0.2")),
        StandIn("RewardTreasury", (admin,), ether("0.3")),
        StandIn(
            "StakingRegistry",
            (STAKE_AMOUNT, STAKING_PERIOD, at("SlashingManager"), at("SlashTreasury")),
            ether("0.5"),
        ),
        StandIn("RewardManager", (at("RewardTreasury"), FEE_PER_EPOCH, PROTOCOL_FEE_PERCENTAGE), 0),
        StandIn("SlashingManager", (slasher,), 0),
    ]


@cache
def creation_code(contract: str, old: str = "", new: str = "") -> bytes:
    """A stand-in's creation code, with something in its source replaced: a test can cure one defect."""
    source = (STANDINS / f"{contract}V1.vy").read_text(encoding="utf-8")
    if old and old not in source:
        raise LookupError(f"{old!r} is not in {contract}V1")
    output = compile_code(source.replace(old, new) if old else source, output_formats=["bytecode"])
    return bytes.fromhex(output["bytecode"].removeprefix("0x"))


def put_stand_ins(node: Anvil, changes: Mapping[str, tuple[str, str]] | None = None) -> None:
    """Deploy each stand-in somewhere, and copy its code to where version 1 lives; immutables are a part of the code."""
    sender = TransactionSender(node.connection, node.signer(0))
    for each in stand_ins(node.signer(ADMIN).address, node.signer(SLASHER).address):
        types = [entry["type"] for entry in load_v1_artifact(each.contract).constructor_inputs]
        code = creation_code(each.contract, *(changes or {}).get(each.contract, ())) + encode(types, each.arguments)
        created = sender.send(Call(each.contract, "constructor", None, code)).contract_address
        assert created is not None
        address = V1_ARBITRUM.address(each.contract)
        node.connection.rpc("anvil_setCode", address, "0x" + node.connection.code(created).hex())
        node.connection.rpc("anvil_setBalance", address, hex(each.balance))
    node.mine()


def build_state(path: Path) -> None:
    """Write a state file for `anvil --load-state`."""
    with Anvil(chain_id=V1_ARBITRUM.chain_id) as node:
        put_stand_ins(node)
        dumped = str(node.connection.rpc("anvil_dumpState"))
    path.write_bytes(gzip.decompress(bytes.fromhex(dumped.removeprefix("0x"))))


if __name__ == "__main__":
    build_state(Path(sys.argv[1]))
