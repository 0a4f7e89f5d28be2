"""What came first: bytes of each stream, of both, of the run and of its end (row H04)."""
import re

from branches import BranchClient
from scenarios import scenario

LINES = 2000
# One writer through Python's streams, one past them, one in a child: each line says which of its writer it is.
WRITES = r'''
import os, sys, threading
def lines(name, stream, count=%d):
    for n in range(count):
        stream.write(f"{name} {n}\n")
def raw(name, fd, count=%d):
    for n in range(count):
        os.write(fd, f"{name} {n}\n".encode())
threads = [threading.Thread(target=raw, args=(f"raw{fd}", fd)) for fd in (1, 2)]
child = os.fork()
if child == 0:
    raw("child1", 1); raw("child2", 2)
    os._exit(0)
for thread in threads: thread.start()
lines("python1", sys.stdout); lines("python2", sys.stderr)
for thread in threads: thread.join()
os.waitpid(child, 0)
os.write(1, b"last 1\n"); os.write(2, b"last 2\n")
"the value"
''' % (LINES, LINES)
LEFT_OVER = r'''
import os, time
if os.fork() == 0:
    while True:
        try: os.write(1, b"left over\n")
        except OSError: pass
        time.sleep(0.001)
print("first")
'''


def check_stream(messages, stream):
    """Each chunk begins where the one before ended, and each writer's lines are whole, all there, and in their order."""
    chunks = [message for message in messages if message["type"] == "output" and message["stream"] == stream]
    at = 0
    for chunk in chunks:
        assert chunk.get("offset", 0) == at, f"stream {stream} goes on at {chunk.get('offset')}, it was at {at}"
        at += len(chunk["data"])
    text = b"".join(chunk["data"] for chunk in chunks).decode()
    for writer in (f"raw{stream}", f"child{stream}", f"python{stream}"):
        numbers = [int(n) for n in re.findall(rf"^{writer} (\d+)$", text, re.M)]
        assert numbers == list(range(LINES)), f"{writer}: {len(numbers)} lines, {numbers[:5]}..."
    assert text.endswith(f"last {stream}\n"), f"stream {stream} ends with {text[-40:]!r}"


@scenario("H04", "six writers on two streams: each stream in its order, nothing of it after the result, nothing of one run in the next")
def order_of_output(arena):
    with BranchClient(arena.manager.socket) as client:
        session = client.new(rollback="off")
        try:
            for _ in range(2 if arena.short else 20):
                client.start(session, WRITES)
                messages = client.messages_until_finished()
                assert messages[-1]["verdict"] == "ok", messages[-1]
                kinds = [message["type"] for message in messages]
                numbers = [message.get("seq", 0) for message in messages if message["type"] == "output"]
                assert numbers == list(range(len(numbers))), "chunks are out of their order"
                assert kinds.index("result") > max(n for n, kind in enumerate(kinds) if kind == "output"), "output after the result"
                for stream in (1, 2):
                    check_stream(messages, stream)
            client.run(session, LEFT_OVER)
            for n in range(5):
                run = client.start(session, f"import time; time.sleep(0.05); print('run {n}')")
                mine = b"".join(message["data"] for message in client.messages_until_finished()
                                if message["type"] == "output" and message["run_id"] == run and not message.get("late"))
                assert mine == f"run {n}\n".encode(), f"another run's output stands in this one's: {mine[:100]!r}"
        finally:
            client.session("rm", session)
