"""What a deployment would cost, before anything is sent.

The later constructors call the earlier contracts, which do not exist yet. What will lie at their addresses is known,
though (:mod:`fedblocks.contracts.creation`), so the node is asked to estimate each creation on a state in which it
does: the whole deployment is simulated, the checks of the last constructor included, and nothing is sent.

On Arbitrum a transaction also pays for its data on Ethereum. Arbitrum's nodes put that into the gas that they estimate,
and say how much of it that is through NodeInterface, a contract that exists only in their answers. A development node
knows nothing of this: its estimates leave that fee out, and say so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

from eth_abi.abi import encode
from eth_utils.crypto import keccak
from web3.exceptions import ContractLogicError, Web3RPCError

from fedblocks.chain.connection import Connection, message_of
from fedblocks.chain.reverts import revert_of_error
from fedblocks.chain.transactions import InsufficientFunds, TransactionSender
from fedblocks.contracts.creation import Creation, DeploymentPlan
from fedblocks.deployments import ProtocolParameters
from fedblocks.types import Address, Wei
from fedblocks.units import PROTOCOL_FEE_SCALE, SHARE_SCALE, format_ether

NODE_INTERFACE = "0x00000000000000000000000000000000000000C8"
# Of the two functions that tell the data fee, the one that does not run the transaction: it cannot be run yet.
_L1_COMPONENT = keccak(text="gasEstimateL1Component(address,bool,bytes)")[:4]

_GWEI = 10**9


@dataclass(frozen=True)
class ContractCost:
    """What creating one contract costs."""

    contract: str
    address: Address
    gas: int
    """Estimated; on Arbitrum, the data fee in units of gas included."""
    data_gas: int | None
    """The part of it that pays for data on Ethereum; None where the node does not say."""
    simulated: bool
    """Whether the node has run the constructor; else `gas` is reckoned from the code's size."""


@dataclass(frozen=True)
class DeploymentCost:
    """What the rest of a deployment costs at the present price of gas."""

    contracts: tuple[ContractCost, ...]
    gas_price: Wei
    """What a unit of gas would cost now."""
    limit: Wei
    """What the account must hold so that no transaction fails for want of ether: with the margin on every estimate,
    and at the highest price that a transaction would offer."""
    balance: Wei

    @property
    def gas(self) -> int:
        """All of the gas."""
        return sum(each.gas for each in self.contracts)

    @property
    def expected(self) -> Wei:
        """What it would cost now."""
        return Wei(self.gas * self.gas_price)

    @property
    def data_fee_known(self) -> bool:
        """Whether the fee for data on Ethereum is part of the estimate."""
        return all(each.data_gas is not None for each in self.contracts)

    @property
    def simulated(self) -> bool:
        """Whether the node has run every constructor."""
        return all(each.simulated for each in self.contracts)

    def require_balance(self, deployer: Address) -> None:
        """Raise InsufficientFunds unless the account can pay for all of it."""
        if self.balance < self.limit:
            raise InsufficientFunds(deployer, self.balance, self.limit)


def estimate_cost(
    sender: TransactionSender, plan: DeploymentPlan, remaining: Sequence[Creation] | None = None
) -> DeploymentCost:
    """Simulate a deployment and price it; no key is needed, and nothing is sent.

    Args:
        sender: Whose gas margin and prices to reckon with.
        plan: The deployment.
        remaining: What is left of it; all of it when left out.

    Raises:
        ContractReverted: if a constructor would refuse.
    """
    connection = sender.connection
    creations = plan.creations if remaining is None else tuple(remaining)
    costs = []
    overrides: dict[str, dict[str, str]] = {}
    simulated = _takes_overrides(connection)
    for creation in creations:
        data_gas = _data_gas(connection, creation)
        if simulated:
            gas = _simulate(connection, plan.deployer, creation, overrides)
        else:
            gas = _reckon(creation) + (data_gas or 0)
        costs.append(ContractCost(creation.contract, creation.address, gas, data_gas, simulated))
        overrides[creation.address] = {"code": _hex(creation.runtime)}
    highest, tip = sender.price()
    base_fee = connection.block().base_fee
    price = highest if base_fee is None or tip is None else Wei(base_fee + tip)
    limit = sum(int(cost.gas * sender.gas_margin) for cost in costs) * highest
    return DeploymentCost(
        contracts=tuple(costs), gas_price=price, limit=Wei(limit), balance=connection.balance(plan.deployer)
    )


def describe_deployment(plan: DeploymentPlan, cost: DeploymentCost) -> str:
    """A deployment as whoever confirms it should see it: chain, account, balance, parameters, addresses, cost."""
    lines = [
        f"chain      {plan.chain_id}{_CHAINS.get(plan.chain_id, '')}",
        f"deployer   {plan.deployer}, nonces {plan.first_nonce} to {plan.creations[-1].nonce}",
        f"balance    {format_ether(cost.balance)} ether",
        f"compiler   {plan.creations[0].artifact.compiler}",
        "",
        "fixed for good:",
    ]
    for each in fields(ProtocolParameters):
        lines.append(f"  {each.name:<24} {_readable(each.name, getattr(plan.parameters, each.name))}")
    lines += ["", "contracts:"]
    costs = {each.contract: each for each in cost.contracts}
    for creation in plan.creations:
        known = costs.get(creation.contract)
        what = "is there already" if known is None else _gas_text(known)
        lines.append(f"  {creation.contract:<20} {creation.address}  {what}")
    lines += [
        "",
        f"cost       {format_ether(cost.expected)} ether for {cost.gas:,} gas at {cost.gas_price / _GWEI:g} gwei",
        f"at most    {format_ether(cost.limit)} ether, which the account must hold",
    ]
    if not cost.data_fee_known:
        lines.append(
            "           without Arbitrum's fee for data on Ethereum: this node does not model it "
            "(NodeInterface does not answer)"
        )
    if not cost.simulated:
        lines.append("           reckoned from the code's size: this node simulates no contract on another's state")
    return "\n".join(lines)


_CHAINS = {42_161: " (Arbitrum One)", 421_614: " (Arbitrum Sepolia)", 31_337: " (development)"}


def _gas_text(cost: ContractCost) -> str:
    data = "" if cost.data_gas is None else f", {cost.data_gas:,} of it for data"
    return f"{cost.gas:>11,} gas{data}"


def _readable(name: str, value: Any) -> str:
    if name.endswith("_admin"):
        return str(value)
    if name == "protocol_fee_percentage":
        return f"{100 * value / PROTOCOL_FEE_SCALE:g} %"
    if name == "challenger_share":
        return f"{100 * value / SHARE_SCALE:g} %"
    if name.endswith(("_period", "_window", "_margin")):
        return f"{value} s ({value / 86_400:g} days)"
    return f"{format_ether(value)} ether"


def _takes_overrides(connection: Connection) -> bool:
    """Whether the node estimates on a state that is given to it: a node that ignores it would refuse everything."""
    somewhere = "0x" + "11" * 20
    refusing = {somewhere: {"code": "0x60006000fd"}}
    try:
        connection.web3.eth.estimate_gas({"to": somewhere}, "latest", refusing)  # type: ignore[arg-type]
    except ContractLogicError:
        return True
    except Web3RPCError as error:
        return "revert" in message_of(error).lower()
    return False


def _simulate(connection: Connection, deployer: Address, creation: Creation, earlier: dict[str, dict[str, str]]) -> int:
    # The nonce too: a constructor asks whether others know it by its own address.
    state = earlier | {deployer: {"nonce": hex(creation.nonce)}}
    transaction: Any = {"from": deployer, "data": _hex(creation.call.data)}
    try:
        with connection.asking():
            return int(connection.web3.eth.estimate_gas(transaction, "latest", state))  # type: ignore[arg-type]
    except ContractLogicError as error:
        raise revert_of_error(error) from None


def _reckon(creation: Creation) -> int:
    """Gas from the rules of the chain alone: data, code, and a share for what the constructor does."""
    data = creation.call.data
    calldata = sum(16 if byte else 4 for byte in data)
    words = (len(data) + 31) // 32
    return 53_000 + calldata + 2 * words + 200 * len(creation.runtime) + 60_000


def _data_gas(connection: Connection, creation: Creation) -> int | None:
    zero = "0x" + "00" * 20
    call = _L1_COMPONENT + encode(["address", "bool", "bytes"], [zero, True, creation.call.data])
    try:
        answer = bytes(connection.web3.eth.call({"to": NODE_INTERFACE, "data": _hex(call)}))  # type: ignore[typeddict-item]
    except (ContractLogicError, Web3RPCError):
        return None
    # Not by eth_abi: within ape's process it reads zeros where there is nothing.
    return int.from_bytes(answer[:32], "big") if len(answer) == 96 else None


def _hex(data: bytes) -> str:
    return "0x" + data.hex()
