"""F15a: a codec search function that never ends.

by: the wall clock
verdict: timeout
timeout_s: 0.7
"""
import codecs
import time

tried("codecs")
codecs.register(lambda name: time.sleep(10**6))
"x".encode("no-such-codec")
