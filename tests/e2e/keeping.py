# SPDX-License-Identifier: MIT
"""Clients that keep their connections, as browsers do: each sends one request after the other, with
pauses. This program runs in the clients' namespace:

    keeping.py ADDRESS PORT FIRST_CLIENT COUNT PAUSE_MS

SIGTERM ends it. It then prints {"requests": ..., "connections": ..., "kept": ..., "lost": ...}.
`kept` is the number of requests on connections that had an answer before. `lost` is the number of
those whose connection ended before the answer. A request on a new connection that gets no answer is
an error."""

import asyncio
import collections
import ipaddress
import json
import random
import signal
import sys

counts = collections.Counter(requests=0, connections=0, kept=0, lost=0)


async def answer(reader):
    """Read an answer. Returns whether the connection is kept."""
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    assert head.startswith(b"http/1.1 200"), head
    if b"transfer-encoding: chunked" in head:
        while (await reader.readuntil(b"\r\n")) != b"0\r\n":
            pass
        await reader.readexactly(2)
    else:
        await reader.readexactly(int(head.partition(b"content-length: ")[2].split()[0]))
    return b"connection: close" not in head


async def keep(target, source, pause_s, ends):
    writer = None
    while not ends.is_set():
        is_kept = writer is not None
        if not is_kept:
            reader, writer = await asyncio.open_connection(*target, local_addr=(source, 0))
            counts["connections"] += 1
        counts["requests"] += 1
        counts["kept"] += is_kept
        try:
            writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            stays = await answer(reader)
        except (ConnectionError, asyncio.IncompleteReadError):
            if not is_kept:
                raise
            counts["lost"] += 1
            stays = False
        if not stays:
            writer.close()
            writer = None
        await asyncio.sleep(random.uniform(0.5, 1.5) * pause_s)
        if writer and reader.at_eof():  # the server has closed it in the meantime: no loss
            writer.close()
            writer = None


async def main(address, port, first, count, pause_ms):
    ends = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ends.set)
    sources = [str(ipaddress.ip_address(first) + number) for number in range(int(count))]
    print("begun", flush=True)
    await asyncio.gather(*(keep((address, int(port)), source, int(pause_ms) / 1000, ends)
                           for source in sources))
    print(json.dumps(counts))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
