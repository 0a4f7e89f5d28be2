"""F06: every descriptor closed, the link too.

by: the manager sees the link end
verdict: worker_lost
"""
import time

tried("closerange")
os.closerange(3, 65536)
time.sleep(30)
