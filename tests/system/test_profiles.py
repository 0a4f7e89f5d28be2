"""What a profile may give and take: data, packages, variables; and no processes."""
import os
import unittest

from support import SMALL, ManagerCase


class ProfileTest(ManagerCase):
    @classmethod
    def setUpClass(cls):
        place = cls.directory_for_programs()
        cls.data, cls.packages = place / "data", place / "packages"
        cls.data.mkdir()
        (cls.data / "numbers.csv").write_text("1,2,3\n")
        cls.packages.mkdir()
        (cls.packages / "house_rules.py").write_text("ANSWER = 42\n")
        os.environ["CAPSULE_TEST_SHARED"] = "from the host"
        cls.addClassCleanup(os.environ.pop, "CAPSULE_TEST_SHARED")
        cls.config = SMALL + f"""
[profiles.alone]
subprocess = false

[profiles.furnished]
preload = ["house_rules"]
mounts = [{{ source = "{cls.data}", target = "/data" }}]
packages = ["{cls.packages}"]
environment = {{ COURSE = "algebra" }}
environment_from_host = ["CAPSULE_TEST_SHARED"]
"""
        super().setUpClass()

    def run_in(self, profile, code):
        return self.manager.run("--profile", profile, "-c", code)

    def text_in(self, profile, code):
        document = self.run_in(profile, code)
        self.assert_verdict(document, "ok", 0)
        return document["result"]["text/plain"]

    def test_without_subprocesses_every_way_to_start_one_is_refused(self):
        for code in ("import subprocess; subprocess.run(['/bin/true'])", "import os; os.fork()",
                     "import os; os.execv('/bin/true', ['true'])", "import os; os.posix_spawn('/bin/true', ['true'], {})"):
            with self.subTest(code):
                document = self.run_in("alone", code)
                self.assert_verdict(document, "exception", 1)
                self.assertEqual(document["error"]["name"], "PermissionError")

    def test_without_subprocesses_there_are_threads_still(self):
        code = ("import threading\nseen = []\nt = threading.Thread(target=seen.append, args=(1,))\n"
                "t.start(); t.join()\nseen")
        self.assertEqual(self.text_in("alone", code), "[1]")

    def test_data_is_read_where_it_was_mounted_and_cannot_be_written(self):
        self.assertEqual(self.text_in("furnished", "open('/data/numbers.csv').read()"), r"'1,2,3\n'")
        for code in ("open('/data/numbers.csv', 'a')", "open('/data/new', 'w')", "import os; os.unlink('/data/numbers.csv')"):
            with self.subTest(code):
                self.assert_verdict(self.run_in("furnished", code), "exception", 1)
        self.assertEqual((self.data / "numbers.csv").read_text(), "1,2,3\n")
        self.assertEqual(os.listdir(self.data), ["numbers.csv"])

    def test_packages_can_be_preloaded_and_imported_and_not_be_changed(self):
        self.assertEqual(self.text_in("furnished", "import house_rules; house_rules.ANSWER"), "42")
        document = self.run_in("furnished", "import house_rules; open(house_rules.__file__, 'a')")
        self.assert_verdict(document, "exception", 1)

    def test_programs_have_the_variables_that_their_profile_names_and_no_others(self):
        code = "import os; (os.environ.get('COURSE'), os.environ.get('CAPSULE_TEST_SHARED'))"
        self.assertEqual(self.text_in("furnished", code), "('algebra', 'from the host')")
        self.assertEqual(self.text_in("alone", code), "(None, None)")

    def test_what_another_profile_has_is_not_there(self):
        self.assertEqual(self.text_in("alone", "import os; os.path.exists('/data')"), "False")
        self.assertEqual(self.run_in("alone", "import house_rules")["error"]["name"], "ModuleNotFoundError")


if __name__ == "__main__":
    unittest.main()
