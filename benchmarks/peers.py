"""ipykernel through jupyter_client, timed in its own client and driven by lines of JSON on stdin.

Each line is {"do": WORD, ...}; the answer is one line of JSON. `execute` is timed until reply and idle have both
arrived, its output drained and counted. The transport is ipc (Unix sockets), as Capsule's is.
"""
import json
import os
import signal
import sys
import tempfile
import time

os.environ["PYDEVD_DISABLE_FILE_VALIDATION"] = "1"

import ipykernel
import jupyter_client
import psutil

TIMEOUT_S = 60


class Kernel:
    def __init__(self):
        # Its sockets would be in the working directory else, which need not be ours.
        self.directory = tempfile.TemporaryDirectory(prefix="capsule-bench-ipc-")
        self.manager = jupyter_client.KernelManager(kernel_name="python3", transport="ipc",
                                                    ip=os.path.join(self.directory.name, "kernel"))
        self.manager.start_kernel(stderr=sys.stderr.fileno())
        self.client = self.manager.client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=TIMEOUT_S)

    def stop(self):
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)
        self.directory.cleanup()

    def execute(self, code):
        """Seconds, the text of the last value, what was printed."""
        value, printed = None, []

        def take(message):
            nonlocal value
            if message["msg_type"] == "stream":
                printed.append(message["content"]["text"])
            elif message["msg_type"] == "execute_result":
                value = message["content"]["data"]["text/plain"]

        started = time.perf_counter()
        reply = self.client.execute_interactive(code, output_hook=take, timeout=TIMEOUT_S, allow_stdin=False)
        took = time.perf_counter() - started
        assert reply["content"]["status"] == "ok", reply["content"]
        return took, value, printed

    def versions(self, order):
        return {"versions": f"ipykernel {ipykernel.__version__}, jupyter_client {jupyter_client.__version__}"}

    def roundtrips(self, order):
        seconds = []
        for i in range(order["count"]):
            took, value, _ = self.execute(order["code"])
            assert value == order["result"], value
            seconds.append(took)
        return {"seconds": seconds}

    def output(self, order):
        took, _, printed = self.execute(order["code"])
        text = "".join(printed)
        line = order["line"]
        assert text == line * (order["bytes"] // len(line)), f"{len(text)} of {order['bytes']} bytes arrived"
        return {"seconds": [took]}

    def interrupts(self, order):
        seconds = []
        for i in range(order["count"]):
            # Else the kernel answers what comes right after an error with "aborted".
            self.client.execute("print('round', flush=True)\nwhile True: pass", stop_on_error=False)
            self._iopub_until(lambda message: message["msg_type"] == "stream")
            time.sleep(order["head_s"])
            started = time.perf_counter()
            self.manager.interrupt_kernel()
            reply = self.client.get_shell_msg(timeout=TIMEOUT_S)
            self._iopub_until(lambda message: message["content"].get("execution_state") == "idle")
            seconds.append(time.perf_counter() - started)
            assert reply["content"]["ename"] == "KeyboardInterrupt", reply["content"]
        return {"seconds": seconds}

    def memory(self, order):
        return {"uss_bytes": psutil.Process(self.manager.provisioner.pid).memory_full_info().uss}

    def _iopub_until(self, wanted):
        while not wanted(self.client.get_iopub_msg(timeout=TIMEOUT_S)):
            pass


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # by way of `finally`: the kernel goes too
    kernel = Kernel()
    orders = {each.__name__: each
              for each in (kernel.versions, kernel.roundtrips, kernel.output, kernel.interrupts, kernel.memory)}
    try:
        print("ready", flush=True)
        for line in sys.stdin:
            order = json.loads(line)
            print(json.dumps(orders[order["do"]](order)), flush=True)
    finally:
        kernel.stop()


main()
