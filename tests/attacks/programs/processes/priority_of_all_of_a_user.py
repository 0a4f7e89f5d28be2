"""B02j: the priority of every process of the user, and of the keeper's group.

by: seccomp
stopped: EPERM ESRCH EACCES ENOSYS
"""
refused("PRIO_USER", os.setpriority, os.PRIO_USER, os.getuid(), 19)
refused("PRIO_PGRP of 1", os.setpriority, os.PRIO_PGRP, 1, 19)
refused("ioprio_set of a user", call, 251, 3, os.getuid(), (3 << 13))
