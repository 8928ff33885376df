"""The API as a client meets it: a real server, over TLS, on hosts, users and jobs that are fakes."""

from __future__ import annotations

import json
import stat
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import requests

from fournines.engine import local_lock
from fournines.watch.act import ACTIONS, STATE
from fournines.watch.decide import Condition
from fournines.watch.incidents import Incidents
from fournines.watch.ledger import Ledger, append, replace_file
from fournines.web.access import COOKIE
from fournines.web.app import LARGEST
from samples.dashboard import BREAK_GLASS, REQUEST, Client, Site, serving
from samples.many import HOSTS, many, speak


def error(answer: requests.Response) -> dict[str, str]:
    return answer.json()["error"]


# Status


def test_status_is_the_agents_word(reader: Client) -> None:
    said = reader.ask("GET", "/v1/status").json()
    assert said["sentence"] == "acme is healthy: 3 hosts, ctl1 holds the VIPs, ctl2 takes the writes."
    assert [h["marks"] for h in said["hosts"]] == [["VIP"], ["writer"], []]
    assert {t["name"]: t["state"] for t in said["regions"][0]["tiers"]}["Database"] == "ok"


def test_a_host_page_has_what_its_agent_says(reader: Client) -> None:
    said = reader.ask("GET", "/v1/hosts/ctl2").json()
    assert said["said"]["galera"]["acting"] is True
    missing = reader.ask("GET", "/v1/hosts/nobody")
    assert (missing.status_code, "no host nobody" in error(missing)["what"]) == (502, True)


def events(client: Client) -> Any:
    with client.get(client.site.url + "/v1/events", stream=True, timeout=20) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        name = ""
        for line in answer.iter_lines(chunk_size=1, decode_unicode=True):
            if line.startswith("event: "):
                name = line[7:]
            elif line.startswith("data: "):
                yield name, json.loads(line[6:]), time.monotonic()


def test_a_power_off_is_on_the_stream_of_events_at_once(tmp_path: Path) -> None:
    with serving(tmp_path) as site, site.client("token-rita") as client:
        off = 0.0
        for name, data, at in events(client):
            if name == "status" and data["healthy"] and data["ready"] and not off:
                off = time.monotonic()
                site.power_off("ctl1")
            elif name == "status" and not data["healthy"]:
                assert at - off < 1.0
                assert any(p["where"] == "ctl1" for p in data["problems"])
                assert data["regions"][0]["vip_holders"] == []
                break


def test_a_stream_ends_with_its_session(tmp_path: Path) -> None:
    with serving(tmp_path) as site, site.client() as client:
        client.sign_in("rita")
        names: list[str] = []
        for name, _, _ in events(client):
            names.append(name)
            if name == "status":
                site.server.access.sessions.close(client.cookies[COOKIE])
        assert names[-1] == "bye"


def test_status_needs_no_keystone_for_whoever_is_signed_in(tmp_path: Path) -> None:
    with serving(tmp_path) as site, site.client() as client:
        client.sign_in("rita")
        site.users.down = True
        assert client.ask("GET", "/v1/status").status_code == 200
        refused = site.client().ask("POST", "/v1/session", {"user": "rita", "password": "secret"})
        assert (refused.status_code, "break-glass" in error(refused)["next"]) == (503, True)
        answer = site.client().ask("POST", "/v1/session", {"token": BREAK_GLASS})
        assert (answer.json()["role"], answer.json()["how"]) == ("admin", "break-glass")


def test_a_cloud_file_that_became_wrong_leaves_what_was_and_says_so(tmp_path: Path) -> None:
    with serving(tmp_path) as site, site.client("token-rita") as client:
        good = site.cloud_file.read_text()
        site.cloud_file.write_text(good.replace("zone: rack1", "zone: rack9"))
        said = client.ask("GET", "/v1/status").json()
        assert f"{site.cloud_file.name}:" in said["file_error"]["why"]
        assert said["healthy"]
        site.cloud_file.write_text(good)
        assert client.ask("GET", "/v1/status").json()["file_error"] is None


# Signing in


def test_a_session_is_new_at_each_sign_in(site: Site) -> None:
    client = site.client()
    client.cookies.set(COOKIE, "chosen-by-somebody-else", secure=True, path="/", domain="localhost.local")
    client.sign_in("ada")
    first = [c.value for c in client.cookies if c.name == COOKIE and c.value != "chosen-by-somebody-else"]
    assert first
    other = site.client()
    other.sign_in("ada")
    key = other.cookies[COOKIE]
    other.sign_in("rita")
    assert other.cookies[COOKIE] != key
    assert site.server.access.sessions.find(key) is None


def test_the_cookie_is_for_this_server_and_no_script(site: Site) -> None:
    answer = site.client().ask("POST", "/v1/session", {"user": "ada", "password": "secret"})
    cookie = answer.headers["set-cookie"].lower()
    assert cookie.startswith("__host-")
    for word in ("secure", "httponly", "samesite=strict", "path=/"):
        assert word in cookie
    assert "domain" not in cookie


def test_signing_out_ends_the_session(site: Site) -> None:
    client = site.client()
    csrf = client.sign_in("ada")
    key = client.cookies[COOKIE]
    assert client.ask("DELETE", "/v1/session", headers={"x-csrf-token": csrf}).status_code == 200
    client.cookies.set(COOKIE, key)
    assert client.ask("GET", "/v1/session").status_code == 401


def test_another_sites_page_can_send_nothing(site: Site) -> None:
    answer = site.client().ask(
        "POST", "/v1/session", {"user": "ada", "password": "secret"}, headers={"origin": "https://evil.example"}
    )
    assert (answer.status_code, "another site" in error(answer)["what"]) == (403, True)


def test_wrong_passwords_are_limited(tmp_path: Path) -> None:
    with serving(tmp_path) as site:
        client = site.client()
        for _ in range(5):
            assert client.ask("POST", "/v1/session", {"user": "ada", "password": "no"}).status_code == 401
        right = client.ask("POST", "/v1/session", {"user": "ada", "password": "secret"})
        assert (right.status_code, int(right.headers["retry-after"]) > 30) == (429, True)
        assert site.client("token-nobody").ask("GET", "/v1/status").status_code == 429


@pytest.mark.parametrize("body", [{}, {"token": "a", "user": "b"}])
def test_a_sign_in_is_one_thing_or_the_other(site: Site, body: dict[str, str]) -> None:
    assert site.client().ask("POST", "/v1/session", body).status_code == 422


def test_a_session_survives_a_restart_of_the_server(tmp_path: Path) -> None:
    with serving(tmp_path) as site:
        client = site.client()
        client.sign_in("rita")
        site.stop()
        site.start()
        assert client.ask("GET", "/v1/session").json()["name"] == "rita"
        kept = site.state / "serve.sessions"
        assert client.cookies[COOKIE] not in kept.read_text()
        assert stat.S_IMODE(kept.stat().st_mode) == 0o600


# What every answer has


@pytest.mark.parametrize("path", ["/", "/main.js", "/style.css", "/v1/session", "/nothing"])
def test_every_answer_has_the_headers(site: Site, path: str) -> None:
    headers = site.client().ask("GET", path).headers
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "'unsafe" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert "max-age" in headers["strict-transport-security"]
    assert "server" not in headers


def test_no_part_of_the_page_holds_script_or_style_of_its_own(site: Site) -> None:
    page = site.client().ask("GET", "/").text
    assert "<style" not in page
    assert " style=" not in page
    assert "<script>" not in page


@pytest.mark.parametrize("path", ["/../access.py", "/%2e%2e/app.py", "/app.py", "/__init__.py"])
def test_nothing_else_is_served(site: Site, path: str) -> None:
    assert site.client().ask("GET", path).status_code == 404


# Bodies


@pytest.mark.parametrize(
    ("data", "kind", "status"),
    [
        ("{", "application/json", 400),
        ("[" * 100_000, "application/json", 400),
        ("[]", "application/json", 422),
        ('{"hosts": 3}', "application/json", 422),
        ('{"host": []}', "application/json", 422),
        ("{}", "text/plain", 415),
        ('"' + "a" * LARGEST + '"', "application/json", 413),
    ],
)
def test_bodies_that_are_wrong_are_said_to_be(admin: Client, data: str, kind: str, status: int) -> None:
    answer = admin.post(admin.site.url + "/v1/plan", data=data, headers={"content-type": kind}, timeout=20)
    assert answer.status_code == status
    assert error(answer)["what"]


# Jobs


def test_a_plan_then_its_apply(admin: Client) -> None:
    planned = admin.ask("POST", "/v1/plan", {})
    assert planned.status_code == 202
    page = admin.ended(planned.json()["id"])
    assert page["job"]["state"] == "done"
    assert page["result"]["plan"]["summary"].startswith("3 to add")
    applied = admin.ask("POST", "/v1/apply", {"plan": planned.json()["id"]}).json()
    done = admin.ended(applied["id"])
    assert done["result"]["applied"]
    assert [e["type"] for e in done["events"]][:2] == ["text", "stage"]
    assert applied["by"] == "ada"


@pytest.mark.parametrize("plan", ["../../etc", "20261128T000000Z-plan-x/..", "", None])
def test_a_plan_is_named_by_its_job(admin: Client, plan: str | None) -> None:
    assert admin.ask("POST", "/v1/apply", {"plan": plan}).status_code == 422


@pytest.mark.parametrize("name", ["nothing", "..", "%2e%2e%2fserve.token", "20261128T000000Z-plan-abc"])
def test_jobs_that_do_not_exist(admin: Client, name: str) -> None:
    assert admin.ask("GET", f"/v1/jobs/{name}").status_code == 404


def test_progress_goes_on_where_it_was_left(admin: Client) -> None:
    job = admin.ask("POST", "/v1/plan", {}).json()["id"]
    page = admin.ended(job)
    again = admin.ask("GET", f"/v1/jobs/{job}?since={page['seen']}").json()
    assert (again["events"], again["seen"]) == ([], page["seen"])
    assert admin.ask("GET", f"/v1/jobs/{job}?since=-1").status_code == 422


def test_the_second_apply_is_told_who_holds_the_cloud(site: Site, admin: Client) -> None:
    with local_lock(site.state):
        answer = admin.ask("POST", "/v1/apply", {"plan": "20261128T000000Z-plan-abc"})
        assert answer.status_code == 409
        assert "pid" in error(answer)["why"]
        assert "pid" in admin.ask("GET", "/v1/locks").json()["holder"]
        assert "pid" in admin.ask("GET", "/v1/status").json()["lock"]
    assert admin.ask("GET", "/v1/locks").json()["holder"] is None


def test_a_job_is_cancelled(admin: Client) -> None:
    job = admin.ask("POST", "/v1/plan", {"hosts": ["hold"]}).json()["id"]
    while not admin.ask("GET", f"/v1/jobs/{job}").json()["events"]:
        time.sleep(0.05)
    assert admin.ask("POST", f"/v1/jobs/{job}/cancel").status_code == 202
    assert admin.ended(job)["job"]["state"] == "cancelled"


def test_who_may_not_begin_a_job_may_not_cancel_it(site: Site, admin: Client) -> None:
    job = admin.ask("POST", "/v1/prove", {"faults": "host.power_off@vip"}).json()["id"]
    assert site.client("token-otto").ask("POST", f"/v1/jobs/{job}/cancel").status_code == 403
    assert admin.ended(job)["result"]["verdict"] == "pass"


def test_a_job_goes_on_while_the_server_is_restarted(tmp_path: Path) -> None:
    with serving(tmp_path) as site, site.client("token-ada") as client:
        job = client.ask("POST", "/v1/plan", {"hosts": ["hold"]}).json()["id"]
        while not client.ask("GET", f"/v1/jobs/{job}").json()["events"]:
            time.sleep(0.05)
        site.stop()
        site.start()
        assert client.ask("GET", f"/v1/jobs/{job}").json()["job"]["state"] == "running"
        client.ask("POST", f"/v1/jobs/{job}/cancel")
        assert client.ended(job)["job"]["state"] == "cancelled"


def test_a_job_whose_process_is_gone_was_interrupted(tmp_path: Path) -> None:
    with serving(tmp_path) as site, site.client("token-ada") as client:
        job = client.ask("POST", "/v1/plan", {"hosts": ["die"]}).json()["id"]
        assert client.ended(job)["job"]["state"] == "interrupted"
        site.stop()
        site.start()
        assert client.ask("GET", "/v1/jobs").json()["jobs"][0]["state"] == "interrupted"


# What is read


def test_check_design_faults_and_operations(reader: Client) -> None:
    assert reader.ask("GET", "/v1/check").json()["errors"] == 0
    made = reader.ask("GET", "/v1/design").json()
    assert {a["function"] for a in made["availability"]} >= {"authenticate", "list_projects"}
    assert made["limits"]
    assert "host.power_off@vip" in reader.ask("GET", "/v1/faults").json()["each"]
    kinds = {o["name"]: o for o in reader.ask("GET", "/v1/operations").json()["operations"]}
    assert kinds["rotate"]["arguments"]["properties"]["dry_run"]["type"] == "boolean"
    assert reader.ask("GET", "/v1/cloud").json()["hosts"] == 3
    assert reader.ask("GET", "/v1/runs").json() == {"runs": []}
    assert reader.ask("GET", "/v1/runs/..%2f..%2fserve.token/report").status_code in (404, 422)
    assert reader.ask("GET", "/v1/runs/nothing/report").status_code == 422


READ = ("/v1/handlers", "/v1/handlers/actions", "/v1/alerts", "/v1/backups", "/v1/operations", "/v1/design/what-if")


def test_secrets_leave_by_no_route(site: Site, admin: Client) -> None:
    secret = site.cloud.secrets.get("tls.ca.key").splitlines()[1]
    for path in (
        "/v1/status",
        "/v1/cloud",
        "/v1/check",
        "/v1/design",
        "/v1/hosts/ctl1",
        "/v1/audit",
        "/v1/jobs",
        *READ,
    ):
        text = admin.ask("GET", path).text
        assert secret not in text
        assert BREAK_GLASS not in text


# Audit


def test_what_is_done_is_written_down_with_who_did_it(tmp_path: Path) -> None:
    with serving(tmp_path) as site, site.client("token-ada") as client:
        job = client.ask("POST", "/v1/plan", {"hosts": ["ctl1"]}).json()["id"]
        client.ended(job)
        site.client("token-rita").ask("POST", "/v1/plan", {})
        site.client().ask("POST", "/v1/session", {"user": "ada", "password": "hunter2"})
        entries = client.ask("GET", "/v1/audit").json()["entries"]
        path = site.state / "audit.jsonl"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert "hunter2" not in path.read_text()
    refused, denied, done = entries[:3]
    assert (refused["what"], refused["who"], refused["outcome"]) == ("POST /v1/session", "", "Keystone refuses this")
    assert (denied["who"], "operator" in denied["outcome"]) == ("rita", True)
    assert (done["who"], done["outcome"], done["asked"], done["job"]) == ("ada", "ok", {"hosts": ["ctl1"]}, job)


# Many hosts


def test_three_hundred_hosts_stay_small(tmp_path: Path) -> None:
    (tmp_path / "served").mkdir()
    with serving(tmp_path / "served", many(tmp_path)) as site, site.client("token-rita") as client:
        speak(site)
        answer = client.ask("GET", "/v1/status")
        assert len(answer.json()["hosts"]) == HOSTS
        assert len(answer.content) < 100_000


# What was watched


def test_what_was_watched_and_the_outages_are_there_to_read(site: Site, reader: Client) -> None:
    assert reader.ask("GET", "/v1/availability").json() == {"regions": {}}
    folder = site.state / "watch" / "phx"
    ledger = Ledger(folder)
    now = time.time()
    for second in range(100):
        ledger.add(now - 100 + second, "validate", "bad" if second < 3 else "good")
    ledger.flush(now, force=True)
    store = Incidents(folder)
    id = store.begin(now - 100, "phx", "acme")
    store.note(id, now - 100, "out", function="validate", connection="fresh")
    store.note(id, now - 97, "ended", interrupted=False, bad={"validate": 3}, unknown={}, figures=None)
    region = reader.ask("GET", "/v1/availability").json()["regions"]["phx"]
    assert (region["watched"], region["functions"][0]["bad_s"]) == (False, 3)
    [listed] = reader.ask("GET", "/v1/incidents").json()["incidents"]
    assert (listed["id"], listed["bad_s"], listed["functions"]) == (id, {"validate": 3}, ["validate"])
    with site.client("token-otto") as operator:
        page = operator.ask("GET", f"/v1/incidents/{id}").json()
        assert [line["what"] for line in page["lines"]] == ["began", "out", "ended"]
        missing = operator.ask("GET", "/v1/incidents/20200101T000000Z")
        assert (missing.status_code, "no incident" in error(missing)["what"]) == (404, True)
    assert reader.ask("GET", f"/v1/incidents/{id}").status_code == 403


def test_handlers_what_they_would_do_what_they_did_and_what_stopped_them(site: Site, admin: Client) -> None:
    folder = site.state / "watch" / "phx"
    page = admin.ask("GET", "/v1/handlers").json()
    assert {"compute-agent", "flapping-host", "log-full"} <= {h["name"] for h in page["handlers"]}
    assert (page["watched"], page["stopped"]) == ({"phx": False}, [])
    condition = Condition("host.unreachable", "ctl2", "")
    decider = {"stopped": [["flapping-host", asdict(condition), "drain did not help within 120 s"]], "starts": []}
    replace_file(folder / STATE, {**decider, "handled": [], "beginnings": [], "since": []})
    append(folder / ACTIONS, {"at": 1.0, "handler": "log-full", "condition": asdict(condition), "outcome": "ok"})
    [stop] = admin.ask("GET", "/v1/handlers").json()["stopped"]
    assert (stop["handler"], stop["condition"]) == ("flapping-host", "host.unreachable ctl2")
    [action] = admin.ask("GET", "/v1/handlers/actions").json()["actions"]
    assert (action["handler"], action["region"]) == ("log-full", "phx")
    assert admin.ask("GET", "/v1/handlers/foreseen").json() == {"foreseen": []}  # all is well
    assert admin.ask("POST", "/v1/handlers/flapping-host/resume", {}).status_code == 202
    assert (folder / "resume" / "flapping-host").exists()
    unknown = admin.ask("POST", "/v1/handlers/flaping-host/resume", {})
    assert (unknown.status_code, "flapping-host" in error(unknown)["next"]) == (422, True)


# What hosts, or the design, are asked for


def test_journals_and_one_requests_way(site: Site) -> None:
    with site.client("token-otto") as operator:
        page = operator.ask("GET", "/v1/logs?since=1h&unit=keystone,haproxy&priority=warning").json()
        assert page["entries"][0]["host"] == "ctl1" and page["remarks"]
        assert operator.ask("GET", f"/v1/traces/{REQUEST}").json()["requests"] == [REQUEST]
        for query in ("priority=loud", "lines=0", "lines=5001", "lines=many", "grep=("):
            assert operator.ask("GET", f"/v1/logs?{query}").status_code == 422, query


def test_what_a_design_would_do(reader: Client) -> None:
    whole = reader.ask("GET", "/v1/design/what-if").json()
    assert all(f["works"] for f in whole["functions"])
    assert "host:ctl1" in {c["key"] for c in whole["components"]}
    functions = reader.ask("GET", "/v1/design/what-if?failed=host:ctl1,host:ctl2").json()["functions"]
    [login] = [f for f in functions if f["function"] == "authenticate"]
    assert not login["works"] and "mariadb" in login["stopped_by"]
    one = reader.ask("GET", "/v1/design/what-if?failed=host:ctl1").json()["functions"]
    assert {f["spare"] for f in one if f["function"] == "authenticate"} == {0}
    unknown = reader.ask("GET", "/v1/design/what-if?failed=host:ctl9")
    assert (unknown.status_code, "no component" in error(unknown)["what"]) == (422, True)
    regions = reader.ask("GET", "/v1/design/capacity?hosts=500&cores=64").json()["regions"]
    assert regions[0]["limits"]
    assert reader.ask("GET", "/v1/design/why/authenticate").json()["trees"][0].startswith("authenticate in phx")
    assert reader.ask("GET", "/v1/alerts").json()["firing"][0]["name"] == "HostDown"


def test_backups_are_listed_from_the_servers_directory(site: Site, admin: Client, reader: Client) -> None:
    listed = admin.ask("GET", "/v1/backups").json()
    assert listed == {"directory": str(site.state / "backups"), "backups": []}
    (site.state / "backups" / "acme-20261128T020000Z").mkdir(parents=True)
    [one] = admin.ask("GET", "/v1/backups").json()["backups"]
    assert (one["name"], bool(one["problem"])) == ("acme-20261128T020000Z", True)
    assert reader.ask("GET", "/v1/backups").status_code == 403
    assert admin.ask("POST", "/v1/restore", {"backup": "../../etc"}).status_code == 422


@pytest.mark.parametrize(
    ("name", "media", "says"),
    [
        ("architecture", "text/html", "<h1"),
        ("architecture.md", "text/markdown", "# "),
        ("inventory", "application/yaml", "service_mariadb"),
        ("grafana", "application/json", "panels"),
        ("schema", "application/json", "$schema"),
    ],
)
def test_documents_are_read_without_a_secret(admin: Client, site: Site, name: str, media: str, says: str) -> None:
    answer = admin.ask("GET", f"/v1/documents/{name}")
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].partition(";")[0] == media
    assert says in answer.text
    secrets = [site.cloud.secrets.get(key) for key in site.cloud.secrets.names()]
    assert secrets
    assert not any(secret in answer.text for secret in secrets)
