"""The agent's smaller parts: files, formats, configuration, one rule each."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fournines.agent.guard import config as guard_config
from fournines.agent.guard import vip
from fournines.agent.observer import config, galera_files, galera_start, mysql, system, watch
from fournines.agent.observer.galera_files import View
from fournines.agent.observer.mysql import Status
from fournines.agent.observer.primary import Kind, Report
from fournines.agent.observer.views import Note, read_note
from fournines.agent.observer.writer import Health

CLUSTER = "9e6837be-e54a-11f1-9a58-86895c9c5de3"
NODES = ("459fb683-e54a-11f1-b762-f721b29b0cc7", "46990673-e54a-11f1-9558-473ca6d5e9fc")
GRASTATE = "# GALERA saved state\nversion: 2.1\nuuid:    {uuid}\nseqno:   {seqno}\nsafe_to_bootstrap: {safe}\n"
GVWSTATE = f"""my_uuid: {NODES[0]}
#vwbeg
view_id: 3 {NODES[0]} 7
bootstrap: 0
member: {NODES[0]} 0
member: {NODES[1]} 0
#vwend
"""


def document(**changed: Any) -> dict[str, Any]:
    base: dict[str, Any] = {
        "cloud": "acme",
        "region": "phx",
        "host": "a",
        "address": "198.18.0.11",
        "http_port": 9200,
        "token": "s",
        "peers": [{"name": "a", "address": "198.18.0.11"}, {"name": "b", "address": "198.18.0.12"}],
        "heartbeat": 0.05,
        "vips": ["198.18.0.100"],
        "cluster_ports": [4567],
        "writer_patience": 0.8,
        "units": ["mariadb.service"],
        "certificates": [],
        "fernet_keys": "",
        "galera": {"members": ["a", "b"]},
    }
    return {**base, **changed}


def guard_document(**changed: Any) -> dict[str, Any]:
    base: dict[str, Any] = {
        "host": "a",
        "address": "198.18.0.11",
        "port": 9201,
        "votes": True,
        "peers": [{"name": "b", "address": "198.18.0.12", "votes": True, "key": "ab12"}],
        "candidates": ["a", "b"],
        "heartbeat": 0.05,
        "vip_lease": 0.35,
        "dead_host": 0.4,
        "degraded": 1.5,
        "vip": {"addresses": [{"address": "198.18.0.100", "prefix": 32, "interface": "lo"}]},
    }
    return {**base, **changed}


class TestConfig:
    def test_sections_have_defaults(self) -> None:
        parsed = config.parse(document())
        assert parsed.galera is not None
        assert parsed.galera.datadir == "/var/lib/mysql"
        assert parsed.peer_names == ("a", "b")
        assert parsed.haproxy is None

    def test_secrets_are_not_shown(self) -> None:
        assert "'s'" not in repr(config.parse(document()))
        guard = guard_config.parse(guard_document())
        assert guard.peers[0].key == "ab12"
        assert "ab12" not in repr(guard)

    def test_what_the_next_release_adds_stops_neither_process_of_this_one(self) -> None:
        galera = {"members": ["a"], "colour": "red"}
        assert config.parse(document(colour="red", galera=galera)) == config.parse(document(galera={"members": ["a"]}))
        guard = guard_document(colour="red")
        guard["peers"][0]["colour"] = guard["vip"]["colour"] = guard["vip"]["addresses"][0]["colour"] = "red"
        assert guard_config.parse(guard) == guard_config.parse(guard_document())

    @pytest.mark.parametrize("section", ["", "peers", "vip", "addresses"])
    def test_what_the_guard_lacks_is_named(self, section: str) -> None:
        guard = guard_document()
        of = {
            "": (guard, "heartbeat"),
            "peers": (guard["peers"][0], "key"),
            "vip": (guard["vip"], ""),
            "addresses": (guard["vip"]["addresses"][0], "prefix"),
        }
        where, missing = of[section]
        if missing:
            del where[missing]
            with pytest.raises(ValueError, match=missing):
                guard_config.parse(guard)
        else:
            assert guard_config.parse(guard).vip == guard_config.Vip((guard_config.Address("198.18.0.100", 32, "lo"),))

    def test_two_voters_cannot_arbitrate(self) -> None:
        assert not guard_config.parse(guard_document()).arbitrated
        three = guard_document()
        three["peers"].append({**three["peers"][0], "name": "c"})
        assert guard_config.parse(three).arbitrated
        assert not guard_config.parse({**three, "votes": False}).arbitrated
        assert not guard_config.parse({**three, "vip_lease": 0}).arbitrated

    @pytest.mark.parametrize(
        ("changed", "said"),
        [
            ({"galera": {"socket": "/x"}}, "galera.: .*members"),
            ({"galera": {"members": ["z"]}}, "galera.members"),
            ({"host": "z"}, "this host is not among them"),
        ],
    )
    def test_mistakes_are_named(self, changed: dict[str, Any], said: str) -> None:
        with pytest.raises(ValueError, match=said):
            config.parse(document(**changed))

    def test_a_missing_key_is_named(self) -> None:
        incomplete = document()
        del incomplete["token"]
        with pytest.raises(ValueError, match="token"):
            config.parse(incomplete)


class TestGaleraFiles:
    def test_a_clean_stop(self) -> None:
        saved = galera_files.parse_grastate(GRASTATE.format(uuid=CLUSTER, seqno=12, safe=1))
        assert saved == galera_files.Saved(CLUSTER, 12, True)

    def test_no_state(self, tmp_path: Path) -> None:
        assert galera_files.read_grastate(tmp_path) == galera_files.Saved("", -1, False)
        text = GRASTATE.format(uuid=galera_files.NO_UUID, seqno=-1, safe=0)
        assert galera_files.parse_grastate(text).cluster == ""

    def test_the_last_primary_view(self) -> None:
        node, view = galera_files.parse_gvwstate(GVWSTATE) or ("", None)
        assert node == NODES[0]
        assert view == View(f"{NODES[0]}:7", frozenset(NODES))

    @pytest.mark.parametrize("length", [0, 20, 100, len(GVWSTATE) - 4])
    def test_a_view_cut_short_by_a_power_loss_is_no_view(self, length: int) -> None:
        assert galera_files.parse_gvwstate(GVWSTATE[:length]) is None

    def test_the_last_recovered_position_counts(self) -> None:
        log = f"x WSREP: Recovered position: {CLUSTER}:3\ny WSREP: Recovered position: {CLUSTER}:9\n"
        assert galera_files.parse_recovered(log) == (CLUSTER, 9)
        assert galera_files.parse_recovered("nothing") is None

    def test_allowing_a_bootstrap_changes_only_the_flag(self, tmp_path: Path) -> None:
        (tmp_path / "grastate.dat").write_text(GRASTATE.format(uuid=CLUSTER, seqno=-1, safe=0))
        galera_files.allow_bootstrap(tmp_path)
        assert (tmp_path / "grastate.dat").read_text() == GRASTATE.format(uuid=CLUSTER, seqno=-1, safe=1)


class TestGaleraStart:
    view = galera_files.parse_gvwstate(GVWSTATE)

    def test_a_crashed_node_reports_what_it_recovered_and_its_last_view(self) -> None:
        saved = galera_files.Saved(CLUSTER, -1, True)
        note = Note(f"{NODES[0]}:7", 40, NODES[0])
        said = galera_start.report(saved, (CLUSTER, 44), self.view, note)
        assert (said.seqno, said.node, said.view_seqno, said.clean, said.last) == (44, NODES[0], 40, False, False)

    def test_a_note_of_another_view_says_nothing(self) -> None:
        said = galera_start.report(
            galera_files.Saved(CLUSTER, -1, False), (CLUSTER, 44), self.view, Note("old", 4, "x")
        )
        assert said.view_seqno == -1

    def test_the_last_to_leave_says_so(self) -> None:
        assert galera_start.report(galera_files.Saved(CLUSTER, 9, True), None, None, Note()).last

    def test_a_new_node_is_never_the_last_to_leave(self) -> None:
        said = galera_start.report(galera_files.Saved("", -1, True), None, None, Note())
        assert (said.cluster, said.last) == ("", False)

    @pytest.mark.parametrize(
        ("action", "cluster", "lines"),
        [
            (
                "bootstrap",
                CLUSTER,
                [
                    "GALERA_NEW_CLUSTER=--wsrep-new-cluster",
                    f"GALERA_RECOVER=--wsrep_start_position={CLUSTER}:5",
                    "GALERA_DONOR=",
                ],
            ),
            ("join", "", ["GALERA_NEW_CLUSTER=", "GALERA_RECOVER=", "GALERA_DONOR=--wsrep_sst_donor=ctl3,ctl2,"]),
        ],
    )
    def test_what_the_unit_reads(self, action: str, cluster: str, lines: list[str]) -> None:
        stopped = Report(Kind.STOPPED, cluster, 5)
        assert galera_start.environment(action, stopped, "ctl3,ctl2,").splitlines() == lines

    @pytest.mark.parametrize(
        ("me", "writer", "asked"),
        [
            ("ctl4", "ctl3", "ctl2,ctl1,ctl3,"),
            ("ctl1", "ctl3", "ctl4,ctl2,ctl3,"),
            ("ctl1", "", ""),
            ("ctl1", "ctl1", ""),
        ],
    )
    def test_a_copy_is_asked_of_the_writer_last(self, me: str, writer: str, asked: str) -> None:
        members = ("ctl1", "ctl2", "ctl3", "ctl4")
        assert galera_start.donors(members, me, writer) == asked

    def test_reports_survive_the_wire(self) -> None:
        assert self.view is not None
        said = Report(Kind.RUNNING, CLUSTER, 5, NODES[0], self.view[1], 3, component=frozenset(NODES), vote="b")
        assert Report.from_json({**said.to_json(), "mood": "fine"}) == said
        assert Report.from_json({"kind": "primary"}) == Report(Kind.PRIMARY)

    def test_a_note_that_cannot_be_read_is_no_note(self, tmp_path: Path) -> None:
        (tmp_path / "note").write_text("{")
        assert read_note(tmp_path / "note") == read_note(tmp_path / "none") == Note()


class TestDatabaseHealth:
    good = Status(at=10.0, up=True, connected=True, primary=True, ready=True, state=mysql.SYNCED)

    @pytest.mark.parametrize(
        ("changed", "at", "wanted"),
        [
            ({}, 10.5, Health.GOOD),
            ({}, 10.9, Health.SLOW),
            ({"state": mysql.DONOR}, 10.5, Health.DONOR),
            ({"state": mysql.DONOR}, 11.0, Health.SLOW),
            ({"state": mysql.JOINED}, 10.5, Health.BAD),
            ({"primary": False}, 10.5, Health.BAD),
            ({"ready": False}, 10.5, Health.BAD),
            ({"up": False}, 10.5, Health.BAD),
            ({"busy": True}, 12.9, Health.GOOD),  # slow, not frozen
            ({"busy": True}, 13.1, Health.SLOW),
        ],
    )
    def test_health(self, changed: dict[str, Any], at: float, wanted: Health) -> None:
        assert mysql.health(Status(**{**vars(self.good), **changed}), at, 0.8) is wanted


class TestKeepalived:
    @pytest.mark.parametrize(
        ("held", "forbidden", "running", "idle", "silent", "conflict", "acts"),
        [
            (True, 0.0, True, 0.1, 0.9, False, False),  # all is well
            (True, 0.0, True, 0.2, 2.9, False, False),  # its script is late, its adverts are not
            (True, 0.0, True, 0.3, 0.9, False, True),  # frozen: the others are about to take over
            (False, 0.0, True, 0.3, 0.9, False, False),  # a backup may idle
            (True, 0.0, True, 0.1, 0.9, True, False),  # two masters for a moment: VRRP settles that
            (True, 0.5, True, 0.1, 0.9, False, False),  # just told to leave
            (True, 1.1, True, 0.1, 0.9, False, True),  # told to leave, and did not
            (False, 9.9, True, 0.1, 0.9, False, False),  # left
            (False, 0.0, True, 3.1, 3.1, False, True),  # a frozen backup would not take over
            (False, 0.0, True, 0.1, 3.1, False, False),  # it works, and has no CPU for its script
            (False, 0.0, True, 0.1, 12.1, False, True),  # it works, and never runs its script
            (False, 0.0, False, 99.0, 99.0, False, False),  # stopped
            (True, 0.0, False, 99.0, 99.0, True, True),  # dead, its VIP left behind
            (True, 0.0, False, 99.0, 99.0, False, False),  # dead, but the only one that has it
        ],
    )
    def test_intervene(
        self, held: bool, forbidden: float, running: bool, idle: float, silent: float, conflict: bool, acts: bool
    ) -> None:
        assert bool(vip.intervene(vip.Observed(held, forbidden, running, idle, silent, conflict), 0.25)) == acts

    def test_the_loopback_address_is_found(self) -> None:
        assert "127.0.0.1" in vip.local_addresses()

    def test_the_tracked_file_and_the_silence(self, tmp_path: Path) -> None:
        alive, track = tmp_path / "alive", tmp_path / "track"
        keepalived = vip.Keepalived(guard_config.Vip((), track_file=str(track), alive_file=str(alive)))
        for value in (vip.FORBIDDEN, vip.STANDBY, vip.GRANTED):
            keepalived.track(value)
            assert track.read_text() == f"{value}\n"
        written = track.stat().st_mtime_ns
        keepalived.track(vip.GRANTED)
        assert track.stat().st_mtime_ns == written  # keepalived looks at every change
        track.write_text("-254\n")  # by the fallback
        keepalived.track(vip.GRANTED)
        assert track.read_text() == "100\n"
        alive.touch()
        assert keepalived.silent_for(100.0) == 0.0
        assert keepalived.silent_for(102.0) == 2.0


STATS = """# pxname,svname,qcur,scur,status,weight,lastchg,check_status,check_duration,check_desc,
mariadb,FRONTEND,,6,OPEN,,,,,,
mariadb,ctl1,0,6,UP,1,42,L7OK,0,Layer7 check passed,
mariadb,ctl2,0,0,DOWN,1,42,L7STS,0,Layer7 wrong status,
"""


def test_haproxy_statistics() -> None:
    found = watch.parse_stats(STATS)["mariadb"]
    assert found["ctl1"]["status"] == "UP"
    assert found["ctl2"]["check_desc"] == "Layer7 wrong status"


def test_units() -> None:
    found = system.parse_units("Id=a.service\nActiveState=active\n\nId=b.service\nActiveState=failed\nResult=signal\n")
    assert found == {"a.service": {"ActiveState": "active"}, "b.service": {"ActiveState": "failed", "Result": "signal"}}


def test_certificate_ends() -> None:
    assert system.parse_end("notAfter=Jan  1 00:00:00 2030 GMT\n") == 1893456000.0
    assert system.parse_end("unable to load certificate") is None


async def test_a_certificate_is_absent_unreadable_or_read_once_until_it_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    async def output(*argv: str, timeout: float) -> str:
        asked.append(argv[-1])
        text = Path(argv[-1]).read_text()
        return f"notAfter={text}\n" if "GMT" in text else "unable to load certificate"

    monkeypatch.setattr(system, "output", output)
    good, bad, later = (str(tmp_path / name) for name in ("good.pem", "bad.pem", "later.pem"))
    Path(good).write_text("Jan  1 00:00:00 2030 GMT")
    Path(bad).write_text("nothing")
    looks = system.Certificates((good, bad, later))
    for _ in range(2):
        assert await looks.look() == {"ends": {good: 1893456000.0, bad: None}, "absent": [later]}
    assert asked == [good, bad, bad]  # what could not be read is tried again
    Path(later).write_text("Jan  1 00:00:00 2031 GMT")
    Path(good).write_text("Jan  1 00:00:00 2040 GMT ")
    found = await looks.look()
    assert found["absent"] == []
    assert found["ends"][good] > found["ends"][later] > 1893456000.0


def test_fernet_keys(tmp_path: Path) -> None:
    for name in ("0", "1", "2", "2.tmp"):
        (tmp_path / name).touch()
    found = system.fernet_state(str(tmp_path))
    assert found["keys"] == 2
    assert 0 <= found["age"] < 60


@pytest.mark.parametrize(
    ("grastate", "innodb", "expected"),
    [
        (f"uuid: {CLUSTER}\nseqno: -1\n", True, True),
        (f"uuid: {CLUSTER}\nseqno: 7\n", True, False),
        (f"uuid: {galera_files.NO_UUID}\nseqno: -1\n", True, False),  # a transfer was cut short
        (None, True, True),  # gone beside a database: what it knows counts
        (None, False, False),  # a new node
    ],
)
def test_where_innodb_knows_more_than_grastate(
    tmp_path: Path, grastate: str | None, innodb: bool, expected: bool
) -> None:
    if grastate is not None:
        (tmp_path / "grastate.dat").write_text(grastate)
    if innodb:
        (tmp_path / "ibdata1").touch()
    assert galera_start.to_recover(galera_files.read_grastate(tmp_path), tmp_path) is expected
