"""C31: the workspace renamed, deleted, replaced by a link, made unreadable.

by: it is a mount of its own
"""
for what, act in (("rename", lambda: os.rename("/workspace", "/elsewhere")), ("rmdir", lambda: os.rmdir("/workspace")),
                  ("no rights", lambda: os.chmod("/workspace", 0)), ("link", lambda: os.symlink(FACTS["watched"], "/workspace"))):
    tried(what)
    try:
        act()
    except OSError as error:
        stopped(error)
