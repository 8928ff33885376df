"""What Pacemaker is told of the agent (OCF resource agent API 1.1)."""

METADATA = """<?xml version="1.0"?>
<!DOCTYPE resource-agent SYSTEM "ra-api-1.dtd">
<resource-agent name="mariadb-replica" version="1.0">
<version>1.1</version>
<longdesc lang="en">A copy of the database on each host, one of them the primary, by its systemd unit. A replica is
promoted only if it has every row that a client was told is written. Its settings are in /etc/fournines/replica.json.
</longdesc>
<shortdesc lang="en">MariaDB, primary and semi-synchronous replicas</shortdesc>
<parameters/>
<actions>
<action name="start" timeout="300s"/>
<action name="stop" timeout="50s"/>
<action name="monitor" role="Promoted" timeout="20s" interval="2s"/>
<action name="monitor" role="Unpromoted" timeout="20s" interval="3s"/>
<action name="promote" timeout="300s"/>
<action name="demote" timeout="50s"/>
<action name="notify" timeout="20s"/>
<action name="meta-data" timeout="5s"/>
<action name="validate-all" timeout="5s"/>
</actions>
</resource-agent>"""
