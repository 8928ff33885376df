"""Alerts of RabbitMQ."""

from __future__ import annotations

from collections.abc import Iterator

from fournines.services.alerts.alert import Alert, Scope, majority, wait
from fournines.timing import timers


def messaging(s: Scope) -> Iterator[Alert]:
    names = s.hosts("rabbitmq")
    if not names:
        return
    need, running, ticks = majority(len(names)), s("fournines_rabbitmq_nodes_running"), timers(s.cloud).net_ticktime
    yield Alert(
        name="MessagingWithoutQuorum",
        expr=f"(max({running}) or vector(0)) < {need}",
        wait=wait(ticks),
        severity="critical",
        summary=f"{{{{ $value }}}} of {len(names)} RabbitMQ nodes run, and {need} are a majority",
        means="Quorum queues take no message without a majority of their members: calls between services time out.",
        run="fournines status CLOUD; on a host of it: rabbitmqctl cluster_status",
        samples=tuple(s.on("fournines_rabbitmq_nodes_running", n, len(names), need - 1) for n in names),
    )
    if len(names) > need:
        yield Alert(
            name="MessagingNoneToSpare",
            expr=f"max({running}) == {need}",
            wait=60,
            severity="warning",
            summary=f"{{{{ $value }}}} of {len(names)} RabbitMQ nodes run, which is the smallest majority",
            means="When one more is lost the quorum queues take no message.",
            run="fournines status CLOUD; bring the missing nodes back",
            samples=tuple(s.on("fournines_rabbitmq_nodes_running", n, len(names), need) for n in names),
        )
        yield Alert(
            name="MessagingNotRedundant",
            expr=f"min({running}) < {len(names)}",
            wait=300,
            severity="warning",
            summary=f"a RabbitMQ node sees {{{{ $value }}}} of {len(names)} nodes",
            means="A node is away, or nodes do not see one another, for longer than a restart takes.",
            run="on each host of it: rabbitmqctl cluster_status; journalctl -u rabbitmq-server -n 100",
            samples=tuple(
                s.on("fournines_rabbitmq_nodes_running", n, len(names), len(names) - (n == names[0])) for n in names
            ),
        )
    yield from _queues(s, names)


def _queues(s: Scope, names: list[str]) -> Iterator[Alert]:
    first = names[0]
    yield Alert(
        name="MessagingPublishersBlocked",
        expr=f"max by (resource) ({s('fournines_rabbitmq_alarms')}) > 0",
        wait=15,
        severity="critical",
        summary="RabbitMQ has a {{ $labels.resource }} alarm",
        means="It reads nothing from publishers until the alarm ends: every call between services waits.",
        run="on the host: rabbitmqctl status; rabbitmqctl list_queues -p VHOST name messages consumers",
        samples=(s.on("fournines_rabbitmq_alarms", first, 0, 1, 'resource="memory"'),),
    )
    yield Alert(
        name="QueuesWithoutMajority",
        expr=f"max({s('fournines_rabbitmq_queues_without_majority')}) > 0",
        wait=60,
        severity="critical",
        summary="{{ $value }} queues have no majority of their members online",
        means="Messages sent to them are not confirmed, and senders wait.",
        run="fournines status CLOUD; on a host of it: rabbitmq-queues check_if_node_is_quorum_critical",
        samples=(s.on("fournines_rabbitmq_queues_without_majority", first, 0, 3),),
    )
    if len(names) > 1:
        yield Alert(
            name="QueuesNotRedundant",
            expr=f"max({s('fournines_rabbitmq_queues_missing_members')}) > 0",
            wait=600,
            severity="warning",
            summary="{{ $value }} queues have members that are not online",
            means="These queues outlive fewer losses than the design has.",
            run="fournines status CLOUD; on a host of it: rabbitmq-queues grow NODE all",
            samples=(s.on("fournines_rabbitmq_queues_missing_members", first, 0, 3),),
        )
