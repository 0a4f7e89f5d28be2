# Stands in front of the programs in programs/link: the worker's end of its link, and just enough msgpack to lie on it.
import gc
import socket
import stat
import struct


def link():
    """The number of the link: the one socket that nobody here has opened."""
    for fd in range(3, 256):
        try:
            if stat.S_ISSOCK(os.fstat(fd).st_mode):
                return fd
        except OSError:
            pass
    raise LookupError("no link")


def run_id():
    return next(each.id for each in gc.get_objects() if type(each).__name__ == "Run" and type(each).__module__.startswith("_capsule"))


def payload(*choices):
    """The one of them that this run is about; the header says how many there are."""
    if len(choices) != FACTS["payloads"]:
        got(f"the header says {FACTS['payloads']} payloads, there are {len(choices)}")
    return choices[FACTS["payload"]]


def pack(value):
    if isinstance(value, int):
        return struct.pack(">BQ", 0xCF, value)
    if isinstance(value, float):
        return struct.pack(">Bd", 0xCB, value)
    if isinstance(value, str):
        return struct.pack(">BI", 0xDB, len(value.encode())) + value.encode()
    if isinstance(value, bytes):
        return struct.pack(">BI", 0xC6, len(value)) + value
    if isinstance(value, list):
        return struct.pack(">BI", 0xDD, len(value)) + b"".join(map(pack, value))
    return struct.pack(">BI", 0xDF, len(value)) + b"".join(pack(key) + pack(each) for key, each in value.items())


def frame(message):
    payload = pack(message)
    return struct.pack(">I", len(payload)) + payload


def send_payload(payload):
    data = memoryview(struct.pack(">I", len(payload)) + payload)
    while data:
        data = data[os.write(link(), data):]


def send(message):
    send_payload(pack(message))


def finished(verdict, of=None):
    return {"type": "finished", "run_id": run_id() if of is None else of, "verdict": verdict}
