"""B01b: SIGKILL to its own process group: it may hit itself, and nothing else.

by: the keeper's guard
verdict: crashed
signal: 9
"""
tried("kill(0, SIGKILL)")
os.kill(0, 9)
