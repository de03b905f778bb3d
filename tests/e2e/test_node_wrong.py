#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Wrong ways to start an application of Node.js, each said plainly."""

import json

import harness
from clients import HERE, LISTEN
from nodejs import BEGUN_IN, LISTENS, NODE, SERVER, NodeTestCase, ask_http
from programs import FAILED, USAGE


class Runners(NodeTestCase):
    """npm and its like: what they run is named instead."""

    def refused(self, *command, arguments=(), words=()):
        result = self.stickyctl("start", "-w", "1", *arguments, "--", *command, cwd=self.dir,
                                env={"PWD": self.dir})
        self.assert_message(result, *words, code=USAGE)
        return result

    def package(self, **scripts):
        self.write("package.json", json.dumps({"name": "app", "scripts": scripts}))

    def test_npm_start(self):
        self.package(start="node --enable-source-maps dist/main.js --port 3000")
        for arguments in ((), LISTEN):
            self.refused("npm", "start", arguments=arguments, words=(
                "npm", "stickyctl start -- node --enable-source-maps dist/main.js --port 3000"))

    def test_npm_start_that_is_not_named(self):
        self.package(test="true")
        self.refused("npm", "start", words=("stickyctl start -- node server.js",))

    def test_a_script_that_wants_a_shell(self):
        self.package(start="NODE_ENV=production node app.js | pino")
        self.refused("npm", "start", words=("NODE_ENV=production node app.js | pino",))

    def test_others(self):
        self.package(web="node web.js", start="node start.js")
        for command, script in (("npm run web", "node web.js"), ("yarn web", "node web.js"),
                                ("yarn start", "node start.js"), ("pnpm start", "node start.js"),
                                ("/usr/bin/npm run-script web", "node web.js")):
            self.refused(*command.split(), words=(f"stickyctl start -- {script}",))
        self.refused("npx", "some-server", words=("npx", "node"))

    def test_bad_packages(self):
        for text in ("", "{", "[]", '{"scripts": 5}', '{"scripts": {"web": 5}}'):
            self.write("package.json", text)
            self.refused("npm", "run", "web", words=("name node itself",))
        (self.dir / "package.json").unlink()
        for command in (("npm",), ("npm", "run"), ("yarn",), ("npm", "--version"), ("npx",)):
            self.refused(*command, words=("name node itself",))

    def test_a_directory_of_its_own(self):
        (self.dir / "there").mkdir()
        self.write("there/package.json", json.dumps({"scripts": {"start": "node there.js"}}))
        self.refused("npm", "start", arguments=("--chdir", self.dir / "there"),
                     words=("stickyctl start -- node there.js",))

    def test_a_shell(self):
        self.refused("sh", "-c", "node app.js", words=("stickyctl start -- node app.js",))
        self.refused("bash", "-c", "cd /app && node app.js", words=("cd /app && node app.js",))

    def test_a_shell_that_becomes_node(self):
        """Whoever says so gets it: exec keeps the channel."""
        app = self.app(SERVER + LISTENS)
        instance = self.serve("-w", "1", "--worker", "node", "--", "sh", "-c",
                              f"exec node {app}")
        self.assertEqual(ask_http(HERE)["slot"], 0)
        instance.stop()

    def test_a_shell_that_does_not(self):
        instance = self.start("-w", "1", "--ready-timeout", "700ms", "--worker", "node", "--",
                              "sh", "-c", "sleep 60; true")
        self.assertEqual(instance.wait(), FAILED)
        self.assertIn("no word from Node.js", instance.errors)
        self.assertIn("name node itself", instance.errors)


class Applications(NodeTestCase):
    def test_a_missing_file(self):
        self.assert_start_fails(self.dir / "nowhere.js", "Cannot find module", "nowhere.js")

    def test_a_mistake(self):
        self.assert_start_fails(self.write("server.js", "const = 5;"), "SyntaxError")

    def test_a_package_that_is_not_installed(self):
        self.assert_start_fails(self.app("require('not-there');"), "Cannot find module")

    def test_node_is_not_on_the_path(self):
        app = self.app(SERVER + LISTENS)
        instance = self.assert_start_fails(app, "cannot run node", "PATH",
                                           env={"PATH": str(self.dir)})
        self.assertNotIn("sudo", instance.errors)

    def test_node_is_not_on_the_path_of_sudo(self):
        """Installed for a user alone, as nvm does it."""
        app = self.app(SERVER + LISTENS)
        self.assert_start_fails(app, "cannot run node", "sudo", "command -v", env={
            "PATH": str(self.dir), "SUDO_UID": "0", "SUDO_GID": "0", "SUDO_USER": "root"})

    def test_node_by_its_path(self):
        instance = self.serve_node(self.app(SERVER + LISTENS), slots=1, node=(NODE,))
        self.assertEqual(ask_http(HERE)["slot"], 0)
        instance.stop()

    def test_cluster_where_it_is_a_primary(self):
        """The usual form, which asks whether it is one: as here it never is, it only serves."""
        app = self.app("""
            const cluster = require('cluster');
            if (cluster.isPrimary) {
              for (let count = 0; count < 4; count++) cluster.fork();
            } else {
              %s
            }
            """ % (SERVER + LISTENS))
        instance = self.serve_node(app)
        self.assert_steered(instance)
        instance.stop()

    def test_cluster_fork_in_any_case(self):
        self.assert_start_fails(self.app("require('cluster').fork();"),
                                "fork is not a function")

    def test_exclusive(self):
        app = self.app(SERVER + "server.listen({port: 3000, exclusive: true});")
        self.assert_start_fails(app, "has not called listen()", "exclusive", arguments=BEGUN_IN,
                                slots=1)

    def test_a_process_of_its_own(self):
        """It leaves the listening to a child, which has a cluster of its own."""
        app = self.app(SERVER + """
            if (process.argv[2] === 'child') server.listen(3000);
            else require('child_process').fork(__filename, ['child']);
            """)
        self.assert_start_fails(app, "has not called listen()", "cluster.fork()",
                                arguments=BEGUN_IN, slots=1)


if __name__ == "__main__":
    harness.main()
