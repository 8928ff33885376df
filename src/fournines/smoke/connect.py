"""The way in: as the administrator, through the public VIP."""

from __future__ import annotations

from typing import Any, cast

from fournines.cloud.model import Cloud, Region
from fournines.errors import SmokeError
from fournines.services import endpoints, tls
from fournines.smoke.model import PREFIX, Site
from fournines.smoke.pinned import pin


def site(cloud: Cloud, region: Region, *, timeout: float = 180.0, project: str = "admin", prefix: str = PREFIX) -> Site:
    """Of `project`, which is of the default domain. Raises SmokeError when nobody can sign in: without that there is
    nothing to try."""
    import openstack  # takes a second, and a campaign that stays within the core does without

    ca = cloud.state_dir / "ca.pem"
    ca.write_text(tls.ca_certificate(cloud))
    connection: Any = cast(Any, openstack).connect(
        load_yaml_config=False,
        load_envvars=False,
        auth_type="password",
        auth={
            "auth_url": endpoints.keystone_public(region),
            "username": "admin",
            "password": cloud.secrets.get("keystone.admin"),
            "project_name": project,
            "user_domain_id": "default",
            "project_domain_id": "default",
        },
        region_name=region.name,
        interface="public",
        cacert=str(ca),
        api_timeout=60,
        app_name="fournines-smoke",
    )
    pin(connection.session.session, region.public_hosts)
    try:
        connection.authorize()
    except Exception as error:
        raise SmokeError(
            "nobody can sign in",
            where=endpoints.keystone_public(region),
            why=" ".join(str(error).split()),
            next=f"fournines status {cloud.source}",
        ) from None
    return Site(cloud, region, connection, ca, timeout, prefix)
