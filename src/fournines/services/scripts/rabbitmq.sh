#!/bin/sh
# Managed by fournines.
# OCF resource agent ocf:fournines:rabbitmq: the broker of this host, by its systemd unit. It works if it confirms a
# message and gives it back (broker-health).

NAME=rabbitmq WHAT="One RabbitMQ on a disk that moves"
: "${OCF_RESKEY_unit:=rabbitmq-server.service}" "${OCF_RESKEY_datadir:=/var/lib/rabbitmq/mnesia}"
: "${OCF_RESKEY_user:=rabbitmq}"

owned() {
    echo "$OCF_RESKEY_datadir"
}

made() {
    /usr/lib/fournines/broker-health make 2>&1
}

well() {
    /usr/lib/fournines/broker-health ask 2>&1 || { echo "it confirms no message"; false; }
}

. /usr/lib/fournines/clustered-on-disk.sh
