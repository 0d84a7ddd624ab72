"""`fedblocks job request` and `fedblocks job profile`: the user asks, the clients offer."""

from __future__ import annotations

import time
from pathlib import Path

import click

from fedblocks.cli.connecting import NoAccount, connect, open_signer
from fedblocks.cli.options import (
    ADDRESS,
    AccountChoice,
    SendingChoice,
    Where,
    account_options,
    json_option,
    network_options,
    sending_options,
)
from fedblocks.cli.output import eth, plain, talk
from fedblocks.cli.profiles import ProfileUnreadable, profile_to_json, read_profiles
from fedblocks.cli.sending import connect_to_send
from fedblocks.exceptions import FedBlocksError
from fedblocks.types import Address, Timestamp


class RequestUnreadable(FedBlocksError, FileNotFoundError):
    """The job's file cannot be read."""

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(f"the job in {path} cannot be read: {why}")


@click.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--profiles",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    help="The folder with the clients' signed data profiles.",
)
@click.option("--aggregator", type=ADDRESS, required=True, help="Who is asked to run it; it accepts with its bond.")
@network_options
@sending_options
@json_option
def request(
    file: Path, profiles: Path, aggregator: Address, where: Where, sending: SendingChoice, as_json: bool
) -> None:
    """Draw a cohort for a job, show it and its price, and open the instance.

    FILE is the job as JSON (fedblocks.training.job.JobRequest). The cohort is drawn among the staked clients whose
    data fit, from the newest block's hash and the job's, so that anyone can check it.

    \b
    fedblocks job request job.json --profiles profiles --aggregator 0x… --deployment FILE --account alice
    """
    from fedblocks.training.job import JobRequest  # PyTorch takes seconds and is an extra

    try:
        wanted = JobRequest.from_json(file.read_bytes())
    except OSError as error:
        raise RequestUnreadable(file, error.strerror or str(error)) from error
    offered = []
    for each in read_profiles(profiles):
        if isinstance(each, ProfileUnreadable):
            talk(f"{each}; it is passed over", mark="yellow")
        else:
            offered.append(each)
    with connect_to_send(where, sending, as_json) as context:
        jobs = context.fedblocks.jobs
        draw = jobs.match(wanted, offered)
        price = context.fedblocks.rewards.price(wanted.maximum_epochs)
        context.result |= {
            "jobHash": "0x" + wanted.hash().hex(),
            "instanceId": None,
            "cohort": list(draw.cohort),
            "drawnAt": plain(draw.block_number),
            "price": price,
        }
        talk(
            f"job 0x{wanted.hash().hex()}: {wanted.architecture}, {wanted.maximum_epochs} epochs at most, {eth(price)}"
        )
        talk(f"the cohort, drawn from block {draw.block_number}:")
        for seat, client in enumerate(draw.cohort):
            talk(f"  seat {seat:>2}  {client}")
        opened = jobs.open(wanted, draw, aggregator)
        context.result["instanceId"] = opened.instance_id
        talk(f"opened as instance {opened.instance_id}; `fedblocks job show {opened.instance_id}` follows it")


@click.command()
@click.option("--domain", required=True, help="What the data are of, such as fashion.")
@click.option("--modality", required=True, help="What kind of data they are, such as image.")
@click.option("--shape", required=True, help="One sample's shape, such as 1x28x28.")
@click.option("--labels", required=True, help="The classes that occur, ascending, such as 0,3,9.")
@click.option("--samples", type=click.IntRange(min=1), required=True, help="How many samples there are.")
@network_options
@account_options
def profile(
    domain: str, modality: str, shape: str, labels: str, samples: int, where: Where, account: AccountChoice
) -> None:
    """Sign what you say about your data, and print it: it is what jobs are matched with.

    The data stay where they are; nothing is sent.

    \b
    fedblocks job profile --domain fashion --modality image --shape 1x28x28 --labels 0,1,2 --samples 600 > me.json
    """
    from fedblocks.rollup.actions import DataProfile
    from fedblocks.training.profile import sign_profile

    signer = open_signer(account)
    if signer is None:
        raise NoAccount()
    fedblocks = connect(where)
    offer = DataProfile(
        client=signer.address,
        domain=domain,
        modality=modality,
        input_shape=shape,
        labels=labels,
        samples=samples,
        issued_at=Timestamp(int(time.time())),
    )
    signed = sign_profile(offer, signer, chain_id=fedblocks.connection.chain_id, settlement=fedblocks.chain.address)
    click.echo(profile_to_json(signed), nl=False)
