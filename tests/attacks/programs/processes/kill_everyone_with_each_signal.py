"""B01a: every signal number to kill(-1), real-time ones too.

by: the pid namespace, the keeper's guard
"""
for number in range(1, 65):
    tried(number)
    try:
        os.kill(-1, number)
    except OSError as error:
        stopped(error)
