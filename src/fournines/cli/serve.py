"""`fournines serve`: the REST API and the dashboard."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import click

from fournines.cli.listen import where as address_of

HELP = """Serve the REST API and the dashboard of CLOUD over HTTPS, until interrupted.

Users are those of the cloud's own Keystone: what a user may do follows from their roles in --project. --role says which
of Keystone's roles gives what: reader sees everything but secrets, operator plans and runs smoke tests, admin changes
hosts and injects faults. While Keystone is down, or before it exists, sign in with the break-glass token, whose file is
printed at the start. The certificate is signed by the cloud's own CA.

Whether the cloud is healthy is known from the agents: that needs neither Keystone, nor the database, nor the bus. Long
work runs as jobs, in processes of their own, which go on when the server is restarted.

\b
Examples:
  sudo fournines serve examples/three-controllers.yaml
  fournines serve cloud.yaml --listen 0.0.0.0:8440 --name ops.example.com
  fournines serve cloud.yaml --backups /srv/backup --state /var/lib/fournines-watch
  fournines serve cloud.yaml --project operations --role member=reader --role operator=operator --role admin=admin
  curl --cacert .fournines/acme/ca.pem -H "X-Auth-Token: $TOKEN" https://127.0.0.1:8440/v1/status
"""


@click.command(help=HELP)
@click.argument("cloud", type=click.Path(path_type=Path), metavar="CLOUD")
@click.option("--listen", default="127.0.0.1:8440", show_default=True, metavar="ADDRESS:PORT", help="Where to listen.")
@click.option("--name", "names", multiple=True, metavar="NAME", help="Another name or address, for the certificate.")
@click.option("--project", default="admin", show_default=True, help="Keystone's project whose roles count.")
@click.option("--domain", default="Default", show_default=True, help="The project's domain.")
@click.option("--role", "roles", multiple=True, metavar="KEYSTONE_ROLE=ROLE", help="What a role may do here.")
@click.option(
    "--backups",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Where backups are kept.  [default: backups in the cloud's state folder]",
)
@click.option("--state", type=click.Path(path_type=Path, file_okay=False), metavar="DIR", help="As of `watch`.")
@click.option("--openapi", is_flag=True, help="Print the OpenAPI document and stop.")
def command(
    cloud: Path,
    *,
    listen: str,
    names: tuple[str, ...],
    project: str,
    domain: str,
    roles: tuple[str, ...],
    backups: Path | None,
    state: Path | None,
    openapi: bool,
) -> None:
    if openapi:
        import json

        from fournines.web.openapi import document

        click.echo(json.dumps(document(), indent=2))
        return
    from fournines.web.keystone import Scope
    from fournines.web.roles import mapping
    from fournines.web.serve import Listen, Places, bind, prepare, run

    where = address_of("--listen", listen, "127.0.0.1:8440")
    scope = Scope(project, domain, mapping(roles))
    bound = bind(Listen(*where, names))
    ready = prepare(cloud, Listen(*where, names), scope, Places(backups, state))
    click.echo(ready.address)
    click.echo(f"break-glass token: {ready.break_glass}", err=True)
    click.echo(f"CA of the certificate: {ready.authority}", err=True)
    sys.stdout.flush()
    asyncio.run(run(ready, bound))
