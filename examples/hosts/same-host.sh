#!/bin/sh
# SPDX-License-Identifier: MIT
# A transparent proxy on the host of the workers, which listen at 127.0.0.1:3000:  same-host.sh up|down
# What they answer to a client's address is for a socket of the proxy on this host.
#
# The mark is set on what the proxy sends. With tcp_fwmark_accept the worker's connection has it, too,
# and its answers follow the rule. Connections from elsewhere, to other addresses, have no mark.
set -eu
PORT=${PORT:-3000} MARK=${MARK:-1} TABLE=${TABLE:-100}
case ${1:-} in
up)
	sysctl -q -w net.ipv4.tcp_fwmark_accept=1
	ip rule add fwmark "$MARK" lookup "$TABLE"
	ip route add local default dev lo table "$TABLE"
	nft -f - <<-EOF
		table ip transparent {
			chain requests {
				type filter hook output priority mangle;
				ip saddr != 127.0.0.0/8 ip daddr 127.0.0.1 tcp dport $PORT meta mark set $MARK
			}
		}
	EOF
	;;
down)
	nft delete table ip transparent
	ip route del local default dev lo table "$TABLE"
	ip rule del fwmark "$MARK" lookup "$TABLE"
	sysctl -q -w net.ipv4.tcp_fwmark_accept=0
	;;
*)
	echo "usage: same-host.sh up|down" >&2
	exit 2
	;;
esac
