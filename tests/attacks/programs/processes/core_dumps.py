"""B41: a core dump of itself, where it would land outside.

by: RLIMIT_CORE 0
verdict: crashed
signal: 3
"""
import resource
import signal

tried("a core dump")
try:
    resource.setrlimit(resource.RLIMIT_CORE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    got("RLIMIT_CORE raised")
except (ValueError, OSError) as error:
    stopped(error)
signal.signal(signal.SIGQUIT, signal.SIG_DFL)
os.kill(os.getpid(), signal.SIGQUIT)
