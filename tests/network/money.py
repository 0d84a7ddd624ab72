"""The money of a job, to the wei: what everybody has gained, gas aside, and that nothing came from nowhere."""

from __future__ import annotations

from tests.flower.scene import ADMIN, AGGREGATOR, FIRST_CLIENT, PARAMETERS, USER, Scene

INITIAL = 10_000 * 10**18
"""What anvil gives to each of its accounts."""


def close(scene: Scene) -> None:
    """Whoever is owed something takes it: clients their rewards, the user what is left."""
    number = scene.job.instance_id
    for signer in scene.clients:
        if scene.user.rewards.reward(number, signer.address):
            scene.user.acting_as(signer).rewards.claim_reward(number)
    if scene.user.rewards.refund(number):
        scene.user.jobs.refund(number)


def settle_locally(scene: Scene) -> None:
    """Do what the aggregator's process does when nothing is left to train, and what the user does for it."""
    chain, number = scene.aggregator.chain, scene.job.instance_id
    instance = chain.instance(number)
    if instance.posted_epochs < instance.number_of_epochs:
        scene.user.jobs.stop(number)
    scene.node.increase_time(PARAMETERS.challenge_window + 1)
    for epoch in range(instance.finalized_epochs + 1, instance.posted_epochs + 1):
        chain.finalize_epoch(number, epoch)
    scene.aggregator.rewards.collect_training_fees(number)
    chain.withdraw_bond(number)
    close(scene)


def gains(scene: Scene) -> dict[str, int]:
    """By name, what everybody and every contract has more than before anything happened; gas is not counted.

    An account's gas is what the chain's receipts say, of all blocks.
    """
    gas = _gas(scene)
    names = {ADMIN: "admin", USER: "user", AGGREGATOR: "aggregator"}
    names |= {FIRST_CLIENT + number: f"client {number}" for number in range(len(scene.clients))}
    accounts = {scene.node.signer(number).address: name for number, name in names.items()}
    for number in range(max(names) + 1, scene.node.accounts):
        accounts[scene.node.signer(number).address] = f"stranger {number - max(names)}"
    balance = scene.node.connection.balance
    return {
        **{name: balance(address) - INITIAL + gas.get(address, 0) for address, name in accounts.items()},
        **{contract.NAME: contract.balance() for contract in scene.user.contracts},
    }


def _gas(scene: Scene) -> dict[str, int]:
    connection, paid = scene.node.connection, dict[str, int]()
    for number in range(1, connection.block_number() + 1):
        for receipt in connection.rpc("eth_getBlockReceipts", hex(number)):
            sender = connection.web3.to_checksum_address(receipt["from"])
            cost = int(receipt["gasUsed"], 16) * int(receipt["effectiveGasPrice"], 16)
            paid[sender] = paid.get(sender, 0) + cost
    return paid
