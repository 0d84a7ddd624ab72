"""`fedblocks node`."""

from __future__ import annotations

import logging
from typing import Any

import click

from fedblocks.cli.options import AccountChoice, account_options


@click.command()
@click.option("--store", required=True, metavar="URL", help="The database: sqlite:///FILE or postgresql://HOST/NAME.")
@click.option("--data", required=True, metavar="URL", help="Where updates and models lie: file:///…, s3://…")
@click.option("--listen", default="127.0.0.1:8700", show_default=True, metavar="HOST:PORT", help="Where to listen.")
@account_options
@click.option("--uploads", type=click.IntRange(1), help="Updates taken in at the same time.")
@click.option("--reads-per-second", type=click.FloatRange(0.1), help="Of each IP address.")
@click.option("--writes-per-second", type=click.FloatRange(0.1), help="Of each IP address.")
@click.option("--proxy", multiple=True, metavar="IP", help="A reverse proxy whose X-Forwarded-For is believed.")
@click.option("--tls-key", type=click.Path(dir_okay=False, exists=True), help="With --tls-certificate: serve HTTPS.")
@click.option(
    "--tls-certificate", type=click.Path(dir_okay=False, exists=True), help="With --tls-key: what is shown to clients."
)
@click.option("--quiet", is_flag=True, help="Log warnings only, not every request.")
def node(
    store: str,
    data: str,
    listen: str,
    account: AccountChoice,
    uploads: int | None,
    reads_per_second: float | None,
    writes_per_second: float | None,
    proxy: tuple[str, ...],
    tls_key: str | None,
    tls_certificate: str | None,
    quiet: bool,
) -> None:
    """Serve the micro-rollup over HTTP: take signed actions, and answer what is known.

    The account is the aggregator's: it signs acknowledgements, and sends nothing. Without one, the node only answers.
    Several nodes may share a store and its data, beside the one process that executes epochs. Stops in an orderly way
    on SIGTERM and Ctrl-C, and may be killed at any time. The API is described at /openapi.json.

    \b
    fedblocks node --store postgresql:///fedblocks --data file:///var/lib/fedblocks/blobs --account aggregator
    """
    from fedblocks.cli.connecting import open_signer
    from fedblocks.rollup.actions import Acknowledgement, sign_action, signing_domain
    from fedblocks.service.app import create_app
    from fedblocks.service.server import parse_listen, serve
    from fedblocks.service.settings import ServiceSettings
    from fedblocks.types import ZERO_ADDRESS, ZERO_HASH

    if (tls_key is None) != (tls_certificate is None):
        raise click.UsageError("--tls-key and --tls-certificate belong together")
    host, port = parse_listen(listen)
    limits: dict[str, Any] = {"proxies": proxy}
    if uploads is not None:
        limits["uploads"] = uploads
    for kind, rate in (("read", reads_per_second), ("write", writes_per_second)):
        if rate is not None:
            limits |= {f"{kind}s_per_second": rate, f"{kind}_burst": max(1, int(5 * rate))}
    logging.basicConfig(
        level=logging.WARNING if quiet else logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    signer = open_signer(account)
    if signer is not None:
        # A key file is opened by signing, and nobody may be there to be asked when the first action comes. This
        # signature is for no chain and of no action.
        sign_action(Acknowledgement(ZERO_HASH), signing_domain(0, ZERO_ADDRESS), signer)
    app = create_app(store, data, signer, ServiceSettings(**limits))
    who = "nobody: it only answers" if signer is None else signer.address
    click.echo(f"listening on {host}:{port} as {who}; the API is at /openapi.json", err=True)
    tls: dict[str, Any] = {} if tls_key is None else {"ssl_keyfile": tls_key, "ssl_certfile": tls_certificate}
    serve(app, host, port, **tls)


if __name__ == "__main__":
    node()
