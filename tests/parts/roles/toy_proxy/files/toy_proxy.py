"""Passes requests over HTTPS to the application of the first site, and those over HTTP to HTTPS."""

import http.client
import http.server
import pathlib
import socket
import ssl
import threading

HOST, APP = pathlib.Path("/etc/toy-proxy/sites").read_text().split()[:2]
CERTIFICATE = "/etc/ssl/selfhost/%s.%s"
OF_A_CONNECTION = {"connection", "transfer-encoding", "keep-alive", "x-release"}


class ToHTTPS(http.server.BaseHTTPRequestHandler):
    """Where the site is."""

    def do_GET(self):
        self.send_response(308)
        self.send_header("Location", "https://%s%s" % (HOST, self.path))
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_HEAD = do_POST = do_GET


class ToApplication(http.server.BaseHTTPRequestHandler):
    """A connection to live.sock for each request."""

    timeout = 60

    def do_GET(self):
        upstream = http.client.HTTPConnection("localhost")
        upstream.sock = socket.socket(socket.AF_UNIX)
        upstream.sock.connect("/srv/%s/run/live.sock" % APP)
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        headers = {name: value for name, value in self.headers.items() if name.lower() not in OF_A_CONNECTION}
        upstream.request(self.command, self.path, body, {**headers, "X-Forwarded-Proto": "https"})
        self.answer(upstream.getresponse())

    def answer(self, answer):
        body = answer.read()
        self.send_response_only(answer.status, answer.reason)
        for name, value in answer.getheaders():
            if name.lower() not in OF_A_CONNECTION:
                self.send_header(name, value)
        self.end_headers()
        self.wfile.write(b"" if self.command == "HEAD" else body)

    do_HEAD = do_POST = do_GET

    def setup(self):
        """The handshake is each connection's own."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(CERTIFICATE % (APP, "pem"), CERTIFICATE % (APP, "key"))
        self.request = context.wrap_socket(self.request, server_side=True)
        super().setup()


plain = http.server.ThreadingHTTPServer(("", 80), ToHTTPS)
threading.Thread(target=plain.serve_forever, daemon=True).start()
http.server.ThreadingHTTPServer(("", 443), ToApplication).serve_forever()
