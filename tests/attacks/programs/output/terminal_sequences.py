"""H06: sequences that command a terminal: titles, the clipboard, links, queries, device control.

by: bytes pass unchanged to --json; the command escapes them for a terminal
"""
tried("escape sequences")
for sequence in ("\x1b]0;owned\x07", "\x1b]52;c;ZWNobyBvd25lZA==\x07", "\x1b]8;;http://example.com\x07x\x1b]8;;\x07", "\x1bP+q544e\x1b\\",
                 "\x1b[6n", "\x1b[c", "\x1b[2J\x1b[H", "\x9b31m", "\x1b[?1049h", "\r\x1b[Kverdict: ok\n"):
    print(sequence)
