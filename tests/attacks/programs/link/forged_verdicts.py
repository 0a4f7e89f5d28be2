"""G01a: every verdict that is not a worker's to give, forged.

by: the manager believes four words of `finished`, and nothing else
verdict: worker_lost
"""
import time

tried("forged verdicts")
for word in ("out_of_memory", "timeout", "violation", "internal_error", "aborted", "rejected", "nonsense", ""):
    send(finished(word))
time.sleep(5)
