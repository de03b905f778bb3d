#!/bin/sh
# SPDX-License-Identifier: MIT
# IPVS with direct routing: the balancer changes the MAC address of a packet and nothing else.
#   ipvs.sh balancer    on the balancer, as root: apt install ipvsadm
#   ipvs.sh host        on each host
#   ipvs.sh out|in HOST on the balancer: no new connections for a host, or again
# The hosts answer to the clients directly. They have the service's address too, but do not tell.
set -eu
VIP=${VIP:-10.0.2.1} PORT=${PORT:-80} HOSTS=${HOSTS:-"10.0.1.1 10.0.1.2 10.0.1.3"}
# mh: Maglev hashing (Linux 4.18), or sh. With either, take a host out by weight 0: a removed one comes
# back to another place of the table, and then clients of others move, too.
SCHEDULER=${SCHEDULER:-mh}
case ${1:-} in
balancer)
	ip addr add "$VIP/32" dev lo
	ipvsadm -A -t "$VIP:$PORT" -s "$SCHEDULER" -b "${SCHEDULER}-fallback"
	for host in $HOSTS; do
		ipvsadm -a -t "$VIP:$PORT" -r "$host:$PORT" -g -w 1
	done
	;;
host)
	sysctl -q -w net.ipv4.conf.all.arp_ignore=1 net.ipv4.conf.all.arp_announce=2
	ip addr add "$VIP/32" dev lo
	;;
out) ipvsadm -e -t "$VIP:$PORT" -r "$2:$PORT" -g -w 0 ;;
in) ipvsadm -e -t "$VIP:$PORT" -r "$2:$PORT" -g -w 1 ;;
*)
	echo "usage: ipvs.sh balancer|host|out HOST|in HOST" >&2
	exit 2
	;;
esac
