"""H15: a program that makes names: of threads, processes and files, with quotes and line ends, for logs and metrics.

by: nothing a program names is a label
verdict: exit
"""
import threading

tried("names")
name = '"} 1\ncapsule_forged{x="'
threading.current_thread().name = name
call(157, 15, name.encode()[:15] + b"\0")
for n in range(20):
    threading.Thread(target=lambda: call(157, 15, b"\x1b]0;x\x07\n\0"), name=name).start()
raise SystemExit(name and 3)
