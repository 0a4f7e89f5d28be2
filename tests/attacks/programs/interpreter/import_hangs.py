"""F15: an import that never ends, with the import lock held.

by: the wall clock
verdict: timeout
timeout_s: 0.7
"""
open("hanging.py", "w").write("import time\nwhile True: time.sleep(100)\n")
sys.path.insert(0, os.getcwd())
tried("import")
import hanging  # noqa: F401
