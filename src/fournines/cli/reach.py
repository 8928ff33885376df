"""Which hosts a command reaches and how: options that `plan`, `apply` and others share."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, TypeVar

import click

from fournines.cloud.model import Cloud, Host
from fournines.errors import UsageError

if TYPE_CHECKING:
    from fournines.engine import SshOptions

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True)
class Reach:
    """`names` empty: all hosts."""

    names: tuple[str, ...]
    ask_sudo_password: bool
    accept_new_host_keys: bool

    def hosts(self, cloud: Cloud) -> Sequence[Host]:
        """Raises `UsageError` on a name that the cloud does not have."""
        for name in self.names:
            named(cloud, name)
        return [h for h in cloud.hosts if h.name in self.names] if self.names else cloud.hosts

    def ssh(self) -> SshOptions:
        """The sudo password comes from a prompt or from FOURNINES_SUDO_PASSWORD, never from the command line."""
        from fournines.engine import SshOptions

        password = os.environ.get("FOURNINES_SUDO_PASSWORD")
        if self.ask_sudo_password:
            password = click.prompt("sudo password", hide_input=True, err=True)
        return SshOptions(password, self.accept_new_host_keys)


def reach_options(function: F) -> F:
    """Adds `--hosts`, `--ask-sudo-password`, `--accept-new-host-keys`; `reach_of` reads them."""
    for option in (
        click.option("--hosts", default="", metavar="A,B", help="Only these hosts."),
        click.option("--ask-sudo-password", is_flag=True, help="Ask for it; or set FOURNINES_SUDO_PASSWORD."),
        click.option("--accept-new-host-keys", is_flag=True, help="Trust hosts that are met for the first time."),
    ):
        function = option(function)
    return function


def reach_of(options: dict[str, Any]) -> Reach:
    names = tuple(name for name in options["hosts"].split(",") if name)
    return Reach(names, options["ask_sudo_password"], options["accept_new_host_keys"])


def named(cloud: Cloud, name: str) -> Host:
    """The host of that name. Raises UsageError."""
    if name not in cloud.host_by_name:
        near = get_close_matches(name, cloud.host_by_name, 1)
        next = f"did you mean {near[0]}?" if near else "see the cloud file"
        raise UsageError(f"{cloud.name} has no host {name}", next=next)
    return cloud.host_by_name[name]
