"""A worker process for tests: the embedded modules with a fake _capsule, driven over a socket.

Arguments: the embedded modules' folder, the socket's descriptor, the descriptor of the shared page with the id of the
cancelled run, and the descriptor on which programs say that they are ready. Each run gets files of its own on
descriptors 1 and 2, as a worker's run gets pipes.
"""
import base64
import json
import mmap
import os
import socket
import sys
import types

import _capsule

MODULES = ("_capsule_routes", "_capsule_streams", "_capsule_figures", "_capsule_bundle", "_capsule_errors",
           "_capsule_stacks", "_capsule_loop", "_capsule_interrupt", "_capsule_metrics", "_capsule_fresh",
           "_capsule_compile", "_capsule_run", "capsule")


def read_cancelled(page):
    return page[:64].rstrip(b"\0").decode()


def content(fd):
    return os.pread(fd, os.fstat(fd).st_size, 0).decode("utf-8", "surrogateescape")


def packed(item):
    return {key: base64.b64encode(value).decode() for key, value in item.items()} if isinstance(item, dict) else item


class Driver:
    def __init__(self, ready_fd):
        self.files = []  # (stdout, stderr) of each run
        self.ready_fd = ready_fd

    def run(self, request):
        files = tuple(os.memfd_create(name) for name in ("out", "err"))
        self.files.append(files)
        if request.pop("broken_stdout", False):
            files = (os.open("/dev/full", os.O_WRONLY), files[1])
        stdin = os.open(os.devnull, os.O_RDONLY)
        if "input" in request:
            stdin = os.memfd_create("in")
            os.write(stdin, request.pop("input").encode())
            os.lseek(stdin, 0, os.SEEK_SET)
        for fd, number in ((stdin, 0), (files[0], 1), (files[1], 2)):
            os.dup2(fd, number)
        os.close(stdin)
        _capsule.sent.clear()
        request["code"] = base64.b64decode(request["code"]).replace(b"READY_FD", str(self.ready_fd).encode())
        result = sys.modules["_capsule_run"].execute(request)
        result["sent"] = [[packed(item) for item in sent] for sent in _capsule.sent]
        return result | self.output(-1)

    def output(self, index):
        out, err = self.files[index]
        return {"stdout": content(out), "stderr": content(err)}

    def outputs(self):
        return [self.output(index) for index in range(len(self.files))]


def load_embedded(name):
    """As the worker does: from a string, under a file name that is none."""
    with open(os.path.join(sys.argv[1], name + ".py"), encoding="utf-8") as file:
        code = compile(file.read(), f"<{name}>", "exec")
    module = sys.modules[name] = types.ModuleType(name)
    module.__file__ = f"<{name}>"
    exec(code, module.__dict__)


def main():
    socket_fd, page_fd, ready_fd = map(int, sys.argv[2:5])
    page = mmap.mmap(page_fd, 4096)
    _capsule.read_cancelled = lambda: read_cancelled(page)
    for name in MODULES:
        load_embedded(name)
    run = sys.modules["_capsule_run"]
    run.warm_up()
    sys.modules["_capsule_fresh"].after_fork()
    sys.modules["_capsule_streams"].install()
    sys.modules["_capsule_interrupt"].install()
    run.warm_up()
    driver = Driver(ready_fd)
    with socket.socket(fileno=socket_fd) as channel, channel.makefile("rw") as lines:
        for line in lines:
            kind, argument = json.loads(line)
            answer = {"run": driver.run, "outputs": lambda _: driver.outputs(),
                      "healthy": lambda _: run.healthy()}[kind](argument)
            lines.write(json.dumps(answer) + "\n")
            lines.flush()
    os._exit(0)  # as a worker: whatever threads are left


if __name__ == "__main__":
    main()
