"""B14a: deeply nested JSON, pickles, source and expressions.

by: errors of Python
"""
import ast
import json
import pickle

for what, act in (("json", lambda: json.loads("[" * 200000)), ("pickle", lambda: pickle.loads(b"(" * 200000 + b".")),
                  ("ast", lambda: ast.parse("(" * 200000)), ("eval", lambda: eval("-" * 100000 + "1"))):
    tried(what)
    try:
        act()
    except (RecursionError, MemoryError, SyntaxError, ValueError, pickle.UnpicklingError, EOFError, IndexError) as error:
        stopped(type(error)())
