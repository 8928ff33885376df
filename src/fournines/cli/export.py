"""`fournines export`: what other tools take from a cloud file."""

from __future__ import annotations

import json
from pathlib import Path

import click

from fournines.cloud import json_schema
from fournines.cloud.model import Cloud
from fournines.commands.inventory import inventory_yaml
from fournines.errors import FourninesError
from fournines.services import load

_CLOUD = click.argument("cloud", type=click.Path(path_type=Path))


@click.group(help="Write what other tools take from a cloud file.")
def command() -> None:
    pass


@command.command(
    help="""The JSON Schema of the cloud file, for editors and other tools.

\b
Examples:
  fournines export schema > cloud.schema.json
"""
)
def schema() -> None:
    click.echo(json.dumps(json_schema(), indent=2, ensure_ascii=False))


@command.command(
    help="""The reference of the cloud file, as Markdown.

\b
Examples:
  fournines export reference > docs/cloud-file.md
"""
)
def reference() -> None:
    from fournines.cli.reference import reference as render

    click.echo(render(), nl=False)


@command.command(
    help="""A page for each service, as Markdown files in DIRECTORY; ports and times are CLOUD's.

\b
Examples:
  fournines export services examples/full-cloud.yaml docs/services
"""
)
@_CLOUD
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False))
def services(cloud: Path, directory: Path) -> None:
    from fournines.cli.service_pages import pages

    try:
        directory.mkdir(parents=True, exist_ok=True)
        for name, text in pages(load(cloud)).items():
            (directory / name).write_text(text, encoding="utf-8")
    except OSError as error:
        raise FourninesError(f"{directory} cannot be written", why=error.strerror or str(error)) from None


@command.command(
    "clouds.yaml",
    help="""The clouds.yaml of CLOUD, for the `openstack` client. It holds the administrator's password.

\b
Examples:
  fournines export clouds.yaml cloud.yaml > ~/.config/openstack/clouds.yaml
""",
)
@_CLOUD
def clouds_yaml(cloud: Path) -> None:
    from fournines.services.keystone import clouds_yaml as render
    from fournines.services.tls import trusted

    made = load(cloud)
    if "keystone.admin" not in made.secrets.names():
        raise _no_secrets(made, cloud)
    authority = made.state_dir / "ca.pem"
    try:
        authority.parent.mkdir(parents=True, exist_ok=True)
        authority.write_text(trusted(made))
    except OSError as error:
        raise FourninesError(f"{authority} cannot be written", why=error.strerror or str(error)) from None
    click.echo(render(made, str(authority)), nl=False)


def _no_secrets(made: Cloud, cloud: Path) -> FourninesError:
    return FourninesError(
        f"{made.name} has no administrator yet",
        why="its secrets are made by the first apply",
        next=f"fournines apply {cloud}",
    )


@command.command(
    help="""What a Prometheus of your own needs to watch CLOUD, in DIRECTORY: targets, certificates, a token for the
agents, alert rules made from the cloud's design, and promtool's unit tests of them.

\b
The regions that it is to read say so in the cloud file, before `apply`:
  regions: {phx: {scrapers: [192.0.2.10]}}      the addresses that it comes from
Hosts of role `monitoring` run a Prometheus for their region without any of this.

\b
Examples:
  fournines export prometheus cloud.yaml /etc/prometheus/acme
  promtool check config /etc/prometheus/acme/prometheus.yml
  promtool test rules /etc/prometheus/acme/fournines.rules.test.yml
"""
)
@_CLOUD
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False))
@click.option("--runbook", default="docs/alerts.md", metavar="URL", help="Where you keep the runbook (docs/alerts.md).")
def prometheus(cloud: Path, directory: Path, runbook: str) -> None:
    from fournines.commands.private import write_private
    from fournines.services import export_prometheus, monitoring

    made = load(cloud)
    if "keystone.admin" not in made.secrets.names():
        raise _no_secrets(made, cloud)
    if not any(monitoring.monitored(made, region) for region in made.regions):
        raise FourninesError(
            f"{made.name} has nothing for a Prometheus to read",
            where=str(cloud),
            why="no region names scrapers, and no host has the role monitoring: there are no exporters",
            next="add `scrapers: [ADDRESS]` to the region, fournines apply, then export again",
        )
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for name, text in export_prometheus.files(made, str(directory.absolute()), runbook).items():
            if export_prometheus.secret(name):
                write_private(directory / name, text)
            else:
                (directory / name).write_text(text, encoding="utf-8")
    except OSError as error:
        raise FourninesError(f"{directory} cannot be written", why=error.strerror or str(error)) from None
    made.secrets.save()  # the certificate that was made for it is the same next time
    click.echo(
        f"{directory}: a Prometheus that runs as another user must be able to read *.pem and agent.token", err=True
    )


@command.command(
    help="""A dashboard for Grafana, as the JSON that it imports. It is the same for every cloud.

\b
Examples:
  fournines export grafana > control-plane.json
"""
)
def grafana() -> None:
    from fournines.services.dashboard import grafana as render

    click.echo(json.dumps(render(), indent=2))


@command.command(
    help="""The runbook of the alerts of CLOUD, as Markdown. Of several clouds, each alert is described once.

\b
Examples:
  fournines export alerts cloud.yaml > alerts.md
"""
)
@click.argument("clouds", metavar="CLOUD...", type=click.Path(path_type=Path), nargs=-1, required=True)
def alerts(clouds: tuple[Path, ...]) -> None:
    from fournines.cli.alerts_page import page

    click.echo(page([load(cloud) for cloud in clouds]), nl=False)


@command.command(
    "watch-unit",
    help="""The systemd unit of `fournines watch` for CLOUD: a user of its own, sandboxed, with the files that it needs
as credentials. Put it on a machine outside the cloud, on which the cloud file and its secrets are.

\b
Examples:
  fournines export watch-unit cloud.yaml > /etc/systemd/system/fournines-watch.service
  fournines export watch-unit cloud.yaml --ssh-key /etc/fournines-watch/id_ed25519
""",
)
@_CLOUD
@click.option("--region", default=None, metavar="REGION", help="Which one, of several.")
@click.option("--ssh-key", type=click.Path(path_type=Path), metavar="FILE", help="By which it reaches the hosts.")
@click.option("--known-hosts", type=click.Path(path_type=Path), metavar="FILE", help="Of the hosts' keys.")
def watch_unit(cloud: Path, region: str | None, ssh_key: Path | None, known_hosts: Path | None) -> None:
    from fournines.cli.watch_unit import unit
    from fournines.commands.clouds import region_of

    made = load(cloud)
    name = region_of(made, region).name if len(made.regions) > 1 else ""
    click.echo(unit(made, region=name, key=ssh_key, known_hosts=known_hosts), nl=False)


@command.command(
    "ansible-inventory",
    help="""The hosts of CLOUD as an Ansible inventory: a group for each region, zone, role and service.

\b
Examples:
  fournines export ansible-inventory cloud.yaml > inventory.yaml
  ansible -i inventory.yaml service_mariadb -m ping
""",
)
@_CLOUD
def ansible_inventory(cloud: Path) -> None:
    from fournines import lab

    click.echo(inventory_yaml(lab.access(load(cloud))), nl=False)
