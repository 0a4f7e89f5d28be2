"""B38: sends itself SIGXCPU, as if processor time had run out.

by: the manager's own measure
verdict: crashed
signal: 24
"""
import signal

signal.signal(signal.SIGXCPU, signal.SIG_DFL)
tried("SIGXCPU to itself")
os.kill(os.getpid(), signal.SIGXCPU)
