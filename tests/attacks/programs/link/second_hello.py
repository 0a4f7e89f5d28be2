"""G02c: another hello with other layers, another role, another profile.

by: the state machine of the link
verdict: worker_lost
"""
import time

tried("a second hello")
send({"type": "hello", "version": 1, "role": "manager", "software": "x", "profile": "data",
      "layers": [{"name": "seccomp", "state": "on", "detail": "all of it"}]})
time.sleep(5)
