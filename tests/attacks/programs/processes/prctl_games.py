"""B18: the death signal cleared, a subreaper, any tracer, another memory layout.

by: seccomp; the keeper and its pid namespace end everything all the same
"""
import time

for what, arguments in (("PDEATHSIG", (1, 0)), ("SUBREAPER", (36, 1)), ("PTRACER any", (0x59616D61, -1)),
                        ("DUMPABLE", (4, 1)), ("KEEPCAPS", (8, 1)), ("SECUREBITS", (28, 0)), ("SET_MM", (35, 1, 0))):
    tried(what)
    try:
        call(157, *arguments)
    except OSError as error:
        stopped(error)
if os.fork() == 0:
    call(157, 1, 0)
    os.setsid()
    time.sleep(600)
