# SPDX-License-Identifier: Apache-2.0
"""A way between an agent and an aggregator that delays, cuts and remembers."""

import collections
import random
import socket
import threading
import time

CHUNK = 65536


class Proxy:
    """Passes connections to a port of this machine on.

    delay_s   each way
    record    whether to keep what passes, by direction: self.up and self.down
    """

    def __init__(self, target_port, delay_s=0.0, record=False):
        self.target_port = target_port
        self.delay_s = delay_s
        self.record = record
        self.up, self.down = [], []
        self.connections = 0
        self._pairs = set()
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self._listener.close()
        self.cut()

    def cut(self, share=1.0):
        """End connections, each with this probability, in the middle of what they carry."""
        with self._lock:
            pairs = [p for p in self._pairs if random.random() < share]
        for pair in pairs:
            for s in pair:
                try:
                    s.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass
        return len(pairs)

    def _accept(self):
        while True:
            try:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self.target_port))
            except OSError:
                if self._listener.fileno() < 0:
                    return
                client.close()
                continue
            pair = (client, server)
            for s in pair:
                s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._lock:
                self._pairs.add(pair)
                self.connections += 1
            self._start(pair, client, server, self.up)
            self._start(pair, server, client, self.down)

    def _start(self, pair, source, sink, kept):
        late = collections.deque()
        ready = threading.Semaphore(0)

        def read():
            while True:
                try:
                    data = source.recv(CHUNK)
                except OSError:
                    data = b""
                if self.record and data:
                    kept.append(data)
                late.append((time.monotonic() + self.delay_s, data))
                ready.release()
                if not data:
                    return

        def write():
            while True:
                ready.acquire()
                at, data = late.popleft()
                time.sleep(max(0.0, at - time.monotonic()))
                try:
                    if not data:
                        raise OSError
                    sink.sendall(data)
                except OSError:
                    break
            self._end(pair)

        for part in (read, write):
            threading.Thread(target=part, daemon=True).start()

    def _end(self, pair):
        with self._lock:
            self._pairs.discard(pair)
        for s in pair:
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            s.close()
