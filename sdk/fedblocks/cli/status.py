"""`fedblocks status`: where is my money?"""

from __future__ import annotations

import click
from eth_utils.address import is_address, to_checksum_address

from fedblocks.cli.connecting import connect_v1, open_monitor
from fedblocks.cli.options import AccountChoice, IndexChoice, Where, index_options, json_option, network_options
from fedblocks.cli.output import countdown, eth, moment, plain, print_fields, print_json, talk
from fedblocks.cli.showing import show_account, show_totals
from fedblocks.types import Address


@click.command()
@click.argument("address", metavar="[ADDRESS|ALIAS]", required=False)
@network_options
@index_options
@json_option
def status(address: str | None, where: Where, index: IndexChoice, as_json: bool) -> None:
    """Show where an account's money is, or the whole deployment.

    Stake, what is unbonding, what is pending, what was earned and what can be claimed are shown apart, all of one
    block. ADDRESS may also be an alias of ape's.

    \b
    fedblocks status 0x… --network arbitrum:sepolia --deployment FILE
    fedblocks status --json
    """
    who = None if address is None else _address(address)
    if where.is_v1 and who is not None:
        _show_v1(where, who, as_json)
        return
    with open_monitor(where, index) as monitor, monitor.snapshot() as snapshot:
        if who is None:
            show_totals(snapshot, as_json)
        else:
            show_account(snapshot, who, as_json)


def _address(text: str) -> Address:
    from fedblocks.cli.connecting import address_of

    if text.startswith("0x"):
        if not is_address(text):
            raise click.BadParameter(f"{text!r} is not an address of 20 bytes with a right checksum")
        return to_checksum_address(text)
    return address_of(AccountChoice(text, None))


def _show_v1(where: Where, who: Address, as_json: bool) -> None:
    """Version 1 says of one account all that it knows in a few reads."""
    v1 = connect_v1(where)
    block = v1.connection.block()
    known = v1.staking.client_status(who, block.number)
    if as_json:
        print_json({"block": block.number, "version": 1, **plain(known)})
        return
    talk(f"version 1, as of block {block.number}, {moment(block.timestamp)}")
    until = "-"
    if known.timelock is not None:
        left = countdown(known.timelock, block.timestamp)
        until = f"{moment(known.timelock)} ({left}); version 1 pays before that and never after (V1-2)"
    print_fields(
        [
            ("account", who),
            ("staked", "yes" if known.is_staked else "no"),
            ("slashed", "yes" if known.is_slashed else "no"),
            ("credit", f"{eth(known.credit)} (what version 1 would pay, which is not what was paid in: V1-1)"),
            ("period ends", until),
        ]
    )
