#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""NestJS and Next.js. Only `make test-node-matrix` runs this file, and installs and builds both. If
they are installed, it can be run by hand:

    BUILD=build tests/e2e/matrix_frameworks.py [Class[.test] ...]
"""

import unittest

import harness
from clients import HERE, http_get
from frameworks import FrameworkTestCase
from harness import needs
from nodejs import NODE_VERSION, PACKAGES, no_packages

NESTJS = PACKAGES / "heavy" / "nestjs"
NEXTJS = PACKAGES / "heavy" / "nextjs"

# The application in the form in which NestJS's compiler writes it, but for the names: decorators
# are functions.
NEST_APPLICATION = """
    require('reflect-metadata');
    const { Controller, Get, Header, Module, Req } = require('@nestjs/common');
    const { NestFactory } = require('@nestjs/core');

    class AppController {
      answer(request) { return who(request.socket) + '\\n'; }
      onApplicationShutdown() { console.error('hooks called'); }
    }
    Reflect.decorate([Get(), Header('Content-Type', 'text/plain')], AppController.prototype, 'answer',
                     Object.getOwnPropertyDescriptor(AppController.prototype, 'answer'));
    Req()(AppController.prototype, 'answer', 0);
    Controller()(AppController);

    class AppModule {}
    Module({controllers: [AppController]})(AppModule);

    NestFactory.create(AppModule, {logger: ['error', 'warn']}).then(app => {
      %s
      return app.listen(3000);
    });
    """


def why_no_nextjs():
    """Returns why there is no Next.js application, or None."""
    log = NEXTJS / "build.log"
    if no_packages("heavy/nextjs") or (NEXTJS / "built").exists():
        return no_packages("heavy/nextjs")
    lines = log.read_text().strip().splitlines() if log.exists() else []
    return f"not built: {lines[0] if lines else 'tests/node/matrix.sh was not run'}"


@unittest.skipIf(no_packages("heavy/nestjs"), no_packages("heavy/nestjs") or "")
@unittest.skipIf(NODE_VERSION < 20, "NestJS 12 needs Node.js 20")
class NestJS(FrameworkTestCase):
    modules = NESTJS / "node_modules"

    def test_direct(self):
        self.check_direct(self.app(NEST_APPLICATION % ""))

    def test_shutdown_hooks(self):
        self.check_direct(self.app(NEST_APPLICATION % "app.enableShutdownHooks();"),
                          said="hooks called")

    @needs("haproxy")
    def test_proxied(self):
        self.check_proxied(self.app(NEST_APPLICATION % ""))


@unittest.skipIf(why_no_nextjs(), why_no_nextjs() or "")
class NextJS(FrameworkTestCase):
    """server.js of `output: 'standalone'`, as `next build` writes it."""

    server = NEXTJS / ".next" / "standalone" / "server.js"

    def test_direct(self):
        self.check_direct(self.server)

    def test_page(self):
        instance = self.serve_node(self.server)
        code, _, body = http_get(HERE, path="/page")
        self.assertEqual(code, 200)
        self.assertIn("This page was rendered.", body)
        self.stop_soon(instance)

    @needs("haproxy")
    def test_proxied(self):
        self.check_proxied(self.server)


if __name__ == "__main__":
    harness.main()
