"""F05: stdout, stderr, excepthook and displayhook replaced by nonsense.

by: the worker's own way to the pipes
verdict: ok exception
"""
tried("hooks")
sys.stdout = sys.stderr = None
sys.excepthook = sys.displayhook = sys.unraisablehook = 42
