"""How the command ends, for scripts that call it."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """The exit codes of `fedblocks`."""

    OK = 0
    """Done; or shown, in a dry run."""
    FAILED = 1
    """Something went wrong that has no code of its own."""
    USAGE = 2
    """The command line or the configuration is wrong, or the node serves another chain."""
    MISSING = 3
    """Something that is needed is not there: a node, a data set, a file, an instance."""
    MISMATCH = 4
    """What was checked is not what it should be."""
    REVERTED = 5
    """A contract refuses, or has refused: the reason is said."""
    NOT_SENT = 6
    """Nothing was sent: it was declined, there was nobody to ask, or gas costs more than was allowed."""
    UNCERTAIN = 7
    """A transaction may be on its way: its hash is said, look for it before sending again."""
    FUNDS = 8
    """The account cannot pay for value and gas."""
    ACCOUNT = 9
    """The account cannot be used: no such account, no key file, a wrong passphrase."""
    INTERRUPTED = 130


MEANINGS = {
    ExitCode.OK: "done, or shown in a dry run",
    ExitCode.FAILED: "something went wrong that has no code of its own",
    ExitCode.USAGE: "wrong command line or configuration, or another chain than expected",
    ExitCode.MISSING: "something needed is not there: node, file, data, instance",
    ExitCode.MISMATCH: "what was checked is not what it should be",
    ExitCode.REVERTED: "a contract refuses",
    ExitCode.NOT_SENT: "nothing was sent: declined, nobody to ask, or gas above --max-fee",
    ExitCode.UNCERTAIN: "a transaction may be on its way; its hash is said",
    ExitCode.FUNDS: "the account cannot pay",
    ExitCode.ACCOUNT: "the account cannot be used",
    ExitCode.INTERRUPTED: "interrupted",
}
"""Each code in a few words, for `fedblocks --help`."""


def exit_code_of(error: Exception) -> ExitCode:
    """The exit code for an error of FedBlocks."""
    # What is not loaded yet cannot have raised; but whoever asks has paid for the chain's library already.
    from fedblocks.chain.reverts import ContractReverted
    from fedblocks.chain.signers import KeyfileUnusable, UnknownAccount, WrongPassphrase
    from fedblocks.chain.transactions import FateUnknown, InsufficientFunds, NoSigner, NotSent, TransactionNotMined
    from fedblocks.cli.connecting import NoAccount, NobodyToAsk
    from fedblocks.cli.sending import FeeTooHigh
    from fedblocks.contracts.guard import UnsafeDeployment

    table: tuple[tuple[tuple[type[Exception], ...], ExitCode], ...] = (
        ((ContractReverted,), ExitCode.REVERTED),
        ((UnsafeDeployment,), ExitCode.MISMATCH),
        ((TransactionNotMined, FateUnknown), ExitCode.UNCERTAIN),
        ((InsufficientFunds,), ExitCode.FUNDS),
        ((UnknownAccount, KeyfileUnusable, WrongPassphrase, NoSigner, NoAccount), ExitCode.ACCOUNT),
        ((NotSent, NobodyToAsk, FeeTooHigh), ExitCode.NOT_SENT),
    )
    for kinds, code in table:
        if isinstance(error, kinds):
            return code
    # Of a module that takes seconds to load; what it is a kind of counts too.
    if any(each.__name__ == "ReplayMismatch" for each in type(error).__mro__):
        return ExitCode.MISMATCH
    if isinstance(error, (FileNotFoundError, ConnectionError)):
        return ExitCode.MISSING
    if isinstance(error, (ValueError, KeyError)):
        return ExitCode.USAGE
    return ExitCode.MISSING if isinstance(error, LookupError) else ExitCode.FAILED
