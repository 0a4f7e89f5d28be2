"""B36: sends itself SIGSYS, as if the sandbox had stopped it.

by: the keeper knows who sent it
verdict: crashed
signal: 31
"""
tried("SIGSYS to itself")
os.kill(os.getpid(), 31)
