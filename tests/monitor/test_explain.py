"""An explanation says what happened in words and numbers, and how to check it; never more than is known."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from fedblocks.monitor.explain import Where, explain_slash
from fedblocks.monitor.explain_text import to_text
from fedblocks.monitor.money import Change, MoneyCheck
from fedblocks.monitor.published import read_scores
from fedblocks.monitor.reasons import REASONS
from fedblocks.monitor.score_codec import scores_from_json, scores_to_json
from fedblocks.monitor.views import SlashView
from fedblocks.seats import SlashReason
from fedblocks.types import Wei
from tests.aggregation import test_verdicts as attacks
from tests.docs.markdown import table
from tests.monitor.published_run import AGGREGATOR, PublishedRun, account, place, published_run

STAKE = Wei(10**17)
EPOCHS = 6
WHERE = Where(
    network="arbitrum:sepolia",
    deployment="deployment.json",
    data="file:///srv/blobs",
    rpc_url="https://node.example",
    contracts={"StakingRegistry": account("registry"), "ModelParameterChain": account("chain")},
)


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> PublishedRun:
    """Thirteen clients: seat 12 sends noise and is away in the third epoch, 11 flips signs, 10 sends its last again."""
    behaviours = {
        12: lambda cohort, seat, honest: None if cohort.epoch == 3 else attacks.gaussian(cohort, seat, honest),
        11: attacks.sign_flip,
        10: attacks.own_last,
        9: lambda cohort, seat, honest: honest if cohort.epoch < 2 else 0 * honest,
    }
    return published_run(tmp_path_factory.mktemp("run"), EPOCHS, behaviours, n=13)


def all_scores(run: PublishedRun):
    views = run.views()
    return [
        read_scores(run.blobs, view, run.instance, previous)
        for view, previous in zip(views, [None, *views], strict=False)
    ]


def slash_of(run: PublishedRun, seat: int) -> SlashView:
    epoch = next(view for view in run.views() if seat in view.new_slash_reasons)
    return SlashView(
        client=run.context.cohort[seat],
        amount=STAKE,
        received=STAKE,
        instance_id=run.context.instance_id,
        epoch=epoch.epoch,
        seat=seat,
        reason=epoch.new_slash_reasons[seat],
        header_hash=epoch.header_hash,
        attempt=0,
        aggregator=AGGREGATOR,
        posted=epoch.posted,
        finalized=epoch.finalized,
        slashed=place(9000, "slash"),
    )


def explained(run: PublishedRun, seat: int, **changes):
    slash = slash_of(run, seat)
    scores = all_scores(run)
    arguments = {
        "scores": scores[slash.epoch - 1],
        "history": scores[: slash.epoch - 1],
        "epoch": run.view(slash.epoch),
        "where": WHERE,
    }
    return explain_slash(slash, **arguments | changes)


def test_a_verdict_of_one_epoch_is_told_with_its_numbers_and_its_formula(run):
    explanation = explained(run, 10)
    text = to_text(explanation)
    assert explanation.measure.rule == "replay"
    assert explanation.measure.triggered
    assert explanation.run == ()
    assert explanation.missing is None
    assert "lost its stake of 0.1 ETH in instance 1, condemned by epoch 2" in explanation.headline
    assert "with its own last update is 1.0000000; above 0.999999" in " ".join(text.split())
    assert f"    {explanation.measure.formula}\n" in text
    assert eval(explanation.measure.formula)


def test_a_verdict_of_a_run_shows_the_run_and_the_absence_in_it(run):
    explanation = explained(run, 12)
    assert explanation.slash.reason is SlashReason.NOISE
    assert [(each.epoch, each.run) for each in explanation.run] == [(2, 1), (3, None), (4, 2), (5, 3)]
    assert all(each.measure.triggered for each in explanation.run if each.measure is not None)
    text = to_text(explanation)
    assert re.search(r"epoch +3 +absent: the count is held", text)
    assert re.search(r"epoch +5 +counts, run 3 +noise-now: 0\.\d+", text)


def test_a_run_of_responses_ends_at_three(run):
    explanation = explained(run, 11)
    assert explanation.slash.reason is SlashReason.RESPONSE
    assert [each.run for each in explanation.run] == [1, 2, 3]
    assert explanation.run[-1].epoch == explanation.slash.epoch


def test_every_step_is_told_with_its_block_and_its_transaction(run):
    explanation = explained(run, 10)
    text = to_text(explanation)
    assert [step.what for step in explanation.steps] == ["posted", "final", "slashed"]
    for step in explanation.steps:
        assert f"block {step.place.block}" in text
        assert f"0x{step.place.transaction_hash.hex()}" in text
    assert f"0x{explanation.slash.header_hash.hex()}" in text
    assert f"the aggregator {AGGREGATOR} posted epoch 2" in " ".join(text.split())


def test_the_commands_to_verify_it_are_complete(run):
    explanation = explained(run, 10)
    commands = "\n".join(each.command for each in explanation.checks)
    client, manifest = explanation.slash.client, run.headers[1].data_locator.hex()
    assert f"'getVerdict(uint256,address)(uint256,uint256)' 1 {client} --rpc-url https://node.example" in commands
    assert f"clientStakes(address)(uint256)' {client} --block 8999" in commands
    assert (
        "fedblocks watch --once --network arbitrum:sepolia --deployment deployment.json --data file:///srv" in commands
    )
    assert "fedblocks epochs 1 --network arbitrum:sepolia" in commands
    assert "fedblocks replay --store FOLDER --instance 1" in commands
    assert manifest in commands
    assert f"BlobStore('file:///srv/blobs').get(bytes.fromhex('{manifest}'))" in commands
    assert to_text(explanation).count(commands.splitlines()[0]) == 1, "not broken by wrapping"


def test_what_a_command_needs_and_nobody_gave_is_a_word_in_capitals(run):
    commands = "\n".join(each.command for each in explained(run, 10, where=None).checks)
    assert "--network NETWORK --deployment FILE --data URL" in commands
    assert "cast call MODELPARAMETERCHAIN" in commands
    assert "--rpc-url RPC_URL" in commands


def test_without_published_data_only_the_chain_speaks_and_says_how_to_see_more(run):
    explanation = explained(run, 10, scores=None, history=(), where=None)
    assert (explanation.measure, explanation.run, explanation.others) == (None, (), ())
    assert "published data were not read" in explanation.missing
    assert run.headers[1].data_locator.hex() in explanation.missing
    assert "--data URL" in explanation.missing
    text = to_text(explanation)
    assert "(replay, as seat 10)" in " ".join(text.split())
    assert REASONS[SlashReason.REPLAY].why.split(".")[0] in " ".join(text.split())


def test_data_that_could_not_be_used_are_named(run):
    explanation = explained(run, 10, scores=None, unread="the manifest is garbage")
    assert explanation.missing.startswith("The manifest is garbage. They are in")


def test_scores_of_another_posting_are_refused(run):
    with pytest.raises(ValueError, match="are of epoch 1"):
        explained(run, 10, scores=all_scores(run)[0])


def test_a_slash_of_version_1_is_not_given_a_reason_it_never_had(run):
    nothing = dict.fromkeys(("instance_id", "epoch", "seat", "reason", "header_hash", "attempt", "aggregator"))
    slash = replace(slash_of(run, 10), **nothing, posted=None, finalized=None)
    explanation = explain_slash(slash, where=WHERE)
    text = to_text(explanation)
    assert "gives no reason" in explanation.headline
    assert explanation.missing is None
    assert "getVerdict" not in text
    assert "Why this is a rule" not in text


def test_the_money_is_the_same_three_times_or_a_contract_lies(run):
    slash = slash_of(run, 10)
    assert "treasury received the same" in explain_slash(slash).money
    assert "a contract lies" in explain_slash(replace(slash, received=Wei(1))).money
    assert "not known" in explain_slash(replace(slash, received=None)).money


def test_balances_that_do_not_agree_are_marked(run):
    good = Change(what="stake", before=STAKE, after=Wei(0), expected=-STAKE)
    check = MoneyCheck(block=9000, taken=STAKE, received=STAKE, said=STAKE, changes=(good,))
    assert "are equal" in to_text(explained(run, 10, balances=check))
    bad = replace(check, changes=(good, replace(good, what="treasury", expected=-1)))
    text = to_text(explained(run, 10, balances=bad))
    assert "! treasury: 0.1 ETH before the block, 0 after it; the events say" in " ".join(text.split())
    assert "! Slash and change of balances differ." in text
    assert not replace(check, received=Wei(1)).agrees
    assert not replace(check, said=Wei(1)).agrees


def test_an_aggregator_that_lied_is_told(run):
    scores = replace(all_scores(run)[1], faults=("seat 1 is left out, which its figures do not say",))
    assert "! The aggregator's verdicts do not follow" in to_text(explained(run, 10, scores=scores))


def test_the_recourse_names_the_window(run):
    recourse = explained(run, 10).recourse
    assert "From 2023-11-14 22:53:20 UTC to 2023-11-16 22:53:21 UTC anybody could" in recourse


def test_how_near_honest_clients_come_is_what_was_measured():
    """The numbers are the larger ones of the pages in docs/detection/, which `fedblocks lab tables` writes."""
    rows: dict[str, tuple[float, float]] = {}
    for name in ("tables.md", "wide.md"):
        page = (Path(__file__).parents[2] / "docs" / "detection" / name).read_text()
        for row, alone, beside in table(page.split("## honest clients' largest ratio to a hard rule's threshold")[1])[
            1:
        ]:
            before = rows.get(row, (0.0, 0.0))
            rows[row] = (max(before[0], float(alone)), max(before[1], float(beside)))
    for reason in REASONS.values():
        for row, alone, beside in reason.nearest:
            assert rows[row] == (alone, beside)
    assert set(REASONS) == set(SlashReason) - {SlashReason.NONE}


def test_scores_are_kept_and_read_back_as_they_were(run):
    for scores in all_scores(run):
        assert scores_from_json(json.loads(json.dumps(scores_to_json(scores)))) == scores
