"""F03: print, open and others replaced in builtins: this run only.

by: a fresh worker for each run
"""
import builtins

tried("builtins")
for name in ("print", "open", "isinstance", "len", "type", "getattr", "compile", "exec", "__import__"):
    setattr(builtins, name, lambda *a, **k: (_ for _ in ()).throw(ValueError("replaced")))
