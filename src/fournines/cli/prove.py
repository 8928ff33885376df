"""`fournines prove`: inject faults, measure what a client sees, check that nothing is lost."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from fournines.errors import UsageError

if TYPE_CHECKING:
    from fournines.cloud.model import Cloud
    from fournines.commands.proof_plan import Wish

HELP = """Inject faults into the cloud of CLOUD, measure the outage that a client sees, check that nothing is lost.

FAULTS is a comma-separated list: NAME@TARGET for hosts and networks, NAME@SERVICE or NAME@SERVICE+TARGET for
services, each with an optional /DURATION; two as 'FAULT and FAULT' (at once) or 'FAULT then FAULT' (the second strikes
while what the first one struck comes back); `each` (every fault once, where it hurts most), or `all`. `--list` says
what each does. Instead of FAULTS, --suite names some: smoke (less than 5 minutes), standard (less than 30), full
(everything at every target: days). With --soak faults and pairs are drawn at random, one after another, for so long as
--for says; --seed repeats a sequence. How long it takes is said before it begins.

\b
  targets: vip, writer, one, leader, router, dc, active, passive, minority, half, majority, all, a host, a zone
  services: any of the cloud, such as keystone; or one unit, such as nova-conductor, guard, observer

With --calm nothing is injected: for so long clients ask gently, and VIP moves, lost leases, changes of Galera's view,
writer elections, restarted daemons and failed requests are counted. Each must be 0.

FUNCTIONS are what a client does meanwhile: authenticate, list_projects, list_servers, boot_server, create_network, and
more, as `fournines design` names them. What is made is named fournines-prove and removed at the end.

Operations of day two are measured as faults are: --operation 'drain vip', 'reboot all', upgrade, 'upgrade --to RELEASE'
(the one that the file names), apply (of what the file has and the hosts have not), 'scale --remove HOST' (it joins
again after), 'scale --add HOST' (which is taken out before), 'replace HOST' (in a lab; it loses power and gets an empty
disk before). Then no request that may be sent twice may fail, and none may wait for longer than 3 s.

With --beside the same faults strike another cloud's lab on this machine, too, and each function's gap, wait and
degraded time stand side by side: what one pattern costs against another. A lab that is not up is brought up, applied,
and taken down at the end; where both do not fit into memory, one after the other. What only one of them can be struck
with is not measured, and the verdict is then no pass. It is the worst of both clouds'.

Every fault is healed, also on Ctrl-C. Progress is on stderr, figures on stdout; the run is kept beside the cloud file.

\b
Exit code: 0 pass, 1 fail, 2 unknown.

\b
Examples:
  sudo fournines prove cloud.yaml --faults host.power_off@vip,service.freeze@keystone
  sudo fournines prove cloud.yaml --faults service.kill@mariadb+all --json
  sudo fournines prove cloud.yaml --faults host.power_off@vip/60s --baseline kolla-22.2
  sudo fournines prove cloud.yaml --faults host.power_off@vip --repeat 10 --baseline kolla-22.2
  sudo fournines prove three-controllers.yaml --beside pacemaker-vip.yaml --faults host.power_off@vip --repeat 5
  sudo fournines prove cloud.yaml --faults each --busy
  sudo fournines prove cloud.yaml --suite standard --junit standard.xml
  sudo fournines prove cloud.yaml --soak --for 8h --seed 7
  sudo fournines prove cloud.yaml --faults host.power_off@one --functions list_servers,boot_server
  sudo fournines prove cloud.yaml --calm 30m --busy
  sudo fournines prove cloud.yaml --calm 10m --without ctl3
  sudo fournines prove cloud.yaml --operation "drain vip"
  sudo fournines prove cloud.yaml --operation upgrade
  fournines prove cloud.yaml --analyse latest
"""
DEFAULT_FAULTS = "host.power_off@vip,service.freeze@keystone"
EXIT = {"pass": 0, "fail": 1, "unknown": 2}


def _list(context: click.Context, _parameter: click.Parameter, wanted: bool) -> None:
    if not wanted:
        return
    from fournines.prove.faults.catalogue import CATALOGUE

    for kind in CATALOGUE.values():
        subject = "SERVICE[+TARGET]" if kind.subject == "service" else "TARGET"
        click.echo(f"{kind.name}@{subject}\n    {kind.what}\n    until: {kind.until}\n    seen:  {kind.seen}")
    context.exit()


@click.command(help=HELP)
@click.argument("cloud", type=click.Path(path_type=Path))
@click.option(
    "--list", is_flag=True, is_eager=True, expose_value=False, callback=_list, help="Say what each fault does."
)
@click.option("--faults", default=DEFAULT_FAULTS, show_default=True, help="What to inject, in this order.")
@click.option(
    "--operation", metavar="'NAME TARGET'", help="An operation instead: 'drain ctl1', upgrade, 'upgrade --to RELEASE'."
)
@click.option("--suite", type=click.Choice(["smoke", "standard", "full"]), help="What to inject, by its name.")
@click.option("--soak", is_flag=True, help="Inject faults at random, one after another.")
@click.option("--for", "lasts", metavar="DURATION", help="With --soak: for so long, such as 8h.")
@click.option("--seed", type=click.IntRange(0), metavar="N", help="With --soak: the same sequence again.")
@click.option("--functions", default="", metavar="A,B", help="Probe only these.  [default: all that the cloud has]")
@click.option("--duration", help="Of faults that have to be healed, such as 30s.  [default: 20s]")
@click.option("--baseline", type=click.Choice(["kolla-22.2", "osa-33", "ha-guide"]), help="Also under a peer's timing.")
@click.option(
    "--beside", type=click.Path(path_type=Path), metavar="CLOUD", help="The same faults on this lab, too, side by side."
)
@click.option("--busy", is_flag=True, help="Keep every core busy meanwhile: figures are recorded, not judged.")
@click.option("--calm", metavar="DURATION", help="Inject nothing, count what happens all the same, such as 30m.")
@click.option("--without", default="", metavar="HOST", help="With --calm: this host is off meanwhile.")
@click.option(
    "--repeat",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="Measure every fault so often, the runs of what is set beside it interleaved.",
)
@click.option("--before", default=10.0, show_default=True, help="Seconds of quiet before each fault.")
@click.option("--after", default=5.0, show_default=True, help="Seconds of load after full redundancy.")
@click.option("--redundant-within", default=120.0, show_default=True, help="Seconds that full redundancy may take.")
@click.option("--timeout", default=10.0, show_default=True, help="Seconds until a client gives a request up.")
@click.option("--region", help="Of a cloud with several regions.")
@click.option("--force", is_flag=True, help="Also on a cloud that is not healthy.")
@click.option("--yes", is_flag=True, help="Needed on hosts that are not a lab's, beside the cloud's typed name.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.option("--junit", type=click.Path(path_type=Path), metavar="PATH", help="Write JUnit's XML there too.")
@click.option("--analyse", metavar="RUN", help="Analyse a stored run again: its directory, or `latest`.")
def command(cloud: Path, as_json: bool, analyse: str | None, calm: str | None, without: str, **options: Any) -> None:
    from fournines.cli import report
    from fournines.cli.proof_show import operator, show
    from fournines.commands.clouds import load_cloud
    from fournines.commands.proof import again, prove
    from fournines.commands.proof_plan import Wish
    from fournines.prove import store
    from fournines.prove.document import document

    loaded, junit, beside = load_cloud(cloud), options.pop("junit"), options.pop("beside")
    _require_one_kind(options)
    if beside:
        _require_faults_alone()
    if operation := options.pop("operation"):
        from fournines.prove.faults.operation import typed

        options["faults"] = typed(operation, loaded.release)
    if calm:
        if junit:
            raise UsageError("--calm injects nothing: it does not go with --junit", next="leave out --junit")
        _prove_calm(loaded, Wish(**options, command=_repeat()), calm, without, as_json)
    if without:
        raise UsageError(
            "--without goes with --calm", next="--calm 10m --without HOST, or --faults host.power_off@HOST"
        )
    if analyse:
        campaign = again(loaded, analyse)
    else:
        clouds = [loaded, load_cloud(beside)] if beside else [loaded]
        campaign = prove(clouds, Wish(**options, command=_repeat()), operator())
    if as_json:
        click.echo(document(campaign))
    else:
        show(campaign)
    if junit:
        report.write_junit(campaign, junit)
    run = store.run_directory(loaded.state_dir, campaign.started_at)
    if run.is_dir():  # not when the run that was analysed again lies elsewhere
        report.write(campaign, run / report.NAME)
        click.echo(f"report: {run / report.NAME}", err=True)
    sys.exit(EXIT[campaign.verdict])


def _prove_calm(cloud: Cloud, wish: Wish, lasts: str, without: str, as_json: bool) -> NoReturn:
    from fournines.cli.calm import document, show
    from fournines.cli.proof_show import operator
    from fournines.commands.calm import prove_calm

    context = click.get_current_context()
    for name in ("faults", "operation", "suite", "soak", "baseline", "duration"):
        if context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE:
            raise UsageError(f"--calm injects nothing: it does not go with --{name}", next=f"leave out --{name}")
    done = prove_calm(cloud, wish, lasts, without, operator())
    if as_json:
        click.echo(document(done))
    else:
        show(done)
    sys.exit(EXIT[done.verdict])


def _require_faults_alone() -> None:
    """Raises UsageError for what does not go with --beside."""
    context = click.get_current_context()
    for name in ("baseline", "operation", "soak", "calm"):
        if context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE:
            raise UsageError(f"--beside does not go with --{name}", next=f"leave out --{name}, or prove each by itself")


def _require_one_kind(options: dict[str, Any]) -> None:
    """Faults that are named, a suite, or a soak: raises UsageError of two of them, and of what goes with another."""
    context = click.get_current_context()
    typed = click.core.ParameterSource.COMMANDLINE
    named = [n for n in ("faults", "operation", "suite", "soak") if context.get_parameter_source(n) is typed]
    if len(named) > 1:
        raise UsageError(f"--{named[0]} and --{named[1]} both say what to inject", next="leave one of them out")
    if options["soak"]:
        if not options["lasts"]:
            raise UsageError("a soak has no end", next="--soak --for 8h")
        for name in ("baseline", "duration", "repeat"):
            if context.get_parameter_source(name) is typed:
                raise UsageError(f"--soak does not go with --{name}", next=f"leave out --{name}")
    elif options["lasts"] or options["seed"] is not None:
        raise UsageError("--for and --seed go with --soak", next="--soak --for 8h --seed 7")


def _repeat() -> str:
    """The command line that does the same again."""
    import shlex

    return shlex.join(["fournines", *sys.argv[1:]])
