"""G02b: messages that only a manager, a keeper or a client may send.

by: the table of who may say what
verdict: worker_lost
payloads: 9
"""
import time

tried("messages of others")
send(payload(
    {"type": "exited", "pid": 2, "status": 0}, {"type": "branched", "re": 1, "pid": 2}, {"type": "branch", "id": 1},
    {"type": "execute", "mode": "script", "code": b"1"}, {"type": "info", "id": 1},
    {"type": "cancel", "id": 1, "run_id": run_id()}, {"type": "shutdown"}, {"type": "session", "id": 1, "operation": "ls"},
    {"type": "prepare", "id": 1, "profile": "x", "namespaces": "off", "heartbeat_ms": 1, "workspace_bytes": 1, "workspace_files": 1}))
time.sleep(5)
