"""One primary and its replicas: what a host of `pattern: {database: replica}` runs, for Pacemaker and for people.

    replica start|stop|monitor|promote|demote|notify|meta-data|validate-all
                             the resource agent ocf:fournines:mariadb-replica
    replica rebuild          this host's database becomes a copy of the primary's; its own data are kept aside
    replica send HOST        the copy, from the primary to HOST, which waits for it
    replica accept-loss      this host becomes the primary, whatever it lacks. Where the last primary is lost for good

SETTINGS (see `settings.py`) says who the hosts are. Which of them may be promoted is decided in `decide.py`, by a
record in the cluster's configuration (`record.py`) that the primary writes before it acknowledges on other terms.
"""
