"""G23: its output pipes shrunk, made non-blocking, filled without a reader's pace.

by: each end has modes of its own; the manager reads at its own pace
verdict: ok timeout
timeout_s: 10
"""
import fcntl

tried("output pipes")
for fd in (1, 2):
    try:
        fcntl.fcntl(fd, 1031, 4096)
    except OSError as error:
        stopped(error)
    os.set_blocking(fd, False)
    for _ in range(1000):
        try:
            os.write(fd, b"x" * 999 + b"\n")
        except BlockingIOError:
            pass
    os.set_blocking(fd, True)
