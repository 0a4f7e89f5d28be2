"""G01a: every verdict that is not a worker's to give, forged.

by: the manager believes four words of `finished`, and nothing else
verdict: worker_lost
payloads: 8
"""
import time

tried("forged verdicts")
send(finished(payload("out_of_memory", "timeout", "violation", "internal_error", "aborted", "rejected", "nonsense", "")))
time.sleep(5)
