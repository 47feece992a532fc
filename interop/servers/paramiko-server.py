"""A folder served by paramiko, done as in its tests/_stub_sftp.py: PORT HOST_KEY AUTHORIZED_KEYS."""

import os
import socket
import sys
import threading

import paramiko

port, host_key_path, authorized_keys = sys.argv[1:]
host_key = paramiko.Ed25519Key.from_private_key_file(host_key_path)
with open(authorized_keys) as file:
    accepted = file.read().split()[1]


class Login(paramiko.ServerInterface):
    def get_allowed_auths(self, username):
        return "publickey"

    def check_auth_publickey(self, username, key):
        return paramiko.AUTH_SUCCESSFUL if key.get_base64() == accepted else paramiko.AUTH_FAILED

    def check_channel_request(self, kind, chanid):
        return paramiko.OPEN_SUCCEEDED if kind == "session" else paramiko.OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED


def answer(action):
    """The result of an action of the operating system as SFTP tells it."""
    try:
        result = action()
        return paramiko.SFTP_OK if result is None else result
    except OSError as error:
        return paramiko.SFTPServer.convert_errno(error.errno)


class Handle(paramiko.SFTPHandle):
    def stat(self):
        return answer(lambda: paramiko.SFTPAttributes.from_stat(os.fstat(self.readfile.fileno())))

    def chattr(self, attr):
        return answer(lambda: paramiko.SFTPServer.set_file_attr(self.filename, attr))


class Files(paramiko.SFTPServerInterface):
    def open(self, path, flags, attr):
        return answer(lambda: self._open(path, flags, attr))

    @staticmethod
    def _open(path, flags, attr):
        mode = attr.st_mode if attr.st_mode is not None else 0o666
        descriptor = os.open(path, flags, mode)
        writing = "r+b" if flags & os.O_RDWR else "wb"
        if not flags & (os.O_RDWR | os.O_WRONLY):
            writing = "rb"
        handle = Handle(flags)
        handle.filename = path
        handle.readfile = handle.writefile = os.fdopen(descriptor, writing)
        return handle

    def list_folder(self, path):
        def listed():
            entries = []
            for name in os.listdir(path):
                entry = paramiko.SFTPAttributes.from_stat(os.lstat(os.path.join(path, name)))
                entry.filename = name
                entries.append(entry)
            return entries

        return answer(listed)

    def stat(self, path):
        return answer(lambda: paramiko.SFTPAttributes.from_stat(os.stat(path)))

    def lstat(self, path):
        return answer(lambda: paramiko.SFTPAttributes.from_stat(os.lstat(path)))

    def remove(self, path):
        return answer(lambda: os.remove(path))

    def rename(self, old, new):
        return answer(lambda: os.rename(old, new))

    def mkdir(self, path, attr):
        return answer(lambda: os.mkdir(path))

    def rmdir(self, path):
        return answer(lambda: os.rmdir(path))

    def chattr(self, path, attr):
        return answer(lambda: paramiko.SFTPServer.set_file_attr(path, attr))


def serve(connection):
    transport = paramiko.Transport(connection)
    transport.add_server_key(host_key)
    transport.set_subsystem_handler("sftp", paramiko.SFTPServer, Files)
    try:
        transport.start_server(server=Login())
    except (paramiko.SSHException, EOFError, OSError):
        pass  # A client that only looks, or is gone.


listener = socket.create_server(("127.0.0.1", int(port)), backlog=32)
while True:
    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
