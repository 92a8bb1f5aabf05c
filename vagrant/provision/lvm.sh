#!/bin/bash
# LVM's configuration: accept UML's block devices, and make device nodes itself (in UML there is no udev at that point).
set -euo pipefail
cat >/etc/lvm/lvmlocal.conf <<'CONF'
CONF
cat >/etc/lvm/lvm.conf <<'CONF'
devices {
	types = [ "ubd", 16 ]
	global_filter = [ "r|/dev/drbd.*|", "r|/dev/ubda|", "r|/dev/ubdc|" ]
	use_devicesfile = 0
	obtain_device_list_from_udev = 0
	multipath_component_detection = 0
}
activation {
	udev_sync = 0
	udev_rules = 0
	monitoring = 0
}
global {
	event_activation = 0
	use_lvmpolld = 0
	notify_dbus = 0
}
backup {
	backup = 0
	archive = 0
}
CONF
cat >/etc/systemd/system/dualsrm-volumes.service <<'UNIT'
[Unit]
Description=Activate the guests' volume group
DefaultDependencies=no
After=local-fs-pre.target
Before=multi-user.target
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/sbin/vgchange --quiet --activate y guests
[Install]
WantedBy=multi-user.target
UNIT
systemctl enable --quiet dualsrm-volumes.service
systemctl mask --quiet lvm2-monitor.service lvm2-lvmpolld.socket dm-event.socket blk-availability.service
