"""F18e: lone surrogates and NUL in output, errors and values.

by: the worker replaces what is not UTF-8
verdict: exception
"""
tried("surrogates")
os.write(2, b"\xed\xa0\x80\x00\xff")
raise ValueError("\ud800\x00\udfff" * 100)
