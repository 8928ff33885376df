"""`fournines`: one module a command in `fournines.cli`, imported only when it is asked for.

Exit codes: 0 fine or nothing to do; 1 failed; 2 changes pending (`plan --exit-code`) or verdict unknown; 64 usage;
130 interrupted.
"""

from __future__ import annotations

import difflib
import importlib
import sys

import click

from fournines import __version__
from fournines.errors import FourninesError

#: Command -> its one line in `--help`. The module is `fournines.cli.<command>`, the click object in it `command`.
COMMANDS = {
    "check": "Check a cloud file: errors, single points of failure, quorum, clashes.",
    "design": "Know a cloud before it is built: availability, what stops it, limits.",
    "lab": "Hosts on this machine: up, down, status, ssh, power.",
    "plan": "Show what apply would change, host by host.",
    "apply": "Bring the hosts to what the cloud file says.",
    "status": "Say whether the control plane is healthy, and what is wrong.",
    "logs": "What all hosts' journals say of a stretch of time, in one order.",
    "trace": "Follow one request through every service and host.",
    "smoke": "Use every service once, as a user does, and clean up.",
    "prove": "Inject faults, measure the outage a client sees, check that nothing is lost.",
    "report": "Render a stored proof as one HTML file.",
    "drain": "Move a host's load to the others, and keep it away.",
    "undrain": "Let a drained host carry load again.",
    "reboot": "Reboot hosts one after another, each drained before.",
    "scale": "Add a host, or take one out: joined, drained, forgotten.",
    "replace": "Another machine, or an empty disk, in the place of a host.",
    "versions": "What packages the hosts have, and could have: installed, candidate, security.",
    "upgrade": "Upgrade packages, or go to another release, zone after zone, each host drained before.",
    "recover": "Look at a cloud that does not come back by itself, and bring it back.",
    "fence": "Switch a host's power by its own controller, or ask for it.",
    "rotate": "Change passwords, keys and certificates for new ones, phase by phase.",
    "backup": "Take, verify, list backups of the database and of the cloud's secrets.",
    "restore": "Restore the databases of a cloud from a backup.",
    "watch": "Use the cloud as its clients do, all the time: availability, budget, outages.",
    "incident": "What happened at 03:12: outages that `watch` saw, with agents' word and logs.",
    "serve": "The REST API and the dashboard, over HTTPS.",
    "export": "Write clouds.yaml, the JSON Schema, an inventory, a Prometheus' files.",
}


class LazyGroup(click.Group):
    """Imports a command's module on use: `fournines --help` and completion stay under 100 ms."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        return importlib.import_module(f"fournines.cli.{cmd_name}").command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if near := difflib.get_close_matches(args[0], COMMANDS, n=1) if args[0] not in COMMANDS else []:
            ctx.fail(f"No such command {args[0]!r}. Did you mean {near[0]!r}?")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


EXAMPLES = """\b
Examples:
  fournines check examples/three-controllers.yaml
  sudo fournines lab up examples/three-controllers.yaml
  sudo fournines apply examples/three-controllers.yaml --yes
  fournines status examples/three-controllers.yaml --watch
  fournines smoke examples/full-cloud.yaml
  sudo fournines prove examples/three-controllers.yaml --faults host.power_off@vip,service.freeze@keystone
"""


@click.group(cls=LazyGroup, help=EXAMPLES, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="fournines")
def cli() -> None:
    pass


def main() -> None:
    click.UsageError.exit_code = 64  # BSD sysexits' EX_USAGE; click's own 2 means "pending" here
    try:
        cli.main(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        print("Interrupted. Nothing is lost: run the same command again to continue.", file=sys.stderr)
        sys.exit(130)
    except FourninesError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(1)
