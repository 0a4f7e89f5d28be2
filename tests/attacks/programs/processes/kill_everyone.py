"""B01: SIGKILL to everything it can name with kill(-1).

by: the pid namespace, the keeper's guard
"""
import signal

tried("kill(-1, SIGKILL)")
try:
    os.kill(-1, signal.SIGKILL)
except OSError as error:
    stopped(error)
