"""web3's errors, looked up when one is caught.

Importing web3 takes half a second, and whoever only reads an index needs none of it: ``except
web3_errors.Web3RPCError`` is looked at when there is an error, and then web3 is there already.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from web3.exceptions import (
        BadFunctionCallOutput,
        BlockNotFound,
        ContractLogicError,
        TransactionNotFound,
        Web3RPCError,
    )

    __all__ = ["BadFunctionCallOutput", "BlockNotFound", "ContractLogicError", "TransactionNotFound", "Web3RPCError"]
else:

    def __getattr__(name: str) -> type[Exception]:
        from web3 import exceptions

        return getattr(exceptions, name)
