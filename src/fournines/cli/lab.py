"""`fournines lab`: hosts on this machine."""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path
from typing import Any

import click

from fournines import lab
from fournines.errors import LabError, UsageError
from fournines.services import load

EXAMPLES = """\b
Examples:
  sudo fournines lab up examples/three-controllers.yaml
  sudo fournines lab status
  sudo fournines lab ssh ctl1 systemctl --failed
  sudo fournines lab power off ctl1
  sudo fournines lab wipe ctl1
  sudo fournines lab down acme
  sudo fournines lab down --all

HOST is a host's name, or LAB/HOST where several labs have one of that name.
"""


def _say(line: str) -> None:
    click.echo(line, err=True)


def _name(cloud: str) -> str:
    """A lab's name from what the user typed: the name itself, or the cloud file's path."""
    if cloud in lab.names() or not Path(cloud).exists():
        return cloud
    return load(Path(cloud)).name


def _find(host: str) -> tuple[str, str]:
    """(lab, host) of HOST or LAB/HOST. Raises LabError when none has it, or more than one."""
    cloud, slash, name = host.rpartition("/")
    if slash:
        return cloud, lab.load(cloud).host(name).name
    having = [c for c in lab.names() if lab.exists(c) and name in [h.name for h in lab.load(c).hosts]]
    if len(having) == 1:
        return having[0], name
    if having:
        choices = " or ".join(f"{c}/{name}" for c in having)
        raise LabError(f"Several labs have a host {name}", next=f"say which: {choices}")
    raise LabError(f"No lab has a host {name}", next="fournines lab status")


@click.group(help=EXAMPLES)
def command() -> None:
    pass


@command.command()
@click.argument("cloud", type=click.Path(path_type=Path))
@click.option("--mirror", default="", help="Debian mirror for the image, where the machine's own sources name none.")
@click.option("--apply", "then_apply", is_flag=True, help="Then `fournines apply CLOUD --yes`.")
@click.pass_context
def up(context: click.Context, cloud: Path, mirror: str, then_apply: bool) -> None:
    """Bring up the hosts of CLOUD, a cloud file. Two runs are one; a run that was interrupted is continued.

    \b
    Examples:
      sudo fournines lab up cloud.yaml
      sudo fournines lab up examples/full-cloud.yaml --apply
    """
    from fournines.cli import apply
    from fournines.design import require_valid

    model = load(cloud)
    if then_apply:
        require_valid(model)
    made = lab.up(model, _say, mirror=mirror)
    for host in made.hosts:
        click.echo(f"{host.name} {host.address}")
    if then_apply:
        context.invoke(apply.command, cloud=cloud, yes=True)


@command.command()
@click.argument("cloud", required=False)
@click.option("--all", "everything", is_flag=True, help="Every lab on this machine.")
def down(cloud: str | None, everything: bool) -> None:
    """Remove the lab CLOUD (its name, a pattern such as 'test-*', or the cloud file) with all its data.

    The image stays.

    \b
    Examples:
      sudo fournines lab down cloud.yaml
      sudo fournines lab down acme
      sudo fournines lab down --all
    """
    if everything == bool(cloud):
        raise UsageError("Say which lab, or --all", next="fournines lab down CLOUD")
    gone = lab.down_all(_name(cloud) if cloud else "*")
    for name in gone:
        _say(f"lab {name} is down")
    if not gone:
        _say("nothing to take down")


@command.command()
@click.argument("cloud", required=False)
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
def status(cloud: str | None, as_json: bool) -> None:
    """Labs and their hosts: power, address, memory; and what this machine lacks.

    \b
    Examples:
      fournines lab status
      fournines lab status acme --json
    """
    asked = [_name(cloud)] if cloud else lab.names()
    found = [_status(name) for name in asked if cloud or lab.exists(name)]
    lacking = [c for c in lab.capabilities() if not c.present]
    if as_json:
        missing = [{"name": c.name, "essential": c.essential, "why": c.why} for c in lacking]
        click.echo(json.dumps({"labs": found, "lacking": missing}, indent=1))
        return
    for entry in found:
        click.echo(f"lab {entry['cloud']} ({_made_from(entry)})")
        for host in entry["hosts"]:
            cut = f"  isolated from {', '.join(host['isolated'])}" if host["isolated"] else ""
            kind = "  virtual machine" if host["kind"] == "vm" else ""
            click.echo(
                f"  {host['name']:<12} {host['power']:<4} {host['address']:<15} {host['memory'] >> 20:>5} MB{kind}{cut}"
            )
    for name in asked:
        if not (cloud or lab.exists(name)):
            click.echo(f"lab {name} is half made: `lab up` continues it, `lab down {name}` removes it")
    if not asked:
        click.echo("no lab is up")
    if lacking:
        click.echo(f"this machine lacks: {', '.join(c.name for c in lacking)}")


def _made_from(entry: dict[str, Any]) -> str:
    parts = [f"image {entry['image']}"] if entry["image"] else []
    if vms := entry["virtual_machines"]:
        why = f", for {vms['why'].rstrip('.')}" if vms["why"] else ""
        parts.append(f"image of virtual machines {vms['image']}; they run by {vms['accelerator'].upper()}{why}")
    return "; ".join(parts)


def _status(cloud: str) -> dict[str, Any]:
    found = lab.load(cloud)
    hosts = [
        {
            "name": host.name,
            "kind": host.kind,
            "power": "on" if lab.is_on(cloud, host.name) else "off",
            "address": str(host.address),
            "memory": lab.memory(cloud, host.name),
            "isolated": lab.isolated(cloud, host.name),
        }
        for host in found.hosts
    ]
    vms = dataclasses.asdict(found.vms) if found.vms else None
    return {"cloud": cloud, "image": found.image, "virtual_machines": vms, "hosts": hosts}


@command.command(context_settings={"ignore_unknown_options": True})
@click.argument("host")
@click.argument("words", metavar="[COMMAND]...", nargs=-1, type=click.UNPROCESSED)
def ssh(host: str, words: tuple[str, ...]) -> None:
    """A shell on HOST, or COMMAND there.

    \b
    Examples:
      sudo fournines lab ssh ctl1
      sudo fournines lab ssh acme/ctl1 systemctl --failed
    """
    cloud, name = _find(host)
    words = (*lab.login(cloud, name), *words)
    os.execvp("ssh", words)  # noqa: S606  the user's own shell


@command.command()
@click.argument("action", type=click.Choice(["on", "off", "reset"]))
@click.argument("host")
def power(action: lab.Action, host: str) -> None:
    """Press the power button of HOST. Off is the loss of power: nothing is shut down.

    \b
    Examples:
      sudo fournines lab power off ctl1
      sudo fournines lab power reset acme/ctl2
    """
    cloud, name = _find(host)
    lab.power(cloud, name, action)
    _say(f"{name} of lab {cloud}: power {'on' if action == 'reset' else action}")


@command.command()
@click.argument("host")
def wipe(host: str) -> None:
    """Put a new machine in the place of HOST: power off, an empty disk, boot.

    Its name, cables and addresses stay; all that it wrote is lost, and its SSH host key is a new one, which the lab
    knows. What `fournines replace` is for.

    \b
    Examples:
      sudo fournines lab wipe ctl2
      sudo fournines lab wipe acme/ctl2
      sudo fournines replace examples/three-controllers.yaml ctl2
    """
    cloud, name = _find(host)
    lab.wipe(cloud, name, _say)
    _say(f"{name} of lab {cloud} is a new machine")


@command.command()
@click.argument("cloud", type=click.Path(path_type=Path))
@click.option("--mirror", default="", help="Debian mirror, where the machine's own sources name none.")
@click.option("--rebuild", is_flag=True, help="Build it again, from what the mirror has today.")
def image(cloud: Path, mirror: str, rebuild: bool) -> None:
    """Build the image that the hosts of CLOUD start from, unless it is there; print where it is. Virtual machines have
    one of their own.

    \b
    Examples:
      sudo fournines lab image cloud.yaml
      sudo fournines lab image cloud.yaml --rebuild
    """
    for root in lab.images(load(cloud), _say, mirror=mirror, rebuild=rebuild).values():
        click.echo(root)
