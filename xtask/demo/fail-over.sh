# Builds the network of the fail-over, then runs the command that its arguments are.
#
#   client 192.0.2.10 --+-- .2 a .2 --+-- 198.51.100.80 server        192.0.2.1 and 198.51.100.1 are those of the
#                       |      |      |                               firewall in charge, which is a at first
#                       +-- .3 b .3 --+
#
# a and b have a cable of their own, on which their daemons talk. As in network.sh, all of it ends with this process.
set -e

mount -t tmpfs tmpfs /run
for name in client a b server switch; do
	ip netns add $name
	ip -n $name link set lo up
done

# A switch on either side.
for side in lan wan; do
	ip -n switch link add $side type bridge
	ip -n switch link set $side up
done
plug() { # name, device, side, address
	ip link add "$2" netns "$1" type veth peer name "$1-$3" netns switch
	ip -n switch link set "$1-$3" master "$3" up
	ip -n "$1" address add "$4" dev "$2"
	ip -n "$1" link set "$2" up
}
plug client eth0 lan 192.0.2.10/24
plug server eth0 wan 198.51.100.80/24
for firewall in a b; do
	number=$([ $firewall = a ] && echo 2 || echo 3)
	plug $firewall lan lan 192.0.2.$number/24
	plug $firewall wan wan 198.51.100.$number/24
done
ip link add sync netns a type veth peer name sync netns b
ip -n a address add 10.99.0.1/24 dev sync
ip -n b address add 10.99.0.2/24 dev sync
ip -n a link set sync up
ip -n b link set sync up
ip -n client route add default via 192.0.2.1
ip -n a address add 192.0.2.1/24 dev lan
ip -n a address add 198.51.100.1/24 dev wan

# A strict firewall: a packet in the middle of a connection passes only if the connection is known.
for firewall in a b; do
	nsenter --net=/run/netns/$firewall bash -e -s <<'END'
echo 1 > /proc/sys/net/ipv4/ip_forward
nft -f - <<'RULES'
table ip demo {
	chain forward {
		type filter hook forward priority filter; policy drop;
		ct state established,related accept
		iifname "lan" oifname "wan" tcp flags & (fin|syn|rst|ack) == syn ct state new accept
	}
	chain postrouting {
		type nat hook postrouting priority srcnat;
		oifname "wan" snat to 198.51.100.1
	}
}
RULES
echo 0 > /proc/sys/net/netfilter/nf_conntrack_tcp_loose
END
done

"$@"
exit $?
