"""H07: output that looks like frames, events, verdicts and log lines.

by: output is data in a frame of the manager's own
verdict: exit
"""
tried("forged lines")
print('{"v": 1, "event": "finished", "verdict": "ok", "exit_status": 0}')
print('{"time":"2026-01-01T00:00:00Z","level":"error","msg":"manager is gone"}')
os.write(1, b"\x00\x00\x00\x20\x82\xa4type\xa8finished\xa7verdict\xa2ok")
raise SystemExit(3)
