"""Faults of what proves who somebody is: certificates, keys of tokens, passwords."""

from __future__ import annotations

import secrets
from typing import ClassVar

from fournines.errors import ProveError
from fournines.prove.faults.powers import Powers
from fournines.prove.faults.service import UnitFault
from fournines.prove.faults.strike import Scripted, Strike, not_seen, until
from fournines.prove.model import Fault
from fournines.services.keystone import KEYS

#: How openssl begins to speak TLS with the service, where TLS is not the first that is said.
STARTTLS = {"mariadb": "-starttls mysql"}


class Expired(Scripted, UnitFault):
    name = "certificate.expired"
    what = "the service's certificate is one that has expired, for the same key and names, and it is restarted with it"
    until = "the certificate is as it was, and the service restarted, after 20 s"
    seen = "what the service shows to a client that connects has expired"
    subject = "service"
    costs = "freeze"
    services = ("keystone", "mariadb", "rabbitmq", "haproxy")
    each = ("keystone", "mariadb+one", "haproxy")
    within: ClassVar[float] = 60.0

    def _certificate(self, host: str) -> tuple[str, str]:
        found = self.by.expired(self.fault.service, host)
        if found is None:
            raise ProveError("the service has no certificate of the cloud's own", where=self.fault.service)
        return found

    async def look(self) -> None:
        for host in self.hosts:
            self._certificate(host)
        await UnitFault.look(self)

    async def strike_host(self, host: str) -> None:
        path, pem = self._certificate(host)
        body = (
            f'[ -e "$kept" ] || {{ cp -a {path} "$kept" && echo {path} > "$kept.path"; }} || exit 1\n'
            f"cat > {path} && systemctl restart --no-block {self.unit}"
        )
        await self.script(host, "strike", body, stdin=pem)

    async def verify_host(self, host: str) -> str:
        # Of what listens on an address of the host, or of the VIP that it holds.
        pid = f"$(systemctl show -p ControlGroup --value {self.unit})"
        body = (
            f"group={pid}; pids=$(cat /sys/fs/cgroup$group/cgroup.procs | tr '\\n' '|')0\n"
            "ss -Hltnp | grep -E \"pid=($pids),\" | awk '{print $4}' | sort -u | while read -r at; do\n"
            f"echo | timeout 5 openssl s_client -connect $at {STARTTLS.get(self.fault.service, '')} 2>/dev/null"
            " | openssl x509 -noout -checkend 0 2>/dev/null | grep -q 'will expire' && echo expired at $at\n"
            "done; true"
        )
        said = ""

        async def shown() -> bool:
            nonlocal said
            said = (await self.script(host, "look", body)).strip()
            return "expired" in said

        if not await until(shown, self.within):
            raise not_seen("no certificate that the service shows has expired", host, self.unit)
        return f"{host}: certificate {' '.join(said.split())}"

    async def heal_host(self, host: str) -> None:
        body = (
            '[ -e "$kept" ] || exit 0\ncp -a "$kept" "$(cat "$kept.path")" && rm "$kept" "$kept.path" || exit 1\n'
            f"systemctl restart --no-block {self.unit}"
        )
        await self.script(host, "heal", body)


class Fernet(Scripted):
    name = "fernet.mismatch"
    what = "Keystone's keys of tokens on this host are others than everywhere else, as after a rotation that went wrong"
    until = "they are as they were after 20 s"
    seen = "no key on the host is what it was"
    carrier = "keystone"
    costs = "freeze"
    each = ("one",)

    async def strike_host(self, host: str) -> None:
        body = (
            f'[ -e "$kept" ] || cp -a {KEYS} "$kept" || exit 1\n'
            f"for key in {KEYS}/*; do head -c 32 /dev/urandom | base64 | tr +/ -_ > $key; done"
        )
        await self.script(host, "strike", body)

    async def verify_host(self, host: str) -> str:
        body = f'for key in {KEYS}/*; do cmp -s $key "$kept/${{key##*/}}" && echo same || echo other; done'
        said = (await self.script(host, "look", body)).split()
        if not said or "same" in said:
            raise not_seen("keys are what they were", host, " ".join(said))
        return f"{host}: {len(said)} keys are others"

    async def heal_host(self, host: str) -> None:
        body = f'[ ! -e "$kept" ] || {{ cp -a "$kept"/. {KEYS}/ && rm -r "$kept"; }}'
        await self.script(host, "heal", body)


class Password(Scripted):
    """What the account's password was is kept as the hash that the database has of it, on the node that was told."""

    name = "database.password"
    what = "the password of the service's account in the database is another one: who connects anew is refused"
    until = "it is what it was after 20 s"
    seen = "the database has another hash of it"
    subject = "service"
    costs = "freeze"
    each = ("keystone",)

    def __init__(self, by: Powers, fault: Fault, hosts: tuple[str, ...]) -> None:
        super().__init__(by, fault, by.carriers.get("mariadb", hosts)[:1])

    @property
    def _hashes(self) -> str:
        digest = "JSON_VALUE(Priv, '$.authentication_string')"
        where = f"User = '{self.fault.service}'"  # the name of a service that there is
        return f'mariadb -N -e "SELECT Host, {digest} FROM mysql.global_priv WHERE {where}"'  # noqa: S608

    def _alter(self, digest: str) -> str:
        account = f"'{self.fault.service}'@'$host'"
        return f"mariadb -e \"ALTER USER {account} IDENTIFIED VIA mysql_native_password USING '{digest}'\""

    async def look(self) -> None:
        for host in self.hosts:
            if not (await self.script(host, "look", self._hashes)).strip():
                raise ProveError("the database has no account of this name", where=self.fault.service)

    async def strike_host(self, host: str) -> None:
        other = "*" + secrets.token_hex(20).upper()
        body = (
            f'umask 077; [ -s "$kept" ] || {self._hashes} > "$kept" || exit 1\n'
            f'while read -r host digest; do {self._alter(other)} < /dev/null || exit 1; done < "$kept"'
        )
        await self.script(host, "strike", body)

    async def verify_host(self, host: str) -> str:
        said = (
            await self.script(host, "look", f'{self._hashes} | cmp -s - "$kept" && echo same || echo other')
        ).strip()
        if said != "other":
            raise not_seen("the database has the same password", host, self.fault.service)
        return f"{host}: another password for {self.fault.service}"

    async def heal_host(self, host: str) -> None:
        body = (
            '[ -s "$kept" ] || { rm -f "$kept"; exit 0; }\n'
            f'while read -r host digest; do {self._alter("$digest")} < /dev/null || exit 1; done < "$kept"\nrm "$kept"'
        )
        await self.script(host, "heal", body)


FAMILY: tuple[type[Strike], ...] = (Expired, Fernet, Password)
