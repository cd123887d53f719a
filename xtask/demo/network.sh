# Builds the network of the demo, then runs the command that its arguments are.
#
#   client 192.0.2.10 --- 192.0.2.1 firewall 198.51.100.1 --- 198.51.100.80 server
#
# This runs as the first process of fresh mount, network and process namespaces. When it ends, the
# kernel ends every other process in there and drops the namespaces with all that is in them, so
# there is nothing to clean up and nothing of the host is touched.
set -e

# The names of network namespaces are files in /run; they stay in this mount namespace.
mount -t tmpfs tmpfs /run
for name in client firewall server; do
	ip netns add $name
	ip -n $name link set lo up
done
ip link add lan netns firewall type veth peer name eth0 netns client
ip link add wan netns firewall type veth peer name eth0 netns server

ip -n client address add 192.0.2.10/24 dev eth0
ip -n firewall address add 192.0.2.1/24 dev lan
ip -n firewall address add 198.51.100.1/24 dev wan
ip -n server address add 198.51.100.80/24 dev eth0
ip -n client link set eth0 up
ip -n firewall link set lan up
ip -n firewall link set wan up
ip -n server link set eth0 up
ip -n client route add default via 192.0.2.1

# The server has no route to the client's network: it sees the firewall's address only.
nsenter --net=/run/netns/firewall bash -e -s <<'END'
echo 1 > /proc/sys/net/ipv4/ip_forward
nft -f - <<'RULES'
table ip demo {
	chain forward {
		type filter hook forward priority filter; policy drop;
		ct state established,related accept
		iifname "lan" oifname "wan" ct state new accept
	}
	chain postrouting {
		type nat hook postrouting priority srcnat;
		oifname "wan" masquerade
	}
}
RULES
END

# Not `exec`: the first process of a namespace ignores an interrupt, and this one waits anyway.
"$@"
exit $?
