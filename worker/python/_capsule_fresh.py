"""New randomness for a worker that was forked: nothing random may repeat between two of them.

Shared on purpose: the hash seed, which CPython fixes when the interpreter starts.
"""
import gc
import os
import sys

_TWISTER_WORDS = 624
_NAMES_TOLD = 8
_NAMES_BYTES = 256
_WORKSPACE = "/var/workspace"  # of nearly every capsule

_twister = None  # numpy's Mersenne twister in memory, where it could be found


def rehearse():
    """In the zygote: what reseeding sets up once is set up for all workers, which then mix in what is their own.

    OpenSSL takes 3 ms for its first random byte.
    """
    global _twister
    for module, reseed in _RESEEDERS:
        loaded = sys.modules.get(module)
        if loaded is not None:
            reseed(loaded)
    mtrand = sys.modules.get("numpy.random.mtrand")
    _twister = None if mtrand is None else _find_twister(mtrand)
    ssl = sys.modules.get("_ssl")
    if ssl is not None:
        ssl.RAND_bytes(1)
    _move_home(_WORKSPACE)


def after_fork():
    """Once in each new worker, on its only thread."""
    for module, reseed in _RESEEDERS:
        loaded = sys.modules.get(module)
        if loaded is not None:
            reseed(loaded)
    if os.getcwd() != _WORKSPACE:
        _move_home(os.getcwd())
    gc.enable()  # the zygote keeps it off


def after_rollback():
    """In a snapshot that takes the place of its original: all is as it was, but for the process itself."""
    ssl = sys.modules.get("_ssl")
    if ssl is not None:
        _reseed_openssl(ssl)
    threading = sys.modules.get("threading")
    if threading is not None:
        threading._main_thread._set_native_id()


def after_branch():
    """In a copy of a live session that goes on beside its original: new randomness, and all else as it was.

    Generators that the program has made itself go on from where they were, as in any copy of an object.
    """
    after_rollback()
    tempfile = sys.modules.get("tempfile")
    directory = None if tempfile is None else tempfile.tempdir
    for module, reseed in _RESEEDERS:
        loaded = sys.modules.get(module)
        if loaded is not None:
            reseed(loaded)
    if tempfile is not None:
        tempfile.tempdir = directory


def thread_names():
    """Of the threads that keep this process from being copied."""
    threading = sys.modules.get("threading")
    if threading is None:
        return "unknown"
    names = [str(thread.name) for thread in threading.enumerate() if thread is not threading._main_thread]
    return ", ".join(names[:_NAMES_TOLD])[:_NAMES_BYTES] or "not Python's"


def _move_home(directory):
    for name in ("HOME", "PWD", "MPLCONFIGDIR"):  # os.environ was read in the zygote; this changes C's environment too
        os.environ[name] = directory


def _reseed_random(random):
    random.seed()  # CPython's own hook does the same; this does not depend on it


def _reseed_numpy(mtrand):
    global _twister
    if _twister is not None:
        _twister.raw = os.urandom(_TWISTER_WORDS * 4)
        _twister = None  # once programs run here there is more to it: a position, a second normal number
        return
    # The whole state of the Mersenne twister at once: seed() with as many bits as this writes to twice the pages.
    key = sys.modules["numpy"].frombuffer(os.urandom(_TWISTER_WORDS * 4), "uint32")
    mtrand.set_state(("MT19937", key, _TWISTER_WORDS))


def _find_twister(mtrand):
    """The words of the generator's state as an array of bytes, so that new ones cost a copy and not 40 page faults.

    They are where numpy's interface for C code says, unless a profile has put another generator in their place.
    """
    try:
        generator = mtrand._rand._bit_generator
        address = generator.ctypes.state_address
        words = (sys.modules["ctypes"].c_char * (_TWISTER_WORDS * 4)).from_address(address)
        state = generator.state["state"]
    except (AttributeError, KeyError, TypeError):
        return None
    return words if state["pos"] == _TWISTER_WORDS and state["key"].tobytes() == words.raw else None


def _reseed_openssl(ssl):
    # OpenSSL notices a fork by the pid, and pids repeat from one pid namespace to the next.
    ssl.RAND_add(os.urandom(48), 48.0)


def _reseed_tempfile(tempfile):
    tempfile._name_sequence = None
    tempfile.tempdir = None  # found anew: the capsule has a /tmp of its own


def _reseed_uuid(uuid):
    uuid._last_timestamp = None
    uuid._node = None


def _reseed_multiprocessing(process):
    process.current_process().authkey = os.urandom(32)


def _forget_host(platform):
    platform._uname_cache = None  # a preloaded module may have asked for the host's name; the capsule has its own
    platform._platform_cache.clear()


_RESEEDERS = (
    ("platform", _forget_host),
    ("random", _reseed_random),
    ("numpy.random.mtrand", _reseed_numpy),
    ("_ssl", _reseed_openssl),
    ("tempfile", _reseed_tempfile),
    ("uuid", _reseed_uuid),
    ("multiprocessing.process", _reseed_multiprocessing),
)
