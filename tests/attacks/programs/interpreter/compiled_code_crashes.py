"""F31: byte code that no compiler would make.

by: the wait status
verdict: crashed exception ok timeout
timeout_s: 5
"""
import types

tried("byte code")
code = (lambda: None).__code__
for first in range(0, 256, 3):
    pid = os.fork()
    if pid == 0:
        try:
            exec(code.replace(co_code=bytes([first, 255] * 20), co_stacksize=2))
        except BaseException:
            pass
        os._exit(0)
    os.waitpid(pid, 0)
exec(code.replace(co_code=bytes([100, 255, 83, 0]), co_consts=()))
