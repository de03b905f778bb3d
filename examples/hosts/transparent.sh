#!/bin/sh
# SPDX-License-Identifier: MIT
# The rules of a transparent proxy, as root on the balancer:  transparent.sh up|down
# The hosts answer to the clients' own addresses, and have the balancer as the gateway to them:
#   ip route replace default via 10.0.1.254        on each host
# Here, what comes back from port 3000 of the hosts is for a socket of the proxy, not to be forwarded.
set -eu
PORT=${PORT:-3000} MARK=${MARK:-1} TABLE=${TABLE:-100}
case ${1:-} in
up)
	ip rule add fwmark "$MARK" lookup "$TABLE"
	ip route add local default dev lo table "$TABLE"
	nft -f - <<-EOF
		table ip transparent {
			chain answers {
				type filter hook prerouting priority mangle;
				tcp sport $PORT socket transparent 1 meta mark set $MARK
			}
		}
	EOF
	;;
down)
	nft delete table ip transparent
	ip route del local default dev lo table "$TABLE"
	ip rule del fwmark "$MARK" lookup "$TABLE"
	;;
*)
	echo "usage: transparent.sh up|down" >&2
	exit 2
	;;
esac
