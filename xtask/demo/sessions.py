"""The client and the server of the fail-over, and what tells the network where an address has gone.

  sessions.py server      a file on TCP 80, sent slowly, and an echo on TCP 22; prints the checksum of the file
  sessions.py download    reads the file; prints each MiB, and in the end the checksum of what came
  sessions.py session     sends each line of its standard input to the echo and prints what comes back
  sessions.py announce    tells both sides that the addresses of the firewall are here now

Each says "ready" when it can be used. Each ends with its standard input, and after a minute.
"""
import hashlib
import random
import select
import signal
import socket
import struct
import sys
import time

CLIENT, SERVER = "192.0.2.10", "198.51.100.80"
ADDRESSES = {"lan": "192.0.2.1", "wan": "198.51.100.1"}
MIB = 1 << 20
FILE = random.Random(1).randbytes(10 * MIB)
# A MiB a second.
PIECE, PAUSE_S = 32 * 1024, 1 / 32


def say(text):
    print(text, flush=True)


def server():
    files, echo = listening(80), listening(22)
    say("ready")
    say(hashlib.sha256(FILE).hexdigest())
    downloads, sessions, due = {}, [], time.monotonic()
    while True:
        wait = max(0, due - time.monotonic()) if downloads else None
        for s in select.select([sys.stdin, files, echo, *sessions], [], [], wait)[0]:
            if s is sys.stdin:
                return
            if s is files:
                downloads[s.accept()[0]] = 0
                due = time.monotonic()
            elif s is echo:
                sessions.append(s.accept()[0])
            elif data := s.recv(1000):
                s.sendall(data)
            else:
                sessions.remove(s)
        if downloads and time.monotonic() >= due:
            due += PAUSE_S
            for s in list(downloads):
                feed(s, downloads)


def feed(s, downloads):
    """Sends what the socket takes; while nothing is acknowledged that is nothing."""
    s.setblocking(False)
    at = downloads[s]
    try:
        downloads[s] += s.send(FILE[at : at + PIECE])
    except BlockingIOError:
        return
    if downloads[s] == len(FILE):
        s.close()
        del downloads[s]


def listening(port):
    return socket.create_server((SERVER, port))


def connected(source_port, port):
    s = socket.socket()
    s.bind((CLIENT, source_port))
    s.settimeout(30)
    s.connect((SERVER, port))
    return s


def download():
    s = connected(40080, 80)
    say("ready")
    digest, size = hashlib.sha256(), 0
    while data := s.recv(MIB):
        digest.update(data)
        before, size = size, size + len(data)
        if size // MIB > before // MIB:
            say(size // MIB)
    say(digest.hexdigest())
    sys.stdin.read()


def session():
    s = connected(40022, 22)
    say("ready")
    for line in sys.stdin:
        s.sendall(line.encode())
        answer = b""
        while not answer.endswith(b"\n"):
            answer += s.recv(1000) or b"closed\n"
        say(answer.decode().rstrip())


def announce():
    """Gratuitous ARP, as VRRP daemons send it."""
    for device, address in ADDRESSES.items():
        s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
        s.bind((device, 0x0806))
        own, ip = s.getsockname()[4], socket.inet_aton(address)
        arp = struct.pack("!HHBBH", 1, 0x0800, 6, 4, 1) + own + ip + bytes(6) + ip
        s.send(b"\xff" * 6 + own + b"\x08\x06" + arp)
    say("ready")


signal.signal(signal.SIGINT, signal.SIG_DFL)
signal.alarm(60)
try:
    {"server": server, "download": download, "session": session, "announce": announce}[sys.argv[1]]()
except OSError as error:
    sys.exit(f"{sys.argv[1]}: {error}")
