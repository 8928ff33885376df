#!/bin/sh
# Managed by fournines.
# OCF resource agent ocf:fournines:mariadb-replica: this host's copy of the database, primary or replica
# (/usr/lib/fournines/replica, which says what it does).
PYTHONPATH=/usr/lib/fournines exec python3 -m replica "$@"
