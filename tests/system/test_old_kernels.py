"""Kernels that are older than this one, as far as they can be had here: each version of Landlock, by a library that
answers for the kernel (old_landlock.cc). Debian 12's kernel has version 2."""
import os
import shutil
import unittest

import support

SHIM = support.BUILD / "tests" / "system" / "libold_landlock.so"
WITHOUT = support.ROOT / "tests" / "system" / "without.py"
NEWEST = 7  # what the newest one of this list adds is for the log only


class OldKernel(support.Manager):
    """A manager whose worker program meets an older Landlock, on a machine that lacks what `without` names."""

    def __init__(self, abi, without=None, *arguments, holds=None):
        super().__init__(arguments=arguments)
        os.chmod(self.directory, 0o711)
        self.programs = self.temporary.parent / "programs"
        self.programs.mkdir()
        shutil.copy(support.MANAGER, self.programs / "capsule-manager")
        real = support.BUILD / "worker" / "capsule-worker"
        holds = "" if holds is None else f" LANDLOCK_HOLDS={holds}"
        self.write("capsule-worker", f"export OLD_LANDLOCK_ABI={abi}{holds} LD_PRELOAD={SHIM}\nexec {real} \"$@\"\n")
        lacking = f"/usr/bin/python3 -B {WITHOUT} {without} -- " if without else ""
        self.write("manager", f"exec {lacking}{self.programs}/capsule-manager \"$@\"\n")

    def write(self, name, script):
        program = self.programs / name
        program.write_text("#!/bin/sh\n" + script)
        program.chmod(0o755)

    def start(self, wait_ready=True):
        manager = support.MANAGER
        try:
            support.MANAGER = self.programs / "manager"
            return super().start(wait_ready)
        finally:
            support.MANAGER = manager


@unittest.skipIf("asan" in str(support.BUILD), "a preloaded library has to come after that of the sanitiser")
class OldLandlockTest(unittest.TestCase):
    def start(self, *arguments, **options):
        manager = OldKernel(*arguments, **options)
        self.addCleanup(manager.kill)
        return manager.start()

    def run_ok(self, manager, code, *arguments):
        document = manager.run_code(code, *arguments)
        self.assertEqual(document["verdict"], "ok", document)
        return document

    def landlock(self, document):
        return next(layer for layer in document["layers"] if layer["name"] == "landlock")

    def test_each_version_is_a_layer_in_force_and_no_more_is_asked_of_it(self):
        for abi in range(1, NEWEST):
            with self.subTest(abi=abi):
                manager = self.start(abi)
                layer = self.landlock(self.run_ok(manager, "1", "--require", "landlock,seccomp,root,netns"))
                self.assertEqual((layer["state"], layer["detail"]), ("on", f"ABI {abi}"))
                found = {layer["name"]: layer for layer in manager.info("layers")["layers"]["layers"]}
                self.assertEqual(found["landlock"]["state"], "on", found["landlock"])
                manager.stop()

    def test_a_kernel_that_claims_more_than_it_holds_is_used_for_what_it_holds(self):
        truncates = "open('f', 'w').write('12345'); import os; os.truncate('f', 1)"
        for holds in range(2, 6):
            with self.subTest(holds=holds):
                manager = self.start(NEWEST, holds=holds)
                document = manager.run_code(truncates, "--require", "landlock")
                self.assertEqual(self.landlock(document)["detail"], f"ABI {holds}")
                # seccomp lets it through only where Landlock sees it.
                self.assertEqual(document["verdict"], "ok" if holds >= 3 else "exception", document)
                manager.stop()

    def test_a_kernel_whose_landlock_does_nothing_has_none(self):
        refused = OldKernel(NEWEST, None, "--strict", holds=0)
        self.addCleanup(refused.kill)
        refused.start(wait_ready=False)
        self.assertEqual(refused.wait_gone(), 77, refused.log())
        self.assertIn("landlock", refused.log())
        manager = self.start(NEWEST, holds=0)
        layer = self.landlock(self.run_ok(manager, "1"))
        self.assertEqual(layer["state"], "off", layer)
        document = manager.run_code("1", "--require", "landlock")
        self.assertEqual(document["verdict"], "rejected", document)
        found = {layer["name"]: layer for layer in manager.info("layers")["layers"]["layers"]}
        self.assertIn("claims version 7", found["landlock"]["reason"], found["landlock"])

    def test_on_debian_12_files_can_be_written_and_truncated_by_descriptor_and_not_by_name(self):
        manager = self.start(2)
        code = ("import os\nwith open('f', 'w') as f: f.write('12345'); f.flush(); f.truncate(3)\n"
                "print(open('f').read())\n"
                "try: os.truncate('f', 1)\nexcept PermissionError: print('refused')\n"
                "open('f', 'w').close(); print(os.stat('f').st_size)\n"
                "os.mkdir('d'); os.rename('f', 'd/f'); print(os.listdir('d'))")
        self.assertEqual(self.run_ok(manager, code)["stdout"], "123\nrefused\n0\n['f']\n")

    def test_on_debian_12_without_mounts_landlock_alone_keeps_files_apart(self):
        manager = self.start(2, "mount")
        states = {layer["name"]: layer["state"] for layer in self.run_ok(manager, "1")["layers"]}
        self.assertEqual((states["landlock"], states["root"]), ("on", "off"))
        for path in ("/etc/shadow", "/etc/hostname", manager.directory):
            document = manager.run_code(f"import os\nos.listdir({path!r}) if os.path.isdir({path!r}) else open({path!r})")
            self.assertEqual(document["error"]["name"], "PermissionError", document)
        target = manager.temporary.parent / "target"
        target.write_text("whole")
        target.chmod(0o666)
        document = manager.run_code(f"import os; os.truncate({str(target)!r}, 0)")
        self.assertEqual(document["error"]["name"], "PermissionError", document)
        self.assertEqual(target.read_text(), "whole")

    def test_on_debian_12_without_namespaces_it_starts_only_when_asked_to(self):
        refused = OldKernel(2, "userns")
        self.addCleanup(refused.kill)
        refused.start(wait_ready=False)
        self.assertEqual(refused.wait_gone(), 77, refused.log())
        manager = self.start(2, "userns", "--allow-degraded")
        code = ("import os, socket\nfor act in (lambda: os.kill(os.getppid(), 9), lambda: socket.socket(socket.AF_UNIX), "
                "lambda: open('/etc/shadow')):\n    try:\n        act()\n        print('done')\n"
                "    except PermissionError:\n        print('refused')")
        self.assertEqual(self.run_ok(manager, code)["stdout"].split(), ["refused"] * 3)


if __name__ == "__main__":
    unittest.main()
