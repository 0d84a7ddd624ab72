"""What must hold when a network has played, each as a line for people that says what was found."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from fedblocks.service.schemas import from_hex
from tests.flower.scene import AGGREGATOR, PASSPHRASE, Scene, open_scene
from tests.network import money
from tests.network.cast import Cast
from tests.network.stage import Stage


@dataclass(frozen=True)
class Check:
    """Something that must hold.

    Attributes:
        what: should be.
        holds: whether it is.
        found: in figures, or what is wrong.
    """

    what: str
    holds: bool
    found: str


@dataclass(frozen=True)
class Expected:
    """What the same job comes to in one process, on a chain of its own.

    Attributes:
        headers: their hashes.
        gains: of everybody.
        metrics: the accuracy of each epoch, in parts per million.
    """

    headers: list[bytes]
    gains: dict[str, int]
    metrics: list[int]


def play_in_one_process(folder: Path, cast: Cast, epochs: int, target_ppm: int) -> Expected:
    """Play the job with the engine that has everybody in this process."""
    with open_scene(folder, **cast.scene, epochs=epochs, target_ppm=target_ppm, strangers=1) as scene:
        reports = scene.play_locally(cast.trainers, cast.evaluate, epochs)
        money.settle_locally(scene)
        return Expected(scene.headers(), money.gains(scene), [report.accuracy_ppm for report in reports])


def checks(stage: Stage, expected: Expected) -> Iterator[Check]:
    """Everything; the last payments are made before."""
    scene = stage.scene
    money.close(scene)
    headers = scene.headers()
    same = sum(ours == theirs for ours, theirs in zip(headers, expected.headers, strict=False))
    yield Check(
        "the headers on chain are those of the engine in one process",
        headers == expected.headers and len(headers) > 0,
        f"{same} of {len(expected.headers)} are the same, and {len(headers)} are on chain",
    )
    yield _target(stage, expected)
    yield from _node(stage, headers)
    yield _watcher(stage, len(headers))
    yield from _settled(scene)
    yield from _money(scene, expected)
    yield _secrets(stage)


def _target(stage: Stage, expected: Expected) -> Check:
    last, epochs = expected.metrics[-1], len(expected.metrics)
    reached = last >= stage.target or epochs == stage.epochs
    found = f"{last / 10_000:.2f} % after {epochs} of {stage.epochs} epochs, from {expected.metrics[0] / 10_000:.2f} %"
    return Check("training ends at the target, or with the paid epochs", reached, found)


def _node(stage: Stage, headers: list[bytes]) -> Iterator[Check]:
    number, seats = stage.scene.job.instance_id, len(stage.cast.parts)
    with stage.mps as mps:
        entries = list(mps.headers(number))
        served = [from_hex(entry.header_hash) for entry in entries]
        yield Check("the node serves the same headers", served == headers, f"{len(served)} of {len(headers)}")
        proofs = [mps.proof(number, epoch, seat) for epoch in range(1, len(headers) + 1) for seat in range(seats)]
        proved = sum(proof.header.hash() in headers and proof.took_part for proof in proofs)
        yield Check(
            "its proofs show every client that it was counted",
            proved == len(headers) * seats,
            f"{proved} of {len(headers) * seats} proofs",
        )
        done = mps.round(number) is None
    ends = all(entry.level.value == "final" for entry in entries)
    steps = {" > ".join(levels) for levels in stage.levels.values()}
    rising = all(levels == sorted(levels, key=_ORDER.index) for levels in stage.levels.values())
    yield Check("every epoch has become final, in order", ends and rising and done, f"seen: {', '.join(sorted(steps))}")


_ORDER = ["executed", "posted", "final"]


def _watcher(stage: Stage, epochs: int) -> Check:
    reports = stage.reports()
    right, final = ({report["epoch"] for report in reports if report["what"] == what} for what in ("right", "final"))
    others = [report["what"] for report in reports if report["what"] not in ("right", "final")]
    sent = transactions(stage.scene, stage.watcher_account.address)
    return Check(
        "the watcher has found every epoch right, and sent nothing",
        right == final == set(range(1, epochs + 1)) and not others and not sent and stage.watcher.is_running,
        f"{len(right)} of {epochs} right, {len(others)} other reports, {sent} transactions",
    )


def _settled(scene: Scene) -> Iterator[Check]:
    user, number = scene.user, scene.job.instance_id
    bond = user.chain.bond(number, scene.node.signer(AGGREGATOR).address)
    settled = user.rewards.user_instance(number).settled
    yield Check("the aggregator has settled and has its bond back", settled and not bond, f"bond left: {bond} wei")
    owed = sum(user.rewards.reward(number, signer.address) for signer in scene.clients) + user.rewards.refund(number)
    stakes = [user.staking.client_stake(signer.address) for signer in scene.clients]
    kept = sum(stake == user.staking.stake_amount() for stake in stakes)
    yield Check(
        "everybody is paid, and no stake is touched",
        owed == 0 and kept == len(stakes),
        f"owed: {owed} wei, {kept} of {len(stakes)} stakes whole",
    )


def _money(scene: Scene, expected: Expected) -> Iterator[Check]:
    gains = money.gains(scene)
    yield Check(
        "gas aside, all gains and losses add up to nothing", sum(gains.values()) == 0, f"{sum(gains.values())} wei"
    )
    other = {name: (gain, expected.gains.get(name)) for name, gain in gains.items() if gain != expected.gains.get(name)}
    yield Check(
        "everybody has gained what it would have in one process, to the wei",
        not other and gains.keys() == expected.gains.keys(),
        str(other) if other else f"{len(gains)} accounts and contracts",
    )


def _secrets(stage: Stage) -> Check:
    scene = stage.scene
    accounts = [*scene.clients, scene.node.signer(AGGREGATOR), stage.watcher_account]
    secrets = [PASSPHRASE, *(account._account.key.hex().removeprefix("0x") for account in accounts)]
    secrets += [scene.secret(number).hex() for number in range(len(scene.clients))]
    logs = {path: path.read_text(errors="replace") for path in stage.logs}
    said = sorted({path.name for path, text in logs.items() if any(secret in text for secret in secrets)})
    size = sum(map(len, logs.values()))
    return Check(
        "no log holds a passphrase, a key or the secret of a salt",
        not said and size > 0,
        f"in {', '.join(said)}" if said else f"{len(secrets)} secrets, {len(logs)} logs, {size} characters",
    )


def transactions(scene: Scene, account: str) -> int:
    """How many an account has sent."""
    return int(scene.node.connection.rpc("eth_getTransactionCount", account, "latest"), 16)
