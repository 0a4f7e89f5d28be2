"""Each row of the list has a case, or a reason why it has none; and nothing is said of rows and cases that are not there."""
import pathlib
import sys
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "system")]

import cases  # noqa: E402
import rows  # noqa: E402
import scenarios  # noqa: E402

REASON_CHARS = 40  # shorter is none


class RowsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cases = cases.programs() + scenarios.all_scenarios()
        cls.with_case = {rows.row_of(case.id) for case in cls.cases}

    def test_each_row_has_a_case_or_a_reason(self):
        answered = self.with_case | set(rows.PART_OF) | set(rows.NOT_HERE)
        self.assertEqual([row for row in rows.ROWS if row not in answered], [])

    def test_none_has_both(self):
        places = [self.with_case, set(rows.PART_OF), set(rows.NOT_HERE)]
        self.assertEqual([row for row in rows.ROWS if sum(row in place for place in places) != 1], [])

    def test_what_is_said_is_of_rows_and_cases_that_there_are(self):
        names = {case.name for case in self.cases}
        self.assertEqual([name for name in rows.PART_OF.values() if name not in names], [])
        self.assertEqual([row for row in (*rows.PART_OF, *rows.NOT_HERE) if row not in rows.ROWS], [])
        self.assertEqual([row for row, reason in rows.NOT_HERE.items() if len(reason) < REASON_CHARS], [])

    def test_the_list_has_no_row_twice_and_the_cases_are_as_many_as_promised(self):
        self.assertEqual(len(set(rows.ROWS)), len(rows.ROWS))
        self.assertGreaterEqual(len(self.cases), 160)
        self.assertGreaterEqual(len(set(rows.ROWS) & self.with_case), 145)


if __name__ == "__main__":
    unittest.main()
