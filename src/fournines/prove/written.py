"""The kinds of acknowledged writes: which function makes each, and where it must be found afterwards."""

from __future__ import annotations

from dataclasses import dataclass

from fournines.services import cinder, glance, heat, keystone, neutron


@dataclass(frozen=True, slots=True)
class Listing:
    """The API each of whose backends lists them: `path` on `port`; the answer's list `field`, where each has `name`."""

    service: str
    port: int
    path: str
    field: str
    name: str = "name"


@dataclass(frozen=True, slots=True)
class Kind:
    """`function` makes them. `query`: the one column of their names on each database node, ends before what names begin
    with. Messages have neither query nor listing: they are consumed.

    In `query` and `listing`, `{domain}` and `{project}` stand for the ids of the campaign's own.
    """

    name: str
    function: str
    query: str = ""
    listing: Listing | None = None


#: What the transactions of `write_row` append to: its reads' kind, and each list of a node as a line, `3 17 19`.
LISTS = "lists"
LISTS_QUERY = "SELECT CONCAT(id, ' ', items) FROM probe.list WHERE items <> ''"

KINDS = {
    kind.name: kind
    for kind in (
        Kind(
            "projects",
            "create_project",
            "SELECT name FROM keystone.project WHERE domain_id = '{domain}' AND name",
            Listing("keystone", keystone.PORT, "/v3/projects?domain_id={domain}", "projects"),
        ),
        Kind("rows", "write_row", "SELECT value FROM probe.probe WHERE value"),
        Kind("messages", "publish"),
        Kind(
            "networks",
            "create_network",
            "SELECT name FROM neutron.networks WHERE project_id = '{project}' AND name",
            Listing("neutron", neutron.API.port, "/v2.0/networks?project_id={project}", "networks"),
        ),
        Kind(
            "images",
            "upload_image",
            "SELECT name FROM glance.images WHERE owner = '{project}' AND deleted = 0 AND name",
            Listing("glance", glance.API.port, "/v2/images?owner={project}", "images"),
        ),
        Kind(
            "volumes",
            "create_volume",
            "SELECT display_name FROM cinder.volumes WHERE project_id = '{project}' AND deleted = 0 AND display_name",
            Listing("cinder", cinder.API.port, "/v3/volumes", "volumes"),
        ),
        Kind(
            "stacks",
            "create_stack",
            "SELECT name FROM heat.stack WHERE tenant = '{project}' AND deleted_at IS NULL AND name",
            Listing("heat", heat.API.port, "/v1/{project}/stacks", "stacks", "stack_name"),
        ),
    )
}
