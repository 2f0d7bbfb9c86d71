"""A program in a pseudo-terminal: what is typed goes in, what a screen would get comes out."""
import fcntl
import os
import pathlib
import pty
import select
import signal
import struct
import termios
import time


class Terminal:
    """Used in a with statement, which ends the program if it is still there."""

    def __init__(self, arguments, environment):
        self.seen = b""  # all that the program has written
        self.expected = 0  # bytes of it that expect() has passed
        self.process, self.master = pty.fork()
        if self.process == 0:
            os.execve(arguments[0], [os.fspath(argument) for argument in arguments],
                      os.environ | {"TERM": "xterm", "LC_ALL": "C.UTF-8"} | environment)
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 200, 0, 0))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.close(self.master)  # hangs up
        if self.process is not None:
            os.kill(self.process, signal.SIGKILL)
            os.waitpid(self.process, 0)

    def _read(self, seconds):
        """False at the end of the program's output, or when there was none for so long."""
        if not select.select([self.master], [], [], seconds)[0]:
            return False
        try:
            content = os.read(self.master, 65536)
        except OSError:  # Linux reports the end so
            return False
        self.seen += content
        return bool(content)

    def expect(self, text, seconds=60):
        """Waits until the program has written `text`, behind what was expected before; returns all up to its end."""
        wanted = text.encode()
        deadline = time.monotonic() + seconds
        while (at := self.seen.find(wanted, self.expected)) < 0:
            if not self._read(max(0, deadline - time.monotonic())):
                raise AssertionError(f"{text!r} did not come; there was {self.seen[self.expected:]!r}")
        passed = self.seen[self.expected:at + len(wanted)]
        self.expected = at + len(wanted)
        return passed.decode(errors="replace")

    def expect_prompt(self, prompt):
        """Waits for the prompt of an editor that takes every key itself."""
        self.expect(prompt)
        self.wait_until_it_waits()

    def wait_until_it_waits(self):
        """For a key: a signal that comes before may go unnoticed until there is one."""
        deadline = time.monotonic() + 60
        while termios.tcgetattr(self.master)[3] & termios.ICANON or not self._sleeps():
            if time.monotonic() > deadline:
                raise AssertionError("the program does not wait for keys")
            time.sleep(0.002)

    def _sleeps(self):
        state = pathlib.Path(f"/proc/{self.process}/stat").read_text().rpartition(")")[2].split()[0]
        return state == "S"

    def expect_more(self):
        """Waits until the program has written anything more."""
        if self.expected == len(self.seen):
            self._read(60)

    def type(self, keys):
        os.write(self.master, keys.encode())

    def exit_code(self):
        """Of the program, which must be about to end; negative for a signal."""
        while self._read(60):
            pass
        _, status = os.waitpid(self.process, 0)
        self.process = None
        return os.waitstatus_to_exitcode(status)
