"""The client and the server of the demo.

  peers.py server    echoes on TCP 22, 80, 443 and UDP 53, 500
  peers.py hold      connections to all of these and an echo request, kept open
  peers.py burst     short connections to TCP 22 and 443 and UDP 53

Each says "ready" when its part is done. Each ends with its standard input, and after a minute.
"""
import select
import signal
import socket
import struct
import sys

CLIENT, SERVER = "192.0.2.10", "198.51.100.80"
TCP, UDP = socket.SOCK_STREAM, socket.SOCK_DGRAM


def bound(kind, address, port):
    s = socket.socket(socket.AF_INET, kind)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind((address, port))
    s.settimeout(5)
    return s


def exchange(kind, source_port, port):
    """Talk to the server and return the open socket."""
    s = bound(kind, CLIENT, source_port)
    s.connect((SERVER, port))
    s.send(b"hello")
    s.recv(100)
    return s


def checksum(data):
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    total = (total >> 16) + (total & 0xFFFF)
    return ~(total + (total >> 16)) & 0xFFFF


def ping(identifier):
    s = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
    s.settimeout(5)
    head = struct.pack("!BBHHH", 8, 0, 0, identifier, 1)
    s.sendto(struct.pack("!BBHHH", 8, 0, checksum(head), identifier, 1), (SERVER, 0))
    s.recv(100)
    return s


def ready():
    print("ready", flush=True)


def server():
    listeners = [bound(TCP, SERVER, port) for port in (22, 80, 443)]
    for s in listeners:
        s.listen(8)
    datagrams = [bound(UDP, SERVER, port) for port in (53, 500)]
    streams = []
    ready()
    while True:
        for s in select.select([sys.stdin] + listeners + datagrams + streams, [], [])[0]:
            if s is sys.stdin:
                return
            if s in listeners:
                streams.append(s.accept()[0])
            elif s in datagrams:
                data, peer = s.recvfrom(100)
                s.sendto(data, peer)
            else:
                data = s.recv(100)
                if data:
                    s.sendall(data)
                else:
                    streams.remove(s)
                    s.close()


def hold():
    kept = [exchange(TCP, 40000 + port, port) for port in (22, 80, 443)]
    kept += [exchange(UDP, 40053, 53), exchange(UDP, 500, 500), ping(77)]
    ready()
    sys.stdin.read()
    return kept


def burst():
    # Source port 0 lets the kernel choose, so that each burst makes new flows.
    for kind, port in ((TCP, 22), (TCP, 443), (UDP, 53)):
        exchange(kind, 0, port).close()
    ready()


# An interrupt ends the demo as a whole, without a word from here.
signal.signal(signal.SIGINT, signal.SIG_DFL)
signal.alarm(60)
{"server": server, "hold": hold, "burst": burst}[sys.argv[1]]()
