# SPDX-License-Identifier: MIT
"""Clients that connect without a pause from many addresses while a block runs."""

import http.client
import itertools
import threading

SOURCES = [f"127.0.{net}.{host}" for net in (1, 2) for host in range(1, 200)]
CLIENTS = 2
DEADLINE_S = 10


class Load:
    def __init__(self, port):
        self.port = port
        self.answers = 0
        self.failures = []
        self.lock = threading.Lock()
        self.over = threading.Event()
        self.threads = [threading.Thread(target=self.connect, args=(SOURCES[number::CLIENTS],))
                        for number in range(CLIENTS)]

    def ask(self, source):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE_S,
                                                source_address=(source, 0))
        try:
            connection.request("GET", "/")
            answer = connection.getresponse()
            answer.read()
            return None if answer.status == 200 else f"status {answer.status}"
        except (OSError, http.client.HTTPException) as error:
            return repr(error)
        finally:
            connection.close()

    def connect(self, sources):
        for source in itertools.cycle(sources):
            if self.over.is_set():
                return
            failure = self.ask(source)
            with self.lock:
                self.answers += not failure
                self.failures += [f"{source}: {failure}"] if failure else []

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        for thread in self.threads:
            thread.join()
