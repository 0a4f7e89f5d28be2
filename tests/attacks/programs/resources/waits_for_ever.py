"""A20a: waits in select, with all signals that can be ignored ignored.

by: the wall clock
verdict: timeout
timeout_s: 0.5
"""
import select
import signal

for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
    signal.signal(number, signal.SIG_IGN)
tried("select")
select.select([], [], [])
