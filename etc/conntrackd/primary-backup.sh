#!/bin/sh
#
# What conntrackd has to do when this node changes its role. Made for the notify scripts of keepalived, see
# etc/keepalived/keepalived.conf:
#
#   primary-backup.sh primary    this node takes over: flows of the other node become its own
#   primary-backup.sh backup     the other node is in charge: follow it
#   primary-backup.sh fault      something is broken here: let the kernel's table run dry
#
# A command that fails is logged and the rest goes on: a node that takes over with half of the flows is better than one that
# does not take over. The exit status is 1 for an unknown role, and for a daemon that is not running and does not start.
#
# To be set in the environment if they are elsewhere:
#   CONNTRACKD_BIN       the program
#   CONNTRACKD_CONFIG    its configuration
#   CONNTRACKD_LOCK      its lock file, if that is not the LockFile of the configuration

# keepalived may start its scripts with next to nothing in the environment.
PATH=${PATH:+$PATH:}/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin
program=${CONNTRACKD_BIN:-conntrackd}
config=${CONNTRACKD_CONFIG:-/etc/conntrackd/conntrackd.conf}

say() {
	logger -t conntrackd-failover -p "daemon.$1" -- "$2"
}

# The daemon is asked to do something; that it refuses is worth a line and no more.
ask() {
	"$program" -C "$config" "$1" || say err "$program $1 failed: $2"
}

lock_file() {
	found=$(sed -n 's/^[[:space:]]*LockFile[[:space:]]\{1,\}\([^[:space:]"]*\).*/\1/p' "$config" 2>/dev/null | tail -n 1)
	echo "${CONNTRACKD_LOCK:-${found:-/var/lock/conntrackd.lock}}"
}

primary() {
	# What the other node told us goes into the kernel, so its connections go on here.
	ask -c 'the flows of the other node are not in the kernel'
	# Both caches are emptied: they described the old roles.
	ask -f 'the caches still hold what was'
	# The internal cache gets what the kernel has now, that is both nodes' flows.
	ask -R 'the internal cache may lack flows'
	# All of it goes to the other node, for the day on which it takes over again.
	ask -B 'the other node may lack flows'
}

backup() {
	if ! "$program" -C "$config" -s >/dev/null; then
		start
	fi
	# Flows that are still in the kernel belong to the other node now. They stay for a while (PurgeTimeout), in case the
	# roles change back at once.
	ask -t 'old flows stay in the kernel until they time out'
	ask -n 'flows from before now are known only when they change'
}

start() {
	lock=$(lock_file)
	if [ -e "$lock" ]; then
		say warning "conntrackd was not ended in order, its lock file $lock is removed"
		rm -f -- "$lock"
	fi
	if ! "$program" -C "$config" -d; then
		say err "$program does not start: this node cannot take over"
		exit 1
	fi
}

case ${1-} in
primary)
	primary
	;;
backup)
	backup
	;;
fault)
	ask -t 'old flows stay in the kernel until they time out'
	;;
*)
	say err "unknown role '${1-}'"
	echo "Usage: primary-backup.sh {primary|backup|fault}"
	exit 1
	;;
esac
exit 0
