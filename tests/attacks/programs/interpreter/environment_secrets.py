"""F24a: secrets in the environment, in the first environment, in arguments.

by: the environment layer
"""
tried("environment")
for text in (repr(dict(os.environ)), open("/proc/self/environ", "rb").read().decode(), open("/proc/self/cmdline", "rb").read().decode()):
    if "CANARY" in text or "CAPSULE_TEST" in text or FACTS["manager_directory"] in text:
        got(text)
