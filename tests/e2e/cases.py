"""What the tests have in common: a server per class, an empty folder per test, exact fetches."""
import shutil
import tempfile
import unittest

from mailrace import Server, without_trace


class FolderCase(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix='mailrace-')
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)


class ServerCase(FolderCase):
    """One server for all tests of the class: they keep apart by their mailboxes."""
    flags = ()

    @classmethod
    def setUpClass(cls):
        cls.server = Server(*cls.flags)
        cls.addClassCleanup(cls.server.close)
        cls.server.start()

    def assert_holds(self, mailbox, *messages):
        """The mailbox holds just these, in this order, each as it was sent below its trace."""
        stored = [without_trace(raw) for raw in self.server.fetch(mailbox)]
        self.assertEqual(len(stored), len(messages))
        for got, sent in zip(stored, messages):
            if got != sent:  # assertEqual would print megabytes
                place = next((i for i, pair in enumerate(zip(got, sent)) if pair[0] != pair[1]),
                             min(len(got), len(sent)))
                self.fail(f'{len(got)} bytes fetched, {len(sent)} sent, first difference at '
                          f'{place}: {got[place:place + 40]!r} for {sent[place:place + 40]!r}')
