"""A30: every hard limit raised.

by: no capabilities
stopped: ValueError EPERM
"""
import resource

for name in sorted(n for n in dir(resource) if n.startswith("RLIMIT_")):
    limit = getattr(resource, name)
    soft, hard = resource.getrlimit(limit)
    if hard == resource.RLIM_INFINITY:
        continue
    tried(name)
    try:
        resource.setrlimit(limit, (hard, hard + 1))
        got(f"{name} raised")
    except (ValueError, OSError) as error:
        stopped(error)
