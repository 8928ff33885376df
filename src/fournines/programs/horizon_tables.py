"""Whether Django's tables are there, in the database of Horizon's settings: `ok`, or `no tables`."""

from __future__ import annotations

import runpy
from typing import Any

import fournines_pymysql

#: Python: Horizon's settings have no other form.
SETTINGS = "/etc/openstack-dashboard/local_settings.d/_99_fournines.py"
_TABLES = """select count(*) from information_schema.tables
where table_schema = %s and table_name in ('django_session', 'django_migrations')"""


def there(own: dict[str, Any]) -> bool:
    """own: a database, as Django has it."""
    connection = fournines_pymysql.connect(
        host=own["HOST"],
        port=own["PORT"],
        user=own["USER"],
        password=own["PASSWORD"],
        database=own["NAME"],
        connect_timeout=3,
        read_timeout=5,
        ssl=own["OPTIONS"].get("ssl"),
    )
    with connection, connection.cursor() as cursor:
        cursor.execute(_TABLES, own["NAME"])
        return cursor.fetchone()[0] == 2


def main() -> None:
    own = runpy.run_path(SETTINGS)["DATABASES"]["default"]
    print("ok" if there(own) else "no tables")


if __name__ == "__main__":
    main()
