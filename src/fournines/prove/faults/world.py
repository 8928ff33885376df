"""Faults of what a host takes for granted: its clock, names, the kernel's table of connections."""

from __future__ import annotations

from typing import ClassVar

from fournines.prove.faults.database import program
from fournines.prove.faults.powers import Powers
from fournines.prove.faults.strike import Scripted, Strike, not_seen, until

CLOCK = "clock"
STEP_S = 300


class Clock(Scripted):
    """What is kept is how far the clock was before the time since boot, which nobody can set."""

    name = "clock.step"
    what = f"the host's clock is {STEP_S} s ahead, and nothing sets it right (systemd-timesyncd, chrony)"
    until = "it is right, and kept so, after 20 s"
    seen = "the clock is ahead of the time since boot by so much more"
    costs = "freeze"
    each = ("vip",)
    UNITS: ClassVar[str] = "systemd-timesyncd.service chrony.service ntpsec.service"
    OFFSET: ClassVar[str] = "offset() { echo $(( $(date +%s) - $(cut -d. -f1 /proc/uptime) )); }\n"

    @classmethod
    def lacking(cls, by: Powers) -> str:
        return by.refused.get(CLOCK, "")

    async def strike_host(self, host: str) -> None:
        body = (
            f'{self.OFFSET}[ -s "$kept" ] || {{ offset > "$kept"\n'
            f'for unit in {self.UNITS}; do systemctl -q is-active $unit && echo $unit >> "$kept"; done; }}\n'
            f"systemctl stop {self.UNITS} 2>/dev/null; date -s @$(( $(date +%s) + {STEP_S} )) > /dev/null"
        )
        await self.script(host, "strike", body)

    async def verify_host(self, host: str) -> str:
        body = f'{self.OFFSET}[ -s "$kept" ] && echo $(( $(offset) - $(head -1 "$kept") )) || echo 0'
        ahead = int((await self.script(host, "look", body)).strip() or 0)
        if ahead < STEP_S - 5:
            raise not_seen("the clock is not ahead", host, f"{ahead} s")
        return f"{host}: {ahead} s ahead"

    async def heal_host(self, host: str) -> None:
        body = (
            '[ -s "$kept" ] || exit 0\n'
            'date -s @$(( $(head -1 "$kept") + $(cut -d. -f1 /proc/uptime) )) > /dev/null || exit 1\n'
            'for unit in $(tail -n +2 "$kept"); do systemctl start --no-block $unit; done; rm "$kept"'
        )
        await self.script(host, "heal", body)


class Dns(Scripted):
    """The name server is this host, which drops what is asked: a refused question would be an answer."""

    name = "dns.gone"
    what = "the host's name server answers nothing: who asks for a name that is not in /etc/hosts waits in vain"
    until = "the host asks its own name server again after 20 s"
    seen = "a name is not answered within 2 s"
    costs = "freeze"
    each = ("vip", "all")
    TABLE: ClassVar[str] = "inet fournines_dns"

    async def strike_host(self, host: str) -> None:
        body = (
            'if [ ! -e "$kept" ] && [ ! -L "$kept" ] && [ ! -e "$kept.none" ]; then\n'
            'if [ -e /etc/resolv.conf ]; then cp -P -a /etc/resolv.conf "$kept"; else touch "$kept.none"; fi; fi\n'
            f"nft 'add table {self.TABLE}; add chain {self.TABLE} input {{ type filter hook input priority -10; }};"
            f" flush chain {self.TABLE} input; add rule {self.TABLE} input meta l4proto {{ tcp, udp }} th dport 53"
            " counter drop' || exit 1\n"
            "rm -f /etc/resolv.conf; echo nameserver 127.0.0.1 > /etc/resolv.conf"
        )
        await self.script(host, "strike", body)

    async def verify_host(self, host: str) -> str:
        body = "timeout 2 getent ahosts fournines.invalid > /dev/null; echo $?"
        if (await self.script(host, "look", body)).strip() != "124":
            raise not_seen("a question for a name is answered", host, "within 2 s")
        return f"{host}: no answer for a name within 2 s"

    async def heal_host(self, host: str) -> None:
        body = (
            f"nft delete table {self.TABLE} 2>/dev/null\n"
            '[ ! -e "$kept.none" ] || { rm -f /etc/resolv.conf "$kept.none"; }\n'
            '[ ! -e "$kept" ] && [ ! -L "$kept" ] || { cp -P -a "$kept" /etc/resolv.conf.new &&'
            ' mv /etc/resolv.conf.new /etc/resolv.conf && rm "$kept"; }'
        )
        await self.script(host, "heal", body)


class Conntrack(Scripted):
    name = "conntrack.full"
    what = "the kernel's table of connections is full in the host's network: what begins a connection is dropped"
    until = "the entries are taken out after 20 s"
    seen = "the kernel counts as many connections as it allows"
    costs = "freeze"
    each = ("vip",)
    within: ClassVar[float] = 15.0

    @property
    def _program(self) -> str:
        return f"/run/fournines-{self.name}.py"

    async def prepare(self) -> None:
        await self.everywhere(self._put)

    async def _put(self, host: str) -> None:
        await self.script(host, "prepare", f"cat > {self._program}", stdin=program("fill_conntrack"))

    async def strike_host(self, host: str) -> None:
        body = f"python3 {self._program} fill {int(self.fault.duration) + 60}"
        await self.script(host, "strike", body, timeout=60)

    async def verify_host(self, host: str) -> str:
        body = "cd /proc/sys/net/netfilter && echo $(cat nf_conntrack_count nf_conntrack_max)"
        said = ""

        async def full() -> bool:
            nonlocal said
            said = await self.script(host, "look", body)
            count, most = map(int, said.split())
            return count >= 0.99 * most

        if not await until(full, self.within):
            raise not_seen("the table has room", host, said.strip())
        return f"{host}: {' of '.join(said.split())} connections"

    async def heal_host(self, host: str) -> None:
        body = f"[ ! -e {self._program} ] || {{ python3 {self._program} empty && rm {self._program}; }}"
        await self.script(host, "heal", body, timeout=60)


FAMILY: tuple[type[Strike], ...] = (Clock, Dns, Conntrack)
