#!/bin/sh
# Managed by fournines.
# OCF resource agent ocf:fournines:mariadb: the database of this host, by its systemd unit. It works if it takes a write.

NAME=mariadb WHAT="One MariaDB on a disk that moves"
: "${OCF_RESKEY_unit:=mariadb.service}" "${OCF_RESKEY_datadir:=/var/lib/mysql}" "${OCF_RESKEY_user:=mysql}"

TABLE='create database if not exists fournines;
create table if not exists fournines.health (id tinyint primary key, seen timestamp(6)) engine = InnoDB;'
WRITE='replace into fournines.health (id, seen) values (1, now(6));'

query() {
    echo "$1" | mariadb --connect-timeout=5 --skip-column-names --batch 2>&1
}

owned() {
    echo "$OCF_RESKEY_datadir/mysql"
}

made() {
    query "$TABLE"
}

well() {
    query "$WRITE" || { echo "it takes no write"; false; }
}

. /usr/lib/fournines/clustered-on-disk.sh
