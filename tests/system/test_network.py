"""Profiles with network: a loopback of their own, or the hosts they list, through the manager's proxy."""
import http.server
import socket
import threading
import unittest

from support import SMALL, ManagerCase


class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = f"hello {self.path}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))[::-1]
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def serve():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server, server.server_address[1]


# no_proxy keeps 127.0.0.1 off the proxy by default: it is the capsule's own.
FETCH = """
import urllib.request, urllib.error
opener = urllib.request.build_opener(urllib.request.ProxyHandler({"http": "http://127.0.0.1:3128"}))
def fetch(url, data=None):
    request = urllib.request.Request(url, data)
    request.set_proxy("127.0.0.1:3128", "http")
    try:
        return opener.open(request, timeout=10).read().decode()
    except urllib.error.HTTPError as error:
        return f"{error.code} {error.read().decode().strip()}"
"""
TUNNEL = """
import socket
def tunnel(target, send=b""):
    with socket.create_connection(("127.0.0.1", 3128), 10) as s:
        s.sendall(b"CONNECT " + target.encode() + b" HTTP/1.1\\r\\n\\r\\n")
        head = b""
        while not head.endswith(b"\\r\\n\\r\\n"):
            piece = s.recv(1)
            if not piece: break
            head += piece
        status = head.split(b" ")[1].decode()
        if status != "200": return status
        s.sendall(send)
        answer = b""
        while piece := s.recv(4096): answer += piece
        return answer.split(b"\\r\\n\\r\\n", 1)[1].decode()
"""


class ListTest(ManagerCase):
    @classmethod
    def setUpClass(cls):
        cls.listed, port = serve()
        cls.other, cls.other_port = serve()
        cls.port = port
        cls.addClassCleanup(cls.listed.shutdown)
        cls.addClassCleanup(cls.other.shutdown)
        cls.config = SMALL + (f'[profiles.base]\nnetwork = ["127.0.0.1:{port}", "localhost:{port}", '
                              f'"localhost:{cls.other_port}"]\n')
        super().setUpClass()

    def printed(self, code):
        document = self.manager.run_code(code)
        self.assert_verdict(document, "ok", 0)
        return document["stdout"].strip()

    def test_what_is_listed_answers(self):
        url = f"http://127.0.0.1:{self.port}"
        self.assertEqual(self.printed(FETCH + f"print(fetch('{url}/a?b=c'))"), "hello /a?b=c")
        self.assertEqual(self.printed(FETCH + f"print(fetch('{url}/', b'x' * 100000 + b'y')[:2])"), "yx")
        self.assertEqual(self.printed(FETCH + f"print(fetch('http://localhost:{self.port}/name'))"), "hello /name")

    def test_a_tunnel_carries_bytes_both_ways(self):
        request = "b'GET /t HTTP/1.1\\r\\nHost: x\\r\\nConnection: close\\r\\n\\r\\n'"
        self.assertEqual(self.printed(TUNNEL + f"print(tunnel('127.0.0.1:{self.port}', {request}))"), "hello /t")

    def test_what_is_not_listed_is_forbidden(self):
        shown = self.printed(FETCH + TUNNEL + f"print(fetch('http://127.0.0.1:{self.other_port}/'))\n"
                             f"print(tunnel('127.0.0.1:{self.other_port}'))\nprint(tunnel('example.org:443'))")
        self.assertIn("not in this profile's network list", shown)
        self.assertEqual([line[:3] for line in shown.splitlines()], ["403", "403", "403"])

    def test_a_listed_name_does_not_lead_to_an_address_of_this_machine_that_is_not_listed(self):
        shown = self.printed(FETCH + f"print(fetch('http://localhost:{self.other_port}/'))")
        self.assertTrue(shown.startswith("403"), shown)

    def test_without_the_proxy_nothing_can_be_reached(self):
        code = ("import socket\n"
                "try:\n"
                f"    socket.create_connection(('127.0.0.1', {self.port}), 3)\n"
                "    print('connected')\n"
                "except OSError as error:\n"
                "    print(type(error).__name__)\n")
        self.assertEqual(self.printed(code), "ConnectionRefusedError")

    def test_nonsense_is_answered_or_closed_and_the_proxy_goes_on(self):
        code = TUNNEL + (
            "import os\n"
            "for junk in (b'\\x00' * 100, b'GET / HTTP/1.1\\r\\n\\r\\n', b'A' * 40000, os.urandom(5000) + b'\\r\\n\\r\\n'):\n"
            "    with socket.create_connection(('127.0.0.1', 3128), 10) as s:\n"
            "        try:\n"
            "            s.sendall(junk); s.shutdown(socket.SHUT_WR)\n"
            "            while s.recv(4096): pass\n"
            "        except OSError: pass\n"
            f"print(tunnel('127.0.0.1:{self.other_port}'))")
        self.assertEqual(self.printed(code), "403")

    def test_programs_find_the_proxy_in_their_environment(self):
        self.assertEqual(self.printed("import os; print(os.environ['https_proxy'])"), "http://127.0.0.1:3128")


class NoneTest(ManagerCase):
    def test_the_default_has_no_network(self):
        with socket.create_server(("127.0.0.1", 0)) as server:
            code = ("import socket\n"
                    "try:\n"
                    f"    socket.create_connection(('127.0.0.1', {server.getsockname()[1]}), 3)\n"
                    "    print('connected')\n"
                    "except OSError as error:\n"
                    "    print('refused')\n")
            self.assertEqual(self.manager.run_code(code)["stdout"], "refused\n")


if __name__ == "__main__":
    unittest.main()
