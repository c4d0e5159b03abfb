#!/usr/bin/python3
"""An FTP server over a folder, by Debian's pyftpdlib 1.5.7. Arguments: a JSON object.

port, tls (explicit | implicit | none), certificate (PEM file with key), root, username, password,
permissions (letters of pyftpdlib: elradfmwMT is everything).
"""
import json
import sys

from pyftpdlib.authorizers import DummyAuthorizer
from pyftpdlib.handlers import FTPHandler, TLS_DTPHandler, TLS_FTPHandler
from pyftpdlib.servers import FTPServer

options = json.loads(sys.argv[1])


class DataConnection(TLS_DTPHandler):
    """Waits for the handshake, which this version takes for data when it comes before STOR."""

    def readable(self):
        return self._ssl_accepting or super().readable()


class Explicit(TLS_FTPHandler):
    dtp_handler = DataConnection
    certfile = options["certificate"]
    tls_control_required = True
    tls_data_required = True


class Implicit(Explicit):
    """This version has no implicit mode: secure the socket first, greet afterwards."""

    def handle(self):
        self.secure_connection(self.ssl_context)

    def handle_ssl_established(self):
        super().handle()


handler = {"none": FTPHandler, "explicit": Explicit, "implicit": Implicit}[options["tls"]]
handler.authorizer = DummyAuthorizer()
handler.authorizer.add_user(
    options["username"], options["password"], options["root"], perm=options["permissions"]
)
handler.auth_failed_timeout = 0.2
FTPServer(("127.0.0.1", options["port"]), handler).serve_forever()
