"""The numbered list of bad inputs and attacks that this suite answers, by the ids of its rows; a letter is a table.

A row has the cases whose id begins with it (`A14` and `A14b` for row A14). Those that are part of another row's case are
in PART_OF, by that case's name; those that make no sense here are in NOT_HERE, with the reason. test_rows.py holds the
list against the cases.
"""
import re

# A resources, B processes and signals, C files and paths, D the kernel's surface, E network and descriptors, F the
# interpreter, G a worker's link, H output, I checkpoints, J the manager's clients, K secrets.
TABLES = {
    "A": "01 02 03 04 05 06 07 08 09 10 11 12 13 14 15 16 17 18 19 20 21 24 27 30",
    "B": "01 02 03 04 05 06 07 08 09 10 11 12 13 14 15 16 18 21 24 27 30",
    "C": "01 02 03 04 05 06 07 08 09 10 11 12 13 15 18 21 24 27 30",
    "D": "01 02 03 04 05 06 07 08 09 10 11 12 13 14 15 18 21 24 27 30",
    "E": "01 02 03 04 05 06 07 08 09 10 11 12 13 15 18",
    "F": "03 05 06 09 12 13 15 16 18 21 22 24 27 30",
    "G": "01 02 03 04 05 06 07 08 09 10 11 12 15 18 21 24",
    "H": "01 02 03 04 05 06 09 12 15",
    "I": "01 03 05 06 09 12 15",
    "J": "03 04 05 06 07 08 09 12 15 18 21 24",
    "K": "03 06 09 12",
}
ROWS = [letter + number for letter, numbers in TABLES.items() for number in numbers.split()]

PART_OF = {
    "A14": "hostile_artifacts",  # a hundred links to one large file
    "C07": "links_where_others_write",  # links where a supervisor changes owners and modes, and cleans up
    "C10": "swapped_while_copied",  # a directory that moves away during the walk
    "C11": "hostile_artifacts",  # a FIFO, a socket, directories
    "C13": "hostile_artifacts",  # names with line ends, escapes, 255 bytes, surrogates
    "E15": "what_open_descriptors_can_do",  # there is no descriptor of a log: each that there is, is written to
}
NOT_HERE = {
    "J12": "The protocol has no idempotency keys: a request that is sent again is another run. What a client that lost its "
           "answer can do is look for its run among its records (`capsule ps --all`): it was written before it was accepted.",
}


def row_of(identity):
    """`A14b` is a relative of A14."""
    return re.fullmatch(r"([A-Z]\d\d)[a-z]?", identity)[1]
