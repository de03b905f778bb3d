# SPDX-License-Identifier: MIT
"""systemctl reload, and stickyctl upgrade."""

import time

from case import RUNNING, Case
from service import WORKER, Load


class Reload(Case):
    """systemctl reload, and stickyctl upgrade."""

    def test_under_load(self):
        """reload: other workers, no connection lost"""
        service = self.service()
        before = service.workers()
        load = Load()
        self.assertEqual(service.do("reload"), 0)
        self.assert_nobody_lost(load.stop())
        self.assertEqual(service.state, RUNNING)
        self.assertFalse(set(before) & set(service.workers()))

    def test_refused(self):
        """reload: fails where the file has a mistake, and changes nothing"""
        service = self.service()
        before = service.workers()
        service.write("wrokers: 2\n")
        self.assertNotEqual(service.do("reload"), 0)
        self.assertEqual((service.state, service.workers()), (RUNNING, before))
        self.assertIn("did you mean 'workers'?", service.journal())

    def test_longer_than_a_start(self):
        """reload: may take longer than TimeoutStartSec="""
        service = self.service(command=[str(WORKER), "--notify-delay", "1000"])
        service.drop_in("TimeoutStartSec=1")
        began = time.monotonic()
        self.assertEqual(service.do("reload"), 0)
        self.assertGreater(time.monotonic() - began, 1.9)
        self.assertEqual(service.state, RUNNING)

    def test_upgrade(self):
        """upgrade: the same process and workers, no connection lost"""
        service = self.service()
        before = service.pid, service.workers()
        load = Load()
        result = service.stickyctl("upgrade")
        self.assertEqual(result.returncode, 0, result)
        self.assert_nobody_lost(load.stop())
        self.assertEqual(service.state, RUNNING)
        self.assertEqual((service.pid, service.workers()), before)
