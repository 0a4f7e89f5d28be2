"""G03: heartbeats that show no memory, no time, or the end of time.

by: the manager measures itself; a heartbeat is only a sign of life
verdict: ok worker_lost
timeout_s: 10
"""
import time

tried("forged heartbeats")
for fields in ({"seq": 0, "rss_bytes": 0}, {"seq": 2**64 - 1, "rss_bytes": 2**64 - 1, "threads": 2**32 - 1, "uptime_ms": 2**64 - 1},
               {"seq": 5, "cpu_percent": 1e308}):
    send({"type": "heartbeat", **fields})
time.sleep(0.3)
