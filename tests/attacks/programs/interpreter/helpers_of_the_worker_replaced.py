"""F22a: the functions that end a run replaced by ones that lie.

by: a worker can lie only about itself, in words the protocol lets it say
verdict: ok exception worker_lost timeout
timeout_s: 5
"""
tried("helpers replaced")
for name, module in list(sys.modules.items()):
    if name.startswith("_capsule") and name != "_capsule":
        for each in dir(module):
            if callable(getattr(module, each)) and not each.startswith("__"):
                setattr(module, each, lambda *a, **k: None)
