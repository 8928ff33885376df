"""`fournines design`: what a cloud file amounts to, before a host is touched."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

import click

from fournines.cli import design_limits
from fournines.cli.design_common import CLOUD, JSON, print_json
from fournines.cloud.values import mttf, mttr
from fournines.errors import FourninesError
from fournines.services import load

if TYPE_CHECKING:
    from fournines.design.simulate import Repair

HELP = """Know what CLOUD, a cloud file, will mean. No host is touched; `observe` alone asks them.

`fournines design CLOUD` is the overview: how available each function will be, what stops it, and what removes that.

\b
Examples:
  fournines design cloud.yaml
  fournines design why cloud.yaml authenticate
"""

OVERVIEW = "overview"


class WithOverview(click.Group):
    """What names no command is the cloud of the overview."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in self.commands:
            return OVERVIEW, self.commands[OVERVIEW], args
        return super().resolve_command(ctx, args)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Options before the cloud are the overview's, but for the group's own."""
        if args and args[0].startswith("-") and args[0] not in ctx.help_option_names:
            args = [OVERVIEW, *args]
        return super().parse_args(ctx, args)


@click.group(cls=WithOverview, help=HELP)
def command() -> None:
    pass


command.add_command(design_limits.capacity)
command.add_command(design_limits.observe)


@command.command(
    OVERVIEW,
    help="""How available each of the users' functions will be in CLOUD, what stops it, and what removes that.

Outages come from the runs of `prove` that are stored beside the cloud file; without any, from the cloud's timers.

\b
Examples:
  fournines design overview cloud.yaml
  fournines design --json cloud.yaml | jq '.availability[] | {function, region, availability, target}'
  fournines design --json cloud.yaml | jq '.weaknesses[] | select(.order == 1) | .what'
""",
)
@CLOUD
@JSON
@click.option("--all", "everything", is_flag=True, help="Every weakness, however improbable.")
def overview(cloud: Path, as_json: bool, everything: bool) -> None:
    from fournines.cli.design_show import show_overview
    from fournines.commands.design import overview as make

    made = make(load(cloud))
    if as_json:
        print_json(dataclasses.asdict(made))
    else:
        show_overview(made, everything)


@command.command(
    help="""The exact condition under which FUNCTION works, region by region, as a tree.

Derived from what the services declare: what they need, how many of their copies are enough, and what those stand on.
Without FUNCTION: of all functions.

\b
Examples:
  fournines design why cloud.yaml authenticate
  fournines design why --json cloud.yaml | jq '.conditions[].requirements[] | {name, least}'
"""
)
@CLOUD
@click.argument("function", required=False)
@JSON
def why(cloud: Path, function: str | None, as_json: bool) -> None:
    from fournines.design import why as texts
    from fournines.design.derive import conditions, require

    made = load(cloud)
    found = require(made, function) if function else conditions(made)
    if as_json:
        print_json({"cloud": made.name, "conditions": [dataclasses.asdict(c) for c in found]})
        return
    click.echo("\n\n".join("\n".join(texts.tree(c)) for c in found))


@command.command(
    help="""Play FUNCTION of CLOUD for a million years: what the exact model leaves out.

Lives that wear or fail early, repairs of another distribution, few hands to repair, hosts under maintenance. Beside it
stands what the model of `fournines design CLOUD` says.

\b
Examples:
  fournines design simulate cloud.yaml authenticate
  fournines design simulate cloud.yaml authenticate --crew 1 --repair lognormal
  fournines design simulate cloud.yaml authenticate --maintenance 30d/2h --life-shape 0.7
"""
)
@CLOUD
@click.argument("function")
@click.option("--years", default=1e6, show_default=True, help="How long to play.")
@click.option("--crew", type=int, help="Hands that repair hosts, racks, power, switches.  [default: enough]")
@click.option("--maintenance", metavar="EVERY/FOR", help="Take each host down on purpose, in turn: 30d/2h.")
@click.option("--life-shape", default=1.0, show_default=True, help="Weibull's: below 1 early failures, above wear.")
@click.option(
    "--repair",
    type=click.Choice(["exponential", "lognormal", "fixed"]),
    default="exponential",
    help="How repairs last.",
)
@click.option("--seed", default=1, show_default=True, help="The same seed gives the same years.")
@JSON
def simulate(
    cloud: Path,
    function: str,
    *,
    years: float,
    crew: int | None,
    maintenance: str | None,
    life_shape: float,
    repair: Repair,
    seed: int,
    as_json: bool,
) -> None:
    from fournines.cli.design_show import show_estimates
    from fournines.design.availability import availability
    from fournines.design.derive import require
    from fournines.design.reliability import Reliability
    from fournines.design.simulate import Assumptions
    from fournines.design.simulate import simulate as play
    from fournines.design.switches import SwitchGroups
    from fournines.prove.observed import stored

    made = load(cloud)
    assumptions = Assumptions(life_shape, repair, crew, _maintenance(maintenance))
    reliability, found = Reliability.of(made), require(made, function)
    observed = stored(made.state_dir, made.timing.profile)
    groups = SwitchGroups(made, observed)
    estimates = [play(c, reliability, years, assumptions, seed, groups=groups.of(c)) for c in found]
    modelled = [a.availability for a in availability(made, found, observed, importance=False)]
    if as_json:
        both = [{**dataclasses.asdict(e), "model": x} for e, x in zip(estimates, modelled, strict=True)]
        print_json({"cloud": made.name, "assumptions": dataclasses.asdict(assumptions), "estimates": both})
    else:
        show_estimates(estimates, modelled)


@command.command(
    help="""Two cloud files side by side: availability, cost in hosts, what stops each function.

\b
Examples:
  fournines design compare three.yaml five.yaml
  fournines design compare --json one-rack.yaml three-racks.yaml | jq '.rows[] | select(.better != "")'
"""
)
@click.argument("one", type=click.Path(path_type=Path))
@click.argument("other", type=click.Path(path_type=Path))
@JSON
def compare(one: Path, other: Path, as_json: bool) -> None:
    from fournines.cli.design_show import show_comparison
    from fournines.design.compare import compare as make
    from fournines.prove.observed import stored

    a, b = load(one), load(other)
    seen = (stored(a.state_dir, a.timing.profile), stored(b.state_dir, b.timing.profile))
    made = make(a, b, seen)
    if as_json:
        print_json(dataclasses.asdict(made))
    else:
        show_comparison(made)


@command.command(
    help="""Write the architecture document of CLOUD: HTML, Markdown, and its drawings as SVG.

Physical, logical and request drawings, the HA pattern of every service with its reason, networks, a firewall table,
availability, failure analysis, decisions and assumptions. Prints the path of the HTML page, which opens offline.

\b
Examples:
  fournines design document cloud.yaml -o architecture
"""
)
@CLOUD
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, help="Directory; made if need be.")
def document(cloud: Path, output: Path) -> None:
    from fournines.design.document import compose, html, markdown
    from fournines.prove.observed import stored

    made = load(cloud)
    written = compose(made, stored(made.state_dir, made.timing.profile))
    texts = {"index.html": html(written), "index.md": markdown(written)}
    try:
        output.mkdir(parents=True, exist_ok=True)
        for name, text in {**texts, **{f"{d.name}.svg": d.svg for d in written.drawings}}.items():
            (output / name).write_text(text, encoding="utf-8")
    except OSError as error:
        raise FourninesError(f"{output} cannot be written", why=error.strerror or str(error)) from None
    click.echo(output / "index.html")


@command.command(
    help="""Solve MODEL: a fault tree in the Open-PSA Model Exchange Format, or repairable groups in YAML.

Both formats: docs/design-analysis.md.

\b
Examples:
  fournines design solve pump.xml
  fournines design solve --order 6 pump.xml
  fournines design solve --json cluster.yaml | jq .availability
"""
)
@click.argument("model", type=click.Path(path_type=Path))
@click.option("--order", default=3, show_default=True, help="Cut sets of at most so many events.")
@JSON
def solve(model: Path, order: int, as_json: bool) -> None:
    from fournines.cli.design_show import show_solutions, show_system
    from fournines.design import faulttree, faulttree_file, groups_file

    text = _bytes(model)
    if text.lstrip().startswith(b"<"):
        tree = faulttree_file.parse(text, str(model))
        solutions = [faulttree.solve(tree, top, order) for top in tree.tops()]
        if as_json:
            print_json({"file": str(model), "solutions": [dataclasses.asdict(s) for s in solutions]})
        else:
            show_solutions(solutions)
        return
    groups = groups_file.read(text.decode(errors="replace"), str(model))
    states = len(groups.system.chain().states)
    long_run = None if groups.system.lost_is_lost else groups.system.availability()
    then = None if groups.after is None else groups.system.after(groups.after)
    if as_json:
        print_json(
            {"file": str(model), "states": states, "availability": long_run, "after": groups.after, "then": then}
        )
    else:
        show_system(groups.name, states, long_run, groups.after, then)


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise FourninesError(f"{path} cannot be read", why=error.strerror or str(error)) from None


def _maintenance(text: str | None) -> tuple[float, float] | None:
    if text is None:
        return None
    every, _, lasts = text.partition("/")
    try:
        return mttf(every), mttr(lasts)
    except ValueError as error:
        raise click.BadParameter(f"{error}; write 30d/2h", param_hint="--maintenance") from None
