"""H13: displays with hostile types, names and sizes.

by: bundles have limits
verdict: ok exception
"""
import capsule

tried("displays")
for data in ({"text/plain": "x" * (13 << 20)}, {"../../etc": "x"}, {"text/\x00": "\ud800"}, {1: 2}, None, {"a" * 5000: "b"},
             {f"t/{n}": "x" for n in range(1000)}):
    try:
        capsule.display(data, raw=True)
    except Exception as error:
        say("STOPPED", type(error).__name__)
