"""Sending: a refusal is typed and raised, nothing is sent that nobody signed, and one key serves many senders."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from eth_account import Account
from web3 import Web3
from web3.types import RPCEndpoint, RPCResponse

from fedblocks.chain.connection import Connection, NodeUnreachable
from fedblocks.chain.node import LOCAL_CHAIN_ID, Anvil
from fedblocks.chain.nonces import Outcome, outcome_of
from fedblocks.chain.provider import PatientProvider
from fedblocks.chain.reverts import ContractReverted
from fedblocks.chain.signers import LocalSigner
from fedblocks.chain.transactions import (
    Call,
    Declined,
    DryRun,
    FateUnknown,
    InsufficientFunds,
    NonceTaken,
    NoSigner,
    Receipt,
    TransactionNotMined,
    TransactionPlan,
    TransactionRejected,
    TransactionSender,
)
from fedblocks.contracts.reverts import ClientAlreadyStaked
from fedblocks.contracts.staking_registry import StakeLocked
from fedblocks.types import ZERO_ADDRESS, Wei
from fedblocks.units import ether
from tests.anvil import STRANGER, USER, Roles

Answer = Callable[[RPCEndpoint, Any], RPCResponse]


class OddProvider(PatientProvider):
    """A node between the test and anvil that may lose, delay or make up answers."""

    def __init__(self, url: str, odd: Callable[[Answer, RPCEndpoint, Any], RPCResponse]) -> None:
        super().__init__(url)
        self._odd = odd

    def make_request(self, method: RPCEndpoint, params: Any) -> RPCResponse:
        return self._odd(super().make_request, method, params)


def odd_connection(node: Anvil, odd: Callable[[Answer, RPCEndpoint, Any], RPCResponse]) -> Connection:
    return Connection(Web3(OddProvider(node.url, odd)), node.url, LOCAL_CHAIN_ID)


def error(message: str) -> RPCResponse:
    return {"jsonrpc": "2.0", "id": 0, "error": {"code": -32000, "message": message}}


@pytest.fixture
def sender(node: Anvil) -> TransactionSender:
    return TransactionSender(node.connection, node.signer(USER))


@pytest.fixture
def to(node: Anvil) -> Any:
    return node.signer(STRANGER).address


def nonce_of(node: Anvil) -> int:
    return int(node.connection.web3.eth.get_transaction_count(node.signer(USER).address))


def test_a_transfer_moves_exactly_its_value_and_its_fee(node: Anvil, sender: TransactionSender, to: Any) -> None:
    mine, theirs = node.connection.balance(sender.address or to), node.connection.balance(to)
    receipt = sender.transfer(to, ether(3))
    assert node.connection.balance(to) - theirs == ether(3)
    assert mine - node.connection.balance(sender.address or to) == ether(3) + receipt.fee
    assert receipt.gas_used == 21_000
    assert receipt.block == node.connection.block_number()


def test_a_plan_says_what_it_costs_and_sends_nothing(node: Anvil, sender: TransactionSender, to: Any) -> None:
    before = nonce_of(node)
    plan = sender.plan(Call("transfer", "", to, value=ether(1)))
    assert plan.cost == ether(1) + plan.gas * plan.gas_price
    assert plan.gas >= 21_000
    assert nonce_of(node) == before


def test_without_a_signer_the_error_carries_the_plan(node: Anvil, roles: Roles) -> None:
    watching = TransactionSender(node.connection, address=node.signer(USER).address)
    call = roles.user.staking.plan("stake", value=ether("0.1")).call
    with pytest.raises(NoSigner, match=r"StakingRegistry\.stake was not sent") as caught:
        watching.send(call)
    assert caught.value.plan is not None
    assert caught.value.plan.sender == node.signer(USER).address


def test_with_neither_signer_nor_address_there_is_not_even_a_plan(node: Anvil, to: Any) -> None:
    with pytest.raises(NoSigner) as caught:
        TransactionSender(node.connection).transfer(to, ether(1))
    assert caught.value.plan is None


def test_a_dry_run_sends_nothing(node: Anvil, to: Any) -> None:
    before = nonce_of(node)
    with pytest.raises(DryRun) as caught:
        TransactionSender(node.connection, node.signer(USER), dry_run=True).transfer(to, ether(1))
    assert caught.value.plan is not None
    assert caught.value.plan.call.value == ether(1)
    assert nonce_of(node) == before


def test_what_is_declined_is_not_sent_and_what_is_confirmed_is(node: Anvil, to: Any) -> None:
    shown: list[TransactionPlan] = []

    def small_only(plan: TransactionPlan) -> bool:
        shown.append(plan)
        return plan.call.value < ether(2)

    careful = TransactionSender(node.connection, node.signer(USER), confirm=small_only)
    with pytest.raises(Declined):
        careful.transfer(to, ether(5))
    assert careful.transfer(to, ether(1)).gas_used == 21_000
    assert [plan.call.value for plan in shown] == [ether(5), ether(1)]


def test_who_is_too_poor_is_told_what_is_missing(node: Anvil, to: Any) -> None:
    poor = LocalSigner(Account.create())
    sender = TransactionSender(node.connection, poor)
    with pytest.raises(InsufficientFunds, match="holds 0 ether") as caught:
        sender.transfer(to, ether(1))
    assert caught.value.needed >= ether(1)
    TransactionSender(node.connection, node.signer(USER)).transfer(poor.address, ether(1))
    with pytest.raises(InsufficientFunds, match="value and fee"):
        sender.transfer(to, ether(1))


def test_a_refusal_is_typed_and_costs_nothing(node: Anvil, staked: Roles) -> None:
    client = staked.clients[0]
    before = node.connection.balance(staked.cohort[0])
    with pytest.raises(ClientAlreadyStaked) as caught:
        client.staking.stake()
    assert caught.value.transaction_hash is None
    assert node.connection.balance(staked.cohort[0]) == before


def test_a_refusal_that_comes_only_when_it_is_mined_is_raised_too(node: Anvil, roles: Roles) -> None:
    client = roles.clients[0]

    def stake_first(plan: TransactionPlan) -> bool:
        client.staking.stake()
        return True

    late = TransactionSender(node.connection, client.sender.signer, confirm=stake_first)
    with pytest.raises(ClientAlreadyStaked) as caught:
        late.send(client.staking._call("stake", (), ether("0.1")))
    assert caught.value.transaction_hash is not None
    assert caught.value.transaction_hash.hex() in str(caught.value)


def test_a_reason_that_nobody_knows_is_passed_on(node: Anvil, sender: TransactionSender) -> None:
    # PUSH1 0 PUSH1 0 REVERT as creation code: a refusal without a word.
    with pytest.raises(ContractReverted, match="gave no reason") as caught:
        sender.send(Call("Nothing", "constructor", None, bytes.fromhex("60006000fd")))
    assert type(caught.value) is ContractReverted


def test_a_receipt_carries_typed_events(roles: Roles) -> None:
    receipt = roles.clients[0].staking.stake()
    event = receipt.one(StakeLocked)
    assert (event.client, event.amount, event.block) == (roles.cohort[0], ether("0.1"), receipt.block)
    assert receipt.all(StakeLocked) == [event]
    with pytest.raises(LookupError, match="expected one TransactionPlan"):
        receipt.one(TransactionPlan)  # type: ignore[type-var]


def test_two_senders_with_one_key_take_turns(node: Anvil, to: Any) -> None:
    before = nonce_of(node)
    senders = [TransactionSender(Connection.open(node.url), node.signer(USER)) for _ in range(4)]
    receipts: list[Receipt] = []
    failures: list[BaseException] = []

    def work(sender: TransactionSender) -> None:
        try:
            receipts.extend(sender.transfer(to, Wei(1)) for _ in range(5))
        except BaseException as failure:
            failures.append(failure)

    threads = [threading.Thread(target=work, args=(sender,)) for sender in senders]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len({receipt.transaction_hash for receipt in receipts}) == 20
    assert nonce_of(node) == before + 20


def test_a_nonce_that_another_process_has_used_is_chosen_anew(node: Anvil, to: Any) -> None:
    stale = [True]

    def lagging(answer: Answer, method: RPCEndpoint, params: Any) -> RPCResponse:
        response = answer(method, params)
        if method == "eth_getTransactionCount" and stale:
            stale.clear()
            return {**response, "result": hex(int(response["result"], 16) - 1)}
        return response

    # On a quiet chain the price stays the same, and with it every byte of a transaction with the same nonce.
    node.connection.rpc("anvil_mine", hex(250))
    TransactionSender(node.connection, node.signer(USER)).transfer(to, Wei(1))
    before = nonce_of(node)
    TransactionSender(odd_connection(node, lagging), node.signer(USER)).transfer(to, Wei(1))
    assert nonce_of(node) == before + 1


def test_a_nonce_that_must_be_and_is_taken_is_an_error(sender: TransactionSender, to: Any) -> None:
    nonce = sender.next_nonce()
    sender.send(Call("transfer", "", to, value=Wei(1)), nonce=nonce)
    with pytest.raises(NonceTaken, match=f"nonce {nonce}"):
        sender.send(Call("transfer", "", to, value=Wei(1)), nonce=nonce)


@pytest.mark.parametrize("arrives", [True, False], ids=["the node had it", "the node had it not"])
def test_an_answer_that_is_lost_is_asked_for_again_and_nothing_is_sent_twice(
    node: Anvil, to: Any, arrives: bool
) -> None:
    lost = [False]

    def losing(answer: Answer, method: RPCEndpoint, params: Any) -> RPCResponse:
        if method == "eth_sendRawTransaction" and not lost[0]:
            lost[0] = True
            if arrives:
                answer(method, params)
            raise NodeUnreachable(node.url, "the connection failed")
        return answer(method, params)

    before, theirs = nonce_of(node), node.connection.balance(to)
    TransactionSender(odd_connection(node, losing), node.signer(USER)).transfer(to, Wei(7))
    assert lost == [True]
    assert nonce_of(node) == before + 1
    assert node.connection.balance(to) == theirs + 7


def test_a_transaction_that_the_node_refuses_says_why(node: Anvil, to: Any) -> None:
    def refusing(answer: Answer, method: RPCEndpoint, params: Any) -> RPCResponse:
        return (
            error("tx fee exceeds the configured cap") if method == "eth_sendRawTransaction" else answer(method, params)
        )

    with pytest.raises(TransactionRejected, match="exceeds the configured cap"):
        TransactionSender(odd_connection(node, refusing), node.signer(USER)).transfer(to, Wei(1))


def test_a_transaction_that_is_not_mined_in_time_gives_its_hash(to: Any) -> None:
    with Anvil(accounts=1, arguments=("--no-mining",)) as idle:
        impatient = TransactionSender(idle.connection, idle.signer(0), timeout=0.1)
        with pytest.raises(TransactionNotMined, match="may still be") as caught:
            impatient.transfer(to, Wei(1))
        idle.mine()
        mined = idle.connection.web3.eth.get_transaction_receipt(caught.value.transaction_hash)  # type: ignore[arg-type]
        assert mined["status"] == 1


@pytest.fixture(scope="module")
def legacy() -> Iterator[Anvil]:
    with Anvil(accounts=2, arguments=("--hardfork", "berlin")) as node:
        yield node


def test_a_chain_without_a_base_fee_gets_plain_gas_prices(legacy: Anvil) -> None:
    sender = TransactionSender(legacy.connection, legacy.signer(0))
    plan = sender.plan(Call("transfer", "", legacy.signer(1).address, value=Wei(1)))
    assert plan.priority_fee is None
    receipt = sender.transfer(legacy.signer(1).address, Wei(1))
    mined = legacy.connection.web3.eth.get_transaction(receipt.transaction_hash)  # type: ignore[arg-type]
    assert mined["type"] == 0
    assert receipt.fee == 21_000 * plan.gas_price


@pytest.mark.parametrize(
    ("message", "outcome"),
    [
        ("already known", Outcome.ACCEPTED),
        ("transaction already imported", Outcome.ACCEPTED),
        ("nonce too low: next nonce 5, tx nonce 4", Outcome.NONCE_USED),
        ("replacement transaction underpriced", Outcome.NONCE_USED),
        ("transaction underpriced", Outcome.REFUSED),
        ("insufficient funds for gas * price + value", Outcome.REFUSED),
    ],
)
def test_what_nodes_say_is_understood(message: str, outcome: Outcome) -> None:
    assert outcome_of(message) is outcome


def test_plans_and_receipts_cannot_be_changed(sender: TransactionSender) -> None:
    plan = sender.plan(Call("transfer", "", ZERO_ADDRESS))
    with pytest.raises(dataclasses.FrozenInstanceError):
        plan.gas = 1  # type: ignore[misc]


def test_a_node_that_vanishes_while_it_is_sent_to_leaves_the_hash(node: Anvil, to: Any) -> None:
    def vanishing(answer: Answer, method: RPCEndpoint, params: Any) -> RPCResponse:
        if method == "eth_sendRawTransaction":
            answer(method, params) if not vanished else None
            vanished.append(1)
            raise NodeUnreachable(node.url, "the connection failed")
        return answer(method, params)

    vanished: list[int] = []
    with pytest.raises(FateUnknown) as caught:
        TransactionSender(odd_connection(node, vanishing), node.signer(USER)).transfer(to, Wei(1))
    assert len(vanished) == 2
    mined = node.connection.web3.eth.wait_for_transaction_receipt(caught.value.transaction_hash)  # type: ignore[arg-type]
    assert mined["status"] == 1


def test_a_node_that_vanishes_while_it_is_waited_for_is_asked_again(node: Anvil, to: Any) -> None:
    silent = [3]

    def silent_for_a_while(answer: Answer, method: RPCEndpoint, params: Any) -> RPCResponse:
        if method == "eth_getTransactionReceipt" and silent[0]:
            silent[0] -= 1
            raise NodeUnreachable(node.url, "the connection failed")
        return answer(method, params)

    assert TransactionSender(odd_connection(node, silent_for_a_while), node.signer(USER)).transfer(to, Wei(1)).block
    assert silent == [0]
