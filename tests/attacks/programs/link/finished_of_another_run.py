"""G02: `finished` for runs that are not its own.

by: the run is known by the link
verdict: worker_lost
payloads: 5
"""
import time

tried("another run's end")
mine = run_id()
send(finished("ok", payload(mine[:-1] + ("0" if mine[-1] != "0" else "1"), "", "0" * 36, "../../x", mine + "x")))
time.sleep(5)
