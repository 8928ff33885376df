"""Rules of options and timers: each finds what it is for, and says where that is."""

from __future__ import annotations

import pytest

from fournines.design import options as option_rule
from fournines.services import registry
from samples.sound import Check, brief


@pytest.fixture
def catalogue(monkeypatch: pytest.MonkeyPatch) -> None:
    files = {
        "keystone": {"keystone.conf": {"DEFAULT": {"debug": "bool"}, "token": {"expiration": "int", "provider": ""}}},
        "rabbitmq": {"rabbitmq.conf": {"": {"channel_max": "int", "listeners.tcp.*": ""}}},
        "haproxy": {"haproxy.cfg": {"global": {"maxconn": "multi"}, "listen *": {"balance": "multi"}}},
    }
    monkeypatch.setattr(option_rule, "known", lambda service, _release="": files.get(service))


@pytest.mark.parametrize(
    ("options", "path", "what", "change"),
    [
        ("keystone: {options: {keystone.conf: {token: {expiration: 1}}}}", "", "", ""),
        ("rabbitmq: {options: {rabbitmq.conf: {channel_max: 1, listeners.tcp.default: 5}}}", "", "", ""),
        ("haproxy: {options: {haproxy.cfg: {listen keystone: {balance: source}}}}", "", "", ""),
        ("keystone: {options: {keystone.conf: {token: {expiraton: 1}}}}",
         '."keystone.conf".token.expiraton', "unknown option expiraton in [token]", "did you mean expiration?"),
        ("keystone: {options: {keystone.conf: {tokn: {expiration: 1}}}}",
         '."keystone.conf".tokn', "keystone.conf has no section tokn", "did you mean token?"),
        ("keystone: {options: {keystone.conf: {expiration: 1}}}",
         '."keystone.conf".expiration', "expiration is in no section of keystone.conf",
         "put it into one of keystone.conf's sections: DEFAULT, token"),
        ("keystone: {options: {keyston.conf: {token: {expiration: 1}}}}",
         '."keyston.conf"', "keystone has no file keyston.conf", "did you mean keystone.conf?"),
        ("rabbitmq: {options: {rabbitmq.conf: {chanel_max: 1}}}",
         '."rabbitmq.conf".chanel_max', "unknown option chanel_max in rabbitmq.conf", "did you mean channel_max?"),
        ("haproxy: {options: {haproxy.cfg: {listen keystone: {balnce: source}}}}",
         '."haproxy.cfg"."listen keystone".balnce', "unknown option balnce", "did you mean balance?"),
        ("memcached: {options: {memcached.conf: {-m: 512}}}",
         "", "fournines does not know the options of memcached", "remove them"),
    ],
)  # fmt: skip
@pytest.mark.usefixtures("catalogue")
def test_options_are_those_that_the_service_knows(
    check: Check, options: str, path: str, what: str, change: str
) -> None:
    found = check(after=f"services: {{{options}}}\n")
    if not what:
        assert found == []
        return
    assert [(f.rule, f.severity) for f in found] == [("unknown-option", "error")]
    assert found[0].path == f"services.{options.partition(':')[0]}.options{path}"
    assert what in found[0].what
    assert found[0].change == change


def test_the_catalogue_of_each_service_has_its_shape() -> None:
    for service in registry():
        for sections in (option_rule.known(service) or {}).values():
            assert sections
            assert all(isinstance(kind, str) for options in sections.values() for kind in options.values())


def test_timers_that_contradict_one_another(check: Check) -> None:
    found = check(after="timing: {overrides: {evs_suspect: 1, check_fall: 1}}\n")
    assert brief(found) == [
        ("timers", "error", "14:35 timing.overrides.evs_suspect"),
        ("timers", "warning", "14:50 timing.overrides.check_fall"),
    ]


def test_a_peer_s_contradictions_are_warnings_until_one_changes_them(check: Check) -> None:
    found = check(after="timing: {profile: kolla-22.2}\n")
    assert found and {f.severity for f in found} == {"warning"}
    assert {f.path for f in found} == {"timing.profile"}
    found = check(after="timing: {profile: kolla-22.2, overrides: {rpc_response_timeout: 90}}\n")
    assert [f.path for f in found if f.severity == "error"] == ["timing.overrides.rpc_response_timeout"]


@pytest.mark.parametrize(
    ("options", "path", "what"),
    [
        ("sources: {ssh: [10.0.0.0/8, '2001:db8::/32'], operators: 10.0.0.1}, accept: {tcp 9100: 10.0.0.2}", "", ""),
        ("sources: {ssh: [10.0.0.0/33]}", "sources.ssh", "10.0.0.0/33 is no address or network"),
        ("sources: {operators: ['2001:db8::1']}", "sources.operators", "no IPv4 address"),
        ("accept: {tcp 0: 10.0.0.1}", 'accept."tcp 0"', "no protocol with a port"),
        ("accept: {udp 9-1: 10.0.0.1}", 'accept."udp 9-1"', "no protocol with a port"),
        ("accept: {'tcp 1 accept; tcp dport 2': 10.0.0.1}", 'accept."tcp 1 accept; tcp dport 2"', "no protocol"),
        ("accept: {tcp 1: '10.0.0.1 } drop'}", 'accept."tcp 1"', "no address or network"),
        ("{'': {enabled: false}}", "enabled", "no host has a firewall"),
    ],
)
def test_what_is_added_to_the_firewalls_can_be_loaded(check: Check, options: str, path: str, what: str) -> None:
    inside = options if options.startswith("{") else f"{{{options}}}"
    found = check(after=f"services: {{firewall: {{options: {{firewall.nft: {inside}}}}}}}\n")
    if not what:
        assert found == []
        return
    assert [f.rule for f in found] == ["no-firewall" if path == "enabled" else "firewall-rules"]
    assert found[0].path == f'services.firewall.options."firewall.nft".{path}'
    assert what in found[0].what
