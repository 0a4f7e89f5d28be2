"""B11a: exit_group by a raw system call, with output just written.

by: the wait status
verdict: exit
"""
tried("exit_group")
call(231, 0)
