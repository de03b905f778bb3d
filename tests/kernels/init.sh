#!/bin/busybox sh
# SPDX-License-Identifier: MIT
# The guest's first process. It loads the modules, mounts the disks and then executes guest.sh.

/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
echo "guest: started" # the host waits for this line, to see whether KVM works

for module in /modules/*; do
	[ -e "$module" ] || continue
	insmod "$module" || echo "guest: $module was not loaded"
done

# The disks appear some time after their driver.
tries=0
while [ ! -b /dev/vdc ] && [ $tries -lt 100 ]; do
	sleep 0.1
	tries=$((tries + 1))
done
if ! mount -t ext4 /dev/vda /root || ! mount -t ext4 /dev/vdb /root/srv; then
	echo "guest: the disks could not be mounted"
	poweroff -f
fi
mount -t tmpfs -o mode=755 tmpfs /root/run
cp /settings /root/run/settings
for each in proc sys dev; do
	mount -o move /$each /root/$each
done
exec switch_root /root /bin/sh /srv/tests/kernels/guest.sh
