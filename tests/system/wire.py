"""A client of the manager's socket that can send anything, well-formed or not. Just enough msgpack for that."""
import socket
import struct

HELLO = {"type": "hello", "version": 1, "role": "client", "software": "system-test/1",
         "features": ["display", "input-credit", "interrupt", "sessions"]}


def pack(value):
    """bool, int, float, str, bytes, list, dict. A dict keeps its order, and `type` has to be first."""
    if value is None:
        return b"\xc0"
    if isinstance(value, bool):
        return b"\xc3" if value else b"\xc2"
    if isinstance(value, int):
        return struct.pack(">BQ", 0xCF, value) if value >= 0 else struct.pack(">Bq", 0xD3, value)
    if isinstance(value, float):
        return struct.pack(">Bd", 0xCB, value)
    if isinstance(value, str):
        text = value.encode("utf-8", "surrogateescape")
        return struct.pack(">BI", 0xDB, len(text)) + text
    if isinstance(value, bytes):
        return struct.pack(">BI", 0xC6, len(value)) + value
    if isinstance(value, list):
        return struct.pack(">BI", 0xDD, len(value)) + b"".join(map(pack, value))
    if isinstance(value, dict):
        return struct.pack(">BI", 0xDF, len(value)) + b"".join(pack(k) + pack(v) for k, v in value.items())
    raise TypeError(type(value))


_SIZED = {0xC4: (">B", "bin"), 0xC5: (">H", "bin"), 0xC6: (">I", "bin"), 0xD9: (">B", "str"), 0xDA: (">H", "str"),
          0xDB: (">I", "str"), 0xDC: (">H", "array"), 0xDD: (">I", "array"), 0xDE: (">H", "map"), 0xDF: (">I", "map")}
_NUMBER = {0xCA: ">f", 0xCB: ">d", 0xCC: ">B", 0xCD: ">H", 0xCE: ">I", 0xCF: ">Q",
           0xD0: ">b", 0xD1: ">h", 0xD2: ">i", 0xD3: ">q"}
_SINGLE = {0xC0: None, 0xC2: False, 0xC3: True}


class _Unpacker:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, size):
        piece = self.data[self.at:self.at + size]
        if len(piece) != size:
            raise ValueError("cut msgpack")
        self.at += size
        return piece

    def number(self, form):
        return struct.unpack(form, self.take(struct.calcsize(form)))[0]

    def sized(self, kind, size):
        if kind == "bin":
            return bytes(self.take(size))
        if kind == "str":
            return self.take(size).decode()
        if kind == "array":
            return [self.value() for _ in range(size)]
        return {self.value(): self.value() for _ in range(size)}

    def value(self):
        head = self.number(">B")
        if head < 0x80:
            return head
        if head >= 0xE0:
            return head - 256
        if head < 0x90:
            return self.sized("map", head & 0x0F)
        if head < 0xA0:
            return self.sized("array", head & 0x0F)
        if head < 0xC0:
            return self.sized("str", head & 0x1F)
        if head in _SINGLE:
            return _SINGLE[head]
        if head in _NUMBER:
            return self.number(_NUMBER[head])
        form, kind = _SIZED[head]
        return self.sized(kind, self.number(form))


def unpack(data):
    return _Unpacker(data).value()


def frame(message):
    payload = message if isinstance(message, bytes) else pack(message)
    return struct.pack(">I", len(payload)) + payload


class RawClient:
    """Use as a context manager. receive() gives a dict, or None at the end of the connection."""

    def __init__(self, path, timeout=20.0):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(timeout)
        self.socket.connect(path)
        self.next_id = 1

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def send_bytes(self, data):
        self.socket.sendall(data)

    def send(self, message):
        self.send_bytes(frame(message))

    def receive(self):
        header = self._exactly(4)
        if header is None:
            return None
        payload = self._exactly(struct.unpack(">I", header)[0])
        return None if payload is None else unpack(payload)

    def _exactly(self, size):
        parts = []
        while size:
            try:
                piece = self.socket.recv(min(size, 1 << 20))
            except (ConnectionResetError, BrokenPipeError):
                return None
            if not piece:
                return None
            parts.append(piece)
            size -= len(piece)
        return b"".join(parts)

    def hello(self):
        self.send(HELLO)
        answer = self.receive()
        assert answer and answer["type"] == "hello", answer
        return answer

    def execute(self, code, **fields):
        """Sends the request; gives the run's id, or the error message."""
        request = {"type": "execute", "id": self.next_id, "mode": "script", **fields,
                   "code": code if isinstance(code, bytes) else code.encode()}
        self.next_id += 1
        self.send(request)
        answer = self.receive_of("accepted", "error")
        return answer["run_id"] if answer["type"] == "accepted" else answer

    def receive_of(self, *types):
        """The next message of one of these types; others are skipped."""
        while True:
            message = self.receive()
            assert message is not None, f"the connection ended while waiting for {types}"
            if message["type"] in types:
                return message

    def messages_until_finished(self):
        messages = []
        while not messages or messages[-1]["type"] != "finished":
            messages.append(self.receive())
            assert messages[-1] is not None, "the connection ended before the run did"
        return messages

    def rest(self):
        """Everything until the end of the connection."""
        messages = []
        while (message := self.receive()) is not None:
            messages.append(message)
        return messages
