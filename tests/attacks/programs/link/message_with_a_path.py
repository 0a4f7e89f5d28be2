"""G04: messages with paths, and types that are to come.

by: unknown fields and types are refused
verdict: worker_lost
"""
import time

tried("paths")
send({"type": "checkpoint", "id": 1, "path": FACTS["watched"] + "/writable"})
time.sleep(5)
