# Serves TCP and DNS for a guest at the addresses in the arguments, until the end of standard input.
#
# TCP port 8080 sends each client its own address. DNS answers every question with 192.0.2.7. Prints
# "ready" when it listens on all addresses.
import socket
import struct
import sys
import threading


def tell_addresses(listener):
    while True:
        connection, address = listener.accept()
        connection.sendall(address[0].encode() + b"\n")
        connection.close()


def answer_names(names):
    while True:
        query, client = names.recvfrom(512)
        # The question consists of the name's labels, each with its length, a zero byte, type and
        # class.
        end = query.index(0, 12) + 5
        is_ipv4 = query[end - 4 : end - 2] == b"\0\1"
        header = query[:2] + struct.pack("!5H", 0x8580, 1, int(is_ipv4), 0, 0)
        record = struct.pack("!3HIH4B", 0xC00C, 1, 1, 60, 4, 192, 0, 2, 7) if is_ipv4 else b""
        names.sendto(header + query[12:end] + record, client)


for address in sys.argv[1:]:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    listener = socket.create_server((address, 8080), family=family)
    names = socket.socket(family, socket.SOCK_DGRAM)
    names.bind((address, 53))
    threading.Thread(target=tell_addresses, args=[listener], daemon=True).start()
    threading.Thread(target=answer_names, args=[names], daemon=True).start()
print("ready", flush=True)
sys.stdin.read()
